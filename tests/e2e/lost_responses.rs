//! Tests WhatsApp requests that succeed while their answers are lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{NUMBER, Site, World, eventually, text_webhook};
use leadstream_local::deployment::Service;
use leadstream_sandbox::webhook::{BusinessNumber, MetaWebhook, Person, wamid};
use leadstream_sandbox::{Effect, Endpoint, Fault};
use leadstream_schemas::Timestamp;
use serde_json::json;

use crate::resting_state;

const WITHIN: Duration = Duration::from_secs(60);
const SENDER: &str = "sink-whatsapp";
/// Requests at once.
const CONCURRENCY: usize = 4;
/// A business number that WhatsApp does not know.
const UNKNOWN: &str = "106540352240000";
const LEADS: usize = 16;
/// Replies whose outcome may be unknown before the number pauses.
const MAX_UNKNOWN: usize = CONCURRENCY;

/// The number of deliveries, by lead and text.
type Replies = BTreeMap<String, BTreeMap<String, usize>>;

pub(crate) fn a_number_without_answers_stops_and_sends_no_reply_twice(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "lost-answers").await?;
        for service in [Service::Ingest, Service::Processor] {
            site.start(service, service.name()).await?;
        }
        let own = [
            ("SINK_WHATSAPP_REQUEST_TIMEOUT", "1s".to_owned()),
            ("SINK_WHATSAPP_CONCURRENCY", CONCURRENCY.to_string()),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        site.spawn_with(Service::SinkWhatsapp, SENDER, own.into())?;
        site.ready(SENDER).await?;
        one_of_two_numbers_is_paused(&site).await?;

        let may_have_one = lose_answers(&site).await?;
        let waiting: Vec<String> = (0..LEADS)
            .map(wa_id)
            .filter(|lead| !may_have_one.contains(lead))
            .collect();
        let [opted_out, spoken_to, taken_over, ..] = &waiting[..] else {
            anyhow::bail!("only {waiting:?} wait");
        };
        writes(&site, opted_out, "STOP").await?;
        let say = ["lead", "say", spoken_to, "I am Ana.", "--wait", "30s"];
        site.tool(&say).await?;
        site.post(&echo(taken_over)?).await?;
        is_in(&site, opted_out, "OPTED_OUT").await?;
        is_in(&site, taken_over, "HUMAN_HANDOFF").await?;
        resting_state::outbox_is_empty(&site).await?;

        let log = site.log(SENDER)?;
        let told = log.matches("requests in a row got no answer").count();
        ensure!(told == 1, "it is logged {told} times");

        let heard = next_owner_sends(&site, &waiting, taken_over).await?;
        check_counts(&site, &heard).await?;
        let only = |lead: &str| {
            heard
                .get(lead)
                .map(|it| it.keys().cloned().collect::<Vec<_>>())
        };
        let said = only(spoken_to);
        ensure!(said == Some(vec!["I am Ana.".to_owned()]), "{said:?}");
        let said = only(opted_out).context("no confirmation")?;
        ensure!(
            said.len() == 1 && said[0].contains("no more messages"),
            "{said:?}"
        );
        ensure!(!heard.contains_key(taken_over), "a prompt after a takeover");
        site.finish().await
    })
}

/// Loses every answer until the number pauses. Returns the leads that may have a reply.
async fn lose_answers(site: &Site<'_>) -> anyhow::Result<BTreeSet<String>> {
    let client = site.sandbox.client()?;
    let lost = Effect::Close { applied: true };
    let lost = Fault::once(Endpoint::GraphMessages, lost).always();
    client.order(&lost).await?;
    for index in 0..LEADS {
        writes(site, &wa_id(index), "Hi").await?;
    }
    paused(site, 2).await?;
    let (status, text) = site.readiness(SENDER).await?;
    ensure!(
        status == 503 && text.contains("no answer"),
        "{status} {text}"
    );
    let may_have_one: BTreeSet<String> = heard(site).await?.into_keys().collect();
    // One person was answered before.
    ensure!(
        may_have_one.len() <= MAX_UNKNOWN + 1,
        "{may_have_one:?} were sent one"
    );
    Ok(may_have_one)
}

/// Kills the sender: the next owner of its partitions knows the sent replies. Returns all replies.
async fn next_owner_sends(
    site: &Site<'_>,
    waiting: &[String],
    taken_over: &String,
) -> anyhow::Result<Replies> {
    let query = "SELECT count(*) FROM whatsapp_numbers WHERE paused_since IS NOT NULL";
    let paused_numbers: i64 = sqlx::query_scalar(query).fetch_one(&site.database).await?;
    ensure!(paused_numbers == 2, "the next owner knows {paused_numbers}");
    site.sandbox.client()?.clear_faults().await?;
    site.kill_and_respawn(SENDER).await?;
    paused(site, 1).await?;
    writes(site, &wa_id(LEADS), "Hi").await?;
    let heard = eventually(WITHIN, async || {
        let heard = heard(site).await?;
        let all = waiting.iter().filter(|lead| *lead != taken_over);
        let last = wa_id(LEADS);
        let missing: Vec<&String> = all
            .chain([&last])
            .filter(|it| !heard.contains_key(*it))
            .collect();
        ensure!(missing.is_empty(), "{missing:?} hear nothing");
        Ok(heard)
    })
    .await?;
    site.ready(SENDER).await?;
    Ok(heard)
}

/// Checks that statuses resolved what was not answered, so no reply was sent twice.
async fn check_counts(site: &Site<'_>, heard: &Replies) -> anyhow::Result<()> {
    let mut deliveries = heard.values().flat_map(BTreeMap::values);
    ensure!(deliveries.all(|deliveries| *deliveries == 1), "{heard:?}");
    let lost: i64 =
        sqlx::query_scalar("SELECT count(*) FROM whatsapp_replies WHERE unknown_since IS NOT NULL")
            .fetch_one(&site.database)
            .await?;
    ensure!(lost > 0, "no answer was lost");
    eventually(WITHIN, async || {
        let query = "SELECT lead_id, state, unknown_policy FROM whatsapp_replies
            WHERE unknown_since IS NOT NULL
                AND (state NOT IN ('sent', 'delivered', 'read', 'superseded', 'withdrawn')
                OR unknown_policy IS NOT NULL)";
        let rows: Vec<(String, String, Option<String>)> =
            sqlx::query_as(query).fetch_all(&site.database).await?;
        ensure!(rows.is_empty(), "no status resolved {rows:?}");
        Ok(())
    })
    .await
}

/// Checks that the service is ready while another number works.
async fn one_of_two_numbers_is_paused(site: &Site<'_>) -> anyhow::Result<()> {
    writes(site, "15559990100", "Hi").await?;
    eventually(WITHIN, async || {
        ensure!(heard(site).await?.len() == 1, "nobody is answered");
        Ok(())
    })
    .await?;
    let person = Person::new("15559990101", "Somebody");
    let now = Timestamp::now().millis() / 1000;
    let webhook = MetaWebhook::new(&BusinessNumber::new(UNKNOWN));
    let webhook = webhook
        .text(&person, &wamid("unknown"), now, "Hi")
        .to_bytes();
    site.post(&webhook).await?;
    paused(site, 1).await?;
    let (status, text) = site.readiness(SENDER).await?;
    ensure!(status == 200, "{status} {text}");
    Ok(())
}

/// Waits until `count` numbers are paused.
async fn paused(site: &Site<'_>, count: usize) -> anyhow::Result<()> {
    eventually(WITHIN, async || {
        let metrics = site.metrics(SENDER).await?;
        let gauge = format!("leadstream_sink_whatsapp_paused_numbers {count}\n");
        ensure!(metrics.contains(&gauge), "no `{gauge}` in {metrics}");
        Ok(())
    })
    .await
}

async fn is_in(site: &Site<'_>, lead: &str, state: &str) -> anyhow::Result<()> {
    eventually(WITHIN, async || {
        let query = "SELECT current_state FROM lead_qualifications WHERE wa_id = $1";
        let found: Option<String> = sqlx::query_scalar(query)
            .bind(lead)
            .fetch_optional(&site.database)
            .await?;
        ensure!(found.as_deref() == Some(state), "{found:?}");
        Ok(())
    })
    .await
}

/// Returns the number of messages that WhatsApp accepted, by lead and text.
async fn heard(site: &Site<'_>) -> anyhow::Result<Replies> {
    let mut heard: Replies = BTreeMap::new();
    for (to, _, text) in resting_state::messages(site).await? {
        *heard.entry(to).or_default().entry(text).or_default() += 1;
    }
    Ok(heard)
}

fn wa_id(index: usize) -> String {
    format!("155599902{index:02}")
}

async fn writes(site: &Site<'_>, lead: &str, text: &str) -> anyhow::Result<()> {
    let now = Timestamp::now().millis() / 1000;
    let person = Person::new(lead, "Somebody");
    site.post(&text_webhook(&person, &format!("{lead}-{text}"), now, text))
        .await
}

/// Returns what Meta posts when a person writes to `lead` on the business's phone.
fn echo(lead: &str) -> anyhow::Result<Vec<u8>> {
    let now = Timestamp::now().millis() / 1000;
    let body = json!({
        "object": "whatsapp_business_account",
        "entry": [{"id": "300000000000001", "changes": [{
            "field": "smb_message_echoes",
            "value": {
                "messaging_product": "whatsapp",
                "metadata": {"display_phone_number": "15550100999", "phone_number_id": NUMBER},
                "message_echoes": [{
                    "from": "15550100999", "id": wamid("echo"), "timestamp": now.to_string(),
                    "type": "text", "text": {"body": "Ana here"}, "to": lead,
                }],
            },
        }]}],
    });
    Ok(serde_json::to_vec(&body)?)
}
