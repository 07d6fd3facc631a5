//! Compares the topics with the plan, and checks how they are replicated.

use std::time::Duration;

use leadstream_service::counted;
use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka::metadata::MetadataTopic;
use rdkafka::types::RDKafkaRespErr;

use super::finding::Finding;
use crate::topics::plan::{self, Existing, Wanted};
use crate::topics::{Settings, admin, describe};

const AREA: &str = "topics";
const TIMEOUT: Duration = Duration::from_secs(20);
const APPLY: &str = "leadstream topics apply";

/// How the partitions of a topic are replicated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Replication {
    is_refused: bool,
    /// The fewest replicas of a partition.
    replicas: usize,
    /// The fewest replicas in sync.
    in_sync: usize,
    brokers: usize,
}

/// Checks each topic of the plan.
pub(super) async fn check(settings: &Settings) -> Vec<Finding> {
    match read(settings).await {
        Ok(topics) => {
            let found: Vec<Finding> = topics
                .iter()
                .flat_map(|(wanted, existing, replication)| {
                    judge(wanted, existing.as_ref(), *replication)
                })
                .collect();
            if found.is_empty() {
                let told = format!("{} as planned", counted(topics.len(), "topic"));
                return vec![Finding::ok(AREA, told)];
            }
            found
        }
        Err(error) => vec![Finding::fault(
            AREA,
            format!("the topics cannot be read: {error:#}"),
            "leadstream topics plan",
        )],
    }
}

async fn read(settings: &Settings) -> anyhow::Result<Vec<(Wanted, Option<Existing>, Replication)>> {
    let wanted = plan::wanted(settings);
    let client = admin(&settings.kafka)?;
    let mut existing = describe(&client, &wanted).await?;
    let names: Vec<String> = wanted.iter().map(|it| it.name.clone()).collect();
    let replications = tokio::task::spawn_blocking(move || -> anyhow::Result<Vec<Replication>> {
        names
            .iter()
            .map(|name| replication(&client, name))
            .collect()
    })
    .await??;
    let topics = wanted.into_iter().zip(replications);
    Ok(topics
        .map(|(wanted, replication)| {
            let position = existing.iter().position(|it| it.name == wanted.name);
            let found = position.map(|it| existing.swap_remove(it));
            (wanted, found, replication)
        })
        .collect())
}

fn replication(
    client: &AdminClient<DefaultClientContext>,
    topic: &str,
) -> anyhow::Result<Replication> {
    let metadata = client.inner().fetch_metadata(Some(topic), TIMEOUT)?;
    let found = metadata.topics().first();
    let partitions = || found.into_iter().flat_map(MetadataTopic::partitions);
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    Ok(Replication {
        is_refused: found.and_then(MetadataTopic::error) == Some(refused),
        replicas: partitions()
            .map(|it| it.replicas().len())
            .min()
            .unwrap_or(0),
        in_sync: partitions().map(|it| it.isr().len()).min().unwrap_or(0),
        brokers: metadata.brokers().len(),
    })
}

/// Judges one topic.
fn judge(wanted: &Wanted, existing: Option<&Existing>, replication: Replication) -> Vec<Finding> {
    let name = &wanted.name;
    let alter = |setting: &str| {
        format!(
            "kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config {setting}"
        )
    };
    if replication.is_refused {
        let told = format!("the principal may not describe {name}");
        return vec![Finding::fault(
            AREA,
            told,
            "add the ACLs that `leadstream topics plan` prints",
        )];
    }
    let Some(existing) = existing else {
        return vec![Finding::fault(AREA, format!("{name} is missing"), APPLY)];
    };
    let value = |key: &str| {
        let found = existing.config.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    };
    let number = |key: &str| value(key).and_then(|it| it.parse::<usize>().ok());
    let mut findings = Vec::new();
    if value("cleanup.policy").is_some_and(|it| it.contains("compact")) {
        findings.push(Finding::fault(
            AREA,
            format!("{name} is compacted, so earlier records of a lead are deleted"),
            alter("cleanup.policy=delete"),
        ));
    }
    let size = |config: &[(&'static str, String)]| {
        let found = config.iter().find(|(key, _)| *key == "max.message.bytes");
        found.and_then(|(_, value)| value.parse::<usize>().ok())
    };
    if let (Some(found), Some(size)) = (number("max.message.bytes"), size(&wanted.config))
        && found < size
    {
        findings.push(Finding::warning(
            AREA,
            format!("{name} takes records of {found} bytes at most, and a webhook may need {size}"),
            alter(&format!("max.message.bytes={size}")),
        ));
    }
    if let Some(days) = plan::short_retention(wanted, existing) {
        findings.push(Finding::fault(
            AREA,
            format!(
                "{name} keeps {}, less than the time in which duplicates can come",
                counted(days, "day")
            ),
            alter(&format!("{}=31536000000", plan::RETENTION)),
        ));
    }
    findings.extend(judge_replication(
        name,
        number("min.insync.replicas"),
        replication,
        &alter,
    ));
    findings
}

fn judge_replication(
    name: &str,
    least: Option<usize>,
    found: Replication,
    alter: &impl Fn(&str) -> String,
) -> Option<Finding> {
    let Replication {
        replicas,
        in_sync,
        brokers,
        ..
    } = found;
    let reassign = "raise it with kafka-reassign-partitions.sh, one broker at a time";
    if let Some(least) = least.filter(|least| in_sync < *least) {
        return Some(Finding::fault(
            AREA,
            format!(
                "{name} takes no writes: {in_sync} of {} in sync, and min.insync.replicas is {least}",
                counted(replicas, "replica")
            ),
            "start the brokers that are down: kafka-topics.sh --describe --unavailable-partitions",
        ));
    }
    if brokers >= 3 && replicas < 3 {
        let told = format!(
            "{name} has {} on {brokers} brokers",
            counted(replicas, "replica")
        );
        return Some(Finding::warning(AREA, told, reassign));
    }
    let least = least?;
    if replicas >= 3 && least < 2 {
        let told = format!(
            "{name} takes writes with one replica in sync, so the loss of one broker can lose records"
        );
        return Some(Finding::warning(AREA, told, alter("min.insync.replicas=2")));
    }
    if replicas > 1 && least == replicas {
        let told = format!(
            "{name} takes no writes while one broker restarts: min.insync.replicas is {least}"
        );
        let fewer = format!("min.insync.replicas={}", replicas - 1);
        return Some(Finding::warning(AREA, told, alter(&fewer)));
    }
    if in_sync < replicas {
        let told = format!(
            "{name} has {in_sync} of {} in sync",
            counted(replicas, "replica")
        );
        let remedy =
            "find the broker that lags: kafka-topics.sh --describe --under-replicated-partitions";
        return Some(Finding::warning(AREA, told, remedy));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Existing, Replication, Wanted, judge};
    use crate::doctor::finding::State;

    const ALONE: Replication = Replication {
        is_refused: false,
        replicas: 1,
        in_sync: 1,
        brokers: 1,
    };

    fn wanted() -> Wanted {
        Wanted {
            name: "lead.inputs".into(),
            partitions: 12,
            replication: None,
            config: vec![("max.message.bytes", "8388608".into())],
        }
    }

    fn existing(config: &[(&str, &str)]) -> Existing {
        let config = config
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()));
        Existing {
            name: "lead.inputs".into(),
            partitions: 12,
            config: config.collect(),
        }
    }

    #[test]
    fn each_fault_of_a_topic_has_the_command_that_fixes_it() {
        for (config, state, told, remedy) in [
            (
                ("cleanup.policy", "compact"),
                State::Fault,
                "is compacted",
                "cleanup.policy=delete",
            ),
            (
                ("max.message.bytes", "1048588"),
                State::Warning,
                "1048588 bytes",
                "max.message.bytes=8388608",
            ),
            (
                ("retention.ms", "86400000"),
                State::Fault,
                "keeps 1 day",
                "retention.ms=31536000000",
            ),
        ] {
            let findings = judge(&wanted(), Some(&existing(&[config])), ALONE);
            assert_eq!(findings.len(), 1, "{findings:?}");
            let finding = &findings[0];
            assert_eq!(finding.state, state, "{finding:?}");
            assert!(finding.message.contains(told), "{finding:?}");
            assert!(
                finding.remedy.as_ref().unwrap().contains(remedy),
                "{finding:?}"
            );
        }
        let missing = judge(&wanted(), None, ALONE);
        assert_eq!(
            missing[0].remedy.as_deref(),
            Some("leadstream topics apply")
        );
        let refused = Replication {
            is_refused: true,
            ..ALONE
        };
        let refused = judge(&wanted(), None, refused);
        assert!(
            refused[0].message.contains("may not describe"),
            "{refused:?}"
        );
        assert!(judge(&wanted(), Some(&existing(&[])), ALONE).is_empty());
    }

    #[test]
    fn a_replication_that_loses_records_or_stops_writes_is_told() {
        for (replicas, in_sync, brokers, least, told) in [
            (3, 3, 3, "2", None),
            (1, 1, 1, "1", None),
            (1, 1, 3, "1", Some("has 1 replica on 3 brokers")),
            (3, 3, 3, "1", Some("with one replica in sync")),
            (3, 3, 3, "3", Some("while one broker restarts")),
            (3, 2, 3, "2", Some("has 2 of 3 replicas in sync")),
            (
                3,
                1,
                3,
                "2",
                Some("takes no writes: 1 of 3 replicas in sync"),
            ),
        ] {
            let replication = Replication {
                is_refused: false,
                replicas,
                in_sync,
                brokers,
            };
            let existing = existing(&[("min.insync.replicas", least)]);
            let findings = judge(&wanted(), Some(&existing), replication);
            let message = findings.first().map(|it| it.message.as_str());
            match told {
                None => assert_eq!(message, None),
                Some(told) => assert!(message.unwrap().contains(told), "{findings:?}"),
            }
        }
    }
}
