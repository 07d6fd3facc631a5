//! The consumer loop of all services.
//!
//! One thread polls and never stops polling: back-pressure pauses partitions. Records go to lanes,
//! each the owner of its share of partitions (`partition % lanes`). A rebalance drains before it
//! gives a partition back: the lane finishes what it has, and only then is the partition released.
//! A lane says where a partition starts, because the truth on offsets may lie elsewhere than in
//! Kafka.

mod budget;
mod member;
mod poll;
mod probe;
mod rebalance;
mod run;
mod wake;

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use leadstream_schemas::Timestamp;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::sync::{mpsc as tokio_mpsc, oneshot};

pub use budget::Permit;
use budget::{Budget, Limits};
use member::Member;
use poll::Command;
use rebalance::Rebalance;
use wake::Wake;

use crate::config::ConfigError;
use crate::kafka::KafkaArgs;
use crate::trace::TraceContext;

/// How long Kafka may take to say where partitions stand.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

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

/// What lanes use of the consumer. Cheap to clone.
#[derive(Clone)]
pub struct ConsumerHandle {
    consumer: Arc<BaseConsumer<Rebalance>>,
    commands: mpsc::Sender<Command>,
    wake: Arc<Wake>,
    topic: Arc<str>,
    settings: Arc<ClientConfig>,
}

impl std::fmt::Debug for ConsumerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConsumerHandle")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

impl ConsumerHandle {
    #[must_use]
    pub fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    /// Lets records of an assigned partition flow, from `offset` on.
    pub fn start(&self, partition: i32, offset: i64) {
        self.command(Command::Start { partition, offset });
    }

    /// Fetches no more of an assigned partition, until it is assigned anew.
    pub fn halt(&self, partition: i32) {
        self.command(Command::Halt { partition });
    }

    /// The lane lost an assigned partition, as to a process that was stopped and does not know yet
    /// that it is another's. Unless it is revoked within seconds, the lane is told of it as of one
    /// that is assigned just now.
    pub fn renew(&self, partition: i32) {
        self.command(Command::Renew { partition });
    }

    fn command(&self, command: Command) {
        // The loop has ended when nobody receives, and with it the need.
        drop(self.commands.send(command));
        self.wake.up();
    }

    /// What Kafka says of a partition.
    ///
    /// # Errors
    /// [`ConsumeError::Offsets`] when it does not answer in 10 s.
    pub async fn log_offsets(&self, partition: i32) -> Result<LogOffsets, ConsumeError> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.log_offsets_blocking(partition))
            .await
            .map_err(|_| ConsumeError::Thread)?
    }

    fn log_offsets_blocking(&self, partition: i32) -> Result<LogOffsets, ConsumeError> {
        let (low, high) = self
            .consumer
            .fetch_watermarks(&self.topic, partition, ANSWER_WITHIN)
            .map_err(|source| self.no_offsets(partition, source))?;
        let committed = self
            .committed(partition)?
            .elements_for_topic(&self.topic)
            .first()
            .and_then(|element| match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            });
        Ok(LogOffsets {
            low,
            high,
            committed,
        })
    }

    /// Whether a partition's log holds a record at one of these offsets: there may be nothing but
    /// markers of transactions. Read beside this consumer and its group.
    ///
    /// # Errors
    /// [`ConsumeError::Offsets`] when Kafka does not answer in 10 s.
    pub async fn holds_records(
        &self,
        partition: i32,
        offsets: Range<i64>,
    ) -> Result<bool, ConsumeError> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || {
            probe::holds_records(&this.settings, &this.topic, partition, offsets)
                .map_err(|source| this.no_offsets(partition, source))
        })
        .await
        .map_err(|_| ConsumeError::Thread)?
    }

    /// How many partitions the topic has.
    ///
    /// # Errors
    /// [`ConsumeError::Metadata`] when Kafka does not answer in 10 s.
    pub async fn partitions(&self) -> Result<usize, ConsumeError> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || {
            this.consumer
                .fetch_metadata(Some(&this.topic), ANSWER_WITHIN)
                .map(|metadata| {
                    metadata
                        .topics()
                        .iter()
                        .map(|it| it.partitions().len())
                        .sum()
                })
                .map_err(|source| ConsumeError::Metadata {
                    topic: this.topic.to_string(),
                    source,
                })
        })
        .await
        .map_err(|_| ConsumeError::Thread)?
    }

    /// Commits next offsets to Kafka without waiting for the answer.
    pub fn commit(&self, next: &[(i32, i64)]) {
        if let Some(list) = self.offsets(next)
            && let Err(error) = self.consumer.commit(&list, CommitMode::Async)
        {
            tracing::warn!(topic = %self.topic, error = %error, "offsets were not committed to Kafka");
        }
    }

    /// Commits next offsets to Kafka and waits for the answer.
    ///
    /// # Errors
    /// What Kafka answers; a partition that was lost meanwhile.
    pub async fn commit_and_wait(&self, next: &[(i32, i64)]) -> Result<(), KafkaError> {
        let Some(list) = self.offsets(next) else {
            return Ok(());
        };
        self.commit_list(list).await
    }

    /// As [`Self::commit_and_wait`], with a note for each partition, of 4 KiB at most, which
    /// [`Self::note`] gives back.
    ///
    /// # Errors
    /// What Kafka answers; a partition that was lost meanwhile.
    pub async fn commit_with_notes(&self, next: &[(i32, i64, String)]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::with_capacity(next.len());
        for (partition, offset, note) in next {
            let mut element = list.add_partition(&self.topic, *partition);
            element.set_offset(Offset::Offset(*offset))?;
            element.set_metadata(note);
        }
        self.commit_list(list).await
    }

    async fn commit_list(&self, list: TopicPartitionList) -> Result<(), KafkaError> {
        let consumer = Arc::clone(&self.consumer);
        tokio::task::spawn_blocking(move || consumer.commit(&list, CommitMode::Sync))
            .await
            .unwrap_or(Err(KafkaError::Canceled))
    }

    /// The note that was committed last with a partition's offset; empty where there is none.
    ///
    /// # Errors
    /// [`ConsumeError::Offsets`] when Kafka does not answer in 10 s.
    pub async fn note(&self, partition: i32) -> Result<String, ConsumeError> {
        let this = self.clone();
        let list = tokio::task::spawn_blocking(move || this.committed(partition))
            .await
            .map_err(|_| ConsumeError::Thread)??;
        let elements = list.elements_for_topic(&self.topic);
        let note = elements
            .first()
            .map(|element| element.metadata().to_owned());
        Ok(note.unwrap_or_default())
    }

    fn committed(&self, partition: i32) -> Result<TopicPartitionList, ConsumeError> {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition);
        self.consumer
            .committed_offsets(list, ANSWER_WITHIN)
            .map_err(|source| self.no_offsets(partition, source))
    }

    fn no_offsets(&self, partition: i32, source: KafkaError) -> ConsumeError {
        ConsumeError::Offsets {
            topic: self.topic.to_string(),
            partition,
            source,
        }
    }

    fn offsets(&self, next: &[(i32, i64)]) -> Option<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(next.len());
        for (partition, offset) in next {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))
                .ok()?;
        }
        (list.count() > 0).then_some(list)
    }
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
