//! Sends replies to leads through the WhatsApp Cloud API, in each lead's order.
//!
//! A crash repeats at most one message per lead, and an unknown outcome is tried once more: see
//! [`dispatch`].

pub mod catch_up;
pub mod commit_metadata;
pub mod dispatch;
pub mod gate;
pub mod graph;
pub mod metrics;
pub mod partition;
pub mod request;
pub mod send_result;
pub mod ticket;
pub mod time;
pub mod window;
mod worker;

use std::time::Duration;

use leadstream_kafka::consumer::{ConsumeError, ConsumerOptions};
use leadstream_kafka::dead_letter::PoisonLimit;
use leadstream_kafka::producer::ProduceError;
use leadstream_kafka::{ConsumerLoop, KafkaArgs, Producer};
use leadstream_schemas::Topic;
use leadstream_service::config::{GraphArgs, duration};
use leadstream_service::{ConfigError, Context, ServiceArgs};
use tokio::sync::mpsc;

use dispatch::{Dispatcher, Fault, Settings};
use graph::Graph;
use worker::Worker;

const SERVICE: &str = "sink-whatsapp";
/// Replies that may wait in memory before Kafka is read no further.
const WAITING_REPLIES: usize = 4_000;
const WAITING_BYTES: usize = 16 << 20;

/// Sends replies to leads through the WhatsApp Cloud API
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub send: SendArgs,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// Settings of the Cloud API.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "WhatsApp Cloud API")]
pub struct SendArgs {
    #[command(flatten)]
    pub graph: GraphArgs,
    /// Time for a request. What takes longer may have been sent, and is tried once more at most
    #[arg(
        long,
        env = "SINK_WHATSAPP_REQUEST_TIMEOUT",
        default_value = "10s",
        value_name = "DURATION",
        value_parser = duration(Duration::from_secs(1)..=Duration::from_secs(120))
    )]
    pub sink_whatsapp_request_timeout: Duration,
    /// Requests in flight
    #[arg(
        long,
        env = "SINK_WHATSAPP_CONCURRENCY",
        default_value_t = 64,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u16).range(1..=1000)
    )]
    pub sink_whatsapp_concurrency: u16,
}

/// The reason why the service stopped. A fault that waiting resolves does not stop it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("no HTTP client can be made: {0}")]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    #[error(transparent)]
    Produce(#[from] ProduceError),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("a task of the service ended unexpectedly: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Sends replies until shutdown.
///
/// # Errors
/// Returns an error if settings are wrong, or on a fault that waiting does not resolve.
pub async fn run(args: Args, context: Context) -> Result<(), Error> {
    args.kafka.validate()?;
    let timeout = args.send.sink_whatsapp_request_timeout;
    let graph = args.send.graph(timeout)?;
    let options = ConsumerOptions {
        topic: args.kafka.topic(Topic::LeadReplies),
        group: args.kafka.group(SERVICE),
        client_id: format!("leadstream-{SERVICE}-{:016x}", rand::random::<u64>()),
        worker_bytes: WAITING_BYTES,
        worker_records: WAITING_REPLIES,
        drain: timeout + Duration::from_secs(10),
    };
    let settings = Settings {
        topic: options.topic.clone(),
        dead_letters: Topic::LeadReplies
            .dead_letters(&args.kafka.topic_prefix)
            .into(),
        concurrency: args.send.sink_whatsapp_concurrency.into(),
        poison: PoisonLimit::default(),
        // Shorter than the consumer's drain, which would not wait for the last commit.
        drain: timeout + Duration::from_secs(5),
        draw: rand::random::<f64>,
    };
    let (sender, events) = mpsc::unbounded_channel();
    let producer = Producer::new(&args.kafka, &options.client_id, None)?;
    let (consumer, handle) = ConsumerLoop::new(&args.kafka, &options, vec![sender])?;
    let mut worker = Worker::new(
        Dispatcher::new(settings),
        events,
        handle,
        producer,
        graph,
        context.health.clone(),
    );
    let stop = context.shutdown.child_token();
    let mut polling = tokio::spawn(consumer.run(stop.clone()));
    context.health.ready("start");
    tracing::info!(topic = options.topic, "replies are sent");
    let outcome = tokio::select! {
        // When polling ends, the worker has drained and returned all partitions.
        outcome = &mut polling => outcome?.map_err(Error::from),
        outcome = worker.run() => {
            stop.cancel();
            outcome
        }
    };
    // The last handle closes the consumer, which blocks.
    tokio::task::spawn_blocking(move || drop(worker)).await?;
    if !polling.is_finished() {
        polling.await??;
    }
    outcome
}

impl SendArgs {
    fn graph(&self, timeout: Duration) -> Result<Graph, Error> {
        let token = self.graph.access_token()?;
        let token =
            token.ok_or_else(|| ConfigError::missing("META_ACCESS_TOKEN", "EAAG0123456789"))?;
        let base = self.graph.base()?;
        Ok(Graph::new(
            base,
            &self.graph.meta_api_version,
            token,
            timeout,
        )?)
    }
}
