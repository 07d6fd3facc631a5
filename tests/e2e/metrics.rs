//! Tests what the services' metrics say.

pub(crate) mod lost_commit;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use leadstream_harness::{Site, World, eventually};
use leadstream_kafka::Outgoing;
use leadstream_local::deployment::Service;
use leadstream_schemas::Topic;

use crate::api_site::ApiSite;
use crate::clients::producer;
use crate::generated_conversation::{Script, scripts};
use crate::resting_state;

/// The names of `docs/reference/metrics.md`.
const REFERENCE: &str = include_str!("../../docs/reference/metrics.md");

/// Checks that every service's metrics are right at rest, that each is in the reference, and that
/// Prometheus's own linter finds nothing in them.
pub(crate) fn every_metric_is_listed_linted_and_right_at_rest(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let mut site = Site::new(world, "metrics").await?;
        let interval = ("OPS_METRICS_INTERVAL".to_owned(), "1s".to_owned());
        site.deployment.further.push(interval);
        let site = ApiSite::at(site).await?.site;
        let scripts = scripts(4, 3);
        for script in &scripts {
            for index in 0..script.said.len() {
                site.post(&script.webhook(index)).await?;
            }
        }
        let poison = Outgoing::new(site.topic(Topic::LeadInputs), "15550000000", b"no record");
        producer(&site)?.send(&[poison]).await?.await?;
        let expected = scripts
            .iter()
            .map(Script::expected)
            .collect::<anyhow::Result<Vec<_>>>()?;
        resting_state::at_rest(&site, &expected).await?;
        at_rest(&site, "1").await?;
        outbox_row(&site).await?;
        site.tool(&["dead-letters", "discard", "--apply"]).await?;
        at_rest(&site, "0").await?;

        let mut names: Vec<&str> = Service::ALL.iter().map(|it| it.name()).collect();
        names.push("api");
        for name in names {
            let text = site.metrics(name).await?;
            for family in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
                let family = family.split(' ').next().unwrap_or_default();
                ensure!(
                    REFERENCE.contains(&format!("| `{family}` |")),
                    "{name}: {family} is not in the reference"
                );
            }
            lint(name, &text)?;
        }
        site.finish().await
    })
}

/// Checks that the metrics show a row of the outbox that nobody publishes.
async fn outbox_row(site: &Site<'_>) -> anyhow::Result<()> {
    let insert = "INSERT INTO outbox (partition, next_offset, records, committed_at)
        VALUES (999, 1, '', now() - interval '1 hour')";
    sqlx::query(insert).execute(&site.database).await?;
    eventually(Duration::from_secs(60), async || {
        let text = site.metrics("processor").await?;
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|value| value.trim().parse::<f64>().ok())
        };
        let rows = value("leadstream_processor_outbox_rows ");
        let age = value("leadstream_processor_oldest_outbox_row_age_seconds ");
        ensure!(
            rows == Some(1.0) && age.is_some_and(|age| age >= 3600.0),
            "{rows:?} rows, {age:?} s"
        );
        Ok(())
    })
    .await?;
    let delete = "DELETE FROM outbox WHERE partition = 999";
    sqlx::query(delete).execute(&site.database).await?;
    Ok(())
}

/// Waits until the metrics say that nothing waits but `dead` dead letters.
async fn at_rest(site: &Site<'_>, dead: &str) -> anyhow::Result<()> {
    let topic = Topic::LeadInputs.dead_letters(&site.deployment.topic_prefix);
    let dead = format!("leadstream_sink_crm_open_dead_letters{{topic=\"{topic}\"}} {dead}");
    eventually(Duration::from_secs(90), async || {
        for (name, consumed) in [
            ("processor", Topic::LeadInputs),
            ("sink-crm", Topic::LeadEvents),
            ("sink-whatsapp", Topic::LeadReplies),
        ] {
            let lags = lags(&site.metrics(name).await?, &site.topic(consumed));
            ensure!(
                lags.len() == 6 && lags.values().all(|lag| lag == "0"),
                "{name} lags by {lags:?}"
            );
        }
        for (name, line) in [
            ("processor", "leadstream_processor_outbox_rows 0"),
            ("processor", "leadstream_processor_oldest_outbox_row_age_seconds 0"),
            ("processor", "leadstream_processor_overdue_timers 0"),
            ("processor", "leadstream_processor_halted_partitions 0"),
            ("sink-whatsapp", "leadstream_sink_whatsapp_waiting_replies 0"),
            (
                "sink-crm",
                r#"leadstream_sink_crm_ledger_rows{crm="hubspot",state="due"} 0"#,
            ),
            (
                "sink-crm",
                r#"leadstream_sink_crm_oldest_ledger_row_age_seconds{crm="salesforce",state="dead"} 0"#,
            ),
            ("sink-crm", &dead),
        ] {
            let text = site.metrics(name).await?;
            ensure!(text.lines().any(|it| it == line), "{line}: {text}");
        }
        Ok(())
    })
    .await
}

/// Returns the lag of each partition of `topic` that the metrics name.
fn lags(metrics: &str, topic: &str) -> BTreeMap<String, String> {
    let prefix = format!("leadstream_consumer_lag_records{{topic=\"{topic}\",partition=\"");
    let lags = metrics.lines().filter_map(|line| {
        let (partition, lag) = line.strip_prefix(&prefix)?.split_once("\"} ")?;
        Some((partition.to_owned(), lag.to_owned()))
    });
    lags.collect()
}

/// Passes metrics to the linter of `promtool check metrics`.
fn lint(name: &str, metrics: &str) -> anyhow::Result<()> {
    let Some(linter) = linter()? else {
        return Ok(());
    };
    let mut child = Command::new(linter)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().context("no standard input")?;
    input.write_all(metrics.as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&output.stdout)
    );
    Ok(())
}

/// Returns the linter that `make test` builds, if present. `PROMLINT=required` fails without it.
#[expect(clippy::print_stderr, reason = "a test says why it checks nothing")]
fn linter() -> anyhow::Result<Option<PathBuf>> {
    let linter = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../promlint");
    if linter.exists() {
        return Ok(Some(linter));
    }
    if std::env::var("PROMLINT").is_ok_and(|value| value == "required") {
        bail!(
            "{} is not there: `make test` builds it, with go",
            linter.display()
        );
    }
    eprintln!("passed over: the linter of metrics is not there; `make test` builds it where go is");
    Ok(None)
}
