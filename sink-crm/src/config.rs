//! Settings of the service. A flag is an environment variable and documentation as well.

use std::path::PathBuf;
use std::time::Duration;

use leadstream_kafka::KafkaArgs;
use leadstream_service::config::{DatabaseArgs, duration};
use leadstream_service::{ConfigError, RetryPolicy, ServiceArgs};
use sqlx::postgres::PgConnectOptions;

use crate::hubspot::{HubspotArgs, HubspotSettings};
use crate::mapping::Mapping;
use crate::salesforce::{SalesforceArgs, SalesforceSettings};
use crate::webhook::{WebhookArgs, WebhookSettings};

/// The retry policy while PostgreSQL or Kafka is unavailable.
pub(crate) const AWAY: RetryPolicy =
    RetryPolicy::new(Duration::from_millis(100), Duration::from_secs(5));

/// Settings of `leadstream sink-crm`. A CRM is written to when its credentials are set.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub crm: CrmArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// The CRMs, and how they are synced.
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

/// How CRMs are synced.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Synchronisation")]
pub struct SyncArgs {
    /// YAML file that says which values of a lead each CRM gets; a built-in one without it. Its JSON
    /// Schema is sink-crm/crm.schema.json, the built-in one sink-crm/crm.yaml
    #[arg(long, env = "SINK_CRM_MAPPING_FILE", value_name = "PATH")]
    pub sink_crm_mapping_file: Option<PathBuf>,
    /// Further hosts that may get credentials and leads, also without TLS, separated by commas: a
    /// proxy, a sandbox. HubSpot's and Salesforce's own hosts are always allowed
    #[arg(
        long,
        env = "SINK_CRM_ALLOWED_HOSTS",
        value_delimiter = ',',
        value_name = "HOSTS"
    )]
    pub sink_crm_allowed_hosts: Vec<String>,
    /// Time for a request to a CRM
    #[arg(
        long,
        env = "SINK_CRM_REQUEST_TIMEOUT",
        default_value = "20s",
        value_name = "DURATION",
        value_parser = duration(Duration::from_secs(1)..=Duration::from_secs(600))
    )]
    pub sink_crm_request_timeout: Duration,
    /// Time before the first retry at most; it doubles with each further one
    #[arg(
        long,
        env = "SINK_CRM_RETRY_BASE",
        default_value = "500ms",
        value_name = "DURATION",
        value_parser = duration(Duration::from_millis(1)..)
    )]
    pub sink_crm_retry_base: Duration,
    /// Time between retries at most, however many have failed
    #[arg(
        long,
        env = "SINK_CRM_RETRY_CAP",
        default_value = "1m",
        value_name = "DURATION",
        value_parser = duration(Duration::from_secs(1)..)
    )]
    pub sink_crm_retry_cap: Duration,
    /// Time between probes of a CRM that is halted because of a fault in its set-up
    #[arg(
        long,
        env = "SINK_CRM_PROBE_INTERVAL",
        default_value = "1m",
        value_name = "DURATION",
        value_parser = duration(Duration::from_secs(1)..)
    )]
    pub sink_crm_probe_interval: Duration,
    /// Requests in flight to one CRM at most, per process; fewer while it is slow or refuses
    #[arg(
        long,
        env = "SINK_CRM_CONCURRENCY",
        default_value_t = 4,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(1..=64)
    )]
    pub sink_crm_concurrency: u32,
    /// Time between two batches that are not full, at least. It grows where a CRM's daily requests
    /// would not last
    #[arg(
        long,
        env = "SINK_CRM_LINGER",
        default_value = "20ms",
        value_name = "DURATION",
        value_parser = duration(..=Duration::from_secs(60))
    )]
    pub sink_crm_linger: Duration,
    /// Share of a CRM's daily requests that Leadstream uses; the rest stays for your other apps
    #[arg(
        long,
        env = "SINK_CRM_DAILY_SHARE_PERCENT",
        default_value_t = 80,
        value_name = "PERCENT",
        value_parser = clap::value_parser!(u8).range(1..=100)
    )]
    pub sink_crm_daily_share_percent: u8,
}

/// The checked settings.
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
    /// Returns an error with an example if a setting is missing or wrong.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        self.kafka.validate()?;
        Ok(Settings {
            database: self.database.connect(str::parse)?,
            crms: self.crm.crms()?,
            timing: self.crm.sync.timing(),
        })
    }
}

impl CrmArgs {
    /// # Errors
    /// Returns an error with an example if a setting is missing or wrong.
    pub(crate) fn crms(&self) -> Result<Crms, ConfigError> {
        let crms = self.configured()?;
        if crms.is_empty() {
            return Err(ConfigError::new(
                "HUBSPOT_ACCESS_TOKEN",
                "is not set, nor is HUBSPOT_CLIENT_ID, SALESFORCE_LOGIN_URL or SINK_CRM_WEBHOOK_URL: there is no CRM to write to; example: HUBSPOT_ACCESS_TOKEN=pat-na1-…, or SALESFORCE_LOGIN_URL=https://acme.my.salesforce.com with SALESFORCE_CLIENT_ID=3MVG9… and SALESFORCE_CLIENT_SECRET=1A2B3C…",
            ));
        }
        Ok(crms)
    }

    /// Returns whether no CRM is set.
    ///
    /// # Errors
    /// Returns an error with an example if a setting is missing or wrong.
    pub fn is_empty(&self) -> Result<bool, ConfigError> {
        Ok(self.configured()?.is_empty())
    }

    fn configured(&self) -> Result<Crms, ConfigError> {
        let mapping = Mapping::load(self.sync.sink_crm_mapping_file.as_deref())?;
        let allowed = &self.sync.sink_crm_allowed_hosts;
        let hubspot = self.hubspot.settings(mapping.hubspot, allowed)?;
        let salesforce = self.salesforce.settings(mapping.salesforce, allowed)?;
        let webhook = self.webhook.settings(mapping.webhook.filter)?;
        Ok(Crms {
            hubspot,
            salesforce,
            webhook,
            urgent_states: mapping.urgent_states,
        })
    }
}

impl Crms {
    const fn is_empty(&self) -> bool {
        self.hubspot.is_none() && self.salesforce.is_none() && self.webhook.is_none()
    }
}

impl SyncArgs {
    pub(crate) fn timing(&self) -> Timing {
        Timing {
            request: self.sink_crm_request_timeout,
            retry: RetryPolicy::new(self.sink_crm_retry_base, self.sink_crm_retry_cap),
            probe: self.sink_crm_probe_interval,
            linger: self.sink_crm_linger,
            daily_share: self.sink_crm_daily_share_percent,
            concurrency: self.sink_crm_concurrency,
        }
    }
}

#[cfg(test)]
mod tests;
