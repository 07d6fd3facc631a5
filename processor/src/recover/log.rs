//! Reads topics for a recovery: without a group, from an offset or a time, to the end at the start.
//! Every call blocks.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use leadstream_kafka::consumer::LogOffsets;
use leadstream_kafka::{KafkaArgs, Record};
use leadstream_schemas::{Offset, Partition};
use leadstream_service::ConfigError;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, DefaultConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Message, TopicPartitionList};

const TIMEOUT: Duration = Duration::from_secs(20);

/// The reason why a topic could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(
        "{0} processors are members of the consumer group; stop them all (Kafka removes one that was killed after its session of 10 s), and run this again"
    )]
    Members(usize),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("Kafka did not answer about {what}: {source}")]
    Kafka {
        what: String,
        #[source]
        source: KafkaError,
    },
    #[error(
        "{topic} [{partition}] gave no record within 20 s, though its log goes on to {end_offset}"
    )]
    Silent {
        topic: String,
        partition: Partition,
        end_offset: Offset,
    },
}

/// A Kafka client in the group of the processors.
pub(crate) struct Log {
    kafka: KafkaArgs,
    group: String,
    consumer: BaseConsumer,
}

fn about(what: impl Into<String>) -> impl FnOnce(KafkaError) -> LogError {
    let what = what.into();
    move |source| LogError::Kafka { what, source }
}

impl Log {
    pub(crate) fn new(kafka: &KafkaArgs, group: &str) -> Result<Self, LogError> {
        Ok(Self {
            consumer: consumer(kafka, group)?,
            kafka: kafka.clone(),
            group: group.to_owned(),
        })
    }

    /// Returns an error while a processor is a member of the group.
    pub(crate) fn check_no_members(&self) -> Result<(), LogError> {
        let list = self
            .consumer
            .fetch_group_list(Some(&self.group), TIMEOUT)
            .map_err(about("the consumer group"))?;
        match list.groups().iter().map(|it| it.members().len()).sum() {
            0 => Ok(()),
            members => Err(LogError::Members(members)),
        }
    }

    /// Returns the log's ends and the group's offset, by partition.
    pub(super) fn offsets(&self, topic: &str) -> Result<BTreeMap<Partition, LogOffsets>, LogError> {
        let mut list = TopicPartitionList::new();
        for partition in self.partitions(topic)? {
            list.add_partition(topic, partition.0);
        }
        let committed = self
            .consumer
            .committed_offsets(list, TIMEOUT)
            .map_err(about("the group's offsets"))?;
        committed
            .elements_for_topic(topic)
            .iter()
            .map(|element| {
                let partition = Partition(element.partition());
                let (low, high) = self.ends(topic, partition)?;
                let committed = offset_of(element);
                let offsets = LogOffsets {
                    low,
                    high,
                    committed,
                };
                Ok((partition, offsets))
            })
            .collect()
    }

    pub(crate) fn partitions(&self, topic: &str) -> Result<Vec<Partition>, LogError> {
        let metadata = self
            .consumer
            .fetch_metadata(Some(topic), TIMEOUT)
            .map_err(about(topic))?;
        let described = metadata.topics().first();
        Ok(described.map_or_else(Vec::new, |described| {
            described
                .partitions()
                .iter()
                .map(|partition| Partition(partition.id()))
                .collect()
        }))
    }

    fn ends(&self, topic: &str, partition: Partition) -> Result<(Offset, Offset), LogError> {
        let ends = self.consumer.fetch_watermarks(topic, partition.0, TIMEOUT);
        let (low, high) = ends.map_err(about(format!("{topic} [{partition}]")))?;
        Ok((Offset(low), Offset(high)))
    }

    /// Returns the earliest time of the records at these offsets, or none without such a record.
    pub(super) fn earliest(
        &self,
        topic: &str,
        at: &BTreeMap<Partition, Offset>,
    ) -> Result<Option<i64>, LogError> {
        let mut earliest = None;
        for (&partition, &offset) in at {
            let (_, high) = self.ends(topic, partition)?;
            let span = BTreeMap::from([(partition, offset..high.min(offset.next()))]);
            let mut inputs = self.inputs(topic, &span)?;
            if let Some((time, _)) = inputs.next()? {
                earliest = Some(earliest.map_or(time, |known: i64| known.min(time)));
            }
        }
        Ok(earliest)
    }

    /// Passes key and value of each record of `topic` to `take`. `since`, in milliseconds since 1970,
    /// excludes older records.
    pub(super) fn scan(
        &self,
        topic: &str,
        since: Option<i64>,
        mut take: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), LogError> {
        let mut spans = BTreeMap::new();
        for partition in self.partitions(topic)? {
            let (low, high) = self.ends(topic, partition)?;
            let start = match since {
                None => low,
                Some(since) => self.offset_at(topic, partition, since)?.unwrap_or(high),
            };
            spans.insert(partition, start..high);
        }
        let mut records = self.inputs(topic, &spans)?;
        while let Some((_, record)) = records.next()? {
            take(&record.key, &record.value);
        }
        Ok(())
    }

    fn offset_at(
        &self,
        topic: &str,
        partition: Partition,
        since: i64,
    ) -> Result<Option<Offset>, LogError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition.0, rdkafka::Offset::Offset(since))
            .map_err(about(topic))?;
        let found = self
            .consumer
            .offsets_for_times(list, TIMEOUT)
            .map_err(about(topic))?;
        Ok(found.elements_for_topic(topic).first().and_then(offset_of))
    }

    /// Returns the records of `spans`. They are as close to the order of their times as the order
    /// within each partition permits.
    pub(super) fn inputs(
        &self,
        topic: &str,
        spans: &BTreeMap<Partition, Range<Offset>>,
    ) -> Result<Inputs, LogError> {
        let consumer = Arc::new(consumer(&self.kafka, &self.group)?);
        let mut list = TopicPartitionList::new();
        let spans = spans.iter().filter(|(_, span)| !span.is_empty());
        for (partition, span) in spans.clone() {
            let start = rdkafka::Offset::Offset(span.start.0);
            list.add_partition_offset(topic, partition.0, start)
                .map_err(about(topic))?;
        }
        consumer.assign(&list).map_err(about(topic))?;
        let mut queues = Vec::new();
        for (partition, span) in spans {
            if let Some(queue) = consumer.split_partition_queue(topic, partition.0) {
                queues.push(Queue {
                    partition: *partition,
                    queue,
                    end_offset: span.end,
                    head: None,
                    done: false,
                });
            }
        }
        Ok(Inputs {
            topic: topic.to_owned(),
            consumer,
            queues,
        })
    }

    /// Commits the group's offsets, which Kafka permits only for an empty group.
    pub(super) fn commit(
        &self,
        topic: &str,
        next: &BTreeMap<Partition, Offset>,
    ) -> Result<(), LogError> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in next {
            list.add_partition_offset(topic, partition.0, rdkafka::Offset::Offset(offset.0))
                .map_err(about(topic))?;
        }
        self.consumer
            .commit(&list, CommitMode::Sync)
            .map_err(about("the group's offsets"))
    }
}

fn consumer(kafka: &KafkaArgs, group: &str) -> Result<BaseConsumer, LogError> {
    let mut config = kafka.consumer(group, "leadstream-recover")?;
    config.set("enable.partition.eof", "true");
    config.create().map_err(about("a consumer"))
}

fn offset_of(element: &TopicPartitionListElem<'_>) -> Option<Offset> {
    match element.offset() {
        rdkafka::Offset::Offset(offset) => Some(Offset(offset)),
        _ => None,
    }
}

struct Queue {
    partition: Partition,
    queue: PartitionQueue<DefaultConsumerContext>,
    end_offset: Offset,
    /// The time of the next record, and the record.
    head: Option<(i64, Record)>,
    done: bool,
}

/// Records of several partitions, merged by time.
pub(super) struct Inputs {
    topic: String,
    consumer: Arc<BaseConsumer>,
    queues: Vec<Queue>,
}

impl Inputs {
    /// Returns the next record and its time in milliseconds, or none after the last.
    pub(super) fn next(&mut self) -> Result<Option<(i64, Record)>, LogError> {
        // This poll gets errors and statistics. Records arrive in the partition queues.
        drop(self.consumer.poll(Duration::ZERO));
        for queue in &mut self.queues {
            queue.fill(&self.topic)?;
        }
        let first = self
            .queues
            .iter_mut()
            .filter(|queue| queue.head.is_some())
            .min_by_key(|queue| queue.head.as_ref().map_or(i64::MAX, |(time, _)| *time));
        Ok(first.and_then(|queue| queue.head.take()))
    }
}

impl Queue {
    fn fill(&mut self, topic: &str) -> Result<(), LogError> {
        if self.head.is_some() || self.done {
            return Ok(());
        }
        let polled = self.queue.poll(TIMEOUT).ok_or_else(|| LogError::Silent {
            topic: topic.to_owned(),
            partition: self.partition,
            end_offset: self.end_offset,
        })?;
        let message = match polled {
            // The log may end with a transaction's marker, which no consumer gets.
            Err(KafkaError::PartitionEOF(_)) => {
                self.done = true;
                return Ok(());
            }
            polled => polled.map_err(about(topic))?,
        };
        let offset = Offset(message.offset());
        if offset < self.end_offset {
            let time = message.timestamp().to_millis().unwrap_or_default();
            self.head = Some((time, Record::from(&message)));
        }
        self.done = offset.next() >= self.end_offset;
        Ok(())
    }
}
