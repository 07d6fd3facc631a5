//! The consumer loop of all services.
//!
//! One thread polls and never stops polling. Under backpressure, records wait in the queues of
//! their partitions. Each worker owns a share of the partitions (`partition % workers`) and receives
//! their records. A rebalance drains first: it revokes a partition only after the worker has finished
//! its records. The worker chooses the offset at which a partition starts, because the authoritative
//! offset may be stored outside Kafka.

mod handle;
mod lag;
mod log_offsets;
mod other_topic;
mod poll;
mod progress;
mod rebalance;
mod run;
mod worker_queue;

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use leadstream_schemas::{Offset, Partition, Timestamp};
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use tokio::sync::{mpsc as tokio_mpsc, oneshot};

pub use handle::ConsumerHandle;
pub use lag::METRICS;
pub use log_offsets::{LogOffsets, OffsetOutsideLog};
use poll::{Member, Poller};
use progress::Progress;
use rebalance::Rebalance;
pub use worker_queue::Permit;
use worker_queue::{Wake, WorkerQueue};

use crate::settings::KafkaArgs;
use crate::trace::TraceContext;
use leadstream_service::ConfigError;

/// A record read from Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub partition: Partition,
    pub offset: Offset,
    pub key: Box<[u8]>,
    pub value: Box<[u8]>,
    /// The time of writing, by the clock of the producer or the broker, as the topic is configured.
    pub written_at: Option<Timestamp>,
    pub trace: Option<TraceContext>,
}

/// Records of one worker, in offset order within each partition. The permit holds their share of the
/// worker's byte budget until it is dropped.
#[derive(Debug)]
pub struct Fetched {
    pub records: Vec<Record>,
    pub permit: Permit,
}

/// An event for a worker. Each partition has them in this order: assigned, records, revoked.
#[derive(Debug)]
pub enum WorkerEvent {
    /// The worker now owns these partitions and answers with [`ConsumerHandle::start`].
    Assigned(Vec<Partition>),
    Records(Fetched),
    /// The worker finishes its records of these partitions, commits, drops their state, and drops
    /// `done`. With `lost`, the partitions already belong to another member, so nothing can be
    /// committed.
    Revoked {
        partitions: Vec<Partition>,
        lost: bool,
        done: oneshot::Sender<()>,
    },
}

/// The reason why consuming stopped.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("no Kafka consumer can be made of these settings: {0}")]
    Create(#[source] KafkaError),
    #[error("topic {topic} cannot be subscribed: {source}")]
    Subscribe {
        topic: String,
        #[source]
        source: KafkaError,
    },
    #[error("the consumer of {topic} failed permanently: {source}")]
    Fatal {
        topic: String,
        #[source]
        source: KafkaError,
    },
    #[error(
        "the log of {topic} no longer holds the next offset: {source}; records were deleted before they were processed, and no offset was reset"
    )]
    OutOfRange {
        topic: String,
        #[source]
        source: KafkaError,
    },
    #[error("Kafka did not answer about the offsets of {topic} [{partition}]: {source}")]
    Offsets {
        topic: String,
        partition: Partition,
        #[source]
        source: KafkaError,
    },
    #[error("Kafka did not answer about the partitions of {topic}: {source}")]
    Metadata {
        topic: String,
        #[source]
        source: KafkaError,
    },
    #[error("librdkafka gave no queue for {topic} [{partition}]")]
    Queue { topic: String, partition: Partition },
    #[error("the thread that polls Kafka ended unexpectedly")]
    Thread,
}

/// A next offset to commit, with metadata of at most 4 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetCommit {
    pub partition: Partition,
    pub next: Offset,
    pub metadata: String,
}

/// Options with which a service consumes one topic.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    pub topic: String,
    pub group: String,
    pub client_id: String,
    /// Bytes that may wait in one worker before it receives no more.
    pub worker_bytes: usize,
    /// Records that may wait in one worker before it receives no more.
    pub worker_records: usize,
    /// The longest time for which a revoked partition may drain before it is released anyway.
    pub drain: Duration,
}

/// The polling thread before it starts.
pub struct ConsumerLoop {
    poller: Poller,
    watch: lag::Watch,
}

impl std::fmt::Debug for ConsumerLoop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ConsumerLoop").field(&self.poller).finish()
    }
}

impl ConsumerLoop {
    /// Creates a loop with one worker for each sender in `workers`; a worker's task holds the receiver.
    ///
    /// # Errors
    /// Returns an error if the settings are wrong.
    pub fn new(
        kafka: &KafkaArgs,
        options: &ConsumerOptions,
        workers: Vec<tokio_mpsc::UnboundedSender<WorkerEvent>>,
    ) -> Result<(Self, ConsumerHandle), ConsumeError> {
        let config = kafka.consumer(&options.group, &options.client_id)?;
        let (events, rebalances) = mpsc::channel();
        let wake = Arc::new(Wake::default());
        let progress = Arc::new(Progress::default());
        let (bytes, records) = (options.worker_bytes, options.worker_records);
        let workers: Vec<WorkerQueue> = workers
            .into_iter()
            .map(|sender| WorkerQueue::new(sender, bytes, records, &wake))
            .collect();
        let senders = workers.iter().map(WorkerQueue::sender).collect();
        let consumer: BaseConsumer<Rebalance> = config
            .create_with_context(Rebalance::new(
                senders,
                events,
                Arc::clone(&progress),
                options.drain,
            ))
            .map_err(ConsumeError::Create)?;
        let consumer = Arc::new(consumer);
        let (commands, inbox) = mpsc::channel();
        let topic: Arc<str> = options.topic.as_str().into();
        let handle = ConsumerHandle {
            consumer: Arc::clone(&consumer),
            commands,
            wake: Arc::clone(&wake),
            topic: Arc::clone(&topic),
            settings: Arc::new(config),
            progress,
        };
        let member = Member {
            group: options.group.clone(),
            client_id: options.client_id.clone(),
        };
        let poller = Poller::new(consumer, member, topic, inbox, rebalances, workers, wake);
        let watch = lag::Watch::new(handle.clone());
        Ok((Self { poller, watch }, handle))
    }

    /// Polls until `shutdown`, then drains and releases every partition and leaves the group.
    ///
    /// # Errors
    /// Returns an error if Kafka reports a fatal error, or if the log no longer holds an offset.
    pub async fn run(
        self,
        shutdown: tokio_util::sync::CancellationToken,
    ) -> Result<(), ConsumeError> {
        let Self { poller, watch } = self;
        let ended = shutdown.child_token();
        let watch = tokio::spawn(watch.run(ended.clone()));
        let outcome = tokio::task::spawn_blocking(move || poller.run(&shutdown))
            .await
            .unwrap_or(Err(ConsumeError::Thread));
        ended.cancel();
        drop(watch.await);
        outcome
    }
}
