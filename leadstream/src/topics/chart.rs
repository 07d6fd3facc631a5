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

/// Returns an ACL as Strimzi writes it.
fn strimzi(acl: &acl::Acl) -> Value {
    let acl = acl.object("");
    let mut operations: Vec<&str> = Vec::new();
    operations.extend(
        acl["operations"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str),
    );
    operations.sort_unstable();
    json!({
        "type": acl["resource"],
        "name": acl["name"],
        "patternType": "literal",
        "operations": operations,
    })
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
    ]);
    let topics = plan::wanted(&arguments.settings).into_iter().map(|topic| {
        let config: BTreeMap<_, _> = topic.config.into_iter().collect();
        json!({ "name": topic.name, "partitions": topic.partitions, "config": config })
    });
    let mut users: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for acl in &acl::acls(&arguments.settings) {
        if SERVICES.contains(&acl.service) {
            users.entry(acl.service).or_default().push(strimzi(acl));
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
