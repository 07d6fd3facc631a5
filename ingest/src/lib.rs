//! Leadstream's receiver: provider webhooks in, records out. It knows providers and nothing of
//! leads.

pub mod cloud_api;
pub mod http;
pub mod metrics;
pub mod records;
mod server;
pub mod signature;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use leadstream_schemas::registry::{Registry, RegistryError, SchemaIds};
use leadstream_stream::config::RegistryArgs;
use leadstream_stream::ops::Health;
use leadstream_stream::producer::ProduceError;
use leadstream_stream::{
    ConfigError, Context, KafkaArgs, Producer, RetryPolicy, Secret, ServiceArgs,
};
use tokio::net::TcpListener;

use http::Webhook;
use metrics::Metrics;
use records::Encoder;
use signature::AppSecrets;

/// Takes webhooks of WhatsApp providers in and writes them to Kafka
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub registry: RegistryArgs,
    #[command(flatten)]
    pub service: ServiceArgs,
    #[command(flatten)]
    pub webhook: WebhookArgs,
}

/// Settings of the webhooks.
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
        default_value_t = 10,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub ingest_header_timeout_seconds: u64,
}

/// Why the service stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("INGEST_ADDRESS {address} cannot be listened on: {source}; choose another")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Produce(#[from] ProduceError),
    #[error("a task of the service ended unexpectedly")]
    Task(#[from] tokio::task::JoinError),
}

/// Serves webhooks until shutdown; answers 503 while the registry or Kafka is away.
///
/// # Errors
/// Settings that are wrong, an address that is taken, a registry that refuses the schemas.
pub async fn run(args: Args, context: Context) -> Result<(), Error> {
    args.kafka.validate()?;
    args.kafka.validate()?;
    let registry = Registry::new(&args.registry.config()?)?;
    let (secrets, verify_token) = secrets(&args.webhook)?;
    let timeout = Duration::from_secs(args.webhook.ingest_ack_timeout_seconds);
    let producer = Producer::new(&args.kafka, "leadstream-ingest", Some(timeout))?;
    let address = args.webhook.ingest_address;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| Error::Listen { address, source })?;
    let webhook = Arc::new(Webhook {
        secrets,
        verify_token,
        encoder: OnceLock::new(),
        publisher: producer.clone(),
        metrics: Metrics::default(),
    });
    context
        .health
        .unready("registry", "the schema ids are not known yet");
    context
        .health
        .unready("kafka", "no broker has answered yet");
    context.health.ready("start");
    tracing::info!(ingest.address = %address, "webhooks are served");

    let watch = tokio::spawn(watch_kafka(producer.clone(), context.clone()));
    let server = async {
        let router = http::router(Arc::clone(&webhook));
        let header_timeout = Duration::from_secs(args.webhook.ingest_header_timeout_seconds);
        server::serve(listener, router, header_timeout, context.shutdown.clone()).await;
        Ok(())
    };
    let prefix = &args.kafka.topic_prefix;
    tokio::try_join!(server, open(&registry, prefix, &webhook, &context))?;
    watch.await?;
    // What a client did not wait for may still be on its way; nobody was told that it arrived.
    if let Err(error) = tokio::task::spawn_blocking(move || producer.flush(timeout)).await? {
        tracing::warn!(error = %error, "unacknowledged records were dropped at the end");
    }
    Ok(())
}

fn secrets(args: &WebhookArgs) -> Result<(AppSecrets, Secret), ConfigError> {
    const APP_SECRET: &str = "META_APP_SECRET";
    const EXAMPLE: &str = "0123456789abcdef0123456789abcdef";
    let list = Secret::require(args.meta_app_secret.clone(), APP_SECRET, EXAMPLE)?;
    let secrets = AppSecrets::parse(list.expose())
        .ok_or_else(|| ConfigError::missing(APP_SECRET, EXAMPLE))?;
    let token = Secret::require(
        args.meta_verify_token.clone(),
        "META_VERIFY_TOKEN",
        "a-text-of-your-choice",
    )?;
    Ok((secrets, token))
}

/// Resolves the schema ids, without which nothing can be written.
async fn open<P>(
    registry: &Registry,
    prefix: &str,
    webhook: &Webhook<P>,
    context: &Context,
) -> Result<(), Error> {
    let resolve = resolve_ids(registry, prefix, &context.health);
    let Some(ids) = context.shutdown.run_until_cancelled(resolve).await else {
        return Ok(());
    };
    let encoder = Encoder::new(prefix, &ids?)
        .ok_or_else(|| RegistryError::Settings("it gave no id for one of the topics".to_owned()))?;
    webhook.encoder.get_or_init(|| encoder);
    context.health.ready("registry");
    Ok(())
}

/// Waits for the registry while it is away; what it refuses is for an operator to mend.
async fn resolve_ids(
    registry: &Registry,
    prefix: &str,
    health: &Health,
) -> Result<SchemaIds, RegistryError> {
    const POLICY: RetryPolicy =
        RetryPolicy::unlimited(Duration::from_millis(500), Duration::from_secs(10));
    let mut attempts = 0;
    loop {
        match registry.resolve(prefix, &records::TOPICS).await {
            Err(error @ RegistryError::Unavailable { .. }) => {
                attempts += 1;
                tracing::warn!(attempts, error = %error, "the schema registry is tried again");
                health.unready("registry", error.to_string());
                tokio::time::sleep(POLICY.random_delay(attempts).unwrap_or(POLICY.cap)).await;
            }
            outcome => return outcome,
        }
    }
}

/// Keeps the health of Kafka, and tells of its changes once.
async fn watch_kafka(producer: Producer, context: Context) {
    const INTERVAL: Duration = Duration::from_secs(5);
    const TIMEOUT: Duration = Duration::from_secs(2);
    let mut known = None;
    loop {
        let probe = producer.clone();
        let reachable = tokio::task::spawn_blocking(move || probe.reachable(TIMEOUT))
            .await
            .unwrap_or(false);
        if known.replace(reachable) != Some(reachable) {
            if reachable {
                context.health.ready("kafka");
                tracing::info!("kafka answers");
            } else {
                context.health.unready(
                    "kafka",
                    "no broker answers; webhooks are answered 503 until one does",
                );
                tracing::warn!("no kafka broker answers: webhooks are answered 503");
            }
        }
        let pause = tokio::time::sleep(INTERVAL);
        if context.shutdown.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}
