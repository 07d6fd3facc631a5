//! Compares the wanted topics with the existing ones. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;

use leadstream_kafka::MAX_RECORD_BYTES;
use leadstream_kafka::topic::Retention;
use leadstream_schemas::Topic;
use leadstream_schemas::topic::DUPLICATE_HORIZON;
use leadstream_service::counted;
use serde_json::{Value, json};

use super::Settings;

pub(crate) const RETENTION: &str = "retention.ms";
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A topic as it should be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    pub(crate) replication: Option<i32>,
    pub(crate) config: Vec<(&'static str, String)>,
}

/// An existing topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Existing {
    pub(crate) name: String,
    pub(crate) partitions: usize,
    pub(crate) config: Vec<(String, String)>,
}

pub(crate) fn wanted(settings: &Settings) -> Vec<Wanted> {
    let prefix = settings.kafka.topic_prefix.as_str();
    let retention = |topic: Topic| match topic {
        Topic::LeadInputs => match settings.topic_inputs_retention {
            Retention::Duration(time) => i64::try_from(time.as_millis()).unwrap_or(i64::MAX),
            Retention::Unlimited => -1,
        },
        Topic::LeadEvents => 30 * DAY_MS,
        Topic::LeadReplies | Topic::MessageStatuses | Topic::ProviderNotices => 14 * DAY_MS,
    };
    let topic = |name: String, partitions: i32, retention_ms: i64| {
        let mut config = vec![
            ("cleanup.policy", "delete".to_owned()),
            (RETENTION, retention_ms.to_string()),
            ("max.message.bytes", MAX_RECORD_BYTES.to_string()),
        ];
        let replication = settings.topic_replication_factor;
        if replication.is_some_and(|replicas| replicas >= 3) {
            config.push(("min.insync.replicas", "2".to_owned()));
        }
        Wanted {
            name,
            partitions,
            replication,
            config,
        }
    };
    let live = Topic::ALL
        .into_iter()
        .map(|it| topic(it.name(prefix), settings.topic_partitions, retention(it)));
    // Few records, read by people: one partition keeps them in one order.
    let dead = Topic::ALL
        .into_iter()
        .map(|it| topic(it.dead_letters(prefix), 1, 90 * DAY_MS));
    live.chain(dead).collect()
}

/// Returns one topic's line or lines of the plan.
pub(crate) fn describe(wanted: &Wanted, existing: Option<&Existing>) -> String {
    let Some(existing) = existing else {
        let mut line = format!(
            "topic {}: missing; {}",
            wanted.name,
            counted(wanted.partitions, "partition")
        );
        for (key, value) in &wanted.config {
            write!(line, ", {key}={value}").unwrap_or_default();
        }
        return line;
    };
    let mut line = format!(
        "topic {}: there, {}",
        wanted.name,
        counted(existing.partitions, "partition")
    );
    for (key, value) in &wanted.config {
        let found = existing.config.iter().find(|(name, _)| name == key);
        if let Some((_, found)) = found
            && found != value
        {
            let setting = value;
            let (found, value) = (readable(key, found), readable(key, value));
            write!(line, "\n  {key} is {found}, suggested is {value}").unwrap_or_default();
            if *key == RETENTION {
                write!(
                    line,
                    "\n  a topic keeps its settings; to change this one: kafka-configs.sh --alter --topic {} --add-config {key}={}",
                    wanted.name, setting
                )
                .unwrap_or_default();
            }
        }
    }
    if let Some(days) = short_retention(wanted, existing) {
        write!(
            line,
            "\n  WARNING: it keeps {}, less than the {} in which duplicates can come; leads cannot be rebuilt from it",
            counted(days, "day"),
            counted(DUPLICATE_HORIZON.as_secs() / 86_400, "day"),
        )
        .unwrap_or_default();
    }
    line
}

/// Returns a setting's value, and in words if it is a time.
fn readable(key: &str, value: &str) -> String {
    match value.parse::<i64>() {
        Ok(-1) if key == RETENTION => format!("{value} (for ever)"),
        Ok(millis) if key == RETENTION && millis >= DAY_MS => {
            format!("{value} ({})", counted(millis / DAY_MS, "day"))
        }
        _ => value.to_owned(),
    }
}

/// Returns one topic of the plan as JSON.
pub(crate) fn object(wanted: &Wanted, existing: Option<&Existing>) -> Value {
    let suggested: BTreeMap<&str, &str> = wanted
        .config
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    let found = existing.map(|existing| {
        let found = existing.config.iter();
        found
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .filter(|(key, _)| suggested.contains_key(key))
            .collect::<BTreeMap<_, _>>()
    });
    json!({
        "topic": wanted.name,
        "exists": existing.is_some(),
        "partitions": existing.map_or(i64::from(wanted.partitions), |it| {
            i64::try_from(it.partitions).unwrap_or(i64::MAX)
        }),
        "suggested": suggested,
        "found": found,
    })
}

/// Returns the retention of the inputs in days if it is shorter than the horizon of duplicates.
pub(crate) fn short_retention(wanted: &Wanted, existing: &Existing) -> Option<i64> {
    if !wanted.name.ends_with(Topic::LeadInputs.as_str()) {
        return None;
    }
    let (_, value) = existing.config.iter().find(|(name, _)| name == RETENTION)?;
    let retention: i64 = value.parse().ok()?;
    let horizon = i64::try_from(DUPLICATE_HORIZON.as_millis()).unwrap_or(i64::MAX);
    (0..horizon)
        .contains(&retention)
        .then_some(retention / DAY_MS)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Existing, Wanted, describe, object};

    fn inputs() -> Wanted {
        Wanted {
            name: "lead.inputs".into(),
            partitions: 12,
            replication: None,
            config: vec![("retention.ms", "-1".into())],
        }
    }

    fn existing(retention: &str) -> Existing {
        Existing {
            name: "lead.inputs".into(),
            partitions: 6,
            config: vec![("retention.ms".into(), retention.into())],
        }
    }

    #[test]
    fn a_missing_topic_is_printed_with_its_settings() {
        assert_eq!(
            describe(&inputs(), None),
            "topic lead.inputs: missing; 12 partitions, retention.ms=-1"
        );
    }

    #[test]
    fn a_plan_as_json_has_what_is_found_beside_what_is_suggested() {
        let expected = json!({
            "topic": "lead.inputs", "exists": false, "partitions": 12,
            "suggested": { "retention.ms": "-1" }, "found": null,
        });
        assert_eq!(object(&inputs(), None), expected);
        let expected = json!({
            "topic": "lead.inputs", "exists": true, "partitions": 6,
            "suggested": { "retention.ms": "-1" }, "found": { "retention.ms": "604800000" },
        });
        assert_eq!(object(&inputs(), Some(&existing("604800000"))), expected);
    }

    #[test]
    fn an_existing_topic_stays_and_its_differences_are_printed() {
        assert_eq!(
            describe(&inputs(), Some(&existing("-1"))),
            "topic lead.inputs: there, 6 partitions"
        );
        let told = describe(&inputs(), Some(&existing("604800000")));
        assert!(
            told.contains("suggested is -1 (for ever)") && told.contains("keeps 7 days"),
            "{told}"
        );
    }

    #[test]
    fn a_log_that_is_kept_for_ever_gets_the_command_that_ends_it() {
        let mut wanted = inputs();
        wanted.config = vec![("retention.ms", "31536000000".into())];
        let told = describe(&wanted, Some(&existing("-1")));
        for expected in [
            "retention.ms is -1 (for ever), suggested is 31536000000 (365 days)",
            "kafka-configs.sh --alter --topic lead.inputs --add-config retention.ms=31536000000",
        ] {
            assert!(told.contains(expected), "{expected}: {told}");
        }
    }
}
