//! Reads dead-letter topics from end to end. Blocking.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use chrono::DateTime;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::letter::{Place, Raw};

const ANSWER: Duration = Duration::from_secs(20);

/// Everything that `topics` hold now; one that does not exist holds nothing.
///
/// # Errors
/// Kafka that does not answer.
pub(super) fn read(mut client: ClientConfig, topics: &[String]) -> anyhow::Result<Vec<Raw>> {
    let consumer: BaseConsumer = client
        // Wanted by the client though no group is joined and nothing is committed.
        .set("group.id", "leadstream-dead-letters")
        .set("enable.auto.commit", "false")
        .create()
        .context("no Kafka client can be made of these settings")?;
    let metadata = consumer
        .fetch_metadata(None, ANSWER)
        .context("Kafka does not answer; is KAFKA_BOOTSTRAP_SERVERS right?")?;
    let mut assignment = TopicPartitionList::new();
    let mut left = BTreeMap::new();
    for topic in metadata.topics() {
        if !topics.iter().any(|wanted| wanted == topic.name()) {
            continue;
        }
        for partition in topic.partitions() {
            let (low, high) = consumer.fetch_watermarks(topic.name(), partition.id(), ANSWER)?;
            if low < high {
                assignment.add_partition_offset(
                    topic.name(),
                    partition.id(),
                    Offset::Offset(low),
                )?;
                left.insert((topic.name().to_owned(), partition.id()), high);
            }
        }
    }
    consumer.assign(&assignment)?;
    let mut records = Vec::new();
    while !left.is_empty() {
        let message = consumer
            .poll(ANSWER)
            .context("Kafka gave no further record within 20 s")??;
        let partition = (message.topic().to_owned(), message.partition());
        // Compaction or a transaction's marker may leave no record at the very end.
        if left
            .get(&partition)
            .is_some_and(|high| message.offset() + 1 >= *high)
        {
            left.remove(&partition);
        }
        records.push(raw(&message));
    }
    Ok(records)
}

fn raw(message: &BorrowedMessage<'_>) -> Raw {
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
    Raw {
        place: Place {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
        },
        at: DateTime::from_timestamp_millis(at).unwrap_or_default(),
        key: message.key().unwrap_or_default().to_vec(),
        value: message.payload().unwrap_or_default().to_vec(),
        headers,
    }
}
