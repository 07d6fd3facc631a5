//! Reads topics from their beginning to their current end.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use leadstream_schemas::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::site::Site;

const TIMEOUT: Duration = Duration::from_secs(20);

/// A record as a plain consumer reads it.
#[derive(Debug)]
pub struct Read {
    pub partition: i32,
    pub offset: i64,
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    pub headers: BTreeMap<String, String>,
    pub written_at: Timestamp,
}

/// Returns everything that `topic` holds now, each partition in order.
pub fn read_all(site: &Site<'_>, topic: &str) -> anyhow::Result<Vec<Read>> {
    let mut records = Vec::new();
    for_each(site, topic, |record| {
        records.push(record);
        Ok(())
    })?;
    Ok(records)
}

/// Passes on everything that `topic` holds now, each partition in order.
pub fn for_each(
    site: &Site<'_>,
    topic: &str,
    mut take: impl FnMut(Read) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let consumer = consumer(site)?;
    let mut assignment = TopicPartitionList::new();
    let mut left = 0;
    for (partition, (low, high)) in ends(&consumer, topic)? {
        left += high - low;
        assignment.add_partition_offset(topic, partition, Offset::Offset(low))?;
    }
    consumer.assign(&assignment)?;
    while left > 0 {
        let message = consumer
            .poll(TIMEOUT)
            .context("the topic ends too early")??;
        left -= 1;
        take(read(&message))?;
    }
    Ok(())
}

/// Returns the first offset and the next one, by partition.
pub fn offsets(site: &Site<'_>, topic: &str) -> anyhow::Result<BTreeMap<i32, (i64, i64)>> {
    ends(&consumer(site)?, topic)
}

fn consumer(site: &Site<'_>) -> anyhow::Result<BaseConsumer> {
    Ok(rdkafka::ClientConfig::new()
        .set("bootstrap.servers", &site.deployment.kafka)
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "false")
        .create()?)
}

fn ends(consumer: &BaseConsumer, topic: &str) -> anyhow::Result<BTreeMap<i32, (i64, i64)>> {
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT)?;
    let described = metadata
        .topics()
        .first()
        .context("the topic is not there")?;
    described
        .partitions()
        .iter()
        .map(|partition| {
            let id = partition.id();
            Ok((id, consumer.fetch_watermarks(topic, id, TIMEOUT)?))
        })
        .collect()
}

fn read(message: &BorrowedMessage<'_>) -> Read {
    let text =
        |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    Read {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().unwrap_or_default().to_vec(),
        value: message.payload().unwrap_or_default().to_vec(),
        written_at: Timestamp::from_millis(message.timestamp().to_millis().unwrap_or_default()),
        headers: message.headers().map_or_else(BTreeMap::new, |headers| {
            headers
                .iter()
                .map(|header| (header.key.to_owned(), text(header.value)))
                .collect()
        }),
    }
}
