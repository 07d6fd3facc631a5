//! Settings of the webhooks.

use std::net::SocketAddr;
use std::time::Duration;

use leadstream_service::server::Limits;
use leadstream_service::{ConfigError, Secret};

use crate::cloud_api::Numbers;
use crate::provider::{CloudApi, Wasender};
use crate::signature::{AppSecrets, Tokens};
use crate::wasender::Sessions;

const APP_SECRET: &str = "META_APP_SECRET";
const WASENDER_SECRET: &str = "WASENDER_WEBHOOK_SECRET";
const EXAMPLE: &str = "0123456789abcdef0123456789abcdef";

/// What a list separated by commas holds, without blanks around it and without empty entries.
pub(crate) fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
}

/// Who may post. At least one provider has to be set.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Providers")]
pub struct ProviderArgs {
    /// Secret of the Meta app, several separated by commas during rotation; or
    /// META_APP_SECRET_FILE
    #[arg(
        long,
        env = "META_APP_SECRET",
        hide_env_values = true,
        value_name = "SECRET,…"
    )]
    pub meta_app_secret: Option<Secret>,
    /// Token that Meta repeats when the webhook is set up; or META_VERIFY_TOKEN_FILE
    #[arg(
        long,
        env = "META_VERIFY_TOKEN",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub meta_verify_token: Option<Secret>,
    /// The phone_number_ids that are ours, separated by commas; webhooks for others are counted and
    /// skipped. By default all that the app's secret signs
    #[arg(
        long,
        env = "META_PHONE_NUMBER_IDS",
        default_value = "",
        hide_default_value = true,
        value_name = "ID,…"
    )]
    pub meta_phone_number_ids: Numbers,
    /// Secret of WASenderApi's webhook, several separated by commas; or
    /// WASENDER_WEBHOOK_SECRET_FILE
    #[arg(
        long,
        env = "WASENDER_WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRET,…"
    )]
    pub wasender_webhook_secret: Option<Secret>,
    /// API key of the WASenderApi session, or name=key of several separated by commas: records carry
    /// the name, `default` when there is none. Webhooks of other sessions are counted and skipped; or
    /// WASENDER_API_KEY_FILE
    #[arg(
        long,
        env = "WASENDER_API_KEY",
        hide_env_values = true,
        value_name = "[NAME=]SECRET,…"
    )]
    pub wasender_api_key: Option<Secret>,
}

impl ProviderArgs {
    /// # Errors
    /// No provider, or half of one.
    pub fn providers(&self) -> Result<(Option<CloudApi>, Option<Wasender>), ConfigError> {
        let (cloud_api, wasender) = (self.cloud_api()?, self.wasender()?);
        if cloud_api.is_none() && wasender.is_none() {
            return Err(ConfigError::new(
                APP_SECRET,
                format!(
                    "is not set, nor is {WASENDER_SECRET}: no provider could post; example: {APP_SECRET}={EXAMPLE}"
                ),
            ));
        }
        Ok((cloud_api, wasender))
    }

    fn cloud_api(&self) -> Result<Option<CloudApi>, ConfigError> {
        let secrets = Secret::resolve(self.meta_app_secret.clone(), APP_SECRET)?;
        let Some(secrets) = secrets.and_then(|list| AppSecrets::parse(list.expose())) else {
            return Ok(None);
        };
        let verify_token = Secret::require(
            self.meta_verify_token.clone(),
            "META_VERIFY_TOKEN",
            "a-text-of-your-choice",
        )?;
        Ok(Some(CloudApi {
            secrets,
            verify_token,
            numbers: self.meta_phone_number_ids.clone(),
        }))
    }

    fn wasender(&self) -> Result<Option<Wasender>, ConfigError> {
        const API_KEY: &str = "WASENDER_API_KEY";
        let secrets = Secret::resolve(self.wasender_webhook_secret.clone(), WASENDER_SECRET)?;
        let Some(secrets) = secrets.and_then(|list| Tokens::parse(list.expose())) else {
            return Ok(None);
        };
        let keys = Secret::resolve(self.wasender_api_key.clone(), API_KEY)?;
        let keys = keys.as_ref().map_or("", Secret::expose);
        let sessions: Sessions = keys
            .parse()
            .map_err(|problem: String| ConfigError::new(API_KEY, problem))?;
        Ok(Some(Wasender { secrets, sessions }))
    }
}

/// Where webhooks are taken in, and within which limits.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Webhooks")]
pub struct WebhookArgs {
    /// Address of the webhooks
    #[arg(
        long,
        env = "INGEST_ADDRESS",
        default_value = "0.0.0.0:8080",
        value_name = "IP:PORT"
    )]
    pub ingest_address: SocketAddr,
    /// Seconds that Kafka has to acknowledge a webhook before it is answered 503
    #[arg(
        long,
        env = "INGEST_ACK_TIMEOUT_SECONDS",
        default_value_t = 10,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub ingest_ack_timeout_seconds: u64,
    /// Seconds that a client has to send a request's head; an idle connection is closed after
    /// them, too, so a balancer that reuses connections needs a shorter idle time
    #[arg(
        long,
        env = "INGEST_HEADER_TIMEOUT_SECONDS",
        default_value_t = 5,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub ingest_header_timeout_seconds: u64,
    /// Seconds that a client has to send a request's body
    #[arg(
        long,
        env = "INGEST_BODY_TIMEOUT_SECONDS",
        default_value_t = 10,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub ingest_body_timeout_seconds: u64,
    /// Seconds after SIGTERM in which requests are still taken, each answered with
    /// `Connection: close`, while /health/ready says 503 and balancers turn elsewhere
    #[arg(
        long,
        env = "INGEST_DRAIN_SECONDS",
        default_value_t = 3,
        value_name = "SECONDS"
    )]
    pub ingest_drain_seconds: u64,
    /// Requests under way, from the body's end to the answer; more are answered 503
    #[arg(
        long,
        env = "INGEST_MAX_REQUESTS",
        default_value_t = 1024,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(1..=100_000)
    )]
    pub ingest_max_requests: u32,
    /// Open connections; more are answered 503
    #[arg(
        long,
        env = "INGEST_MAX_CONNECTIONS",
        default_value_t = 4096,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(8..=100_000)
    )]
    pub ingest_max_connections: u32,
    /// MiB of records that wait for Kafka; past them webhooks are answered 503
    #[arg(
        long,
        env = "INGEST_MAX_WAITING_MIB",
        default_value_t = 16,
        value_name = "MIB",
        value_parser = clap::value_parser!(u32).range(1..=32)
    )]
    pub ingest_max_waiting_mib: u32,
    /// MiB of long bodies held while they arrive; past them those are answered 503
    #[arg(
        long,
        env = "INGEST_MAX_BODIES_MIB",
        default_value_t = 32,
        value_name = "MIB",
        value_parser = clap::value_parser!(u32).range(4..=4096)
    )]
    pub ingest_max_bodies_mib: u32,
}

impl WebhookArgs {
    /// Seconds that a request may take which is accepted as the shutdown begins.
    pub(crate) fn longest_shutdown_seconds(&self) -> u64 {
        [
            self.ingest_drain_seconds,
            self.ingest_header_timeout_seconds,
            self.ingest_body_timeout_seconds,
            self.ingest_ack_timeout_seconds,
        ]
        .into_iter()
        .fold(1, u64::saturating_add)
    }

    pub(crate) const fn ack_timeout(&self) -> Duration {
        Duration::from_secs(self.ingest_ack_timeout_seconds)
    }

    pub(crate) const fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.ingest_body_timeout_seconds)
    }

    pub(crate) const fn max_waiting(&self) -> usize {
        mebibytes(self.ingest_max_waiting_mib)
    }

    pub(crate) const fn max_bodies(&self) -> usize {
        mebibytes(self.ingest_max_bodies_mib)
    }

    pub(crate) const fn limits(&self) -> Limits {
        Limits {
            connections: self.ingest_max_connections as usize,
            header_timeout: Duration::from_secs(self.ingest_header_timeout_seconds),
            drain: Duration::from_secs(self.ingest_drain_seconds),
        }
    }
}

const fn mebibytes(count: u32) -> usize {
    count as usize * 1024 * 1024
}
