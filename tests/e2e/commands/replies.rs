//! Works on the ledger of replies by the command line.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use leadstream_harness::{NUMBER, Site, World, eventually, text_webhook};
use leadstream_sandbox::webhook::Person;
use leadstream_sandbox::{Fault, MessageQuery};
use leadstream_schemas::Timestamp;
use serde_json::Value;

const WITHIN: Duration = Duration::from_secs(30);
const ADA: &str = "15557770101";
const BEN: &str = "15557770102";
const CLEO: &str = "15557770103";
/// A required parameter is missing: the message is at fault.
const REFUSED: i64 = 131_008;
/// This person gets messages too fast: the reply waits.
const THROTTLED: i64 = 131_056;

/// One reply fails and is retried, another one waits and is cancelled, and a third is handed off.
pub(crate) fn operators_retry_a_failed_reply_and_cancel_a_waiting_one(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "replies").await?;
        site.start_all().await?;
        retry(&site).await?;
        cancel(&site).await?;
        hand_off(&site).await?;
        status(&site).await?;
        site.finish().await
    })
}

async fn retry(site: &Site<'_>) -> anyhow::Result<()> {
    let refused = Fault::graph_error(REFUSED).for_key(ADA);
    site.sandbox.client()?.order(&refused).await?;
    writes(site, ADA).await?;
    let failed = reply(site, ADA, "failed").await?;
    let id = failed["reply_id"].as_str().context("an id")?;
    ensure!(
        failed["code"] == REFUSED && failed["attempts"] == 1,
        "{failed}"
    );
    let listed = ["replies", "list", "--state", "failed", "--number", NUMBER];
    let listed = site
        .tool(&[&listed[..], &["--since", "1h"]].concat())
        .await?;
    ensure!(
        listed.contains(id) && listed.contains("refused"),
        "{listed}"
    );
    let shown = site.tool(&["replies", "show", id]).await?;
    ensure!(
        shown.contains("lead.replies") && shown.contains("131008"),
        "{shown}"
    );
    let explained = site.tool(&["lead", "explain", "+1 555 777 0101"]).await?;
    ensure!(explained.contains("failed, refused"), "{explained}");
    let dead = ["dead-letters", "list", "--topic", "lead.replies"];
    let open = site.tool(&dead).await?;
    ensure!(open.contains("1 open dead letter"), "{open}");

    let planned = site.tool(&["replies", "retry", id]).await?;
    ensure!(planned.contains("1 reply would be retried"), "{planned}");
    let planned = site.tool(&["dead-letters", "redrive"]).await?;
    ensure!(planned.contains(&format!("reply {id}")), "{planned}");
    ensure!(sent(site, ADA).await? == 0, "a plan sent a reply");
    let retried = ["replies", "retry", "--lead", ADA, "--apply"];
    let retried = site.tool(&retried).await?;
    ensure!(retried.contains("1 reply retried"), "{retried}");
    eventually(WITHIN, async || {
        let count = sent(site, ADA).await?;
        ensure!(count == 1, "sent {count} times");
        let open = site.tool(&dead).await?;
        ensure!(open.contains("0 open dead letters"), "{open}");
        Ok(())
    })
    .await?;
    let told = site.tool(&["lead", "messages", ADA, "--json"]).await?;
    let told: Value = serde_json::from_str(&told)?;
    let delivery = &told["messages"][1]["delivery"];
    let state = delivery["state"].as_str().unwrap_or_default();
    ensure!(
        ["accepted", "sent", "delivered", "read"].contains(&state) && delivery["at"].is_string(),
        "{told}"
    );
    ensure!(told["messages"][0].get("delivery").is_none(), "{told}");
    let error = site.tool(&["replies", "retry", id]).await.err();
    let error = error.context("an accepted reply was retried")?.to_string();
    ensure!(error.contains("only failed replies are retried"), "{error}");
    Ok(())
}

async fn cancel(site: &Site<'_>) -> anyhow::Result<()> {
    let client = site.sandbox.client()?;
    let throttled = Fault::graph_error(THROTTLED).for_key(BEN).always();
    client.order(&throttled).await?;
    writes(site, BEN).await?;
    let waiting = reply(site, BEN, "waiting").await?;
    let id = waiting["reply_id"].as_str().context("an id")?;
    ensure!(site.tool(&["replies", "cancel", "--apply"]).await.is_err());
    // An attempt may be in flight.
    eventually(WITHIN, async || {
        let planned = site.tool(&["replies", "cancel", id]).await?;
        ensure!(planned.contains("1 reply would be withdrawn"), "{planned}");
        let done = site.tool(&["replies", "cancel", id, "--apply"]).await?;
        ensure!(done.contains("1 reply withdrawn"), "{done}");
        Ok(())
    })
    .await?;
    client.clear_faults().await?;
    let ended = reply(site, BEN, "withdrawn").await?;
    ensure!(ended["due_at"].is_null(), "{ended}");
    let open = ["replies", "list", "--open", "--lead", BEN, "--json"];
    let open = site.tool(&open).await?;
    ensure!(open.trim().is_empty(), "{open}");
    ensure!(sent(site, BEN).await? == 0, "a cancelled reply was sent");
    Ok(())
}

/// A person gets the lead whose question waits, and a retry asks it nothing.
async fn hand_off(site: &Site<'_>) -> anyhow::Result<()> {
    let client = site.sandbox.client()?;
    let throttled = Fault::graph_error(THROTTLED).for_key(CLEO).always();
    client.order(&throttled).await?;
    writes(site, CLEO).await?;
    reply(site, CLEO, "waiting").await?;
    let apply = ["replies", "hand-off", "--lead", CLEO, "--apply"];
    eventually(WITHIN, async || {
        let done = site.tool(&apply).await?;
        ensure!(
            done.contains("a person gets the lead") && done.contains("1 reply handed off"),
            "{done}"
        );
        Ok(())
    })
    .await?;
    client.clear_faults().await?;
    reply(site, CLEO, "handed_off").await?;
    eventually(WITHIN, async || {
        let shown = site.tool(&["lead", "show", CLEO, "--json"]).await?;
        let lead: Value = serde_json::from_str(&shown)?;
        ensure!(lead["state"] == "HUMAN_HANDOFF", "{lead}");
        Ok(())
    })
    .await?;
    ensure!(sent(site, CLEO).await? == 0, "a reply of a person was sent");
    let listed = ["replies", "list", "--open", "--number", NUMBER, "--json"];
    let listed = site.tool(&listed).await?;
    ensure!(!listed.contains("handed_off"), "{listed}");
    Ok(())
}

async fn status(site: &Site<'_>) -> anyhow::Result<()> {
    let queues = site.tool(&["replies", "status", "--json"]).await?;
    let queue: Value = serde_json::from_str(queues.trim())?;
    let waits = ["waiting", "sending", "unknown"].map(|state| queue[state].as_i64());
    ensure!(
        queue["number"] == NUMBER
            && queue["is_owned"] == true
            && waits == [Some(0); 3]
            && queue["rate"].is_f64(),
        "{queue}"
    );
    Ok(())
}

async fn writes(site: &Site<'_>, wa_id: &str) -> anyhow::Result<()> {
    let at = Timestamp::now().millis() / 1000 - 60;
    let person = Person::new(wa_id, "Someone");
    let id = format!("{wa_id}-{}", site.name);
    site.post(&text_webhook(&person, &id, at, "Hi")).await
}

/// Waits for the reply to a lead to have a state.
async fn reply(site: &Site<'_>, wa_id: &str, state: &str) -> anyhow::Result<Value> {
    eventually(WITHIN, async || {
        let listed = ["replies", "list", "--lead", wa_id, "--json"];
        let listed = site.tool(&listed).await?;
        let Some(line) = listed.lines().next() else {
            bail!("there is no reply yet");
        };
        let reply: Value = serde_json::from_str(line)?;
        ensure!(reply["state"] == state, "{reply}");
        Ok(reply)
    })
    .await
}

async fn sent(site: &Site<'_>, wa_id: &str) -> anyhow::Result<usize> {
    let query = MessageQuery {
        to: Some(wa_id.to_owned()),
        ..MessageQuery::default()
    };
    Ok(site.sandbox.client()?.messages(&query).await?.len())
}
