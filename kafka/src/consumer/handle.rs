//! The handle through which workers use the consumer.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use leadstream_schemas::{Offset, Partition};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use rdkafka::{ClientConfig, Message, TopicPartitionList};

use super::poll::Command;
use super::progress::Progress;
use super::rebalance::Rebalance;
use super::worker_queue::Wake;
use super::{ConsumeError, LogOffsets, OffsetCommit};

/// The longest wait for Kafka's answer about partitions.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The consumer as workers use it. Cheap to clone.
#[derive(Clone)]
pub struct ConsumerHandle {
    pub(super) consumer: Arc<BaseConsumer<Rebalance>>,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) wake: Arc<Wake>,
    pub(super) topic: Arc<str>,
    pub(super) settings: Arc<ClientConfig>,
    pub(super) progress: Arc<Progress>,
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

    /// Starts delivery of an assigned partition's records at `offset`.
    pub fn start(&self, partition: Partition, offset: Offset) {
        self.progress.start(partition, offset);
        self.command(Command::Start { partition, offset });
    }

    /// Stops fetching an assigned partition until it is assigned again.
    pub fn halt(&self, partition: Partition) {
        self.command(Command::Halt { partition });
    }

    /// Reports that the worker lost an assigned partition, although Kafka has not revoked it. This
    /// happens to a process that was stopped and does not know yet that another process owns the
    /// partition. Unless Kafka revokes the partition within seconds, the worker receives it as newly
    /// assigned.
    pub fn reassign(&self, partition: Partition) {
        self.command(Command::Reassign { partition });
    }

    fn command(&self, command: Command) {
        // Without a receiver the loop has ended, and the command is no longer needed.
        drop(self.commands.send(command));
        self.wake.up();
    }

    /// Reads a partition's offsets from Kafka.
    ///
    /// # Errors
    /// Returns [`ConsumeError::Offsets`] if Kafka does not answer within 10 s.
    pub async fn log_offsets(&self, partition: Partition) -> Result<LogOffsets, ConsumeError> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.log_offsets_blocking(partition))
            .await
            .map_err(|_| ConsumeError::Thread)?
    }

    fn log_offsets_blocking(&self, partition: Partition) -> Result<LogOffsets, ConsumeError> {
        let (low, high) = self
            .consumer
            .fetch_watermarks(&self.topic, partition.0, ANSWER_TIMEOUT)
            .map_err(|source| self.no_offsets(partition, source))?;
        let committed = self
            .committed(partition)?
            .elements_for_topic(&self.topic)
            .first()
            .and_then(|element| match element.offset() {
                rdkafka::Offset::Offset(offset) => Some(Offset(offset)),
                _ => None,
            });
        Ok(LogOffsets {
            low: Offset(low),
            high: Offset(high),
            committed,
        })
    }

    /// Reads the offsets of every partition of the topic from Kafka.
    ///
    /// # Errors
    /// Returns [`ConsumeError::Metadata`] if Kafka does not answer within 10 s.
    pub async fn all_log_offsets(&self) -> Result<BTreeMap<Partition, LogOffsets>, ConsumeError> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || {
            this.all_log_offsets_blocking()
                .map_err(|source| ConsumeError::Metadata {
                    topic: this.topic.to_string(),
                    source,
                })
        })
        .await
        .map_err(|_| ConsumeError::Thread)?
    }

    fn all_log_offsets_blocking(&self) -> KafkaResult<BTreeMap<Partition, LogOffsets>> {
        let metadata = self
            .consumer
            .fetch_metadata(Some(&self.topic), ANSWER_TIMEOUT)?;
        let topics = metadata.topics().iter();
        let partitions = topics.flat_map(MetadataTopic::partitions);
        let partitions: Vec<Partition> = partitions.map(|it| Partition(it.id())).collect();
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let list = |offset| self.same_offset(&partitions, offset);
        let committed = list(rdkafka::Offset::Invalid)?;
        let committed = self.consumer.committed_offsets(committed, ANSWER_TIMEOUT)?;
        let committed = known_offsets(&committed);
        // The "time" of the beginning gives the beginning.
        let find = |offset| {
            self.consumer
                .offsets_for_times(list(offset)?, ANSWER_TIMEOUT)
        };
        let low = known_offsets(&find(rdkafka::Offset::Beginning)?);
        let high = known_offsets(&find(rdkafka::Offset::End)?);
        let logs = partitions.into_iter().map(|partition| {
            let offset = |offsets: &BTreeMap<Partition, Offset>| {
                let offset = offsets.get(&partition).copied();
                offset.ok_or(KafkaError::OffsetFetch(RDKafkaErrorCode::NoOffset))
            };
            let log = LogOffsets {
                low: offset(&low)?,
                high: offset(&high)?,
                committed: committed.get(&partition).copied(),
            };
            Ok((partition, log))
        });
        logs.collect()
    }

    /// Returns `partitions` with one offset, as a request takes them.
    pub(super) fn same_offset(
        &self,
        partitions: &[Partition],
        offset: rdkafka::Offset,
    ) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition_offset(&self.topic, partition.0, offset)?;
        }
        Ok(list)
    }

    /// Returns whether a partition's log holds a record at one of these offsets. The range may hold
    /// only transaction markers. The read does not involve this consumer or its group.
    ///
    /// # Errors
    /// Returns [`ConsumeError::Offsets`] if Kafka does not answer within 10 s.
    pub async fn holds_records(
        &self,
        partition: Partition,
        offsets: Range<Offset>,
    ) -> Result<bool, ConsumeError> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || {
            holds_records(&this.settings, &this.topic, partition, offsets)
                .map_err(|source| this.no_offsets(partition, source))
        })
        .await
        .map_err(|_| ConsumeError::Thread)?
    }

    /// Returns the number of partitions of the topic.
    ///
    /// # Errors
    /// Returns [`ConsumeError::Metadata`] if Kafka does not answer within 10 s.
    pub async fn partitions(&self) -> Result<usize, ConsumeError> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || {
            this.consumer
                .fetch_metadata(Some(&this.topic), ANSWER_TIMEOUT)
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
    pub fn commit(&self, next: &[(Partition, Offset)]) {
        self.progress.finish(commits(next));
        if let Some(list) = self.offsets(next)
            && let Err(error) = self.consumer.commit(&list, CommitMode::Async)
        {
            tracing::warn!(topic = %self.topic, error = %error, "offsets were not committed to Kafka");
        }
    }

    /// Commits next offsets to Kafka and waits for the answer.
    ///
    /// # Errors
    /// Returns Kafka's error, for example for a partition that was lost meanwhile.
    pub async fn commit_and_wait(&self, next: &[(Partition, Offset)]) -> Result<(), KafkaError> {
        self.progress.finish(commits(next));
        let Some(list) = self.offsets(next) else {
            return Ok(());
        };
        self.commit_list(list).await
    }

    /// Commits like [`Self::commit_and_wait`], with metadata that [`Self::commit_metadata`] reads.
    ///
    /// # Errors
    /// Returns Kafka's error, for example for a partition that was lost meanwhile.
    pub async fn commit_with_metadata(&self, next: &[OffsetCommit]) -> Result<(), KafkaError> {
        self.progress.finish(next.iter().cloned());
        let list = self.offsets_with_metadata(next)?;
        self.commit_list(list).await
    }

    /// Commits again what Kafka did not keep, without waiting for the answer.
    pub(super) fn repeat(&self, lost: Vec<OffsetCommit>) {
        self.progress.repeat(lost, |commits| {
            let committed = self
                .offsets_with_metadata(commits)
                .and_then(|list| self.consumer.commit(&list, CommitMode::Async));
            if let Err(error) = committed {
                tracing::warn!(topic = %self.topic, error = %error, "offsets were not committed to Kafka");
            }
        });
    }

    fn offsets_with_metadata(&self, next: &[OffsetCommit]) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(next.len());
        for commit in next {
            let mut element = list.add_partition(&self.topic, commit.partition.0);
            element.set_offset(rdkafka::Offset::Offset(commit.next.0))?;
            element.set_metadata(&commit.metadata);
        }
        Ok(list)
    }

    async fn commit_list(&self, list: TopicPartitionList) -> Result<(), KafkaError> {
        let consumer = Arc::clone(&self.consumer);
        tokio::task::spawn_blocking(move || consumer.commit(&list, CommitMode::Sync))
            .await
            .unwrap_or(Err(KafkaError::Canceled))
    }

    /// Returns the metadata that was last committed with a partition's offset; empty if there is none.
    ///
    /// # Errors
    /// Returns [`ConsumeError::Offsets`] if Kafka does not answer within 10 s.
    pub async fn commit_metadata(&self, partition: Partition) -> Result<String, ConsumeError> {
        let this = self.clone();
        let list = tokio::task::spawn_blocking(move || this.committed(partition))
            .await
            .map_err(|_| ConsumeError::Thread)??;
        let elements = list.elements_for_topic(&self.topic);
        let metadata = elements
            .first()
            .map(|element| element.metadata().to_owned());
        Ok(metadata.unwrap_or_default())
    }

    fn committed(&self, partition: Partition) -> Result<TopicPartitionList, ConsumeError> {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition.0);
        self.consumer
            .committed_offsets(list, ANSWER_TIMEOUT)
            .map_err(|source| self.no_offsets(partition, source))
    }

    fn no_offsets(&self, partition: Partition, source: KafkaError) -> ConsumeError {
        ConsumeError::Offsets {
            topic: self.topic.to_string(),
            partition,
            source,
        }
    }

    fn offsets(&self, next: &[(Partition, Offset)]) -> Option<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(next.len());
        for (partition, offset) in next {
            list.add_partition_offset(&self.topic, partition.0, rdkafka::Offset::Offset(offset.0))
                .ok()?;
        }
        (list.count() > 0).then_some(list)
    }
}

fn commits(next: &[(Partition, Offset)]) -> impl Iterator<Item = OffsetCommit> {
    next.iter().map(|(partition, next)| OffsetCommit {
        partition: *partition,
        next: *next,
        metadata: String::new(),
    })
}

/// Reads with a consumer of its own until it finds a record or the log ends. Blocks.
fn holds_records(
    settings: &ClientConfig,
    topic: &str,
    partition: Partition,
    offsets: Range<Offset>,
) -> KafkaResult<bool> {
    let mut settings = settings.clone();
    settings.set("enable.partition.eof", "true");
    let consumer: BaseConsumer = settings.create()?;
    let mut list = TopicPartitionList::new();
    let start = rdkafka::Offset::Offset(offsets.start.0);
    list.add_partition_offset(topic, partition.0, start)?;
    consumer.assign(&list)?;
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match consumer.poll(left) {
            Some(Ok(record)) => return Ok(Offset(record.offset()) < offsets.end),
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(false),
            // Unavailable brokers are tried again until the time is over.
            Some(Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure,
            ))) => {}
            Some(Err(error)) => return Err(error),
            None => {
                let code = RDKafkaErrorCode::OperationTimedOut;
                return Err(KafkaError::MessageConsumption(code));
            }
        }
    }
}

/// Returns the offsets that Kafka gave.
pub(super) fn known_offsets(list: &TopicPartitionList) -> BTreeMap<Partition, Offset> {
    let elements = list.elements();
    let offsets = elements
        .iter()
        .filter_map(|it| match (it.error(), it.offset()) {
            (Ok(()), rdkafka::Offset::Offset(offset)) => {
                Some((Partition(it.partition()), Offset(offset)))
            }
            _ => None,
        });
    offsets.collect()
}
