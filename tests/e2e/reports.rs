//! Tests the numbers of the reports, and what the guide says of them.

pub(crate) mod alike;
pub(crate) mod analyst;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually, text_webhook};
use leadstream_local::deployment::Service;
use leadstream_processor::flow::DEFAULT_FLOW;
use leadstream_sandbox::webhook::Person;
use leadstream_schemas::Timestamp;

const WITHIN: Duration = Duration::from_secs(90);
const DAY: i64 = 24 * 3600;
const JO: &str = "15557770009";
const IVY: &str = "15557770010";

/// The numbers of a step, in the order of the command's columns.
type Counts = [i64; 7];

/// Each person's texts, the days since then, and the order of their arrival if it differs.
const PEOPLE: &[(&str, i64, &[&str], &[usize])] = &[
    ("15557770001", 0, &["Hi", "Ann", "5000", "Thanks"], &[]),
    ("15557770002", 0, &["Hi", "Bob", "no", "why", "5000"], &[]),
    ("15557770003", 2, &["Hi", "Cy"], &[]),
    ("15557770004", 0, &["Hi", "STOP"], &[]),
    ("15557770005", 0, &["Hi", "Ed", "HUMAN"], &[]),
    ("15557770006", 0, &["Hi"], &[]),
    ("15557770007", 0, &["Hi", "Gus", "no", "no", "no"], &[]),
    ("15557770008", 0, &["Hi", "Hal", "5000"], &[2, 0, 1]),
    (JO, 0, &["Hi", "Jo", "5000"], &[]),
    (IVY, 0, &["Hi", "Ivy", "no", "5000"], &[]),
];

/// Leads answer, retry, leave, write late and twice, restart in another version and are erased,
/// while the processor is killed. The view and the command count each lead once.
pub(crate) fn the_funnel_counts_each_lead_once_and_the_command_agrees(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let mut site = Site::new(world, "funnel").await?;
        let key = ("ERASURE_KEY".to_owned(), "a key of this test".to_owned());
        site.deployment.further.push(key);
        site.start(Service::Ingest, "ingest").await?;
        site.start(Service::Processor, "processor").await?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("next.yaml");
        std::fs::write(&file, DEFAULT_FLOW.replace("version: 3", "version: 4"))?;
        let file = file.to_str().context("a path")?;
        site.tool(&["flow", "publish", file]).await?;

        let webhooks = webhooks();
        for (index, webhook) in webhooks.iter().enumerate() {
            site.post(webhook).await?;
            if index == webhooks.len() / 2 {
                site.kill_and_respawn("processor").await?;
            }
        }
        site.ready("processor").await?;
        for webhook in &webhooks {
            site.post(webhook).await?;
        }
        eventually(WITHIN, async || {
            let completed: i64 =
                sqlx::query_scalar("SELECT count(*) FROM lead_qualifications WHERE is_completed")
                    .fetch_one(&site.database)
                    .await?;
            ensure!(completed == 5, "{completed} are completed");
            Ok(())
        })
        .await?;
        site.tool(&["lead", "erase", IVY, "--yes", "--wait", "30s"])
            .await?;
        restart_in_version_4(&site).await?;
        eventually(WITHIN, async || is_counted(&site).await).await?;
        // A replayed topic changes nothing.
        for webhook in &webhooks {
            site.post(webhook).await?;
        }
        site.post(&text_webhook(
            &Person::new("15557770001", "Ann"),
            "funnel-last",
            Timestamp::now().millis() / 1000,
            "Are you there?",
        ))
        .await?;
        site.kill_and_restart("processor").await?;
        eventually(WITHIN, async || {
            let behind: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM lead_reports r JOIN leads l USING (lead_id)
                 WHERE l.wa_id = '15557770001' AND r.last_interaction > now() - interval '4 min'",
            )
            .fetch_one(&site.database)
            .await?;
            ensure!(behind == 1, "the last message is not reported");
            Ok(())
        })
        .await?;
        is_counted(&site).await?;
        site.finish().await
    })
}

fn webhooks() -> Vec<Vec<u8>> {
    let now = Timestamp::now().millis() / 1000 - 600;
    let mut webhooks = Vec::new();
    for (wa_id, days, texts, order) in PEOPLE {
        let person = Person::new(*wa_id, "Someone");
        let all: Vec<Vec<u8>> = (0..)
            .zip(*texts)
            .map(|(index, text)| {
                let at = now - days * DAY + 10 * index;
                text_webhook(&person, &format!("{wa_id}-{index}"), at, text)
            })
            .collect();
        let order: Vec<usize> = match order {
            [] => (0..all.len()).collect(),
            order => order.to_vec(),
        };
        webhooks.extend(order.into_iter().map(|index| all[index].clone()));
    }
    webhooks
}

/// Restarts a completed lead once version 4 is active.
async fn restart_in_version_4(site: &Site<'_>) -> anyhow::Result<()> {
    eventually(WITHIN, async || {
        let is_active: bool = sqlx::query_scalar(
            "SELECT new_conversations_from <= now() - interval '1 s' FROM flows WHERE version = 4",
        )
        .fetch_one(&site.database)
        .await?;
        ensure!(is_active, "version 4 is not active yet");
        Ok(())
    })
    .await?;
    let now = Timestamp::now().millis() / 1000;
    let restart = text_webhook(&Person::new(JO, "Jo"), "funnel-restart", now, "RESTART");
    site.post(&restart).await
}

/// Checks the view and the command.
async fn is_counted(site: &Site<'_>) -> anyhow::Result<()> {
    let expected: BTreeMap<(i32, String), Counts> = [
        (3, "START", [9, 0, 0, 0, 0, 0, 0]),
        (3, "AWAITING_NAME", [9, 7, 0, 1, 0, 0, 1]),
        (3, "AWAITING_BUDGET", [7, 4, 2, 1, 0, 2, 0]),
        (3, "COMPLETED", [4, 0, 0, 0, 0, 0, 0]),
        (4, "START", [1, 0, 0, 0, 0, 0, 0]),
        (4, "AWAITING_NAME", [1, 0, 0, 1, 0, 0, 0]),
        (4, "AWAITING_BUDGET", [0; 7]),
        (4, "COMPLETED", [0; 7]),
    ]
    .map(|(version, state, counts)| ((version, state.to_owned()), counts))
    .into();
    let rows: Vec<(i32, String, Vec<i64>)> = sqlx::query_as(
        "SELECT flow_version, state, ARRAY[reached::bigint, answered, retried, open, cold,
             handed_over, opted_out] FROM report_funnel WHERE flow_name = 'qualification'",
    )
    .fetch_all(&site.database)
    .await?;
    let mut found = BTreeMap::new();
    for (version, state, counts) in rows {
        let counts = Counts::try_from(counts).ok().context("seven counts")?;
        found.insert((version, state), counts);
    }
    ensure!(found == expected, "the view has {found:?}");
    let printed = site.tool(&["flow", "funnel", "qualification"]).await?;
    let printed = parse(&printed)?;
    ensure!(printed == expected, "the command has {printed:?}");
    Ok(())
}

/// Reads the tables of `leadstream flow funnel`.
fn parse(text: &str) -> anyhow::Result<BTreeMap<(i32, String), Counts>> {
    let mut version = 0;
    let mut steps = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let counts: Result<Vec<i64>, _> = words.iter().skip(1).map(|it| it.parse()).collect();
        match (words.as_slice(), counts) {
            (["qualification", "version", number], _) => version = number.parse()?,
            ([state, ..], Ok(counts)) if counts.len() == 7 => {
                let counts = Counts::try_from(counts).ok().context("seven counts")?;
                steps.insert((version, (*state).to_owned()), counts);
            }
            _ => {}
        }
    }
    Ok(steps)
}
