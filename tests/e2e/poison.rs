//! Tests records that cannot be folded.

use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually};
use leadstream_kafka::Outgoing;
use leadstream_local::deployment::Service;
use leadstream_schemas::Topic;
use serde_json::json;
use sqlx::Row;

use crate::clients::{abort_transaction, producer};
use crate::generated_conversation::{Script, scripts};
use crate::resting_state::{self, read_all};

/// Sends undecodable records to the dead-letter topic with their bytes and Kafka Connect's headers;
/// the leads beside them continue. A kind of a later version halts its partition visibly.
pub(crate) fn poison_becomes_dead_letters_and_an_unknown_kind_halts_the_partition(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "poison").await?;
        site.start_all().await?;
        let inputs = site.topic(Topic::LeadInputs);
        let record = |value: &[u8]| Outgoing::new(inputs.as_str(), "15550000000", value);
        let producer = producer(&site)?;
        let poison = [b"not framed".to_vec(), b"\0\0\0\0\x01{\"id\":1}".to_vec()];
        producer
            .send(&[record(&poison[0]), record(&poison[1])])
            .await?
            .await?;

        let scripts = scripts(5, 3);
        for script in &scripts {
            for index in 0..script.said.len() {
                site.post(&script.webhook(index)).await?;
            }
        }
        let expected = scripts
            .iter()
            .map(Script::expected)
            .collect::<anyhow::Result<Vec<_>>>()?;
        resting_state::at_rest(&site, &expected).await?;
        let dead = Topic::LeadInputs.dead_letters(&site.deployment.topic_prefix);
        eventually(Duration::from_secs(30), async || {
            let found = read_all(&site, &dead)?;
            ensure!(found.len() == 2, "{} dead letters", found.len());
            for (letter, bytes) in found.iter().zip(&poison) {
                ensure!(letter.value == *bytes, "the bytes are not the original's");
                let header = |name: &str| letter.headers.get(&format!("__connect.errors.{name}"));
                ensure!(header("topic") == Some(&inputs), "topic header");
                ensure!(
                    header("exception.class.name").is_some_and(|class| class == "undecodable"),
                    "class"
                );
                ensure!(
                    header("exception.message").is_some_and(|message| !message.contains("1555")),
                    "message"
                );
                ensure!(
                    header("offset").is_some() && header("partition").is_some(),
                    "position"
                );
            }
            Ok(())
        })
        .await?;
        abort_transaction(&site, &dead)?;
        let told = site.tool(&["dead-letters", "list"]).await?;
        ensure!(told.contains("2 open dead letters"), "{told}");
        unknown_kind(&site, &producer, record).await?;
        site.finish().await
    })
}

/// Fills a partition with poison: it halts with a reason, also when its owner dies, and the others
/// continue. An operator lets it continue.
pub(crate) fn a_topic_full_of_poison_halts_only_its_partition_until_an_operator_resumes_it(
    world: &World,
) -> anyhow::Result<()> {
    // More than a limit and a batch, and no two limits.
    const POISON: usize = 40;
    world.runtime.block_on(async {
        let site = Site::new(world, "limit").await?;
        let own = [
            ("PROCESSOR_DEAD_LETTER_HALT_PERCENT", "100"),
            ("PROCESSOR_DEAD_LETTER_HALT_CONSECUTIVE", "20"),
            ("PROCESSOR_BATCH_RECORDS", "10"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        site.spawn_with(Service::Processor, "processor", own.to_vec())?;
        site.start(Service::Ingest, "ingest").await?;
        let inputs = site.topic(Topic::LeadInputs);
        let poison = publish_poison(&site, &inputs, POISON).await?;
        halted(&site).await?;
        let scripts = scripts(24, 4);
        for script in &scripts {
            site.post(&script.webhook(0)).await?;
        }
        let records = read_all(&site, &inputs)?;
        let stopped = records
            .iter()
            .find(|record| record.value == poison)
            .context("no poison")?
            .partition;
        let others = records.iter().filter(|it| it.partition != stopped).count();
        ensure!(
            0 < others && others < scripts.len(),
            "{others} leads are on other partitions"
        );
        leads(&site, others).await?;
        let dead = Topic::LeadInputs.dead_letters(&site.deployment.topic_prefix);
        let letters = read_all(&site, &dead)?.len();
        // The batch in which the limit was passed is the last.
        ensure!((21..=30).contains(&letters), "{letters} dead letters");

        // The next owner sends no further dead letters up to the limit.
        site.kill_and_respawn("processor").await?;
        halted(&site).await?;
        let after = read_all(&site, &dead)?.len();
        ensure!(after == letters, "{after} dead letters, {letters} before");

        let plan = site.tool(&["dead-letters", "resume"]).await?;
        let expected = format!("partition {stopped} is halted");
        ensure!(plan.lines().any(|line| line == expected), "{plan}");
        ensure!(plan.contains("nothing was resumed: add --apply"), "{plan}");
        halted(&site).await?;
        let told = site.tool(&["dead-letters", "resume", "--apply"]).await?;
        let expected = format!("partition {stopped} goes on");
        ensure!(told.lines().any(|line| line == expected), "{told}");
        leads(&site, scripts.len()).await?;
        let after = read_all(&site, &dead)?.len();
        ensure!(after == POISON, "{after} dead letters");
        site.ready("processor").await?;
        let again = site.tool(&["dead-letters", "resume", "--apply"]).await?;
        ensure!(again.contains("no partition is halted"), "{again}");
        site.finish().await
    })
}

/// Publishes `count` records that cannot be decoded to one partition. Returns the first value.
async fn publish_poison(site: &Site<'_>, inputs: &str, count: usize) -> anyhow::Result<Vec<u8>> {
    let poison: Vec<Outgoing> = (0..count)
        .map(|count| Outgoing::new(inputs, "15550000000", format!("not framed {count}")))
        .collect();
    producer(site)?.send(&poison).await?.await?;
    Ok(b"not framed 0".to_vec())
}

async fn halted(site: &Site<'_>) -> anyhow::Result<()> {
    eventually(Duration::from_secs(60), async || {
        let (status, text) = site.readiness("processor").await?;
        ensure!(
            status == 503
                && text.contains("a producer writes invalid records")
                && text.contains("dead-letters resume"),
            "{status} {text}"
        );
        Ok(())
    })
    .await
}

async fn leads(site: &Site<'_>, count: usize) -> anyhow::Result<()> {
    eventually(Duration::from_secs(60), async || {
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM leads")
            .fetch_one(&site.database)
            .await?;
        ensure!(rows == i64::try_from(count)?, "{rows} of {count} leads");
        Ok(())
    })
    .await
}

async fn unknown_kind(
    site: &Site<'_>,
    producer: &leadstream_kafka::Producer,
    record: impl Fn(&[u8]) -> Outgoing,
) -> anyhow::Result<()> {
    let value = json!({
        "id": "c1", "kind": "prophecy", "platform": "whatsapp_cloud", "number": "1",
        "sender": {"wa_id": "15550000000"}, "sent_at": "2026-11-23T10:15:00.000Z",
        "received_at": "2026-11-23T10:15:00.000Z", "item": 0,
        "content": {"type": "text", "body": "Hi"},
    });
    let framed = [b"\0\0\0\0\x01".as_slice(), value.to_string().as_bytes()].concat();
    producer.send(&[record(&framed)]).await?.await?;
    eventually(Duration::from_secs(30), async || {
        let (status, text) = site.readiness("processor").await?;
        ensure!(
            status == 503 && text.contains("prophecy") && text.contains("upgrade"),
            "{status} {text}"
        );
        Ok(())
    })
    .await?;
    // The offset remains before the record: nothing is skipped.
    let partition = read_all(site, &site.topic(Topic::LeadInputs))?
        .into_iter()
        .find(|read| read.value == framed)
        .context("the record is not in the topic")?
        .partition;
    let row = sqlx::query("SELECT next_offset FROM partition_offsets WHERE partition = $1")
        .bind(partition)
        .fetch_one(&site.database)
        .await?;
    let earlier = read_all(site, &site.topic(Topic::LeadInputs))?
        .iter()
        .filter(|read| read.partition == partition)
        .count();
    ensure!(
        row.try_get::<i64, _>("next_offset")? == i64::try_from(earlier)? - 1,
        "offset"
    );
    Ok(())
}
