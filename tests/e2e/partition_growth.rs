//! Tests `lead.inputs` with more partitions while services run that know different counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::topic::read_all;
use leadstream_harness::{Site, World, eventually, text_webhook};
use leadstream_kafka::partitioner::partition_of;
use leadstream_local::deployment::Service;
use leadstream_local::free_address;
use leadstream_sandbox::webhook::{Person, sign};
use leadstream_schemas::codec::decode;
use leadstream_schemas::{LeadEvent, Partition, Timestamp, Topic};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use sqlx::Row;

const LEADS: usize = 30;
const GROWN: usize = 12;
const TIMEOUT: Duration = Duration::from_secs(60);

/// Sends three messages of every lead: one before the growth, one after it by an ingest that knows
/// the new count, and one by an ingest that does not. Processors halt, the leads move, and no lead
/// misses a reply.
pub(crate) fn processors_halt_when_a_topic_grows_until_its_leads_are_moved(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "growth").await?;
        let stale = site.webhook();
        site.start(Service::Ingest, "ingest").await?;
        site.start(Service::Processor, "processor").await?;
        say(&site, &stale, 0, "Hi").await?;
        in_state(&site, "AWAITING_NAME").await?;

        grow(&site).await?;
        let address = free_address()?;
        let own = vec![("INGEST_ADDRESS".to_owned(), address.to_string())];
        site.spawn_with(Service::Ingest, "ingest-b", own)?;
        site.ready("ingest-b").await?;
        let fresh = format!("http://{address}/webhooks/whatsapp");
        say(&site, &fresh, 1, "Ada Byron").await?;
        say(&site, &stale, 2, "7000").await?;
        // The one that runs halts when Kafka assigns it new partitions; so does the next one.
        halts(&site).await?;
        site.spawn(Service::Processor, "processor")?;
        halts(&site).await?;
        site.tool(&["topics", "grow", "--partitions", "6"])
            .await
            .err()
            .context("a topic cannot lose partitions")?;
        let plan = site.tool(&["topics", "grow"]).await?;
        ensure!(
            plan.contains("would be placed by 12 partitions, by 6 now")
                && plan.contains("nothing was changed: add --apply"),
            "{plan}"
        );
        let report = site.tool(&["topics", "grow", "--apply"]).await?;
        ensure!(
            report.contains("placed by 12 partitions now, by 6 before"),
            "{report}"
        );
        let again = site.tool(&["topics", "grow", "--apply"]).await?;
        ensure!(again.contains("nothing to move"), "{again}");

        site.start(Service::Processor, "processor").await?;
        let refusal = site.tool(&["topics", "grow", "--partitions", "24"]).await;
        ensure!(
            refusal.is_err_and(|error| error.to_string().contains("stop them all")),
            "the topic grows while a processor runs"
        );
        in_state(&site, "COMPLETED").await?;
        answers_are_kept(&site).await?;
        revisions_have_one_event_each(&site)?;
        timers_are_at_home(&site).await?;
        site.finish().await
    })
}

/// Tests a lead whose row has a newer revision than its owner has read: nothing is overwritten.
pub(crate) fn a_commit_never_overwrites_a_newer_revision_of_a_lead(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "revision").await?;
        let webhook = site.webhook();
        site.start(Service::Ingest, "ingest").await?;
        site.start(Service::Processor, "processor").await?;
        say(&site, &webhook, 0, "Hi").await?;
        in_state(&site, "AWAITING_NAME").await?;
        set_revision(&site, 1, 5).await?;
        say(&site, &webhook, 1, "Ada Byron").await?;
        eventually(TIMEOUT, async || {
            let log = site.log("processor")?;
            ensure!(
                log.contains("changed by another writer"),
                "no conflict is logged"
            );
            Ok(())
        })
        .await?;
        let states = states(&site).await?;
        ensure!(
            states.keys().eq(["AWAITING_NAME"]),
            "a newer revision was overwritten: {states:?}"
        );
        set_revision(&site, 5, 1).await?;
        in_state(&site, "AWAITING_BUDGET").await?;
        site.finish().await
    })
}

async fn set_revision(site: &Site<'_>, from: i64, to: i64) -> anyhow::Result<()> {
    let changed = sqlx::query("UPDATE leads SET revision = $2 WHERE revision = $1")
        .bind(from)
        .bind(to)
        .execute(&site.database)
        .await?;
    ensure!(changed.rows_affected() == LEADS as u64, "{changed:?}");
    Ok(())
}

fn lead(index: usize) -> String {
    format!("1555666{index:04}")
}

/// Posts what every lead says as its `turn`th message.
async fn say(site: &Site<'_>, webhook: &str, turn: i64, text: &str) -> anyhow::Result<()> {
    let at = Timestamp::now().millis() / 1000 - 600 + turn * 10;
    for index in 0..LEADS {
        let person = Person::new(lead(index), "Ada");
        let body = text_webhook(&person, &format!("growth-{index}-{turn}"), at, text);
        eventually(TIMEOUT, async || {
            let signature = sign(&site.deployment.meta_app_secret, &body);
            let request = site.http.post(webhook).body(body.clone());
            let request = request.header("X-Hub-Signature-256", &signature);
            let status = request.send().await?.status();
            ensure!(status == 200, "the webhook is answered {status}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

async fn grow(site: &Site<'_>) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", &site.deployment.kafka)
        .create()?;
    let topic = site.topic(Topic::LeadInputs);
    let request = [NewPartitions::new(&topic, GROWN)];
    for outcome in admin
        .create_partitions(&request, &AdminOptions::new())
        .await?
    {
        outcome.map_err(|(topic, code)| anyhow::anyhow!("{topic}: {code}"))?;
    }
    Ok(())
}

async fn halts(site: &Site<'_>) -> anyhow::Result<()> {
    let status = site.ended("processor").await?;
    let log = site.log("processor")?;
    ensure!(!status.success(), "the processor ended well");
    for expected in [
        "has 12 partitions",
        "places leads by 6",
        "leadstream topics grow",
    ] {
        ensure!(log.contains(expected), "`{expected}` is not in: {log}");
    }
    Ok(())
}

async fn states(site: &Site<'_>) -> anyhow::Result<BTreeMap<String, i64>> {
    let rows = sqlx::query("SELECT current_state, count(*) FROM leads GROUP BY 1")
        .fetch_all(&site.database)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}

async fn in_state(site: &Site<'_>, state: &str) -> anyhow::Result<()> {
    eventually(TIMEOUT, async || {
        let states = states(site).await?;
        let wanted = BTreeMap::from([(state.to_owned(), i64::try_from(LEADS)?)]);
        ensure!(states == wanted, "{states:?}");
        Ok(())
    })
    .await
}

async fn answers_are_kept(site: &Site<'_>) -> anyhow::Result<()> {
    let kept: i64 = sqlx::query_scalar(
        r#"SELECT count(*) FROM leads WHERE lead_data @> '{"name": "Ada Byron", "budget": 7000}'"#,
    )
    .fetch_one(&site.database)
    .await?;
    ensure!(
        kept == i64::try_from(LEADS)?,
        "{kept} of {LEADS} kept both answers"
    );
    Ok(())
}

/// Revisions are gapless in the topic, and no two events share one (invariants 3 and 4).
fn revisions_have_one_event_each(site: &Site<'_>) -> anyhow::Result<()> {
    let mut events: HashMap<String, BTreeMap<u64, BTreeSet<Vec<u8>>>> = HashMap::new();
    for record in read_all(site, &site.topic(Topic::LeadEvents))? {
        let event = decode::<LeadEvent>(&record.value)?.data;
        let of_lead = events.entry(event.lead_id.to_string()).or_default();
        of_lead
            .entry(event.revision.0)
            .or_default()
            .insert(record.value);
    }
    ensure!(events.len() == LEADS, "{} leads have events", events.len());
    for (lead_id, revisions) in events {
        let numbers: Vec<u64> = revisions.keys().copied().collect();
        let gapless = (1..).zip(&numbers).all(|(wanted, found)| wanted == *found);
        ensure!(gapless, "{lead_id} has the revisions {numbers:?}");
        let contradicted = revisions.values().filter(|them| them.len() > 1).count();
        ensure!(
            contradicted == 0,
            "{lead_id}: {contradicted} revisions with two events"
        );
    }
    Ok(())
}

async fn timers_are_at_home(site: &Site<'_>) -> anyhow::Result<()> {
    let rows = sqlx::query("SELECT lead_id, home_partition FROM leads")
        .fetch_all(&site.database)
        .await?;
    for row in rows {
        let lead_id: String = row.try_get("lead_id")?;
        let home: i32 = row.try_get("home_partition")?;
        ensure!(
            Partition(home) == partition_of(lead_id.as_bytes(), GROWN),
            "{lead_id} lives on partition {home}"
        );
    }
    Ok(())
}
