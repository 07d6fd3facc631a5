//! Topic settings, read from the broker.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, OwnedResourceSpecifier, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

use crate::settings::KafkaArgs;

/// The longest record, in bytes, of a topic with Kafka's default settings.
pub const MAX_RECORD_BYTES_BY_DEFAULT: usize = 1_000_000;

/// How often a broker looks for segments to delete (log.retention.check.interval.ms), by default.
const CHECK_INTERVAL: Duration = Duration::from_secs(300);
const SETTINGS_TIMEOUT: Duration = Duration::from_secs(10);

/// The time for which a topic keeps a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    Duration(Duration),
    Unlimited,
}

/// The settings of a topic that decide when it deletes a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion {
    pub retention: Retention,
    /// The longest time for which a segment takes records. Kafka deletes whole segments, when the newest
    /// record of each is older than the retention.
    pub segment: Duration,
    /// The time between the deletion of a segment and that of its file.
    pub file_delay: Duration,
}

impl Deletion {
    /// Reads the settings; `of` returns one by its name. `None` if the broker does not say.
    fn read<'s>(of: impl Fn(&str) -> Option<&'s str>) -> Option<Self> {
        let deletes = of("cleanup.policy")?.contains("delete");
        let millis = |name: &str| of(name)?.parse::<i64>().ok();
        let duration = |name: &str| Some(Duration::from_millis(u64::try_from(millis(name)?).ok()?));
        let retention = match u64::try_from(millis("retention.ms")?) {
            Ok(millis) if deletes => Retention::Duration(Duration::from_millis(millis)),
            _ => Retention::Unlimited,
        };
        Some(Self {
            retention,
            segment: duration("segment.ms")?,
            file_delay: duration("file.delete.delay.ms")?,
        })
    }

    /// Returns the longest time for which the topic holds a record after it was written; `None` for
    /// ever.
    #[must_use]
    pub fn longest(&self) -> Option<Duration> {
        let Retention::Duration(retention) = self.retention else {
            return None;
        };
        let further = self.segment.saturating_add(self.file_delay);
        Some(
            retention
                .saturating_add(further)
                .saturating_add(CHECK_INTERVAL),
        )
    }
}

/// Returns when each of `topics` deletes a record; `None` for a topic of which the broker does not say.
pub async fn deletions(kafka: &KafkaArgs, topics: &[String]) -> Vec<Option<Deletion>> {
    let described = async {
        let admin: AdminClient<DefaultClientContext> =
            kafka.client("leadstream-settings").ok()?.create().ok()?;
        let options = AdminOptions::new().request_timeout(Some(SETTINGS_TIMEOUT));
        let topics: Vec<_> = topics
            .iter()
            .map(|topic| ResourceSpecifier::Topic(topic))
            .collect();
        admin.describe_configs(&topics, &options).await.ok()
    };
    let described = described.await.unwrap_or_default();
    let of = |topic: &String| {
        let found = described.iter().flatten().find(|config| {
            matches!(&config.specifier, OwnedResourceSpecifier::Topic(name) if name == topic)
        })?;
        Deletion::read(|name| found.get(name)?.value.as_deref())
    };
    topics.iter().map(of).collect()
}

/// Returns how long `topic` keeps records; `None` if there is no limit, or if the broker does not
/// say.
pub async fn limited_retention(kafka: &KafkaArgs, topic: &str) -> Option<Duration> {
    let found = deletions(kafka, &[topic.to_owned()]).await.pop()??;
    match found.retention {
        Retention::Duration(time) => Some(time),
        Retention::Unlimited => None,
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

#[cfg(test)]
mod tests {
    use super::{Deletion, Duration, Retention};

    const DAY: u64 = 86_400;

    fn read(settings: &[(&str, &'static str)]) -> Option<Deletion> {
        let of = |name: &str| {
            let found = settings.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| *value)
        };
        Deletion::read(of)
    }

    #[test]
    fn a_record_is_held_for_its_retention_and_that_of_its_segment() {
        let settings = |policy, retention, segment| {
            read(&[
                ("cleanup.policy", policy),
                ("retention.ms", retention),
                ("segment.ms", segment),
                ("file.delete.delay.ms", "60000"),
            ])
        };
        let minutes = Duration::from_secs(360);
        for (policy, retention, segment, days) in [
            ("delete", "31536000000", "604800000", Some(372)),
            ("delete", "1209600000", "86400000", Some(15)),
            ("compact,delete", "86400000", "86400000", Some(2)),
            ("delete", "0", "604800000", Some(7)),
            ("delete", "-1", "604800000", None),
            ("compact", "86400000", "604800000", None),
        ] {
            let found = settings(policy, retention, segment).unwrap().longest();
            let expected = days.map(|days| Duration::from_secs(days * DAY) + minutes);
            assert_eq!(found, expected, "{policy} {retention} {segment}");
        }
        let longest = settings("delete", "9223372036854775807", "9223372036854775807");
        assert!(longest.unwrap().longest().is_some(), "the sum is bounded");
    }

    #[test]
    fn a_setting_that_the_broker_does_not_return_leaves_it_unknown() {
        assert_eq!(read(&[("cleanup.policy", "delete")]), None);
        let unlimited = Deletion {
            retention: Retention::Unlimited,
            segment: Duration::from_secs(DAY),
            file_delay: Duration::from_secs(60),
        };
        assert_eq!(unlimited.longest(), None);
    }
}
