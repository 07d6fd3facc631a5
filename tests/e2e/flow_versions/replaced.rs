//! Replaces the default flow, and withdraws flows, between the messages of leads.

use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually, text_webhook};
use leadstream_local::deployment::Service;
use leadstream_sandbox::webhook::Person;
use leadstream_schemas::Timestamp;

/// A flow that a keyword starts.
const DEMO: &str = "
name: demo
version: 1
language: en
chosen_by: {keywords: [Demo]}
start: DAY
steps:
  DAY: {prompt: Which day suits you?, expect: text, fill: day, next: BOOKED}
  BOOKED: {prompt: See you then., completes: true}
";

/// Another flow for every conversation.
const SHORT: &str = "
name: short
version: 1
language: en
start: NAME
steps:
  NAME: {prompt: Your name?, expect: text, fill: name, next: THANKED}
  THANKED: {prompt: Thanks., completes: true}
";

pub(crate) fn new_conversations_follow_another_default_and_no_withdrawn_flow(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "replaced").await?;
        site.start(Service::Ingest, "ingest").await?;
        site.start(Service::Processor, "processor").await?;
        let folder = tempfile::tempdir()?;
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text)?;
            anyhow::Ok(path.to_str().context("a path")?.to_owned())
        };
        let (demo, short) = (file("demo.yaml", DEMO)?, file("short.yaml", SHORT)?);

        says(&site, "ann", "Hi", "qualification AWAITING_NAME").await?;
        site.tool(&["flow", "publish", &demo]).await?;
        refused(&site, &["flow", "publish", &short], "replace the default").await?;
        site.tool(&["flow", "publish", &short, "--default"]).await?;
        says(&site, "ben", "Demo", "qualification AWAITING_NAME").await?;

        passed(&site, "max(new_conversations_from)").await?;
        says(&site, "cid", "Hi", "short NAME").await?;
        says(&site, "dan", "démo!", "demo DAY").await?;
        says(&site, "ann", "Ann Doe", "qualification AWAITING_BUDGET").await?;
        let list = site.tool(&["flow", "list"]).await?;
        ensure!(
            started_by(&list, "short") == Some("default: every other conversation")
                && started_by(&list, "demo") == Some("keywords Demo"),
            "{list}"
        );

        let withdrawn = site.tool(&["flow", "withdraw", "demo"]).await?;
        ensure!(withdrawn.contains("1 keep their version"), "{withdrawn}");
        site.tool(&["flow", "withdraw", "short"]).await?;
        let last = ["flow", "withdraw", "qualification"];
        refused(&site, &last, "no other flow would take").await?;
        refused(
            &site,
            &["flow", "withdraw", "demo", "--from", "2099-01-01T00:00:00Z"],
            "withdrawn already",
        )
        .await?;
        says(&site, "eva", "Demo", "demo DAY").await?;

        passed(&site, "max(new_conversations_until)").await?;
        says(&site, "fay", "Demo", "qualification AWAITING_NAME").await?;
        says(&site, "cid", "Cid", "short THANKED").await?;
        says(&site, "dan", "Monday", "demo BOOKED").await?;
        let list = site.tool(&["flow", "list"]).await?;
        ensure!(
            list.matches("withdrawn since").count() == 2
                && started_by(&list, "qualification") == Some("default: every other conversation"),
            "{list}"
        );
        site.finish().await
    })
}

/// Sends a message, and waits for the flow and the state that it leads to.
async fn says(site: &Site<'_>, name: &str, text: &str, expected: &str) -> anyhow::Result<()> {
    let digits: String = name.bytes().map(|byte| (byte % 10).to_string()).collect();
    let lead = format!("15550700{digits}");
    let person = Person::new(lead.clone(), name);
    let at = Timestamp::now().millis() / 1000;
    let body = text_webhook(&person, &format!("{name}-{text}"), at, text);
    site.post(&body).await?;
    eventually(Duration::from_secs(30), async || {
        let found: Option<String> = sqlx::query_scalar(
            "SELECT flow_name || ' ' || current_state FROM lead_qualifications WHERE lead_id = $1",
        )
        .bind(&lead)
        .fetch_optional(&site.database)
        .await?;
        ensure!(
            found.as_deref() == Some(expected),
            "after `{text}`, {name} is at {found:?}, not at {expected}"
        );
        Ok(())
    })
    .await
}

/// Waits for a time of the published flows, and a second more: a message has whole seconds.
async fn passed(site: &Site<'_>, time: &str) -> anyhow::Result<()> {
    let query = format!("SELECT {time} + interval '1 second' < now() FROM flows");
    eventually(Duration::from_secs(90), async || {
        let is_past: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(query.as_str()))
            .fetch_one(&site.database)
            .await?;
        ensure!(is_past, "{time} is not past yet");
        Ok(())
    })
    .await
}

async fn refused(site: &Site<'_>, command: &[&str], reason: &str) -> anyhow::Result<()> {
    match site.tool(command).await {
        Ok(output) => anyhow::bail!("{command:?} is not refused: {output}"),
        Err(error) => {
            let shown = format!("{error:#}");
            ensure!(shown.contains(reason), "{command:?}: {shown}");
            Ok(())
        }
    }
}

/// Returns what starts a flow by `flow list`.
fn started_by<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = list.lines();
    lines.find(|line| line.starts_with(&format!("{name} ")))?;
    lines.next()?.trim().strip_prefix("started by ")
}
