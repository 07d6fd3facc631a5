//! Tests leads who write through WASenderApi, through which nothing is sent yet.

use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::topic::read_all;
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use leadstream_schemas::{Timestamp, Topic};
use serde_json::json;
use sqlx::Row;

const SECRET: &str = "e2e-wasender";
const SESSION: &str = "sales";
const TIMEOUT: Duration = Duration::from_secs(60);

/// Has two leads write what would qualify them, and one write STOP. A person gets them, no question
/// is asked, and no answer counts.
pub(crate) fn leads_without_replies_through_wasenderapi_are_handed_to_a_person(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "wasender").await?;
        let own = [
            ("WASENDER_WEBHOOK_SECRET", SECRET),
            ("WASENDER_API_KEY", &format!("{SESSION}=e2e-session-key")),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        site.spawn_with(Service::Ingest, "ingest", own.into())?;
        site.ready("ingest").await?;
        site.start(Service::Processor, "processor").await?;
        let said = [
            "hi",
            "how much is it?",
            "are you there? I can pay 7000",
            "7000",
        ];
        for phone in ["15557770001", "15557770002"] {
            for (index, text) in said.iter().enumerate() {
                post(&site, phone, index, text).await?;
            }
        }
        post(&site, "15557770003", 0, "Stop!").await?;
        let expected = [
            ("15557770001", "HUMAN_HANDOFF"),
            ("15557770002", "HUMAN_HANDOFF"),
            ("15557770003", "OPTED_OUT"),
        ];
        eventually(TIMEOUT, async || {
            let inputs = read_all(&site, &site.topic(Topic::LeadInputs))?.len();
            ensure!(inputs == 2 * said.len() + 1, "{inputs} inputs");
            ensure!(leads(&site).await? == expected.map(owned), "other states");
            Ok(())
        })
        .await?;
        is_left_to_a_person(&site).await?;
        site.finish().await
    })
}

/// Checks that no lead is qualified, and that the log and the command say why.
async fn is_left_to_a_person(site: &Site<'_>) -> anyhow::Result<()> {
    let qualified: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM leads
         WHERE lead_data <> '{}' OR qualification_score <> 0 OR is_completed",
    )
    .fetch_one(&site.database)
    .await?;
    ensure!(qualified == 0, "{qualified} leads are qualified");
    let refused = site.tool(&["lead", "say", "15557770001", "Hello"]).await;
    let refused = refused.err().context("words are said that nothing sends")?;
    ensure!(
        refused
            .to_string()
            .contains("does not send through WASenderApi"),
        "{refused:#}"
    );
    let log = site.log("processor")?;
    let warnings = log.matches("go to HUMAN_HANDOFF").count();
    ensure!(
        warnings == 1 && log.contains(SESSION),
        "{warnings} warnings of one number"
    );
    ensure!(!log.contains("1555777"), "the log holds a phone number");
    Ok(())
}

fn owned((lead_id, state): (&str, &str)) -> (String, String) {
    (lead_id.to_owned(), state.to_owned())
}

async fn leads(site: &Site<'_>) -> anyhow::Result<Vec<(String, String)>> {
    let rows = sqlx::query("SELECT lead_id, current_state FROM leads ORDER BY lead_id")
        .fetch_all(&site.database)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}

async fn post(site: &Site<'_>, phone: &str, index: usize, text: &str) -> anyhow::Result<()> {
    let jid = format!("{phone}@s.whatsapp.net");
    let at = Timestamp::now().millis() / 1000 - 600 + i64::try_from(index)? * 60;
    let body = json!({
        "event": "messages.received", "timestamp": at * 1000, "sessionId": "e2e-session-key",
        "data": {"messages": {
            "key": {"id": format!("3EB0{phone}{index}"), "fromMe": false, "remoteJid": jid,
                "senderPn": jid, "cleanedSenderPn": phone, "addressingMode": "pn"},
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
