//! Reads topics to their current end, or on and on. Every call blocks.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Context;
use leadstream_kafka::KafkaArgs;
use leadstream_schemas::{Partition, Timestamp};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::topics::acl::TOOLS;

const ANSWER: Duration = Duration::from_secs(20);

/// A consumer without a group.
pub(crate) struct TopicReader(BaseConsumer);

impl TopicReader {
    /// # Errors
    /// Returns an error if settings are wrong.
    pub(crate) fn new(kafka: &KafkaArgs, client_id: &str) -> anyhow::Result<Self> {
        let mut config = kafka.client(client_id)?;
        // Never joined and never committed to, but the client requires one, and asks for its
        // coordinator. One for all tools needs one ACL.
        config.set("group.id", kafka.group(TOOLS));
        config.set("enable.auto.commit", "false");
        // The last offset may be a transaction's marker, which no consumer receives.
        config.set("enable.partition.eof", "true");
        let consumer = config
            .create()
            .context("no Kafka client can be made of these settings")?;
        Ok(Self(consumer))
    }

    /// Returns the number of partitions of `topic`; 0 when it does not exist.
    ///
    /// # Errors
    /// Returns an error if Kafka does not answer.
    pub(crate) fn partitions(&self, topic: &str) -> anyhow::Result<usize> {
        let metadata = self
            .0
            .fetch_metadata(Some(topic), ANSWER)
            .context("Kafka does not answer; is KAFKA_BOOTSTRAP_SERVERS right?")?;
        let found = metadata.topics().first();
        Ok(found.map_or(0, |it| it.partitions().len()))
    }

    /// Calls `take` with every record of these partitions, each partition in order.
    ///
    /// # Errors
    /// Returns an error if Kafka does not answer, or the error of `take`, with the record's
    /// position.
    pub(crate) fn read(
        &self,
        topic: &str,
        partitions: &BTreeSet<Partition>,
        take: impl FnMut(&BorrowedMessage<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut assignment = TopicPartitionList::new();
        for id in partitions {
            assignment.add_partition_offset(topic, id.0, Offset::Beginning)?;
        }
        self.to_the_end(topic, &assignment, take)?;
        self.0.unassign()?;
        Ok(())
    }

    /// Returns the key and the value of one record; none if the topic does not hold it any more.
    ///
    /// # Errors
    /// Returns an error if Kafka does not answer.
    pub(crate) fn record(
        &self,
        topic: &str,
        partition: Partition,
        offset: leadstream_schemas::Offset,
    ) -> anyhow::Result<Option<(Vec<u8>, Vec<u8>)>> {
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(topic, partition.0, Offset::Offset(offset.0))?;
        self.0.assign(&assignment)?;
        let polled = self.0.poll(ANSWER);
        let found = match polled.with_context(|| format!("Kafka sends nothing of {topic}"))? {
            // An offset that the log does not hold leads to its end.
            Err(KafkaError::PartitionEOF(_)) => None,
            polled => {
                let record = polled.with_context(|| format!("{topic} cannot be read"))?;
                (record.offset() == offset.0).then(|| {
                    let bytes = |bytes: Option<&[u8]>| bytes.unwrap_or_default().to_vec();
                    (bytes(record.key()), bytes(record.payload()))
                })
            }
        };
        self.0.unassign()?;
        Ok(found)
    }

    /// Calls `take` with the records of all partitions since `since`, to their present end. Returns
    /// what [`Self::follow`] continues.
    ///
    /// # Errors
    /// See [`Self::read`].
    pub(crate) fn read_since(
        &self,
        topic: &str,
        since: Option<Timestamp>,
        take: impl FnMut(&BorrowedMessage<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut wanted = TopicPartitionList::new();
        let from = since.map_or(Offset::Beginning, |at| Offset::Offset(at.millis()));
        for id in 0..i32::try_from(self.partitions(topic)?)? {
            wanted.add_partition_offset(topic, id, from)?;
        }
        if since.is_some() {
            let found = self.0.offsets_for_times(wanted, ANSWER);
            wanted = found.context("Kafka does not say which records are of that time")?;
        }
        self.to_the_end(topic, &wanted, take)
    }

    /// Calls `take` with every further record, until it breaks.
    ///
    /// # Errors
    /// See [`Self::read`].
    pub(crate) fn follow(
        &self,
        topic: &str,
        mut take: impl FnMut(&BorrowedMessage<'_>) -> anyhow::Result<ControlFlow<()>>,
    ) -> anyhow::Result<()> {
        loop {
            match self.0.poll(ANSWER) {
                None | Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(record) => {
                    let record = record.with_context(|| format!("{topic} cannot be read"))?;
                    if take(&record)?.is_break() {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn to_the_end(
        &self,
        topic: &str,
        assignment: &TopicPartitionList,
        mut take: impl FnMut(&BorrowedMessage<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.0.assign(assignment)?;
        let mut ended = BTreeSet::new();
        while ended.len() < assignment.count() {
            let polled = self
                .0
                .poll(ANSWER)
                .with_context(|| format!("Kafka sends nothing more of {topic}"))?;
            let record = match polled {
                Err(KafkaError::PartitionEOF(id)) => {
                    ended.insert(id);
                    continue;
                }
                polled => polled.with_context(|| format!("{topic} cannot be read"))?,
            };
            take(&record).with_context(|| {
                let (partition, offset) = (record.partition(), record.offset());
                format!("{topic}, partition {partition}, offset {offset}")
            })?;
        }
        Ok(())
    }
}
