//! Restarts both sinks gracefully, again and again, while replies come: none is repeated.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::ensure;
use leadstream_harness::{Site, eventually};
use leadstream_kafka::{KafkaArgs, Outgoing, Producer};
use leadstream_sandbox::StatusScript;
use leadstream_schemas::{Topic, codec};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::number_of;
use super::record::Record;
use crate::members::Members;

/// What the ids of these replies begin with: they have no cause in `lead.inputs`.
pub(crate) const ID_PREFIX: &str = "restarts-";
const LEADS: u64 = 100;
const REPLIES: u64 = 12;
const RESTARTS: usize = 6;
const WITHIN: Duration = Duration::from_secs(60);

/// Writes replies while both sinks restart in turn. Each reply is sent once, without an unknown
/// outcome.
pub(crate) async fn graceful_restarts_repeat_nothing(
    site: &Site<'_>,
    members: &Members,
) -> anyhow::Result<()> {
    site.sandbox
        .client()?
        .set_statuses(&StatusScript::default())
        .await?;
    let written = CancellationToken::new();
    let restarts = async {
        let mut restarts = 0;
        while restarts < RESTARTS || !written.is_cancelled() {
            for sink in &members.sinks {
                tokio::time::sleep(Duration::from_secs(1)).await;
                sink.process().stop().await;
                restarts += 1;
            }
        }
        anyhow::Ok(())
    };
    let write = async {
        let outcome = write(site).await;
        written.cancel();
        outcome
    };
    tokio::try_join!(restarts, write)?;
    eventually(WITHIN, async || {
        let sent: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM whatsapp_replies
             WHERE reply_id LIKE 'restarts-%' AND NOT queued",
        )
        .fetch_one(&site.database)
        .await?;
        ensure!(sent.unsigned_abs() == LEADS * REPLIES, "{sent} are sent");
        Ok(())
    })
    .await?;
    let mut counts: HashMap<String, u64> = HashMap::new();
    for (id, _) in Record::read(site).await?.messages {
        if id.starts_with(ID_PREFIX) {
            *counts.entry(id).or_default() += 1;
        }
    }
    let once = counts.values().filter(|count| **count == 1).count() as u64;
    ensure!(
        once == LEADS * REPLIES && once == counts.len() as u64,
        "{once} of {} replies were sent once; {} at all",
        LEADS * REPLIES,
        counts.len()
    );
    let unknown: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM whatsapp_replies
         WHERE reply_id LIKE 'restarts-%' AND unknown_outcomes > 0",
    )
    .fetch_one(&site.database)
    .await?;
    ensure!(unknown == 0, "{unknown} replies have an unknown outcome");
    Ok(())
}

async fn write(site: &Site<'_>) -> anyhow::Result<()> {
    let kafka = KafkaArgs {
        kafka_bootstrap_servers: Some(site.deployment.kafka.clone()),
        kafka_config: None,
        topic_prefix: site.deployment.topic_prefix.clone(),
    };
    let producer = Producer::new(&kafka, "fault-replies", Some(Duration::from_secs(20)))?;
    let topic: std::sync::Arc<str> = site.topic(Topic::LeadReplies).into();
    for position in 1..=REPLIES {
        let records = (0..LEADS).map(|lead| {
            let lead_id = format!("1999{lead:07}");
            let reply = json!({
                "id": format!("{ID_PREFIX}{lead_id}-{position}"),
                "lead_id": lead_id,
                "platform": "whatsapp_cloud",
                "number": number_of(lead),
                "recipient": { "wa_id": lead_id },
                "content": { "type": "text", "body": format!("Message {position}") },
                "revision": position,
                "kind": "agent_message",
            });
            let value = codec::encode(1, &reply)?;
            Ok(Outgoing::new(
                std::sync::Arc::clone(&topic),
                lead_id.as_str(),
                value,
            ))
        });
        let records = records.collect::<anyhow::Result<Vec<_>>>()?;
        producer.send(&records).await?.await?;
        tokio::time::sleep(Duration::from_millis(800)).await;
    }
    Ok(())
}
