//! Runs the ingest service: receives provider webhooks and writes records to Kafka. It knows
//! providers and nothing of leads.

pub mod cloud_api;
mod comma_list;
pub mod config;
pub mod http;
pub mod item;
mod json;
pub mod metrics;
pub mod provider;
pub mod records;
pub mod signature;
pub mod wasender;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use leadstream_kafka::KafkaArgs;
use leadstream_kafka::producer::{BoundedProducer, ProduceError};
use leadstream_kafka::topic::max_record_bytes;
use leadstream_schemas::registry::{Registry, RegistryError};
use leadstream_service::budget::Budget;
use leadstream_service::config::RegistryArgs;
use leadstream_service::server;
use leadstream_service::{ConfigError, Context, ServiceArgs, wait_until_available};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use config::{ProviderArgs, WebhookArgs};
use http::WebhookState;
use metrics::Metrics;
use records::Encoder;

/// Receive webhooks of WhatsApp providers and write them to Kafka
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub provider: ProviderArgs,
    #[command(flatten)]
    pub webhook: WebhookArgs,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub registry: RegistryArgs,
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// The error that stopped the service.
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

/// Serves webhooks until shutdown; answers 503 while the registry or Kafka is unavailable.
///
/// # Errors
/// Returns an error if settings are wrong, the address is taken, or the registry refuses the
/// schemas.
pub async fn run(args: Args, context: Context) -> Result<(), Error> {
    args.kafka.validate()?;
    let registry = Registry::new(&args.registry.config()?)?;
    let (cloud_api, wasender) = args.provider.providers()?;
    let timeout = args.webhook.ingest_ack_timeout;
    let producer = BoundedProducer::new(
        &args.kafka,
        "leadstream-ingest",
        timeout,
        args.webhook.ingest_unacknowledged_memory,
    )?;
    raise_open_files();
    let address = args.webhook.ingest_address;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| Error::Listen { address, source })?;
    let webhook = Arc::new(WebhookState {
        cloud_api,
        wasender,
        encoder: OnceLock::new(),
        publisher: producer.clone(),
        requests: Semaphore::new(args.webhook.limits.max_requests as usize),
        body_budget: Budget::new(args.webhook.ingest_large_body_memory),
        body_timeout: args.webhook.limits.body_timeout,
        metrics: Metrics::new(&[]),
    });
    context
        .health
        .unready("registry", "the schema ids are not known yet");
    context
        .health
        .unready("kafka", "no broker has answered yet");
    context.health.ready("start");
    tracing::info!(ingest.address = %address, "webhooks are served");
    let (given, needed) = (
        args.service.shutdown_timeout,
        args.webhook.longest_shutdown(),
    );
    if given < needed {
        tracing::warn!(
            shutdown.given = ?given,
            shutdown.needed = ?needed,
            "SHUTDOWN_TIMEOUT may end accepted requests early: INGEST_DRAIN_TIMEOUT, INGEST_HEADER_TIMEOUT, INGEST_BODY_TIMEOUT and INGEST_ACK_TIMEOUT add up to more"
        );
    }

    let watch = watch_kafka(args.kafka.clone(), Arc::clone(&webhook), context.clone());
    let watch = tokio::spawn(watch);
    let server = async {
        let router = http::router(Arc::clone(&webhook));
        let limits = args
            .webhook
            .limits
            .server(args.webhook.ingest_drain_timeout);
        let open = webhook.metrics.connections.clone();
        server::serve(listener, router, limits, open, context.shutdown.clone()).await;
        Ok(())
    };
    let prefix = &args.kafka.topic_prefix;
    tokio::try_join!(server, open(&registry, prefix, &webhook, &context))?;
    watch.await?;
    // Records of disconnected clients may still be in flight; they were not acknowledged to
    // anybody.
    if let Err(error) = tokio::task::spawn_blocking(move || producer.flush(timeout)).await? {
        tracing::warn!(error = %error, "unacknowledged records were dropped at the end");
    }
    Ok(())
}

/// Raises the limit of open files. Each connection is one, and many systems start processes with a
/// limit of 1,024.
fn raise_open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::warn!(error = %error, "the limit of open files stays as it is");
    }
}

/// Resolves the schema ids, without which nothing can be written.
async fn open<P>(
    registry: &Registry,
    prefix: &str,
    webhook: &WebhookState<P>,
    context: &Context,
) -> Result<(), Error> {
    let resolve = || registry.resolve(prefix, &records::TOPICS);
    // An operator has to fix what the registry refuses.
    let is_transient = |error: &RegistryError| matches!(error, RegistryError::Unavailable { .. });
    let Some(ids) = wait_until_available(context, "registry", resolve, is_transient).await? else {
        return Ok(());
    };
    let encoder = Encoder::new(prefix, &ids)
        .ok_or_else(|| RegistryError::Settings("it gave no id for one of the topics".to_owned()))?;
    webhook.encoder.get_or_init(|| encoder);
    context.health.ready("registry");
    Ok(())
}

/// Updates the health of Kafka, logs each change once, and reads the maximal record size.
async fn watch_kafka(
    kafka: KafkaArgs,
    webhook: Arc<WebhookState<BoundedProducer>>,
    context: Context,
) {
    const INTERVAL: Duration = Duration::from_secs(5);
    const TIMEOUT: Duration = Duration::from_secs(2);
    let mut known = None;
    let mut limited = false;
    loop {
        let probe = webhook.publisher.clone();
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
        if reachable
            && !limited
            && let Some(encoder) = webhook.encoder.get()
        {
            limited = true;
            limit_records(&kafka, encoder).await;
        }
        let waiting = webhook.publisher.waiting();
        webhook.metrics.unacknowledged(waiting);
        let pause = tokio::time::sleep(INTERVAL);
        if context.shutdown.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}

/// Sets the maximal record size. Kafka's default stays if the topics do not return their limit.
async fn limit_records(kafka: &KafkaArgs, encoder: &Encoder) {
    let prefix = &kafka.topic_prefix;
    let topics: Vec<String> = records::TOPICS
        .iter()
        .flat_map(|topic| [topic.name(prefix), topic.dead_letters(prefix)])
        .collect();
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    match max_record_bytes(kafka, &topics).await {
        Some(bytes) => encoder.limit(bytes),
        None => tracing::warn!(
            "Kafka does not return the topics' max.message.bytes, so items over 1 MB go to dead letters; let this service describe the configuration of its topics (`leadstream topics plan` lists the ACLs)"
        ),
    }
}
