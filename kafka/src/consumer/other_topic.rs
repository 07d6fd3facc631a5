//! Reads the ends of topics that the consumer does not consume.

use std::ops::Range;

use leadstream_schemas::{Offset, Partition};
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataTopic;

use super::handle::ANSWER_TIMEOUT;
use super::{ConsumeError, ConsumerHandle};

impl ConsumerHandle {
    /// Returns the offsets that each partition of `topic` holds; empty if there is no such topic.
    ///
    /// # Errors
    /// Returns an error if Kafka does not answer within 10 s.
    pub async fn logs_of(
        &self,
        topic: &str,
    ) -> Result<Vec<(Partition, Range<Offset>)>, ConsumeError> {
        let (this, topic) = (self.clone(), topic.to_owned());
        tokio::task::spawn_blocking(move || {
            this.logs_of_blocking(&topic)
                .map_err(|source| ConsumeError::Metadata { topic, source })
        })
        .await
        .map_err(|_| ConsumeError::Thread)?
    }

    fn logs_of_blocking(&self, topic: &str) -> Result<Vec<(Partition, Range<Offset>)>, KafkaError> {
        let metadata = self.consumer.fetch_metadata(Some(topic), ANSWER_TIMEOUT)?;
        let partitions = metadata.topics().iter().flat_map(MetadataTopic::partitions);
        partitions
            .map(|partition| {
                let id = partition.id();
                let (low, high) = self.consumer.fetch_watermarks(topic, id, ANSWER_TIMEOUT)?;
                Ok((Partition(id), Offset(low)..Offset(high)))
            })
            .collect()
    }
}
