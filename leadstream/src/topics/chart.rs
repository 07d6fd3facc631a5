//! Compares the topics and users of the Helm chart with the plan. `UPDATE_REFERENCE=1 cargo test -p
//! leadstream --bin leadstream chart` writes them.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Parser;
use serde_json::{Value, json};

use super::{Settings, acl, plan};

#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

const SERVICES: [&str; 5] = ["ingest", "processor", "sink-crm", "sink-whatsapp", "api"];

/// Returns the ACL that a command of Kafka's own tool adds, as Strimzi writes it.
fn acl(command: &str) -> Value {
    let mut words = command
        .split_whitespace()
        .map(|word| word.trim_matches('\''))
        .skip_while(|word| *word != "--operation");
    let mut operations = Vec::new();
    let (mut kind, mut name, mut pattern) = ("cluster", String::new(), "literal");
    while let Some(flag) = words.next() {
        let mut value = || words.next().expect(command);
        match flag {
            "--operation" => operations.push(value().to_owned()),
            "--topic" => (kind, name) = ("topic", value().to_owned()),
            "--group" => (kind, name) = ("group", value().to_owned()),
            "--resource-pattern-type" => pattern = value(),
            "--cluster" => {}
            other => panic!("{other} of `{command}` has no counterpart in the chart"),
        }
    }
    operations.sort();
    if pattern == "prefixed" {
        pattern = "prefix";
    }
    json!({ "type": kind, "name": name, "patternType": pattern, "operations": operations })
}

/// Returns topics and users as the chart reads them, without a prefix.
fn chart() -> Value {
    let arguments = Arguments::parse_from([
        "topics",
        "--kafka-bootstrap-servers=kafka:9092",
        "--topic-prefix=",
        "--topic-replication-factor=3",
        "--topic-partitions=12",
        "--topic-inputs-retention=365d",
        "--principal=User:leadstream",
    ]);
    let topics = plan::wanted(&arguments.settings).into_iter().map(|topic| {
        let config: BTreeMap<_, _> = topic.config.into_iter().collect();
        json!({ "name": topic.name, "partitions": topic.partitions, "config": config })
    });
    let mut users: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let mut section = "";
    let commands = acl::commands(&arguments.settings);
    for line in &commands {
        match line.strip_prefix("# ") {
            Some(title) => section = title,
            None => {
                if let Some(service) = SERVICES.into_iter().find(|it| *it == section) {
                    users.entry(service).or_default().push(acl(line));
                }
            }
        }
    }
    assert_eq!(
        users.len(),
        SERVICES.len(),
        "the plan has a section per service"
    );
    json!({ "topics": topics.collect::<Vec<_>>(), "users": users })
}

#[test]
fn the_chart_has_the_topics_and_the_acls_of_the_plan() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/chart/files/kafka.json");
    let mut expected = serde_json::to_string_pretty(&chart()).unwrap();
    expected.push('\n');
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == expected,
        "deploy/chart/files/kafka.json differs: run UPDATE_REFERENCE=1 cargo test -p leadstream --bin leadstream chart"
    );
}
