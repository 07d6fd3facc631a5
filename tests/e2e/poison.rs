//! Records that cannot be folded.

use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_schemas::Topic;
use leadstream_stream::Outgoing;
use serde_json::json;
use sqlx::Row;

use crate::World;
use crate::clients::producer;
use crate::conversation::{Script, scripts};
use crate::observe::{self, read_all};
use crate::site::{Site, eventually};

/// Undecodable records go to dead letters with their bytes and Kafka Connect's headers, and the
/// leads beside them go on; a kind of a later version stops its partition, which says so.
pub(crate) fn run(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "poison").await?;
        site.start_all().await?;
        let inputs = site.topic(Topic::LeadInputs);
        let record = |value: &[u8]| Outgoing {
            topic: inputs.as_str().into(),
            key: b"15550000000".to_vec(),
            value: value.to_vec(),
            headers: Vec::new(),
        };
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
        observe::at_rest(&site, &expected).await?;
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
        unknown_kind(&site, &producer, record).await?;
        site.finish().await
    })
}

async fn unknown_kind(
    site: &Site<'_>,
    producer: &leadstream_stream::Producer,
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
    // The offset stands before it: nothing is skipped.
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
