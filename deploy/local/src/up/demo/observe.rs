//! Observes the effects of the conversation in PostgreSQL and in Kafka.

use std::time::Duration;

use anyhow::Context;
use leadstream_kafka::KafkaArgs;
use leadstream_schemas::codec::decode;
use leadstream_schemas::{LeadEvent, Revision, Topic};
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde_json::Value;
use sqlx::PgPool;
use tokio::task::spawn_blocking;

const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A lead's row, as reports see it.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub(super) struct Row {
    pub(super) wa_id: Option<String>,
    pub(super) current_state: String,
    pub(super) qualification_score: i32,
    pub(super) is_completed: bool,
    pub(super) lead_data: Value,
}

/// Returns the row of a lead that has had `revision` events or more.
pub(super) async fn row(
    database: &PgPool,
    wa_id: &str,
    revision: i64,
) -> anyhow::Result<Option<Row>> {
    sqlx::query_as(
        "SELECT wa_id, current_state, qualification_score, is_completed, lead_data \
         FROM lead_qualifications WHERE wa_id = $1 AND revision >= $2",
    )
    .bind(wa_id)
    .bind(revision)
    .fetch_optional(database)
    .await
    .context("PostgreSQL does not return the lead's row")
}

/// A consumer of `lead.events` without a group.
pub(super) struct Events {
    /// `None` only during the drop.
    consumer: Option<StreamConsumer>,
    last_revision: Revision,
}

impl Events {
    /// Starts at the current end of the topic.
    pub(super) async fn from_now(kafka: &KafkaArgs, topic: String) -> anyhow::Result<Self> {
        let mut config = kafka.client("leadstream-up")?;
        // The client requires a group's name, which stays unused.
        config
            .set("group.id", "leadstream-up")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "50");
        let consumer = spawn_blocking(move || consumer_at_end(&config, &topic)).await??;
        Ok(Self {
            consumer: Some(consumer),
            last_revision: Revision::default(),
        })
    }

    /// Returns the next event of a lead. Skips duplicates, as every consumer should (invariant 4).
    pub(super) async fn next_of(&mut self, lead_id: &str) -> anyhow::Result<LeadEvent> {
        let consumer = self.consumer.as_ref().context("the consumer has ended")?;
        loop {
            let record = consumer.recv().await.context("reading lead.events")?;
            let event: LeadEvent = decode(record.payload().unwrap_or_default())?;
            if event.data.lead_id == lead_id && event.data.revision > self.last_revision {
                self.last_revision = event.data.revision;
                return Ok(event);
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // Closing a consumer blocks.
        let consumer = self.consumer.take();
        tokio::task::spawn_blocking(move || drop(consumer));
    }
}

fn consumer_at_end(config: &ClientConfig, topic: &str) -> anyhow::Result<StreamConsumer> {
    let consumer: StreamConsumer = config.create()?;
    let no_answer = || format!("Kafka does not return the end offsets of {topic}");
    let metadata = consumer
        .fetch_metadata(Some(topic), ANSWER_WITHIN)
        .with_context(no_answer)?;
    let described = metadata.topics().first();
    let described = described.with_context(|| format!("{} is not there", Topic::LeadEvents))?;
    let mut ends = TopicPartitionList::new();
    for partition in described.partitions() {
        let (_, end) = consumer
            .fetch_watermarks(topic, partition.id(), ANSWER_WITHIN)
            .with_context(no_answer)?;
        ends.add_partition_offset(topic, partition.id(), Offset::Offset(end))?;
    }
    consumer.assign(&ends)?;
    Ok(consumer)
}
