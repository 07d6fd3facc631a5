//! Sends replies to leads through the WhatsApp Cloud API and WASenderApi, in each lead's order.
//!
//! One worker writes `lead.replies` to a ledger in PostgreSQL, which has one row per reply until its
//! result. A sender per business number claims what is due, and sends it. The claim is committed
//! before the request, so no restart and no rebalance repeats a message. Another worker adds what
//! `message.statuses` says of the messages.

mod client;
pub mod consume;
mod credentials;
pub mod dispatch;
pub mod feedback;
pub mod graph;
pub mod health;
mod http;
mod ledger;
#[cfg(test)]
mod memory_ledger;
pub mod message_templates;
pub mod metrics;
mod notices;
pub mod number_state;
mod numbers;
pub mod pacing;
pub mod reply_entry;
pub mod reply_row;
pub mod request;
pub mod send_result;
mod sender;
pub mod statuses;
pub mod time;
pub mod tool;
mod wakers;
pub mod wasender;

use std::sync::Arc;
use std::time::Duration;

use leadstream_kafka::consumer::{ConsumeError, ConsumerOptions};
use leadstream_kafka::dead_letter::PoisonLimit;
use leadstream_kafka::producer::ProduceError;
use leadstream_kafka::{
    ConsumerHandle, ConsumerLoop, Intake, IntakeError, KafkaArgs, Producer, RecordWriter,
};
use leadstream_schemas::registry::{Registry, RegistryError};
use leadstream_schemas::{Timestamp, Topic};
use leadstream_service::config::{
    DatabaseArgs, GraphArgs, RegistryArgs, WasenderArgs, base_url, duration,
};
use leadstream_service::database::DatabaseError;
use leadstream_service::{
    ConfigError, Context, Secret, ServiceArgs, lifecycle, wait_until_available,
};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use client::Client;
use consume::ReplyWriter;
use credentials::{CredentialReader, CredentialStore, Source};
use dispatch::Settings;
use dispatch::outcome::Limits;
use dispatch::unknown::UnknownPolicy;
use feedback::{Feedback, FeedbackError};
use graph::Graph;
pub use ledger::{Ledger, MIGRATIONS, check, migrate, reply_entries};
use metrics::Metrics;
use notices::NoticeWriter;
use numbers::Numbers;
use sender::{SendError, SenderParts};
use statuses::{StatusWriter, progress};
use time::before;
use wakers::Wakers;
use wasender::Wasender;

const SERVICE: &str = "sink-whatsapp";
/// The consumer group of the notices.
const NOTICES: &str = "sink-whatsapp-notices";
/// The consumer group of the statuses.
const STATUSES: &str = "sink-whatsapp-statuses";
/// Records of a topic that may wait in memory before Kafka is read no further.
const WAITING_RECORDS: usize = 4_000;
const WAITING_BYTES: usize = 16 << 20;
/// The most records that are written at once.
const BATCH: usize = 1_000;
/// How long a revoked partition may drain.
const DRAIN: Duration = Duration::from_secs(10);
/// Connections of the intakes and of the senders.
const CONNECTIONS: u32 = 8;
/// How long the result of a reply is kept. Kafka keeps the records for 14 days, and a webhook may be
/// repeated for 10.
const RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often old replies are deleted, and how many at once.
const PURGE: Duration = Duration::from_secs(60);
const PURGE_BATCH: i64 = 5_000;

/// Sends replies to leads through the WhatsApp Cloud API and WASenderApi
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub send: SendArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub registry: RegistryArgs,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// Settings of the providers.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "WhatsApp Cloud API")]
pub struct SendArgs {
    #[command(flatten)]
    pub graph: GraphArgs,
    /// Tokens of numbers that do not use META_ACCESS_TOKEN, by phone_number_id, separated by commas or
    /// lines; or META_ACCESS_TOKENS_FILE
    #[arg(
        long,
        env = "META_ACCESS_TOKENS",
        hide_env_values = true,
        value_name = "ID=SECRET,…"
    )]
    pub meta_access_tokens: Option<Secret>,
    #[command(flatten)]
    pub wasender: WasenderArgs,
    /// Base URL of WASenderApi
    #[arg(
        long,
        env = "WASENDER_API_URL",
        hide_env_values = true,
        default_value = "https://www.wasenderapi.com/api",
        value_name = "URL",
        help_heading = "WASenderApi"
    )]
    pub wasender_api_url: Secret,
    /// Time for a request. What takes longer may have been sent, so a status is waited for
    #[arg(
        long,
        env = "SINK_WHATSAPP_REQUEST_TIMEOUT",
        default_value = "10s",
        value_name = "DURATION",
        value_parser = duration(Duration::from_secs(1)..=Duration::from_secs(120))
    )]
    pub sink_whatsapp_request_timeout: Duration,
    /// Requests of a business number in flight
    #[arg(
        long,
        env = "SINK_WHATSAPP_CONCURRENCY",
        default_value_t = 64,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u16).range(1..=1000)
    )]
    pub sink_whatsapp_concurrency: u16,
    /// Messages that a business number sends per second; without it 80 % of what Meta allows it
    #[arg(
        long,
        env = "SINK_WHATSAPP_THROUGHPUT",
        value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(1..=100_000)
    )]
    pub sink_whatsapp_throughput: Option<u32>,
    /// Whether the flow learns of replies that did not reach their leads. Off only while processors of a
    /// version before 0.2 run
    #[arg(
        long,
        env = "SINK_WHATSAPP_FEEDBACK",
        default_value_t = true,
        action = clap::ArgAction::Set,
        value_name = "BOOL"
    )]
    pub sink_whatsapp_feedback: bool,
    /// Time for which a status may still prove that a message without an answer was sent. It ends only
    /// once all statuses of that time are read
    #[arg(
        long,
        env = "SINK_WHATSAPP_RESOLVE_TIMEOUT",
        default_value = "60s",
        value_name = "DURATION",
        value_parser = duration(Duration::from_secs(1)..=Duration::from_secs(3600))
    )]
    pub sink_whatsapp_resolve_timeout: Duration,
    /// What becomes of a message of which neither an answer nor a status came
    #[arg(
        long,
        env = "SINK_WHATSAPP_UNKNOWN_POLICY",
        default_value = "evidence",
        value_enum,
        value_name = "POLICY"
    )]
    pub sink_whatsapp_unknown_policy: UnknownPolicy,
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
    Ledger(#[from] DatabaseError),
    #[error(transparent)]
    Intake(#[from] IntakeError<DatabaseError>),
    #[error(transparent)]
    Feedback(#[from] FeedbackError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("a task of the service ended unexpectedly: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Ledger(error) => Self::Ledger(error),
            SendError::Produce(error) => Self::Produce(error),
        }
    }
}

/// Sends replies until shutdown.
///
/// # Errors
/// Returns an error if settings are wrong, or on a fault that waiting does not resolve.
pub async fn run(args: Args, context: Context) -> Result<(), Error> {
    args.kafka.validate()?;
    let timeout = args.send.sink_whatsapp_request_timeout;
    let (credentials, store) = CredentialReader::new(args.send.credentials())?;
    let client = args.send.client(store, timeout)?;
    let database: PgConnectOptions = args.database.connect(str::parse)?;
    let ledger = Ledger::new(database, CONNECTIONS);
    let check = || ledger.check();
    let is_transient = DatabaseError::is_transient;
    let checked = wait_until_available(&context, "start", check, is_transient).await?;
    if checked.is_none() {
        return Ok(());
    }
    let client_id = format!("leadstream-{SERVICE}-{}", Uuid::new_v4());
    let producer = Producer::new(&args.kafka, &client_id, None)?;
    let metrics = Arc::new(Metrics::new(&[]));
    let process = Uuid::new_v4();
    let wakers = Wakers::default();
    let statuses = StatusWriter {
        ledger: ledger.clone(),
        wakers: wakers.clone(),
        metrics: Arc::clone(&metrics),
    };
    let feedback = args.feedback(&statuses, &producer, process)?;
    let numbers = Numbers::new(
        SenderParts {
            settings: Settings {
                topic: args.kafka.topic(Topic::LeadReplies).into(),
                dead_letters: Topic::LeadReplies
                    .dead_letters(&args.kafka.topic_prefix)
                    .into(),
                limits: Limits {
                    concurrency: args.send.sink_whatsapp_concurrency.into(),
                    poison: PoisonLimit::default(),
                    throughput: args.send.sink_whatsapp_throughput,
                    resolve_timeout: args.send.sink_whatsapp_resolve_timeout,
                },
                policy: args.send.sink_whatsapp_unknown_policy,
                draw: rand::random::<f64>,
            },
            ledger: ledger.clone(),
            client,
            producer: producer.clone(),
            metrics: Arc::clone(&metrics),
            process,
            timeout,
        },
        wakers.clone(),
        context.clone(),
    );
    let mut tasks: JoinSet<Result<(), Error>> = JoinSet::new();
    let replies = ReplyWriter {
        ledger: ledger.clone(),
        wakers: wakers.clone(),
        metrics: Arc::clone(&metrics),
    };
    let notices = NoticeWriter {
        ledger: ledger.clone(),
        wakers,
    };
    let intakes = Intakes {
        kafka: &args.kafka,
        client_id: &client_id,
        producer,
        context: &context,
    };
    intakes.spawn(&mut tasks, Topic::LeadReplies, SERVICE, "replies", replies)?;
    let topic = Topic::ProviderNotices;
    intakes.spawn(&mut tasks, topic, NOTICES, "notices", notices)?;
    let topic = Topic::MessageStatuses;
    let consumer = intakes.spawn(&mut tasks, topic, STATUSES, "statuses", statuses)?;
    tasks.spawn(numbers.run());
    let counted = Arc::clone(&metrics);
    tasks.spawn(count(ledger.clone(), counted, context.clone()));
    let shutdown = context.shutdown.clone();
    tasks.spawn(async move {
        credentials.run(shutdown).await;
        Ok(())
    });
    tasks.spawn(purge(ledger.clone(), metrics, context.shutdown.clone()));
    let shutdown = context.shutdown.clone();
    tasks.spawn(async move { Ok(progress::run(ledger, consumer, shutdown).await?) });
    if let Some(feedback) = feedback {
        let shutdown = context.shutdown.clone();
        tasks.spawn(async move { Ok(feedback.run(shutdown).await?) });
    }
    context.health.ready("start");
    tracing::info!("replies are sent");
    lifecycle::join(tasks, &context.shutdown).await
}

/// Counts what waits until shutdown. A failure keeps the last count: the senders report it.
async fn count(ledger: Ledger, metrics: Arc<Metrics>, context: Context) -> Result<(), Error> {
    loop {
        match ledger.backlog().await {
            Ok(backlog) => metrics.backlog(&backlog),
            Err(error) => tracing::debug!(error = %error, "waiting replies are not counted"),
        }
        tokio::select! {
            () = context.shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(context.metrics_interval) => {}
        }
    }
}

/// What the intakes of the service share.
struct Intakes<'a> {
    kafka: &'a KafkaArgs,
    client_id: &'a str,
    producer: Producer,
    context: &'a Context,
}

impl Intakes<'_> {
    /// Starts to write the records of `topic` by `writer`. `group` names the group, and `part` the
    /// intake.
    fn spawn<W>(
        &self,
        tasks: &mut JoinSet<Result<(), Error>>,
        topic: Topic,
        group: &str,
        part: &'static str,
        writer: W,
    ) -> Result<ConsumerHandle, Error>
    where
        W: RecordWriter<Error = DatabaseError> + Sync,
    {
        let options = ConsumerOptions {
            topic: self.kafka.topic(topic),
            group: self.kafka.group(group),
            client_id: format!("{}-{part}", self.client_id),
            worker_bytes: WAITING_BYTES,
            worker_records: WAITING_RECORDS,
            drain: DRAIN,
        };
        let (sender, events) = mpsc::unbounded_channel();
        let (consumer, handle) = ConsumerLoop::new(self.kafka, &options, vec![sender])?;
        let intake = Intake {
            writer,
            handle: handle.clone(),
            producer: self.producer.clone(),
            context: self.context.clone(),
            service: SERVICE,
            part,
            dead_letters: topic.dead_letters(&self.kafka.topic_prefix).into(),
            batch: BATCH,
            remedy: "Set the group's offset by hand (kafka-consumer-groups --reset-offsets)",
        };
        let ended = CancellationToken::new();
        {
            let ended = ended.clone();
            tasks.spawn(async move { Ok(intake.run(events, ended).await?) });
        }
        let shutdown = self.context.shutdown.clone();
        tasks.spawn(async move {
            let _ended = ended.drop_guard();
            Ok(consumer.run(shutdown).await?)
        });
        Ok(handle)
    }
}

/// Deletes the results of old replies until shutdown, and the words of those that nothing sends again.
async fn purge(
    ledger: Ledger,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let mut dropped_until = Timestamp::default();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(PURGE) => {}
        }
        let now = Timestamp::now();
        let purge = async {
            let dropped = ledger.drop_records(dropped_until, now, PURGE_BATCH).await?;
            let deleted = ledger.purge(before(now, RETENTION), PURGE_BATCH).await?;
            let unmatched = ledger.purge_sessions(before(now, RETENTION), PURGE_BATCH, now);
            metrics.status("foreign", unmatched.await?);
            Ok::<_, DatabaseError>((dropped, deleted))
        };
        match purge.await {
            Ok((dropped, deleted)) => {
                if dropped.cast_signed() < PURGE_BATCH {
                    dropped_until = now;
                }
                tracing::debug!(records = dropped, replies = deleted, "old replies deleted");
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(error = %error, "old replies are not deleted yet");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

impl Args {
    /// Returns what publishes the results of replies, unless it is turned off.
    fn feedback(
        &self,
        statuses: &StatusWriter,
        producer: &Producer,
        process: Uuid,
    ) -> Result<Option<Feedback>, Error> {
        if !self.send.sink_whatsapp_feedback {
            return Ok(None);
        }
        Ok(Some(Feedback {
            ledger: statuses.ledger.clone(),
            producer: producer.clone(),
            metrics: Arc::clone(&statuses.metrics),
            statuses: statuses.clone(),
            registry: Registry::new(&self.registry.config()?)?,
            topic_prefix: self.kafka.topic_prefix.clone(),
            process,
        }))
    }
}

impl SendArgs {
    fn credentials(&self) -> Source {
        Source {
            access_token: self.graph.meta_access_token.clone(),
            access_tokens: self.meta_access_tokens.clone(),
            wasender: self.wasender.clone(),
        }
    }

    fn client(&self, credentials: CredentialStore, timeout: Duration) -> Result<Client, Error> {
        let wasender = base_url(
            &self.wasender_api_url,
            "WASENDER_API_URL",
            "https://www.wasenderapi.com/api",
        )?;
        Ok(Client {
            graph: Graph::new(self.graph.base()?, &self.graph.meta_api_version, timeout)?,
            wasender: Wasender::new(&wasender, timeout)?,
            credentials,
        })
    }
}
