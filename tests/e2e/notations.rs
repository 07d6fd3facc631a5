//! Tests one person whose number has two notations.

use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{NUMBER, Site, World, eventually};
use leadstream_sandbox::webhook::{BusinessNumber, MetaWebhook, Person, wamid};
use leadstream_schemas::Timestamp;
use serde_json::{Value, json};

const NINE_DIGITS: &str = "5511987650001";
const EIGHT_DIGITS: &str = "551187650001";

/// Takes a lead over by a message to the other notation of its number. The lead is found by both.
pub(crate) fn both_notations_of_a_number_are_one_lead(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "notations").await?;
        site.start_all().await?;
        let now = Timestamp::now().millis() / 1000 - 60;
        let lead = Person::new(NINE_DIGITS, "Maria");
        let text = |name: &str, at: i64, body: &str| {
            let webhook = MetaWebhook::new(&BusinessNumber::new(NUMBER));
            let id = wamid(&format!("notations-{name}"));
            webhook.text(&lead, &id, at, body).to_bytes()
        };
        site.post(&text("hi", now, "oi")).await?;
        eventually(Duration::from_secs(60), async || {
            is_one_lead(&site, "AWAITING_NAME").await
        })
        .await?;
        for (list, content) in [
            (
                "smb_message_echoes",
                json!({"type": "reaction", "reaction": {"message_id": "x", "emoji": "👍"}}),
            ),
            (
                "messages",
                json!({"type": "text", "text": {"body": "Oi, aqui é a Ana"}}),
            ),
        ] {
            site.post(&echo(list, now + 10, content)?).await?;
        }
        eventually(Duration::from_secs(60), async || {
            is_one_lead(&site, "HUMAN_HANDOFF").await
        })
        .await?;
        site.post(&text("name", now + 20, "Maria")).await?;
        eventually(Duration::from_secs(60), async || has_answered(&site).await).await?;
        is_one_lead(&site, "HUMAN_HANDOFF").await?;
        site.finish().await
    })
}

/// Checks that the only lead has the notation with which it writes.
async fn is_one_lead(site: &Site<'_>, state: &str) -> anyhow::Result<()> {
    let found: Vec<(String, Option<String>, String)> =
        sqlx::query_as("SELECT lead_id, wa_id, current_state FROM leads")
            .fetch_all(&site.database)
            .await?;
    let ids = (NINE_DIGITS.to_owned(), Some(NINE_DIGITS.to_owned()));
    ensure!(found == [(ids.0, ids.1, state.to_owned())], "{found:?}");
    Ok(())
}

/// Checks that the lead's last message was folded, with the lead found by its other notation.
async fn has_answered(site: &Site<'_>) -> anyhow::Result<()> {
    let told = site
        .tool(&["lead", "explain", EIGHT_DIGITS, "--json"])
        .await?;
    let told: Value = serde_json::from_str(&told).context("the explanation is no JSON")?;
    ensure!(told["lead_id"] == NINE_DIGITS, "another lead");
    let steps = told["steps"].as_array().map_or(0, Vec::len);
    ensure!(steps == 3, "{steps} steps");
    Ok(())
}

/// Returns what Meta posts when a person of the business writes to the other notation.
fn echo(field: &str, at: i64, mut content: Value) -> anyhow::Result<Vec<u8>> {
    content["from"] = json!("15550100999");
    content["to"] = json!(EIGHT_DIGITS);
    content["id"] = json!(wamid(&format!("notations-{field}")));
    content["timestamp"] = json!(at.to_string());
    let body = json!({
        "object": "whatsapp_business_account",
        "entry": [{"id": "300000000000001", "changes": [{
            "field": field,
            "value": {
                "messaging_product": "whatsapp",
                "metadata": {"display_phone_number": "15550100999", "phone_number_id": NUMBER},
                "message_echoes": [content],
            },
        }]}],
    });
    Ok(serde_json::to_vec(&body)?)
}
