//! Publishes a flow version that three processors adopt while leads write.

pub(crate) mod replaced;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, ensure};
use futures::{StreamExt, TryStreamExt};
use leadstream_harness::{Site, World, eventually, text_webhook};
use leadstream_local::deployment::Service;
use leadstream_processor::flow::DEFAULT_FLOW;
use leadstream_sandbox::webhook::Person;
use leadstream_schemas::codec::decode;
use leadstream_schemas::{LeadEvent, Reply, ReplyContent, Timestamp, Topic};
use sqlx::Row;

use crate::resting_state;

/// The seconds before and after the switch in which conversations begin.
const AROUND: i64 = 5;
/// Conversations that begin in each of them.
const EACH: usize = 12;
const LINES: [&str; 3] = ["Hi", "John Doe", "$7,500 a month"];

pub(crate) fn processors_switch_to_a_flow_version_at_one_time_under_load(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "versions").await?;
        site.spawn(Service::Ingest, "ingest")?;
        for name in ["processor-1", "processor-2", "processor-3"] {
            site.spawn(Service::Processor, name)?;
        }
        for name in ["ingest", "processor-1", "processor-2", "processor-3"] {
            site.ready(name).await?;
        }
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("next.yaml");
        let next = DEFAULT_FLOW
            .replace("version: 3", "version: 4")
            .replace("Welcome!", "Welcome back!");
        std::fs::write(&file, next)?;
        let file = file.to_str().context("a path")?;
        site.tool(&["flow", "publish", file]).await?;
        let starts_at = starts_at(&site).await?;
        let first: BTreeMap<String, Timestamp> = talk_around(&site, starts_at).await?;
        eventually(Duration::from_secs(60), async || {
            completed(&site, first.len()).await
        })
        .await?;
        let version = |lead: &str| {
            let began = first.get(lead).copied().unwrap_or_default();
            if began < starts_at { 3 } else { 4 }
        };
        rows(&site, version).await?;
        events(&site, version)?;
        replies(&site, version)?;
        let both: BTreeSet<u32> = first.keys().map(|lead| version(lead)).collect();
        ensure!(
            both.len() == 2,
            "all conversations began on one side of the switch"
        );
        commands(&site, first.len()).await?;
        site.finish().await
    })
}

async fn starts_at(site: &Site<'_>) -> anyhow::Result<Timestamp> {
    let at: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("SELECT new_conversations_from FROM flows WHERE version = 4")
            .fetch_one(&site.database)
            .await?;
    Ok(Timestamp::from_millis(at.timestamp_millis()))
}

/// Starts conversations in the seconds around `switch`; returns the first time of each.
async fn talk_around(
    site: &Site<'_>,
    switch: Timestamp,
) -> anyhow::Result<BTreeMap<String, Timestamp>> {
    let seconds = -AROUND..AROUND;
    futures::stream::iter(seconds.flat_map(|second| (0..EACH).map(move |lead| (second, lead))))
        .map(|(second, lead)| async move {
            let begins = switch.millis() / 1000 + second;
            let id = format!("1555{:02}{lead:04}", second + AROUND);
            eventually(Duration::from_secs(90), async || {
                ensure!(Timestamp::now().millis() >= begins * 1000, "not yet");
                Ok(())
            })
            .await?;
            let person = Person::new(id.clone(), "Ann");
            for (index, line) in LINES.into_iter().enumerate() {
                let at = begins + i64::try_from(index)?;
                let body = text_webhook(&person, &format!("{id}-{index}"), at, line);
                site.post(&body).await?;
            }
            anyhow::Ok((id, Timestamp::from_secs(begins)))
        })
        .buffer_unordered(2 * EACH * usize::try_from(AROUND)?)
        .try_collect()
        .await
}

async fn completed(site: &Site<'_>, leads: usize) -> anyhow::Result<()> {
    let done: i64 =
        sqlx::query_scalar("SELECT count(*) FROM lead_qualifications WHERE is_completed")
            .fetch_one(&site.database)
            .await?;
    ensure!(
        usize::try_from(done)? == leads,
        "{done} of {leads} leads are complete"
    );
    Ok(())
}

async fn rows(site: &Site<'_>, version: impl Fn(&str) -> u32) -> anyhow::Result<()> {
    let rows = sqlx::query("SELECT lead_id, flow_version FROM lead_qualifications")
        .fetch_all(&site.database)
        .await?;
    for row in rows {
        let (lead, found): (String, i32) = (row.try_get(0)?, row.try_get(1)?);
        ensure!(
            u32::try_from(found)? == version(&lead),
            "{lead} follows {found}"
        );
    }
    Ok(())
}

/// Checks that all events of a conversation have its version.
fn events(site: &Site<'_>, version: impl Fn(&str) -> u32) -> anyhow::Result<()> {
    for record in resting_state::read_all(site, &site.topic(Topic::LeadEvents))? {
        let event: LeadEvent = decode(&record.value)?;
        let (lead, found) = (&event.data.lead_id, event.data.flow.version);
        ensure!(
            found == version(lead.as_str()),
            "an event of {lead} is of version {found}"
        );
    }
    Ok(())
}

/// Checks that replies have the words of that version.
fn replies(site: &Site<'_>, version: impl Fn(&str) -> u32) -> anyhow::Result<()> {
    let mut welcomes = 0;
    for record in resting_state::read_all(site, &site.topic(Topic::LeadReplies))? {
        let reply: Reply = decode(&record.value)?;
        let ReplyContent::Text { body, .. } = &reply.content else {
            continue;
        };
        if body.starts_with("Welcome") {
            welcomes += 1;
            let is_next = body.starts_with("Welcome back!");
            ensure!(
                is_next == (version(reply.lead_id.as_str()) == 4),
                "{} hears {body}",
                reply.lead_id
            );
        }
    }
    ensure!(welcomes > 0, "nobody was welcomed");
    Ok(())
}

async fn commands(site: &Site<'_>, leads: usize) -> anyhow::Result<()> {
    let list = site.tool(&["flow", "list"]).await?;
    ensure!(
        list.contains("qualification 4")
            && list.contains("in force")
            && list.contains("default: every other conversation"),
        "{list}"
    );
    let shown = site.tool(&["flow", "show", "qualification"]).await?;
    ensure!(shown.contains("Welcome back!"), "{shown}");
    let refused = site.tool(&["flow", "rollback", "qualification"]).await;
    let reason = refused
        .err()
        .map(|error| format!("{error:#}"))
        .unwrap_or_default();
    ensure!(
        reason.contains("conversations follow version 4") && reason.contains("--in-use"),
        "{reason}"
    );
    let back = site
        .tool(&["flow", "rollback", "qualification", "--in-use"])
        .await?;
    ensure!(back.contains("then follow version 3"), "{back}");
    // The funnel follows the commits.
    eventually(Duration::from_secs(30), async || {
        let funnel = site.tool(&["flow", "funnel", "qualification"]).await?;
        let completed = |line: &&str| line.starts_with("COMPLETED");
        let reached = |line: &str| {
            line.split_whitespace()
                .nth(1)
                .and_then(|it| it.parse().ok())
        };
        let counts: Vec<Option<usize>> = funnel.lines().filter(completed).map(reached).collect();
        let all: Option<usize> = counts.iter().copied().sum();
        ensure!(counts.len() == 2 && all == Some(leads), "{funnel}");
        Ok(())
    })
    .await
}
