//! Reads the records of dead-letter topics. Blocking.

use std::collections::BTreeMap;

use chrono::DateTime;
use leadstream_kafka::KafkaArgs;
use leadstream_schemas::{Offset, Partition};
use leadstream_sink_crm::DeadLetterPosition;
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};

use super::dead_letter::DeadLetterRecord;
use crate::topic_reader::TopicReader;

/// Returns all records that `topics` hold now; a missing topic holds none.
///
/// # Errors
/// Returns an error if Kafka does not answer.
pub(super) fn read(kafka: &KafkaArgs, topics: &[String]) -> anyhow::Result<Vec<DeadLetterRecord>> {
    let reader = TopicReader::new(kafka, "leadstream-dead-letters")?;
    let mut records = Vec::new();
    for topic in topics {
        let count = i32::try_from(reader.partitions(topic)?)?;
        reader.read(topic, &(0..count).map(Partition).collect(), |record| {
            records.push(raw(record));
            Ok(())
        })?;
    }
    Ok(records)
}

fn raw(message: &BorrowedMessage<'_>) -> DeadLetterRecord {
    let headers = message.headers().map_or_else(BTreeMap::new, |headers| {
        headers
            .iter()
            .map(|header| {
                (
                    header.key.to_owned(),
                    header.value.unwrap_or_default().to_vec(),
                )
            })
            .collect()
    });
    let at = message.timestamp().to_millis().unwrap_or_default();
    DeadLetterRecord {
        position: DeadLetterPosition {
            topic: message.topic().to_owned(),
            partition: Partition(message.partition()),
            offset: Offset(message.offset()),
        },
        at: DateTime::from_timestamp_millis(at).unwrap_or_default(),
        key: message.key().unwrap_or_default().to_vec(),
        value: message.payload().unwrap_or_default().to_vec(),
        headers,
    }
}
