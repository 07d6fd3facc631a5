//! Tests leads who write through WASenderApi.

use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use leadstream_sandbox::{MessageQuery, SentMessage};
use leadstream_schemas::Timestamp;
use serde_json::{Value, json};
use sqlx::Row;

const SECRET: &str = "e2e-wasender";
/// The session that the sandbox has.
const SESSION: &str = "sales";
const KEY: &str = "sandbox-wasender-key";
const TIMEOUT: Duration = Duration::from_secs(60);

/// Qualifies a lead with a number and one with a LID only, each answered at the JID that wrote. A
/// person then writes to the first with `say`. The sink gets its key from a file, after its start.
pub(crate) fn leads_of_wasenderapi_are_qualified_and_answered_at_their_jid(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "wasender").await?;
        let keys = site
            .world
            .stack
            .data_dir()
            .join(format!("{}-keys", site.name));
        std::fs::write(&keys, format!("support={KEY}-of-another\n"))?;
        let owned = |own: &[(&str, String)]| {
            let own = own.iter();
            own.map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect::<Vec<_>>()
        };
        let ingest = owned(&[
            ("WASENDER_WEBHOOK_SECRET", SECRET.to_owned()),
            ("WASENDER_API_KEY", format!("{SESSION}={KEY}")),
        ]);
        let sink = owned(&[
            ("WASENDER_API_KEY_FILE", keys.display().to_string()),
            ("WASENDER_API_URL", site.sandbox.wasender_url()),
        ]);
        site.spawn_with(Service::Ingest, "ingest", ingest)?;
        site.spawn_with(Service::SinkWhatsapp, "sink-whatsapp", sink)?;
        site.start(Service::Processor, "processor").await?;
        for service in ["ingest", "sink-whatsapp"] {
            site.ready(service).await?;
        }
        let (phone, lid) = ("15557770001@s.whatsapp.net", "20000000000001@lid");
        for jid in [phone, lid] {
            post(&site, jid, 0, "hi").await?;
        }
        waits_for_its_key(&site).await?;
        std::fs::write(&keys, format!("{SESSION}={KEY}\n"))?;
        for jid in [phone, lid] {
            said(&site, jid, 1).await?;
            post(&site, jid, 1, "Ada").await?;
            said(&site, jid, 2).await?;
            post(&site, jid, 2, "7000").await?;
            said(&site, jid, 3).await?;
        }
        let qualified = eventually(TIMEOUT, async || qualified(&site).await).await?;
        let data = json!({ "name": "Ada", "budget": 7000 });
        for lead in &qualified {
            for (field, value) in data.as_object().into_iter().flatten() {
                ensure!(lead[field] == *value, "{lead}");
            }
        }
        let say = ["lead", "say", "15557770001", "I am Ana.", "--wait", "30s"];
        site.tool(&say).await?;
        let agent = said(&site, phone, 4).await?;
        ensure!(agent.payload["text"] == "I am Ana.", "{}", agent.payload);
        let unsent: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM whatsapp_replies WHERE state IN ('failed', 'unknown', 'expired')",
        )
        .fetch_one(&site.database)
        .await?;
        ensure!(unsent == 0, "{unsent} replies were not sent");
        site.finish().await
    })
}

/// Checks that replies of a session without a key wait, and that the log says so once.
async fn waits_for_its_key(site: &Site<'_>) -> anyhow::Result<()> {
    eventually(TIMEOUT, async || {
        let log = site.log("sink-whatsapp")?;
        let told = log
            .matches("no API key of the session is configured")
            .count();
        ensure!(told == 1, "{told} lines report the session");
        Ok(())
    })
    .await?;
    let waiting: i64 =
        sqlx::query_scalar("SELECT count(*) FROM whatsapp_replies WHERE state = 'waiting'")
            .fetch_one(&site.database)
            .await?;
    ensure!(waiting == 2, "{waiting} replies wait");
    Ok(())
}

/// Returns the data of the two leads, once both completed the flow.
async fn qualified(site: &Site<'_>) -> anyhow::Result<Vec<Value>> {
    let rows = sqlx::query("SELECT lead_data FROM leads WHERE current_state = 'COMPLETED'")
        .fetch_all(&site.database)
        .await?;
    ensure!(rows.len() == 2, "{} leads are qualified", rows.len());
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Waits for the `count`th message to `jid`, and returns it.
async fn said(site: &Site<'_>, jid: &str, count: usize) -> anyhow::Result<SentMessage> {
    let client = site.sandbox.client()?;
    eventually(TIMEOUT, async || {
        let messages = client.messages(&MessageQuery::default()).await?;
        let to_jid = messages.into_iter().filter(|it| it.payload["to"] == jid);
        let mut to_jid: Vec<_> = to_jid.collect();
        ensure!(to_jid.len() >= count, "{} messages to {jid}", to_jid.len());
        ensure!(to_jid.len() == count, "more than {count} messages to {jid}");
        to_jid.pop().context("no message")
    })
    .await
}

async fn post(site: &Site<'_>, jid: &str, index: usize, text: &str) -> anyhow::Result<()> {
    let at = Timestamp::now().millis() / 1000 - 600 + i64::try_from(index)? * 60;
    let body = json!({
        "event": "messages.received", "timestamp": at * 1000, "sessionId": KEY,
        "data": {"messages": {
            "key": {"id": format!("3EB0{jid}{index}"), "fromMe": false, "remoteJid": jid},
            "pushName": "Wa Lead", "messageTimestamp": at, "messageBody": text,
            "message": {"conversation": text},
        }},
    });
    let url = format!("http://{}/webhooks/wasender", site.ingest);
    let request = site.http.post(url).header("X-Webhook-Signature", SECRET);
    let status = request.body(body.to_string()).send().await?.status();
    ensure!(status == 200, "the webhook is answered {status}");
    Ok(())
}
