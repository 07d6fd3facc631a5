//! Prints the ACLs of each service as commands of Kafka's own tool.

use leadstream_schemas::Topic;

use super::Settings;

/// The topics and groups that one service uses.
struct Needs {
    service: &'static str,
    /// The topics that it reads, and the group of each as [`KafkaArgs::group`] takes it.
    ///
    /// [`KafkaArgs::group`]: leadstream_kafka::KafkaArgs::group
    reads: &'static [(Topic, &'static str)],
    writes: &'static [Topic],
    dead_letters: &'static [Topic],
    /// Topics whose dead letters it counts.
    counts: &'static [Topic],
}

const NEEDS: &[Needs] = &[
    Needs {
        service: "ingest",
        reads: &[],
        writes: &[
            Topic::LeadInputs,
            Topic::MessageStatuses,
            Topic::ProviderNotices,
        ],
        dead_letters: &[
            Topic::LeadInputs,
            Topic::MessageStatuses,
            Topic::ProviderNotices,
        ],
        counts: &[],
    },
    Needs {
        service: "processor",
        reads: &[(Topic::LeadInputs, "processor")],
        // Inputs, too: a record under another of a lead's ids is forwarded to its home.
        writes: &[Topic::LeadInputs, Topic::LeadEvents, Topic::LeadReplies],
        dead_letters: &[Topic::LeadInputs],
        counts: &[],
    },
    Needs {
        service: "sink-crm",
        reads: &[(Topic::LeadEvents, "sink-crm")],
        writes: &[],
        dead_letters: &[Topic::LeadEvents],
        counts: &Topic::ALL,
    },
    Needs {
        service: "sink-whatsapp",
        reads: &[
            (Topic::LeadReplies, "sink-whatsapp"),
            (Topic::MessageStatuses, "sink-whatsapp-statuses"),
            (Topic::ProviderNotices, "sink-whatsapp-notices"),
        ],
        // The results of replies.
        writes: &[Topic::LeadInputs],
        dead_letters: &[
            Topic::LeadReplies,
            Topic::MessageStatuses,
            Topic::ProviderNotices,
        ],
        counts: &[],
    },
    // And the user of `leadstream lead`.
    Needs {
        service: "api",
        reads: &[],
        writes: &[Topic::LeadInputs],
        dead_letters: &[],
        counts: &[],
    },
];

pub(super) fn commands(settings: &Settings) -> Vec<String> {
    let prefix = settings.kafka.topic_prefix.as_str();
    let servers = settings
        .kafka
        .kafka_bootstrap_servers
        .as_deref()
        .unwrap_or_default();
    let base = format!(
        "kafka-acls.sh --bootstrap-server {servers} --add --allow-principal '{}'",
        settings.principal
    );
    let mut commands = Vec::new();
    for needs in NEEDS {
        commands.push(format!("# {}", needs.service));
        for (topic, group) in needs.reads {
            commands.push(format!(
                "{base} --operation Read --operation Describe --topic '{}'",
                topic.name(prefix)
            ));
            commands.push(format!(
                "{base} --operation Read --group '{}'",
                settings.kafka.group(group)
            ));
        }
        let written = needs.writes.iter().map(|topic| topic.name(prefix));
        let dead = needs
            .dead_letters
            .iter()
            .map(|topic| topic.dead_letters(prefix));
        for name in written.chain(dead) {
            commands.push(format!(
                "{base} --operation Write --operation Describe --topic '{name}'"
            ));
        }
        for topic in needs.counts {
            let name = topic.dead_letters(prefix);
            commands.push(format!("{base} --operation Describe --topic '{name}'"));
        }
    }
    commands.push("# every producer, on clusters before Kafka 3.0".to_owned());
    commands.push(format!("{base} --operation IdempotentWrite --cluster"));
    commands
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::commands;
    use crate::topics::Settings;

    #[derive(Debug, Parser)]
    struct Arguments {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn every_service_gets_what_it_reads_and_writes_and_nothing_else() {
        let arguments = Arguments::parse_from([
            "topics",
            "--kafka-bootstrap-servers=k:9092",
            "--topic-prefix=t.",
        ]);
        let commands = commands(&arguments.settings);
        let find = |part: &str| commands.iter().any(|command| command.contains(part));
        assert!(find(
            "--operation Write --operation Describe --topic 't.lead.inputs'"
        ));
        let section = commands
            .iter()
            .skip_while(|line| *line != "# sink-whatsapp");
        let sink = section.skip(1).take_while(|line| !line.starts_with('#'));
        let inputs = "--operation Write --operation Describe --topic 't.lead.inputs'";
        assert!(sink.into_iter().any(|line| line.contains(inputs)));
        assert!(find("--operation Read --group 't.leadstream-processor'"));
        assert!(find(
            "--operation Write --operation Describe --topic 't.lead.events.dead-letters'"
        ));
        assert!(find(
            "--operation Read --operation Describe --topic 't.message.statuses'"
        ));
        assert!(find(
            "--operation Read --operation Describe --topic 't.provider.notices'"
        ));
        assert!(find(
            "--operation Read --group 't.leadstream-sink-whatsapp-notices'"
        ));
        let group = "--operation Read --group 't.leadstream-sink-whatsapp-statuses'";
        assert!(find(group));
        let counted = "--operation Describe --topic 't.provider.notices.dead-letters'";
        let counters = commands
            .iter()
            .filter(|command| command.ends_with(counted) && !command.contains("--operation Write"));
        assert_eq!(counters.count(), 1);
        assert!(!find("All"));
    }
}
