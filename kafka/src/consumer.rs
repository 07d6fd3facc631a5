//! The consumer loop of all services.
//!
//! One thread polls and never stops polling: under back-pressure records wait in the queues of their
//! partitions. They go to lanes, each the owner of its share of partitions (`partition % lanes`). A
//! rebalance drains before it gives a partition back: the lane finishes what it has, and only then is
//! the partition released. A lane says where a partition starts, because the truth on offsets may lie
//! elsewhere than in Kafka.

mod budget;
mod handle;
mod member;
mod poll;
mod probe;
mod rebalance;
mod run;
mod wake;

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use leadstream_schemas::Timestamp;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use tokio::sync::{mpsc as tokio_mpsc, oneshot};

pub use budget::Permit;
use budget::{Budget, Limits};
pub use handle::ConsumerHandle;
use member::Member;
use rebalance::Rebalance;
use wake::Wake;

use crate::settings::KafkaArgs;
use crate::trace::TraceContext;
use leadstream_service::ConfigError;

/// A record as it came from Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    pub key: Box<[u8]>,
    pub value: Box<[u8]>,
    /// When it was written, by its producer's clock or the broker's, as the topic has it.
    pub written_at: Option<Timestamp>,
    pub trace: Option<TraceContext>,
}

/// Records of one lane, each partition's in the order of their offsets. The permit holds their
/// place in the lane's budget until it is dropped.
#[derive(Debug)]
pub struct Fetched {
    pub records: Vec<Record>,
    pub permit: Permit,
}

/// What a lane is told, in this order for each partition: assigned, records, revoked.
#[derive(Debug)]
pub enum LaneEvent {
    /// The lane owns these partitions now, and answers with [`ConsumerHandle::start`].
    Assigned(Vec<i32>),
    Records(Fetched),
    /// The lane finishes what it has of these partitions, commits, forgets them, and drops `done`.
    /// With `lost` they belong to another member already: nothing can be committed.
    Revoked {
        partitions: Vec<i32>,
        lost: bool,
        done: oneshot::Sender<()>,
    },
}

/// Why consuming stopped.
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
    #[error("the consumer of {topic} failed for good: {source}")]
    Fatal {
        topic: String,
        #[source]
        source: KafkaError,
    },
    #[error(
        "the log of {topic} no longer holds the offset that comes next: {source}; records were deleted before they were processed, so nothing is skipped and nothing reset"
    )]
    OutOfRange {
        topic: String,
        #[source]
        source: KafkaError,
    },
    #[error("Kafka did not answer about the offsets of {topic} [{partition}]: {source}")]
    Offsets {
        topic: String,
        partition: i32,
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
    Queue { topic: String, partition: i32 },
    #[error("the thread that polls Kafka ended unexpectedly")]
    Thread,
}

/// First and next offset of a partition's log, and the group's committed offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOffsets {
    pub low: i64,
    pub high: i64,
    pub committed: Option<i64>,
}

/// How a service consumes one topic.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    pub topic: String,
    pub group: String,
    pub client_id: String,
    /// Bytes that may wait in one lane before it is given no more.
    pub lane_bytes: usize,
    /// Records that may wait in one lane before it is given no more.
    pub lane_records: usize,
    /// How long a revoked partition may drain before it is given back all the same.
    pub drain: Duration,
}

/// The polling thread, not yet started.
#[derive(Debug)]
pub struct ConsumerLoop {
    poller: poll::Poller,
}

impl ConsumerLoop {
    /// A loop over as many lanes as `lanes`; a lane's task takes the other end.
    ///
    /// # Errors
    /// Wrong settings.
    pub fn new(
        kafka: &KafkaArgs,
        options: &ConsumerOptions,
        lanes: Vec<tokio_mpsc::UnboundedSender<LaneEvent>>,
    ) -> Result<(Self, ConsumerHandle), ConsumeError> {
        let config = kafka.consumer(&options.group, &options.client_id)?;
        let (events, rebalances) = mpsc::channel();
        let wake = Arc::new(Wake::default());
        let limits = Limits {
            bytes: options.lane_bytes,
            records: options.lane_records,
        };
        let lanes: Vec<poll::Lane> = lanes
            .into_iter()
            .map(|sender| {
                let budget = Budget::new(limits, Arc::clone(&wake));
                poll::Lane::new(sender, Arc::new(budget))
            })
            .collect();
        let senders = lanes.iter().map(poll::Lane::sender).collect();
        let consumer: BaseConsumer<Rebalance> = config
            .create_with_context(Rebalance::new(senders, events, options.drain))
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
        };
        let member = Member {
            group: options.group.clone(),
            client_id: options.client_id.clone(),
        };
        let poller = poll::Poller::new(consumer, member, topic, inbox, rebalances, lanes, wake);
        Ok((Self { poller }, handle))
    }

    /// Polls until `shutdown`, then gives every partition back, drained, and leaves the group.
    ///
    /// # Errors
    /// A fatal error of Kafka, or an offset that the log no longer holds.
    pub async fn run(
        self,
        shutdown: tokio_util::sync::CancellationToken,
    ) -> Result<(), ConsumeError> {
        tokio::task::spawn_blocking(move || self.poller.run(&shutdown))
            .await
            .unwrap_or(Err(ConsumeError::Thread))
    }
}
