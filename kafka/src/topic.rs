//! Topic settings, read from the broker.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

use crate::settings::KafkaArgs;

/// The longest record, in bytes, of a topic with Kafka's default settings.
pub const MAX_RECORD_BYTES_BY_DEFAULT: usize = 1_000_000;

/// Returns how long `topic` keeps records; `None` if there is no limit, or if the broker does not
/// say.
pub async fn limited_retention(kafka: &KafkaArgs, topic: &str) -> Option<Duration> {
    match retention(kafka, topic).await? {
        Retention::Duration(time) => Some(time),
        Retention::Unlimited => None,
    }
}

/// The time for which a topic keeps a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    Duration(Duration),
    Unlimited,
}

/// Returns the retention of `topic`; `None` if the broker does not say.
pub async fn retention(kafka: &KafkaArgs, topic: &str) -> Option<Retention> {
    let of = async |key: &str| topic_settings(kafka, &[topic], key).await?.pop();
    let deletes = of("cleanup.policy").await?.contains("delete");
    let millis: i64 = of("retention.ms").await?.parse().ok()?;
    match u64::try_from(millis) {
        Ok(millis) if deletes => Some(Retention::Duration(Duration::from_millis(millis))),
        _ => Some(Retention::Unlimited),
    }
}

/// Returns the longest record, in bytes, that every one of `topics` accepts; `None` if the broker
/// does not say.
pub async fn max_record_bytes(kafka: &KafkaArgs, topics: &[&str]) -> Option<usize> {
    let settings = topic_settings(kafka, topics, "max.message.bytes").await?;
    let limits: Option<Vec<usize>> = settings.iter().map(|limit| limit.parse().ok()).collect();
    limits?.into_iter().min()
}

/// Returns one setting of each of `topics`.
async fn topic_settings(kafka: &KafkaArgs, topics: &[&str], key: &str) -> Option<Vec<String>> {
    let admin: AdminClient<DefaultClientContext> =
        kafka.client("leadstream-settings").ok()?.create().ok()?;
    let options = AdminOptions::new().request_timeout(Some(Duration::from_secs(5)));
    let topics: Vec<_> = topics
        .iter()
        .map(|topic| ResourceSpecifier::Topic(topic))
        .collect();
    let described = admin.describe_configs(&topics, &options).await.ok()?;
    described
        .into_iter()
        .map(|config| config.ok()?.get(key)?.value.clone())
        .collect()
}
