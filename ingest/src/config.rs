//! Settings of the webhooks.

use std::net::SocketAddr;
use std::time::Duration;

use leadstream_service::config::{WasenderArgs, duration, size};
use leadstream_service::{ConfigError, Secret};

use crate::cloud_api::Numbers;
use crate::provider::{CloudApi, Wasender};
use crate::signature::{AppSecrets, Tokens};
use crate::wasender::Sessions;

const APP_SECRET: &str = "META_APP_SECRET";
const WASENDER_SECRET: &str = "WASENDER_WEBHOOK_SECRET";
const EXAMPLE: &str = "0123456789abcdef0123456789abcdef";
const MIB: usize = 1 << 20;

/// The webhooks of the Cloud API.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Providers")]
pub struct CloudApiArgs {
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
    /// Your phone_number_ids, separated by commas; webhooks for others are counted and skipped.
    /// Without it, all that the app's secret signs
    #[arg(
        long,
        env = "META_PHONE_NUMBER_IDS",
        default_value = "",
        hide_default_value = true,
        value_name = "ID,…"
    )]
    pub meta_phone_number_ids: Numbers,
}

/// Who may post. At least one provider has to be set.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Providers")]
pub struct ProviderArgs {
    #[command(flatten)]
    pub cloud_api: CloudApiArgs,
    /// Secret of WASenderApi's webhook, several separated by commas; or
    /// WASENDER_WEBHOOK_SECRET_FILE
    #[arg(
        long,
        env = "WASENDER_WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRET,…"
    )]
    pub wasender_webhook_secret: Option<Secret>,
    #[command(flatten)]
    pub wasender: WasenderArgs,
}

impl CloudApiArgs {
    /// Returns who may post; none without a secret of the app.
    ///
    /// # Errors
    /// Returns an error if only the secret is set.
    pub fn provider(&self) -> Result<Option<CloudApi>, ConfigError> {
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
}

impl ProviderArgs {
    /// # Errors
    /// No provider, or half of one.
    pub fn providers(&self) -> Result<(Option<CloudApi>, Option<Wasender>), ConfigError> {
        let (cloud_api, wasender) = (self.cloud_api.provider()?, self.wasender()?);
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

    fn wasender(&self) -> Result<Option<Wasender>, ConfigError> {
        let secrets = Secret::resolve(self.wasender_webhook_secret.clone(), WASENDER_SECRET)?;
        let Some(secrets) = secrets.and_then(|list| Tokens::parse(list.expose())) else {
            return Ok(None);
        };
        let sessions = Sessions::from(self.wasender.sessions()?);
        Ok(Some(Wasender { secrets, sessions }))
    }
}

/// The address of the webhooks, and their limits.
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
    /// Time that Kafka has to acknowledge a webhook's records; then it is answered 503
    #[arg(
        long,
        env = "INGEST_ACK_TIMEOUT",
        default_value = "10s",
        value_name = "DURATION",
        value_parser = duration(Duration::from_secs(1)..)
    )]
    pub ingest_ack_timeout: Duration,
    /// Time after SIGTERM in which ingest still accepts requests, each answered with
    /// `Connection: close`, while /health/ready answers 503 and balancers choose others
    #[arg(
        long,
        env = "INGEST_DRAIN_TIMEOUT",
        default_value = "3s",
        value_name = "DURATION",
        value_parser = duration(..)
    )]
    pub ingest_drain_timeout: Duration,
    /// Memory for records that Kafka has not acknowledged; above it webhooks are answered 503
    #[arg(
        long,
        env = "INGEST_UNACKNOWLEDGED_MEMORY",
        default_value = "16MiB",
        value_name = "SIZE",
        value_parser = size(MIB..=32 * MIB)
    )]
    pub ingest_unacknowledged_memory: usize,
    /// Memory for long bodies that are arriving; above it long bodies are answered 503
    #[arg(
        long,
        env = "INGEST_LARGE_BODY_MEMORY",
        default_value = "32MiB",
        value_name = "SIZE",
        value_parser = size(4 * MIB..=4096 * MIB)
    )]
    pub ingest_large_body_memory: usize,
    #[command(flatten)]
    pub limits: LimitArgs,
}

leadstream_service::http_limit_args!(
    LimitArgs,
    flags: "ingest",
    variables: "INGEST",
    max_requests: 1024,
    max_connections: 4096
);

impl WebhookArgs {
    /// Returns how long a request can take that is accepted as the shutdown begins.
    pub(crate) fn longest_shutdown(&self) -> Duration {
        [
            self.ingest_drain_timeout,
            self.limits.header_timeout,
            self.limits.body_timeout,
            self.ingest_ack_timeout,
        ]
        .into_iter()
        .fold(Duration::from_secs(1), Duration::saturating_add)
    }
}
