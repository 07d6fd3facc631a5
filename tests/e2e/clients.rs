//! Tests that clients in other languages can read the topics.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use leadstream_harness::{Site, World};
use leadstream_kafka::{KafkaArgs, Outgoing, Producer};
use leadstream_schemas::Topic;
use leadstream_schemas::codec::encode;
use leadstream_schemas::registry::{Registry, RegistryAuth, RegistryConfig};
use rdkafka::metadata::MetadataTopic;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::resting_state::read_all;

const KEYS: usize = 1000;

/// Reads every topic, filled with the project's examples, by Python's JSON Schema deserializer.
pub(crate) fn pythons_deserializer_reads_every_topic(world: &World) -> anyhow::Result<()> {
    let interpreter = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../venv/bin/python");
    ensure!(
        interpreter.exists(),
        "{} is not there: `make test` makes it",
        interpreter.display()
    );
    world.runtime.block_on(async {
        let site = Site::new(world, "python").await?;
        let written = produce_examples(&site).await?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/e2e/read_topics.py");
        let mut command = Command::new(&interpreter);
        command
            .arg(script)
            .arg(&site.deployment.kafka)
            .arg(&site.deployment.schema_registry);
        for topic in Topic::ALL {
            command.arg(format!("{}={}", site.topic(topic), topic.json_schema()));
        }
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let read: Vec<serde_json::Value> = said
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()?;
        ensure!(
            read.len() == written.len(),
            "{} of {} records",
            read.len(),
            written.len()
        );
        for value in &written {
            ensure!(
                read.contains(value),
                "Python read something else than {value}"
            );
        }
        site.finish().await
    })
}

async fn produce_examples(site: &Site<'_>) -> anyhow::Result<Vec<serde_json::Value>> {
    let registry = Registry::new(&RegistryConfig {
        urls: vec![site.deployment.schema_registry.parse()?],
        auth: RegistryAuth::None,
        timeout: Duration::from_secs(10),
        ids_file: None,
    })?;
    let ids = registry
        .resolve(&site.deployment.topic_prefix, &Topic::ALL)
        .await?;
    let mut records = Vec::new();
    let mut written = Vec::new();
    for topic in Topic::ALL {
        let id = ids.get(topic).context("an id that was not resolved")?;
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../schemas/examples/{topic}"));
        for file in std::fs::read_dir(folder)? {
            let value: serde_json::Value =
                serde_json::from_str(&std::fs::read_to_string(file?.path())?)?;
            let bytes = encode(id, &value)?;
            records.push(Outgoing::new(site.topic(topic), "1234567890", bytes));
            written.push(value);
        }
    }
    producer(site)?.send(&records).await?.await?;
    Ok(written)
}

pub(crate) fn kafka(site: &Site<'_>) -> KafkaArgs {
    KafkaArgs {
        kafka_bootstrap_servers: Some(site.deployment.kafka.clone()),
        kafka_config: None,
        topic_prefix: site.deployment.topic_prefix.clone(),
    }
}

pub(crate) fn producer(site: &Site<'_>) -> anyhow::Result<Producer> {
    Ok(Producer::new(
        &kafka(site),
        "e2e",
        Some(Duration::from_secs(20)),
    )?)
}

/// Produces 1,000 keys by our producer and Kafka's console producer, and compares the partitions.
pub(crate) fn partitions_equal_those_of_the_java_client(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "java").await?;
        let keys = keys();
        let ours = site.topic(Topic::LeadInputs);
        let records: Vec<Outgoing> = keys
            .iter()
            .map(|key| Outgoing::new(ours.as_str(), key.as_str(), "x"))
            .collect();
        producer(&site)?.send(&records).await?.await?;
        let theirs = site.topic(Topic::LeadEvents);
        produce_with_java(&site, &theirs, &keys).await?;
        let partitions = |topic: &str| -> anyhow::Result<Vec<(Vec<u8>, i32)>> {
            let mut found: Vec<(Vec<u8>, i32)> = read_all(&site, topic)?
                .into_iter()
                .map(|record| (record.key, record.partition))
                .collect();
            found.sort();
            Ok(found)
        };
        let (ours, theirs) = (partitions(&ours)?, partitions(&theirs)?);
        ensure!(
            ours.len() == KEYS && theirs.len() == KEYS,
            "{} and {} records",
            ours.len(),
            theirs.len()
        );
        ensure!(ours == theirs, "Java puts keys on other partitions");
        site.finish().await
    })
}

/// Returns phone numbers, user ids, LIDs and other texts.
fn keys() -> Vec<String> {
    (0..KEYS)
        .map(|index| match index % 4 {
            0 => format!("1555{:07}", index * 7919),
            1 => format!("US.{:020}", index * 104_729),
            2 => format!("{:015}", index * 1_299_709),
            _ => format!("ключ-é-{index}"),
        })
        .collect()
}

async fn produce_with_java(site: &Site<'_>, topic: &str, keys: &[String]) -> anyhow::Result<()> {
    let stack = &site.world.stack;
    let (Some(java), Some(classpath)) = (stack.java(), stack.kafka_classpath()) else {
        bail!("the local Kafka runs without Java");
    };
    let mut child = Command::new(java)
        .args([
            "-Dfile.encoding=UTF-8",
            "-cp",
            &classpath,
            "org.apache.kafka.tools.ConsoleProducer",
        ])
        .args([
            "--bootstrap-server",
            &site.deployment.kafka,
            "--topic",
            topic,
        ])
        .args([
            "--reader-property",
            "parse.key=true",
            "--reader-property",
            "key.separator=|",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().context("no standard input")?;
    let lines: String = keys.iter().map(|key| format!("{key}|x\n")).collect();
    let output = tokio::task::spawn_blocking(move || {
        input.write_all(lines.as_bytes())?;
        drop(input);
        child.wait_with_output()
    })
    .await??;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Ends each partition of `topic` with an aborted transaction: its marker is never delivered to
/// consumers.
pub(crate) fn abort_transaction(site: &Site<'_>, topic: &str) -> anyhow::Result<()> {
    const ANSWER: Duration = Duration::from_secs(30);
    let mut config = kafka(site).client("leadstream-e2e")?;
    config.set("transactional.id", format!("{topic}-aborted"));
    let producer: BaseProducer = config.create()?;
    producer.init_transactions(ANSWER)?;
    producer.begin_transaction()?;
    let metadata = producer.client().fetch_metadata(Some(topic), ANSWER)?;
    for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
        let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic)
            .partition(partition.id())
            .payload(b"aborted".as_slice());
        producer.send(record).map_err(|(error, _)| error)?;
    }
    producer.flush(ANSWER)?;
    producer.abort_transaction(ANSWER)?;
    Ok(())
}
