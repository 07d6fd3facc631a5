//! Tests `leadstream verify` and `leadstream replay preview` under traffic.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually, text_webhook};
use leadstream_local::deployment::Service;
use leadstream_processor::flow::DEFAULT_FLOW;
use leadstream_sandbox::webhook::Person;
use leadstream_schemas::Timestamp;
use serde_json::Value;

const WITHIN: Duration = Duration::from_secs(90);

fn person(index: u32) -> Person {
    Person::new(format!("1555600{index:04}"), "Vera")
}

/// Messages come all the time. Untouched rows agree; a row, a body, an identity, a report and a deleted
/// row that somebody changes are named, and nothing else. A preview says what another rule changes.
pub(crate) fn verify_names_what_was_changed_by_hand_and_nothing_else(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "verify").await?;
        site.start(Service::Ingest, "ingest").await?;
        site.start(Service::Processor, "processor").await?;
        let now = Timestamp::now().millis() / 1000 - 3600;
        for index in 0..12 {
            for (at, text) in (0..).zip(["Hi", "Vera Lee", "5000"]) {
                let id = format!("verify-{index}-{at}");
                site.post(&text_webhook(&person(index), &id, now + at * 60, text))
                    .await?;
            }
        }
        eventually(WITHIN, async || is_reported(&site, 12).await).await?;
        let is_over = AtomicBool::new(false);
        let (written, verified) = tokio::join!(write(&site, now, &is_over), async {
            let verified = verify(&site).await;
            is_over.store(true, Ordering::Relaxed);
            verified
        });
        ensure!(written? > 0, "no traffic");
        verified?;
        preview(&site).await?;
        site.finish().await
    })
}

async fn is_reported(site: &Site<'_>, leads: i64) -> anyhow::Result<()> {
    let completed: i64 = sqlx::query_scalar("SELECT count(*) FROM lead_reports WHERE is_completed")
        .fetch_one(&site.database)
        .await?;
    ensure!(completed == leads, "{completed} are completed");
    Ok(())
}

/// Writes as other people until `is_over`, and returns the number of messages.
async fn write(site: &Site<'_>, now: i64, is_over: &AtomicBool) -> anyhow::Result<u32> {
    let mut count = 0;
    while !is_over.load(Ordering::Relaxed) {
        for text in ["Hi", "Vera Lee", "7000", "RESTART"] {
            let webhook = text_webhook(
                &person(100 + count / 4 % 40),
                &format!("verify-traffic-{count}"),
                now + i64::from(count),
                text,
            );
            site.post(&webhook).await?;
            count += 1;
        }
    }
    Ok(count)
}

/// Returns the lead and the kind of each difference.
async fn differences(site: &Site<'_>) -> anyhow::Result<BTreeSet<(String, String)>> {
    let args = ["verify", "--json", "--share", "100"];
    let (status, log) = site.tool_with(&args, &[]).await?;
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines: Vec<Value> = lines.collect();
    let counts = lines.iter().find(|it| it.get("findings").is_some());
    let counts = counts.with_context(|| format!("no counts in {log}"))?;
    ensure!(
        counts["leads"].as_u64() >= Some(11) && counts["outdated"] == 0,
        "{counts}"
    );
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let named: BTreeSet<_> = lines
        .iter()
        .filter(|it| it.get("kind").is_some())
        .map(|it| (text(&it["lead_id"]), text(&it["kind"])))
        .collect();
    ensure!(status.success() == named.is_empty(), "{status}: {log}");
    Ok(named)
}

async fn verify(site: &Site<'_>) -> anyhow::Result<()> {
    for _ in 0..5 {
        let named = differences(site).await?;
        ensure!(named.is_empty(), "untouched: {named:?}");
    }
    // The stored state has a state that no step has, and every other copy of it, too.
    for statement in [
        "UPDATE leads SET number = 'by hand' WHERE lead_id = '15556000000'",
        "UPDATE leads SET current_state = 'COMPLETEX', step = 'COMPLETEX',
             serialized_state = decode(replace(encode(serialized_state, 'hex'),
                 encode('COMPLETED', 'hex'), encode('COMPLETEX', 'hex')), 'hex')
         WHERE lead_id = '15556000001'",
        "UPDATE lead_reports SET current_state = 'COMPLETEX', step = 'COMPLETEX'
         WHERE lead_id = '15556000001'",
        "DELETE FROM lead_identities WHERE identity = '15556000002'",
        "DELETE FROM leads WHERE lead_id = '15556000003'",
        "UPDATE lead_reports SET qualification_score = 7 WHERE lead_id = '15556000004'",
    ] {
        let changed = sqlx::query(statement).execute(&site.database).await?;
        ensure!(changed.rows_affected() == 1, "{statement}");
    }
    let expected = [
        ("15556000000", "column"),
        ("15556000001", "body"),
        ("15556000002", "identity"),
        ("15556000003", "lead"),
        ("15556000004", "report"),
    ];
    let expected = expected.map(|(lead, kind)| (lead.to_owned(), kind.to_owned()));
    let named = differences(site).await?;
    ensure!(named == expected.clone().into(), "{named:?}");
    Ok(())
}

async fn preview(site: &Site<'_>) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("next.yaml");
    let next = DEFAULT_FLOW
        .replace("version: 3", "version: 4")
        .replace("budget > 5000", "budget > 4000");
    std::fs::write(&file, next)?;
    let file = file.to_str().context("a path")?;
    let args = [
        "replay",
        "preview",
        "--flow",
        file,
        "--state",
        "COMPLETED",
        "--share",
        "100",
    ];
    let log = site.tool(&[&args[..], &["--json"]].concat()).await?;
    let line = log.lines().find(|line| line.starts_with('{'));
    let preview: Value = serde_json::from_str(line.context("no JSON")?)?;
    // Of the twelve, one row is gone, and one body is changed.
    ensure!(preview["changes"]["score"]["leads"] == 10, "{preview}");
    let log = site
        .tool(&["replay", "preview", "--flow", file, "--lead", "15556000005"])
        .await?;
    ensure!(
        log.contains("15556000005: score") && log.contains("100"),
        "{log}"
    );
    let args = ["replay", "preview", "--flow", file, "--fail-on", "drifted"];
    let (status, log) = site.tool_with(&args, &[]).await?;
    ensure!(
        !status.success() && log.contains("1 lead for drifted"),
        "{log}"
    );
    Ok(())
}
