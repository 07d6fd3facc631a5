//! Tests leads who write through WASenderApi.

use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use leadstream_sandbox::{Endpoint, Fault, MessageQuery, SentMessage, WasenderWebhook};
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

/// Confirms replies by webhooks: the next one goes at once, and a lost answer is resolved. A person then
/// writes on the session's phone, which silences the bot for that lead only.
pub(crate) fn webhooks_of_a_session_confirm_replies_and_show_who_wrote_on_the_phone(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "wasender-phone").await?;
        let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let key = setting("WASENDER_API_KEY", &format!("{SESSION}={KEY}"));
        let secret = setting("WASENDER_WEBHOOK_SECRET", SECRET);
        let sink = vec![
            key.clone(),
            setting("WASENDER_API_URL", &site.sandbox.wasender_url()),
            setting("SINK_WHATSAPP_REQUEST_TIMEOUT", "1s"),
        ];
        site.spawn_with(Service::Ingest, "ingest", vec![key, secret])?;
        site.spawn_with(Service::SinkWhatsapp, "sink-whatsapp", sink)?;
        site.start(Service::Processor, "processor").await?;
        for service in ["ingest", "sink-whatsapp"] {
            site.ready(service).await?;
        }
        let client = site.sandbox.client()?;
        let webhook = WasenderWebhook {
            url: format!("http://{}/webhooks/wasender", site.ingest),
            secret: SECRET.into(),
        };
        client.set_wasender_webhook(Some(&webhook)).await?;
        // The answer of the first message is lost.
        let fault = Fault::applied_timeout(Endpoint::WasenderSend);
        client.order(&fault).await?;
        let (ann, bea) = ("15557770001@s.whatsapp.net", "20000000000001@lid");
        for jid in [ann, bea] {
            post(&site, jid, 0, "hi").await?;
            said(&site, jid, 1).await?;
            states(&site, &["read"]).await?;
        }
        client
            .write_on_phone(SESSION, ann, "Hello, Ana from sales here")
            .await?;
        eventually(TIMEOUT, async || {
            ensure!(state(&site, "15557770001").await? == "HUMAN_HANDOFF");
            Ok(())
        })
        .await?;
        // The echo of the bot's question came before the person's.
        ensure!(state(&site, "20000000000001").await? == "AWAITING_NAME");
        post(&site, ann, 1, "Nice to meet you Ana").await?;
        post(&site, bea, 1, "Bea").await?;
        said(&site, bea, 2).await?;
        said(&site, ann, 1).await?;
        at_once(&site, ann).await?;
        states(&site, &["read"]).await?;
        site.finish().await
    })
}

/// Checks that a reply goes once the webhook of the one before came, not after the longest wait of 2 s.
async fn at_once(site: &Site<'_>, jid: &str) -> anyhow::Result<()> {
    let say = |words| ["lead", "say", "15557770001", words, "--wait", "30s"];
    let (first, second) = (say("I am Ana."), say("May I call you?"));
    tokio::try_join!(site.tool(&first), site.tool(&second))?;
    said(site, jid, 3).await?;
    let waited: f64 = sqlx::query_scalar(
        "SELECT EXTRACT(EPOCH FROM max(claimed_at) - min(accepted_at))::float8
         FROM whatsapp_replies WHERE kind = 1",
    )
    .fetch_one(&site.database)
    .await?;
    ensure!(waited < 1.9, "the second reply waited {waited} s");
    Ok(())
}

/// Waits until all replies have one of `expected` states.
async fn states(site: &Site<'_>, expected: &[&str]) -> anyhow::Result<()> {
    eventually(TIMEOUT, async || {
        let found: Vec<String> = sqlx::query_scalar("SELECT state FROM whatsapp_replies")
            .fetch_all(&site.database)
            .await?;
        let is_right = found.iter().all(|it| expected.contains(&it.as_str()));
        ensure!(is_right && !found.is_empty(), "{found:?}");
        Ok(())
    })
    .await
}

async fn state(site: &Site<'_>, lead_id: &str) -> anyhow::Result<String> {
    let query = sqlx::query_scalar("SELECT current_state FROM leads WHERE lead_id = $1");
    Ok(query.bind(lead_id).fetch_one(&site.database).await?)
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
