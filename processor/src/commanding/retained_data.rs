//! Tells until which day each topic holds what was written before an erasure.

use leadstream_kafka::KafkaArgs;
use leadstream_kafka::topic::{Deletion, Retention, deletions};
use leadstream_schemas::{Timestamp, Topic};
use serde::Serialize;
use utoipa::ToSchema;

use crate::flow::later;

/// Data from before an erasure that a topic holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RetainedData {
    pub topic: String,
    /// The time by which the topic has deleted the last of these records, by its settings now. Null if it
    /// keeps them for ever, or if the broker did not return its settings.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// The day of that time in UTC, and how it comes about, in words.
    pub retention: String,
}

/// Returns until when each topic holds data that was written until `now`.
pub async fn retained_data(kafka: &KafkaArgs, now: Timestamp) -> Vec<RetainedData> {
    let prefix = &kafka.topic_prefix;
    let topics: Vec<String> = Topic::ALL
        .into_iter()
        .flat_map(|topic| [topic.name(prefix), topic.dead_letters(prefix)])
        .collect();
    let deletions = deletions(kafka, &topics).await;
    let of = |(topic, deletion)| held(topic, now, deletion);
    topics.into_iter().zip(deletions).map(of).collect()
}

/// Returns until when a topic with these settings holds what was written until `now`.
fn held(topic: String, now: Timestamp, deletion: Option<Deletion>) -> RetainedData {
    let longest = deletion.and_then(|it| it.longest());
    let until = longest.map(|longest| later(now, longest));
    let retention = match deletion {
        None => {
            "unknown, because the broker did not return the topic's settings; check its retention.ms"
                .to_owned()
        }
        Some(Deletion {
            retention: Retention::Duration(retention),
            segment,
            ..
        }) => format!(
            "until {}: {}, and up to {} more until Kafka deletes a whole segment",
            until.map(day).unwrap_or_default(),
            days(retention.as_secs()),
            days(segment.as_secs())
        ),
        Some(_) => {
            "for ever; set the topic's retention.ms, or delete its records up to now (kafka-delete-records)"
                .to_owned()
        }
    };
    RetainedData {
        topic,
        until,
        retention,
    }
}

/// Returns the day of a time, in UTC.
fn day(time: Timestamp) -> String {
    let date = time.datetime().map(|it| it.date_naive().to_string());
    date.unwrap_or_else(|| "the end of time".to_owned())
}

fn days(seconds: u64) -> String {
    const HOUR: u64 = 3_600;
    match (seconds / (24 * HOUR), seconds.div_ceil(HOUR)) {
        (1, _) => "1 day".to_owned(),
        (0, 1) => "1 hour".to_owned(),
        (0, hours) => format!("{hours} hours"),
        (days, _) => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn told(retention: Retention, segment_hours: u64) -> RetainedData {
        let now = Timestamp::from_secs(1_796_083_200);
        let deletion = Deletion {
            retention,
            segment: Duration::from_secs(segment_hours * 3_600),
            file_delay: Duration::from_secs(60),
        };
        held("lead.inputs".to_owned(), now, Some(deletion))
    }

    #[test]
    fn the_day_follows_from_retention_and_segment() {
        let days = |days: u64| Retention::Duration(Duration::from_secs(days * 86_400));
        for (retention, segment_hours, until, words) in [
            (
                days(365),
                168,
                "2027-12-08T00:06:00.000Z",
                "until 2027-12-08: 365 days, and up to 7 days more",
            ),
            (
                days(14),
                24,
                "2026-12-16T00:06:00.000Z",
                "until 2026-12-16: 14 days, and up to 1 day more",
            ),
            (
                days(1),
                1,
                "2026-12-02T01:06:00.000Z",
                "until 2026-12-02: 1 day, and up to 1 hour more",
            ),
        ] {
            let told = told(retention, segment_hours);
            assert_eq!(told.until.unwrap().to_string(), until);
            assert!(told.retention.starts_with(words), "{told:?}");
        }
    }

    #[test]
    fn a_topic_without_a_limit_says_so() {
        let unlimited = told(Retention::Unlimited, 168);
        assert_eq!(unlimited.until, None);
        assert!(unlimited.retention.starts_with("for ever"), "{unlimited:?}");
        let unknown = held("lead.inputs".to_owned(), Timestamp::from_secs(0), None);
        assert_eq!(unknown.until, None);
        assert!(unknown.retention.starts_with("unknown"), "{unknown:?}");
    }
}
