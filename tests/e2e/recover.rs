//! Tests the loss of commits, or of everything, in PostgreSQL: `leadstream recover` folds the log
//! again, and no message is sent twice.

pub(crate) mod interrupted;

use std::time::Duration;

use anyhow::{bail, ensure};
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use leadstream_schemas::Topic;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::metadata::MetadataTopic;
use rdkafka::{Offset, TopicPartitionList};

use crate::clients::kafka;
use crate::generated_conversation::{Expected, Script, scripts};
use crate::resting_state;

const LEADS: usize = 30;
const TABLES: &[&str] = &[
    "leads",
    "lead_identities",
    "dedup_ids",
    "partition_offsets",
    "outbox",
];

pub(crate) fn recovery_folds_the_log_again_and_repeats_no_message(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "recover").await?;
        site.start_all().await?;
        let scripts = scripts(LEADS, 7);
        say(&site, &scripts, |length| 0..length / 3).await?;
        rows(&site, &scripts, |length| length / 3).await?;
        resting_state::outbox_is_empty(&site).await?;
        back_up(&site).await?;

        say(&site, &scripts, |length| length / 3..length * 2 / 3).await?;
        rows(&site, &scripts, |length| length * 2 / 3).await?;
        let refusal = site.tool(&["recover"]).await;
        ensure!(
            refusal.is_err_and(|error| error.to_string().contains("stop them all")),
            "it does not refuse while a processor runs"
        );
        site.stop("processor").await?;
        restore(&site, "backup").await?;
        recover(&site, "PostgreSQL lost commits").await?;
        let again = site.tool(&["recover"]).await?;
        ensure!(again.contains("nothing to recover"), "{again}");

        // Everything is lost.
        empty(&site).await?;
        recover(&site, "PostgreSQL lost commits").await?;
        site.start(Service::Processor, "processor").await?;
        say(&site, &scripts, |length| length * 2 / 3..length).await?;
        let expected = scripts
            .iter()
            .map(Script::expected)
            .collect::<anyhow::Result<Vec<Expected>>>()?;
        resting_state::at_rest(&site, &expected).await?;
        resting_state::outbox_is_empty(&site).await?;
        let repeats = resting_state::events(&site, &expected)?;
        resting_state::replies(&site, &expected)?;
        let sends = resting_state::sent(&site, &expected, 0).await?;
        ensure!(
            repeats == 0 && sends == 0,
            "{repeats} events, {sends} sends"
        );
        site.finish().await
    })
}

/// Sends a part of every script, by its length.
async fn say(
    site: &Site<'_>,
    scripts: &[Script],
    part: impl Fn(usize) -> std::ops::Range<usize>,
) -> anyhow::Result<()> {
    for script in scripts {
        for index in part(script.said.len()) {
            site.post(&script.webhook(index)).await?;
        }
    }
    Ok(())
}

/// Waits until as many messages of each lead are folded.
async fn rows(
    site: &Site<'_>,
    scripts: &[Script],
    said: impl Fn(usize) -> usize,
) -> anyhow::Result<()> {
    eventually(Duration::from_secs(60), async || {
        for script in scripts {
            let count = said(script.said.len());
            let found: Option<chrono::DateTime<chrono::Utc>> = sqlx::query_scalar(
                "SELECT last_interaction FROM lead_qualifications WHERE lead_id = $1",
            )
            .bind(script.person.wa_id.as_deref())
            .fetch_optional(&site.database)
            .await?;
            let wanted = count
                .checked_sub(1)
                .and_then(|last| script.said[last].sent_at.datetime());
            ensure!(found == wanted, "a lead stands elsewhere");
        }
        Ok(())
    })
    .await
}

async fn back_up(site: &Site<'_>) -> anyhow::Result<()> {
    let copies: String = TABLES
        .iter()
        .map(|table| format!("CREATE TABLE backup.{table} AS TABLE {table};"))
        .collect();
    script(
        site,
        format!("BEGIN ISOLATION LEVEL REPEATABLE READ; CREATE SCHEMA backup; {copies} COMMIT"),
    )
    .await
}

async fn restore(site: &Site<'_>, from: &str) -> anyhow::Result<()> {
    let rows: String = TABLES
        .iter()
        .map(|table| {
            format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM {from}.{table};")
        })
        .collect();
    script(site, format!("BEGIN; {rows} COMMIT")).await
}

async fn empty(site: &Site<'_>) -> anyhow::Result<()> {
    let tables = TABLES.join(", ");
    script(site, format!("TRUNCATE {tables}")).await
}

async fn script(site: &Site<'_>, statements: String) -> anyhow::Result<()> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
        .execute(&site.database)
        .await?;
    Ok(())
}

/// Waits until a processor halts with the reason; then folds the log again.
async fn recover(site: &Site<'_>, why: &str) -> anyhow::Result<()> {
    recover_with(site, &["recover", "--apply"], why).await
}

async fn recover_with(site: &Site<'_>, command: &[&str], why: &str) -> anyhow::Result<()> {
    refuses(site, why).await?;
    let plan: Vec<&str> = command
        .iter()
        .copied()
        .filter(|it| *it != "--apply")
        .collect();
    eventually(Duration::from_secs(30), async || {
        let told = site.tool(&plan).await?;
        let is_plan = told.contains("folding from") && told.contains("nothing was folded");
        ensure!(is_plan && !told.contains("start the processors"), "{told}");
        Ok(())
    })
    .await?;
    // A member that ended by an error has left its group.
    eventually(Duration::from_secs(30), async || {
        let told = site.tool(command).await?;
        ensure!(told.contains("start the processors"), "{told}");
        eprintln!(
            "{}: {}",
            site.name,
            told.lines().nth_back(1).unwrap_or_default()
        );
        Ok(())
    })
    .await
}

/// Checks that a processor halts with the reason and the remedy.
async fn refuses(site: &Site<'_>, why: &str) -> anyhow::Result<()> {
    site.spawn(Service::Processor, "processor")?;
    let status = site.ended("processor").await?;
    let log = site.log("processor")?;
    ensure!(!status.success(), "the processor goes on: {log}");
    if !(log.contains(why) && log.contains("leadstream recover")) {
        bail!("the processor does not say what happened: {log}");
    }
    Ok(())
}

/// Deletes unprocessed records from Kafka: only an operator can continue without them.
pub(crate) fn a_processor_skips_deleted_records_only_if_an_operator_allows_it(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "lost-log").await?;
        site.start_all().await?;
        let mut scripts = scripts(10, 11);
        say(&site, &scripts, |length| 0..length / 3).await?;
        rows(&site, &scripts, |length| length / 3).await?;
        site.stop("processor").await?;
        let lost = |length: usize| length / 3..length * 2 / 3;
        say(&site, &scripts, lost).await?;
        delete_log(&site).await?;

        // A processor that was stopped has left its group.
        let answer = site.tool(&["recover"]).await;
        let refused = matches!(&answer, Err(error) if error.to_string().contains("--accept-loss"));
        ensure!(
            refused,
            "it goes on without records that nobody gave up: {answer:?}"
        );
        recover_with(
            &site,
            &["recover", "--accept-loss", "--apply"],
            "records were deleted before they were processed",
        )
        .await?;
        site.start(Service::Processor, "processor").await?;
        for script in &mut scripts {
            let lost = lost(script.said.len());
            let next = lost.start;
            script.said.drain(lost);
            for index in next..script.said.len() {
                site.post(&script.webhook(index)).await?;
            }
        }
        let expected = scripts
            .iter()
            .map(Script::expected)
            .collect::<anyhow::Result<Vec<Expected>>>()?;
        resting_state::at_rest(&site, &expected).await?;
        ensure!(
            resting_state::events(&site, &expected)? == 0,
            "events repeat"
        );
        site.finish().await
    })
}

/// Removes every record of the inputs' topic, as a retention that is too short does.
async fn delete_log(site: &Site<'_>) -> anyhow::Result<()> {
    let topic = site.topic(Topic::LeadInputs);
    let admin: AdminClient<DefaultClientContext> =
        kafka(site).client("leadstream-e2e")?.create()?;
    let metadata = admin
        .inner()
        .fetch_metadata(Some(&topic), Duration::from_secs(20))?;
    let mut ends = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
        ends.add_partition_offset(&topic, partition.id(), Offset::End)?;
    }
    let deleted = admin.delete_records(&ends, &AdminOptions::new()).await?;
    for partition in deleted.elements() {
        partition.error()?;
    }
    Ok(())
}
