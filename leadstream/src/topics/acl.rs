//! Lists the ACLs of each service and tool, and prints them as commands of Kafka's own tool. Pure.
//!
//! Kafka derives `Describe` from `Read`, `Write` and `Alter`, so it is printed only without them.

use std::collections::BTreeMap;
use std::fmt::Write;

use leadstream_kafka::KafkaArgs;
use leadstream_schemas::Topic;
use serde_json::{Value, json};

use super::Settings;

/// The place of a principal's own name in `--principal`.
const SERVICE: &str = "{service}";

/// The topics and groups that one service or tool uses.
#[derive(Default)]
struct Needs {
    name: &'static str,
    reads: &'static [Topic],
    /// The groups in which it reads, as [`KafkaArgs::group`] takes them.
    groups: &'static [&'static str],
    writes: &'static [Topic],
    /// Topics whose dead letters it reads, writes or counts.
    reads_dead_letters: &'static [Topic],
    writes_dead_letters: &'static [Topic],
    counts_dead_letters: &'static [Topic],
    /// Topics whose settings it reads.
    settings: &'static [Topic],
    settings_of_dead_letters: &'static [Topic],
    /// What it changes on every topic and its dead-letter topic.
    changes: &'static [&'static str],
}

/// The group of every tool that reads topics. Tools commit no offsets.
pub(crate) const TOOLS: &str = "tools";

fn needs() -> [Needs; 11] {
    const RECEIVED: &[Topic] = &[
        Topic::LeadInputs,
        Topic::MessageStatuses,
        Topic::ProviderNotices,
    ];
    const REPLIED: &[Topic] = &[
        Topic::LeadReplies,
        Topic::MessageStatuses,
        Topic::ProviderNotices,
    ];
    const FOLDED: &[Topic] = &[Topic::LeadInputs, Topic::LeadEvents, Topic::LeadReplies];
    [
        Needs {
            name: "ingest",
            writes: RECEIVED,
            writes_dead_letters: RECEIVED,
            // The longest record that each accepts.
            settings: RECEIVED,
            settings_of_dead_letters: RECEIVED,
            ..Needs::default()
        },
        Needs {
            name: "processor",
            reads: &[Topic::LeadInputs],
            groups: &["processor"],
            // Inputs, too: a record under another of a lead's ids is forwarded to its home.
            writes: FOLDED,
            writes_dead_letters: &[Topic::LeadInputs],
            // The retention, of which it warns.
            settings: &[Topic::LeadInputs],
            ..Needs::default()
        },
        Needs {
            name: "sink-crm",
            reads: &[Topic::LeadEvents],
            groups: &["sink-crm"],
            writes_dead_letters: &[Topic::LeadEvents],
            counts_dead_letters: &Topic::ALL,
            ..Needs::default()
        },
        Needs {
            name: "sink-whatsapp",
            reads: REPLIED,
            groups: &[
                "sink-whatsapp",
                "sink-whatsapp-statuses",
                "sink-whatsapp-notices",
            ],
            // The results of replies.
            writes: &[Topic::LeadInputs],
            writes_dead_letters: REPLIED,
            ..Needs::default()
        },
        Needs {
            name: "api",
            writes: &[Topic::LeadInputs],
            // The retention of what an erasure leaves.
            settings: &Topic::ALL,
            settings_of_dead_letters: &Topic::ALL,
            ..Needs::default()
        },
        Needs {
            name: "lead",
            reads: &[
                Topic::LeadInputs,
                Topic::LeadEvents,
                Topic::LeadReplies,
                Topic::MessageStatuses,
            ],
            groups: &[TOOLS],
            writes: &[Topic::LeadInputs],
            reads_dead_letters: FOLDED,
            settings: &Topic::ALL,
            settings_of_dead_letters: &Topic::ALL,
            ..Needs::default()
        },
        Needs {
            name: "events",
            reads: &[Topic::LeadEvents],
            groups: &[TOOLS],
            ..Needs::default()
        },
        Needs {
            name: "replies",
            reads: &[Topic::LeadReplies],
            groups: &[TOOLS],
            ..Needs::default()
        },
        Needs {
            name: "dead-letters",
            groups: &[TOOLS],
            // What it writes again.
            writes: &Topic::ALL,
            reads_dead_letters: &Topic::ALL,
            ..Needs::default()
        },
        Needs {
            name: "recover",
            // It compares what it folds with what is published, and publishes the rest.
            reads: FOLDED,
            groups: &["processor"],
            writes: FOLDED,
            ..Needs::default()
        },
        Needs {
            name: "topics",
            // `grow` asks whether processors run, and adds partitions.
            groups: &["processor"],
            settings: &Topic::ALL,
            settings_of_dead_letters: &Topic::ALL,
            changes: &["Create", "Alter"],
            ..Needs::default()
        },
    ]
}

/// What one service or tool may do with one topic or group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Acl {
    pub(super) service: &'static str,
    principal: String,
    /// `topic` or `group`.
    resource: &'static str,
    name: String,
    operations: Vec<&'static str>,
}

impl Acl {
    pub(super) fn object(&self, servers: &str) -> Value {
        json!({
            "acl": command(servers, &[self]),
            "service": self.service,
            "principal": self.principal,
            "resource": self.resource,
            "name": self.name,
            "operations": self.operations,
        })
    }

    /// Returns whether one command can grant both.
    fn joins(&self, other: &Self) -> bool {
        let of = |it: &Self| (it.service, it.resource, it.operations.clone());
        of(self) == of(other)
    }
}

/// Returns the command that grants `acls`, which differ only in their names.
fn command(servers: &str, acls: &[&Acl]) -> String {
    let mut command = format!("kafka-acls.sh --bootstrap-server {servers} --add");
    if let Some(first) = acls.first() {
        write!(command, " --allow-principal '{}'", first.principal).unwrap_or_default();
        for operation in &first.operations {
            write!(command, " --operation {operation}").unwrap_or_default();
        }
    }
    for acl in acls {
        write!(command, " --{} '{}'", acl.resource, acl.name).unwrap_or_default();
    }
    command
}

/// Returns the ACLs, by service and tool.
pub(super) fn acls(settings: &Settings) -> Vec<Acl> {
    needs()
        .iter()
        .flat_map(|it| of(it, &settings.kafka, &settings.principal))
        .collect()
}

fn of(needs: &Needs, kafka: &KafkaArgs, principal: &str) -> Vec<Acl> {
    let mut topics: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    let mut allow = |operation, live: &[Topic], dead: &[Topic]| {
        let live = live.iter().map(|it| kafka.topic(*it));
        let dead = dead.iter().map(|it| it.dead_letters(&kafka.topic_prefix));
        for name in live.chain(dead) {
            topics.entry(name).or_default().push(operation);
        }
    };
    allow("Read", needs.reads, needs.reads_dead_letters);
    allow("Write", needs.writes, needs.writes_dead_letters);
    for change in needs.changes {
        allow(change, &Topic::ALL, &Topic::ALL);
    }
    allow("Describe", &[], needs.counts_dead_letters);
    let settings = needs.settings_of_dead_letters;
    allow("DescribeConfigs", needs.settings, settings);
    for operations in topics.values_mut() {
        if operations
            .iter()
            .any(|it| ["Read", "Write", "Alter"].contains(it))
        {
            operations.retain(|it| *it != "Describe");
        }
    }
    let groups = needs.groups.iter().map(|it| kafka.group(it));
    let acl = |resource, name, operations| Acl {
        service: needs.name,
        principal: principal.replace(SERVICE, needs.name),
        resource,
        name,
        operations,
    };
    let topics = topics
        .into_iter()
        .map(|(name, operations)| acl("topic", name, operations));
    topics
        .chain(groups.map(|name| acl("group", name, vec!["Read"])))
        .collect()
}

/// Returns the commands, below the name of each service and tool.
pub(super) fn commands(settings: &Settings) -> Vec<String> {
    let servers = servers(settings);
    let acls = acls(settings);
    let mut groups: Vec<Vec<&Acl>> = Vec::new();
    for acl in &acls {
        let joins = |it: &&mut Vec<&Acl>| it.first().is_some_and(|first| first.joins(acl));
        match groups.iter_mut().find(joins) {
            Some(group) => group.push(acl),
            None => groups.push(vec![acl]),
        }
    }
    let mut commands = Vec::new();
    let mut before = "";
    for group in groups {
        if let Some(first) = group.first().filter(|first| first.service != before) {
            before = first.service;
            commands.push(format!("# leadstream {before}"));
        }
        commands.push(command(servers, &group));
    }
    commands.push(
        "# on clusters before Kafka 3.0, also for each that writes: --operation IdempotentWrite --cluster"
            .to_owned(),
    );
    commands
}

pub(super) fn servers(settings: &Settings) -> &str {
    let servers = settings.kafka.kafka_bootstrap_servers.as_deref();
    servers.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Acl, acls, commands};
    use crate::topics::Settings;

    #[derive(Debug, Parser)]
    struct Arguments {
        #[command(flatten)]
        settings: Settings,
    }

    fn settings() -> Settings {
        let arguments = [
            "topics",
            "--kafka-bootstrap-servers=k:9092",
            "--topic-prefix=t.",
        ];
        Arguments::parse_from(arguments).settings
    }

    fn find(acls: &[Acl], service: &str, name: &str) -> Vec<&'static str> {
        let mut found = acls
            .iter()
            .filter(|it| it.service == service && it.name == format!("t.{name}"));
        let operations = found.next().map(|it| it.operations.clone());
        assert!(found.next().is_none(), "{service} has {name} twice");
        operations.unwrap_or_default()
    }

    #[test]
    fn every_service_gets_what_it_reads_and_writes_and_nothing_else() {
        let acls = acls(&settings());
        for (service, name, operations) in [
            ("ingest", "lead.inputs", &["Write", "DescribeConfigs"][..]),
            ("ingest", "lead.events", &[]),
            (
                "processor",
                "lead.inputs",
                &["Read", "Write", "DescribeConfigs"],
            ),
            ("processor", "lead.replies", &["Write"]),
            ("processor", "leadstream-processor", &["Read"]),
            ("sink-crm", "lead.events", &["Read"]),
            ("sink-crm", "lead.events.dead-letters", &["Write"]),
            ("sink-crm", "provider.notices.dead-letters", &["Describe"]),
            ("sink-whatsapp", "lead.inputs", &["Write"]),
            (
                "sink-whatsapp",
                "leadstream-sink-whatsapp-notices",
                &["Read"],
            ),
            ("api", "lead.inputs", &["Write", "DescribeConfigs"]),
            ("api", "lead.events", &["DescribeConfigs"]),
            ("dead-letters", "lead.inputs.dead-letters", &["Read"]),
            ("lead", "leadstream-tools", &["Read"]),
            ("recover", "lead.events", &["Read", "Write"]),
            (
                "topics",
                "lead.inputs",
                &["Create", "Alter", "DescribeConfigs"],
            ),
        ] {
            assert_eq!(find(&acls, service, name), operations, "{service} {name}");
        }
        let is_implied = |acl: &Acl| {
            let has = |operation| acl.operations.contains(&operation);
            has("Describe") && (has("Read") || has("Write") || has("Alter"))
        };
        assert!(!acls.iter().any(is_implied), "Kafka derives Describe");
        assert!(!acls.iter().any(|it| it.operations.contains(&"All")));
    }

    #[test]
    fn a_command_grants_the_same_on_several_topics_to_the_principal_of_a_service() {
        let commands = commands(&settings());
        let expected = "kafka-acls.sh --bootstrap-server k:9092 --add --allow-principal \
            'User:leadstream-sink-whatsapp' --operation Read --topic 't.lead.replies' \
            --topic 't.message.statuses' --topic 't.provider.notices'";
        assert!(commands.iter().any(|it| it == expected), "{commands:#?}");
    }
}
