//! Settings of the service: flags, which are environment variables and documentation as well.

use std::path::PathBuf;
use std::time::Duration;

use leadstream_kafka::KafkaArgs;
use leadstream_service::config::DatabaseArgs;
use leadstream_service::{ConfigError, RetryPolicy, Secret, ServiceArgs};
use reqwest::Url;
use sqlx::postgres::PgConnectOptions;

use crate::hubspot::HubspotSettings;
use crate::mapping::{Filter, Mapping};
use crate::salesforce::SalesforceSettings;
use crate::webhook::WebhookSettings;

mod address;
mod hubspot;
mod salesforce;

pub(crate) use address::Hosts;
pub use hubspot::HubspotArgs;
pub use salesforce::SalesforceArgs;

/// How PostgreSQL and Kafka are tried again while they are away.
pub(crate) const AWAY: RetryPolicy =
    RetryPolicy::unlimited(Duration::from_millis(100), Duration::from_secs(5));

/// Settings of `leadstream sink-crm`. A CRM is written to when its credentials are set.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub service: ServiceArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub crm: CrmArgs,
}

/// The CRMs, and how they are kept in step.
#[derive(Clone, Debug, clap::Args)]
pub struct CrmArgs {
    #[command(flatten)]
    pub hubspot: HubspotArgs,
    #[command(flatten)]
    pub salesforce: SalesforceArgs,
    #[command(flatten)]
    pub webhook: WebhookArgs,
    #[command(flatten)]
    pub sync: SyncArgs,
}

/// Settings of the signed webhook.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Webhook")]
pub struct WebhookArgs {
    /// Receiver of every event, in order per lead, signed as Standard Webhooks says
    #[arg(
        long,
        env = "CRM_WEBHOOK_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub crm_webhook_url: Option<Secret>,
    /// Secret in base64, several with commas while it is rotated; or CRM_WEBHOOK_SECRET_FILE
    #[arg(
        long,
        env = "CRM_WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub crm_webhook_secret: Option<Secret>,
}

/// How CRMs are kept in step.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Synchronisation")]
pub struct SyncArgs {
    /// YAML file that says what each CRM is sent of a lead; a built-in one without it. Its JSON
    /// Schema is sink-crm/crm.schema.json, the built-in one sink-crm/crm.yaml
    #[arg(long, env = "CRM_MAPPING_FILE", value_name = "PATH")]
    pub crm_mapping_file: Option<PathBuf>,
    /// Hosts beside HubSpot's and Salesforce's own that their credentials and your leads may go to,
    /// separated by commas: a proxy, a sandbox. These may be spoken to without TLS
    #[arg(
        long,
        env = "CRM_ALLOWED_HOSTS",
        value_delimiter = ',',
        value_name = "HOSTS"
    )]
    pub crm_allowed_hosts: Vec<String>,
    /// Seconds that a request to a CRM may take
    #[arg(
        long,
        env = "CRM_REQUEST_TIMEOUT_SECONDS",
        default_value_t = 20,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..=600)
    )]
    pub crm_request_timeout_seconds: u64,
    /// Milliseconds at most before the first retry; doubled with each further one
    #[arg(
        long,
        env = "CRM_RETRY_BASE_MILLISECONDS",
        default_value_t = 500,
        value_name = "MILLISECONDS",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub crm_retry_base_milliseconds: u64,
    /// Seconds at most between retries, however many have failed
    #[arg(
        long,
        env = "CRM_RETRY_CAP_SECONDS",
        default_value_t = 60,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub crm_retry_cap_seconds: u64,
    /// Seconds between probes of a CRM that is halted for a fault of its set-up
    #[arg(
        long,
        env = "CRM_PROBE_SECONDS",
        default_value_t = 60,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub crm_probe_seconds: u64,
    /// Requests at once to one CRM at most, per process; fewer while it is slow or refuses
    #[arg(
        long,
        env = "CRM_CONCURRENCY",
        default_value_t = 4,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(1..=64)
    )]
    pub crm_concurrency: u32,
    /// Milliseconds at least between two batches that are not full; longer where a CRM's daily
    /// requests would not last otherwise
    #[arg(
        long,
        env = "CRM_LINGER_MILLISECONDS",
        default_value_t = 20,
        value_name = "MILLISECONDS",
        value_parser = clap::value_parser!(u64).range(0..=60_000)
    )]
    pub crm_linger_milliseconds: u64,
    /// Part of a CRM's daily requests past which what remains is left to your other apps
    #[arg(
        long,
        env = "CRM_DAILY_SHARE_PERCENT",
        default_value_t = 80,
        value_name = "PERCENT",
        value_parser = clap::value_parser!(u8).range(1..=100)
    )]
    pub crm_daily_share_percent: u8,
}

/// What the arguments come to.
pub(crate) struct Settings {
    pub(crate) database: PgConnectOptions,
    pub(crate) crms: Crms,
    pub(crate) timing: Timing,
}

/// The CRMs that are configured, at least one.
#[derive(Debug)]
pub(crate) struct Crms {
    pub(crate) hubspot: Option<HubspotSettings>,
    pub(crate) salesforce: Option<SalesforceSettings>,
    pub(crate) webhook: Option<WebhookSettings>,
    /// States that go first, beside completed leads.
    pub(crate) urgent_states: Vec<String>,
}

/// Durations of the synchronisation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) request: Duration,
    pub(crate) retry: RetryPolicy,
    pub(crate) probe: Duration,
    pub(crate) linger: Duration,
    /// Percents.
    pub(crate) daily_share: u8,
    pub(crate) concurrency: u32,
}

impl Args {
    /// # Errors
    /// A missing or wrong setting, named with an example.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        self.kafka.validate()?;
        Ok(Settings {
            database: database(&self.database)?,
            crms: self.crm.crms()?,
            timing: self.crm.sync.timing(),
        })
    }
}

impl CrmArgs {
    /// # Errors
    /// A missing or wrong setting, named with an example.
    pub(crate) fn crms(&self) -> Result<Crms, ConfigError> {
        let mapping = Mapping::load(self.sync.crm_mapping_file.as_deref())?;
        let allowed = &self.sync.crm_allowed_hosts;
        let hubspot = self.hubspot.settings(mapping.hubspot, allowed)?;
        let salesforce = self.salesforce.settings(mapping.salesforce, allowed)?;
        let webhook = self.webhook.settings(mapping.webhook.filter)?;
        if hubspot.is_none() && salesforce.is_none() && webhook.is_none() {
            return Err(ConfigError::new(
                "HUBSPOT_ACCESS_TOKEN",
                "is not set, nor is HUBSPOT_CLIENT_ID, SALESFORCE_LOGIN_URL or CRM_WEBHOOK_URL: there is no CRM to write to; example: HUBSPOT_ACCESS_TOKEN=pat-na1-…, or SALESFORCE_LOGIN_URL=https://acme.my.salesforce.com with SALESFORCE_CLIENT_ID=3MVG9… and SALESFORCE_CLIENT_SECRET=1A2B3C…",
            ));
        }
        Ok(Crms {
            hubspot,
            salesforce,
            webhook,
            urgent_states: mapping.urgent_states,
        })
    }
}

impl SyncArgs {
    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.crm_request_timeout_seconds)
    }

    pub(crate) fn timing(&self) -> Timing {
        Timing {
            request: self.request_timeout(),
            retry: RetryPolicy::unlimited(
                Duration::from_millis(self.crm_retry_base_milliseconds),
                Duration::from_secs(self.crm_retry_cap_seconds),
            ),
            probe: Duration::from_secs(self.crm_probe_seconds),
            linger: Duration::from_millis(self.crm_linger_milliseconds),
            daily_share: self.crm_daily_share_percent,
            concurrency: self.crm_concurrency,
        }
    }
}

pub(crate) fn database(args: &DatabaseArgs) -> Result<PgConnectOptions, ConfigError> {
    args.connect(str::parse)
}

impl WebhookArgs {
    fn settings(&self, filter: Filter) -> Result<Option<WebhookSettings>, ConfigError> {
        let url = self.crm_webhook_url.clone();
        let Some(url) = url.filter(|url| !url.is_blank()) else {
            return Ok(None);
        };
        // Its query, its path or a user may be what lets us in, so it is never printed.
        let valid = Url::parse(url.expose().trim())
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !valid {
            return Err(ConfigError::new(
                "CRM_WEBHOOK_URL",
                "is no http or https URL; example: CRM_WEBHOOK_URL=https://example.com/leads",
            ));
        }
        let settings = WebhookSettings {
            url,
            given_secret: self.crm_webhook_secret.clone(),
            filter,
        };
        settings.validate()?;
        Ok(Some(settings))
    }
}

#[cfg(test)]
mod tests;
