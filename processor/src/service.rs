//! Runs the processor as a service: the start, then the workers next to the consumer's loop.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use leadstream_kafka::consumer::{ConsumeError, ConsumerLoop, ConsumerOptions};
use leadstream_kafka::producer::ProduceError;
use leadstream_kafka::topic::limited_retention;
use leadstream_kafka::{KafkaArgs, Producer};
use leadstream_schemas::Topic;
use leadstream_schemas::registry::{Registry, RegistryError, SchemaIds};
use leadstream_schemas::topic::DUPLICATE_HORIZON;
use leadstream_service::lifecycle;
use leadstream_service::{ConfigError, Context, RetryPolicy, wait_until_available};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::engine::effects::OutputTopics;
use crate::erasure::{ErasureKeys, VARIABLE};
use crate::flow::{DEFAULT_FLOW, Flow, FlowError};
use crate::flows::change::{self, Edit};
use crate::flows::{ChangeError, Flows, Publication, Published};
use crate::lead::FoldError;
use crate::maintenance;
use crate::metrics;
use crate::settings::Args;
use crate::store::{Store, StoreError, pool};
use crate::worker::halts::Halts;
use crate::worker::live_flows::{FlowsError, LiveFlows};
use crate::worker::shared::Shared;
use crate::worker::{Worker, WorkerError};

/// The reason why the processor ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Flow(#[from] FlowError),
    #[error("PROCESSOR_PUBLISH_FLOW_FILE {path} cannot be read: {source}")]
    FlowFile {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Fold(#[from] FoldError),
    #[error(transparent)]
    Produce(#[from] ProduceError),
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    #[error(transparent)]
    Worker(#[from] WorkerError),
    #[error("a worker ended unexpectedly: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}

impl From<FlowsError> for Error {
    fn from(error: FlowsError) -> Self {
        match error {
            FlowsError::Store(error) => Self::Store(error),
            FlowsError::Flow(error) => Self::Flow(error),
        }
    }
}

const RETRY: RetryPolicy = RetryPolicy::new(Duration::from_millis(100), Duration::from_secs(5));

const MAINTENANCE_RETRY: RetryPolicy =
    RetryPolicy::new(Duration::from_secs(5), Duration::from_secs(600));

/// Runs the processor until shutdown. Waits for services that are merely unavailable.
///
/// # Errors
/// A wrong setting or flow; a schema of another version; offsets that contradict each other.
pub async fn run(args: Args, context: Context) -> Result<(), Error> {
    metrics::register();
    let document = flow_document(&args)?;
    args.kafka.validate()?;
    let store = store(&args)?;
    let workers = args.processor_workers.get();
    let Some((flows, output_topics)) = prepare(&args, &context, &store, &document).await? else {
        return Ok(());
    };
    warn_of_short_retention(&args.kafka).await;
    let owner = Uuid::new_v4();
    let client_id = format!("leadstream-processor-{owner}");
    let producer = Producer::new(&args.kafka, &client_id, None)?;
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..workers).map(|_| mpsc::unbounded_channel()).unzip();
    let options = ConsumerOptions {
        topic: args.kafka.topic(Topic::LeadInputs),
        group: args.kafka.group("processor"),
        client_id,
        worker_bytes: 4 << 20,
        worker_records: args.processor_batch_records.get() * 2,
        drain: Duration::from_secs(20),
    };
    let (consumer_loop, consumer) = ConsumerLoop::new(&args.kafka, &options, senders)?;
    let behind = store.clone();
    let shared = Arc::new(Shared {
        store,
        producer: producer.clone(),
        consumer,
        flows,
        accounts: args.accounts(),
        output_topics,
        health: context.health.clone(),
        halts: Halts::new(context.health.clone()),
        owner,
        batch_records: args.processor_batch_records.get(),
        linger: args.processor_batch_linger,
        journal: args.processor_journal_length.get(),
        input_partitions: OnceLock::new(),
        lead_cache_bytes: args.processor_lead_cache / args.processor_workers,
        retry: RETRY,
        poison_limit: args.poison_limit(),
    });
    let stop = context.shutdown.child_token();
    let ended = CancellationToken::new();
    let mut tasks: JoinSet<Result<(), Error>> = JoinSet::new();
    for (index, events) in receivers.into_iter().enumerate() {
        let worker = Worker::new(index, Arc::clone(&shared), events);
        let ended = ended.clone();
        tasks.spawn(async move { Ok(worker.run(ended).await?) });
    }
    let interval = args.processor_reports_refresh;
    let reports = maintenance::refresh_reports(behind.clone(), interval, RETRY, stop.clone());
    tasks.spawn(async move {
        reports.await;
        Ok(())
    });
    let interval = context.metrics_interval;
    let backlog =
        maintenance::measure_backlog(behind.clone(), interval, MAINTENANCE_RETRY, stop.clone());
    tasks.spawn(async move {
        backlog.await;
        Ok(())
    });
    let evicted = maintenance::maintain_dedup_partitions(behind, MAINTENANCE_RETRY, stop.clone());
    tasks.spawn(async move {
        evicted.await;
        Ok(())
    });
    let polling = stop.clone();
    tasks.spawn(async move {
        let _ended = ended.drop_guard();
        Ok(consumer_loop.run(polling).await?)
    });
    context.health.ready("start");
    let outcome = lifecycle::join(tasks, &stop).await;
    // Closing a consumer and flushing a producer block.
    let flushed = tokio::task::spawn_blocking(move || {
        drop(shared);
        producer.flush(Duration::from_secs(5))
    })
    .await;
    if !matches!(flushed, Ok(Ok(()))) {
        tracing::warn!("records are left unacknowledged; the outbox holds them");
    }
    outcome
}

async fn warn_of_short_retention(kafka: &KafkaArgs) {
    let topic = kafka.topic(Topic::LeadInputs);
    if let Some(kept) = limited_retention(kafka, &topic).await
        && kept < DUPLICATE_HORIZON
    {
        tracing::warn!(
            topic,
            retention.hours = kept.as_secs() / 3600,
            horizon.hours = DUPLICATE_HORIZON.as_secs() / 3600,
            "the topic keeps records for less time than duplicates can come: leads cannot be rebuilt from it; raise its retention.ms"
        );
    }
}

fn store(args: &Args) -> Result<Store, ConfigError> {
    let connections = u32::try_from(args.processor_workers.get() + 4).unwrap_or(u32::MAX);
    let pool = args.database.connect(|url| pool(url, connections))?;
    let erasure = ErasureKeys::resolve(args.erasure_key.clone())?;
    Ok(Store::new(pool, Duration::from_secs(15)).with_erasure(erasure))
}

/// Opens the store, flows and output topics of these settings. Waits for no unavailable service.
pub(crate) async fn open(args: &Args) -> Result<(Store, Arc<Flows>, OutputTopics), Error> {
    let document = flow_document(args)?;
    args.kafka.validate()?;
    let store = store(args)?;
    let registry = Registry::new(&args.registry.config()?)?;
    let (flows, ids) = attempt(args, &store, &registry, &document).await?;
    let output_topics = OutputTopics::new(&args.kafka.topic_prefix, &ids).ok_or_else(|| {
        RegistryError::Settings("it did not give the ids of all schemas".to_owned())
    })?;
    Ok((store, flows.current(), output_topics))
}

/// Checks the schema of the database, and loads flows and schema ids.
async fn attempt(
    args: &Args,
    store: &Store,
    registry: &Registry,
    document: &Document,
) -> Result<(LiveFlows, SchemaIds), Error> {
    let topics = [Topic::LeadInputs, Topic::LeadEvents, Topic::LeadReplies];
    store.check_schema().await?;
    if !store.knows_erasures().await? {
        return Err(ConfigError::new(
            VARIABLE,
            "is not the one that people were erased with, so a replay could bring them back; give that one as well, after the new one and a comma",
        )
        .into());
    }
    let flows =
        publish_and_load(store, document, args.processor_publish_flow_file.is_some()).await?;
    let ids = registry.resolve(&args.kafka.topic_prefix, &topics).await?;
    Ok((flows, ids))
}

/// Checks the schema of the database, and loads flows and schema ids. Waits for unavailable
/// services. Returns none on shutdown.
async fn prepare(
    args: &Args,
    context: &Context,
    store: &Store,
    document: &Document,
) -> Result<Option<(LiveFlows, OutputTopics)>, Error> {
    let registry = Registry::new(&args.registry.config()?)?;
    let prefix = args.kafka.topic_prefix.as_str();
    let attempt = || attempt(args, store, &registry, document);
    let available = wait_until_available(context, "start", attempt, is_unavailable).await?;
    Ok(available.and_then(|(flows, ids)| Some((flows, OutputTopics::new(prefix, &ids)?))))
}

const fn is_unavailable(error: &Error) -> bool {
    matches!(
        error,
        Error::Registry(RegistryError::Unavailable { .. })
            | Error::Store(StoreError::Database(_) | StoreError::TimedOut(_))
    )
}

/// A flow document that was read and parsed.
struct Document {
    flow: Flow,
    text: String,
}

fn flow_document(args: &Args) -> Result<Document, Error> {
    let (file, text) = match &args.processor_publish_flow_file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|source| Error::FlowFile {
                path: path.clone(),
                source,
            })?;
            (path.display().to_string(), text)
        }
        None => ("the default flow".to_owned(), DEFAULT_FLOW.to_owned()),
    };
    let flow = Flow::parse(&file, &text)?;
    Ok(Document { flow, text })
}

/// Publishes the document and loads the flows. An operator's document is published at each start
/// unless it exists, the default one only if there is no flow.
async fn publish_and_load(
    store: &Store,
    document: &Document,
    is_own: bool,
) -> Result<LiveFlows, Error> {
    let publication = Publication {
        flow: &document.flow,
        text: &document.text,
        from: None,
        is_default: false,
    };
    let plan = |published: &[Published], now| {
        if is_own || published.is_empty() {
            return Ok((change::publish(published, now, &publication)?, ()));
        }
        Ok::<_, ChangeError>((Edit::default(), ()))
    };
    store.change_flows(plan).await??;
    let (published, now) = store.flows().await?;
    let flows = LiveFlows::new(published, now)?;
    store.describe_flows(flows.current().all()).await?;
    Ok(flows)
}
