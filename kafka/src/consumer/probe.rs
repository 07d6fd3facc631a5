//! Reads a log independently of the consumer that folds it.

use std::ops::Range;
use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::handle::ANSWER_WITHIN;

/// Reads until it finds a record or the log ends. Blocks.
pub(super) fn holds_records(
    settings: &ClientConfig,
    topic: &str,
    partition: i32,
    offsets: Range<i64>,
) -> KafkaResult<bool> {
    let mut settings = settings.clone();
    settings.set("enable.partition.eof", "true");
    let consumer: BaseConsumer = settings.create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(offsets.start))?;
    consumer.assign(&list)?;
    let deadline = Instant::now() + ANSWER_WITHIN;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match consumer.poll(left) {
            Some(Ok(record)) => return Ok(record.offset() < offsets.end),
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
