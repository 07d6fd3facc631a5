//! Searches everything for an erased person: PostgreSQL, logs, metrics, CRMs and topics.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use leadstream_sandbox::webhook::Person;
use leadstream_schemas::{Timestamp, Topic};
use serde_json::Value;

use crate::api_site::ApiSite;
use crate::resting_state::read_all;

const ZOE: &str = "5511987650201";
const USER_ID: &str = "BR.55119876502019876543";
const BEN: &str = "15558880203";
/// What every notation of the number holds, an id, and words.
const MARKERS: [&str; 4] = [
    "87650201",
    "55119876502019876543",
    "Quillfeather",
    "marmalade",
];
const DAY_MS: i64 = 86_400_000;

/// Erases a person also in the CRMs, by a number in another notation. Nothing is left but what the
/// topics hold until the day that the erasure named.
pub(crate) fn an_erasure_leaves_nothing_but_what_it_names(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "erase-all").await?.with_crms();
        let api = ApiSite::at(site).await?;
        let zoe = Person {
            user_id: Some(USER_ID.into()),
            ..Person::new(ZOE, "Zoë Quillfeather")
        };
        let texts = ["Hi", "Zoë Quillfeather", "marmalade", "$7,500 a month"];
        api.writes(&zoe, &texts).await?;
        api.is_in(ZOE, "COMPLETED").await?;
        has_records(&api, ZOE).await?;
        let found = in_database(&api.site).await?;
        ensure!(!found.is_empty(), "the search finds nothing even before");
        dry_run(&api).await?;
        let retained = erase(&api).await?;
        eventually(Duration::from_secs(60), async || {
            let found = in_database(&api.site).await?;
            ensure!(found.is_empty(), "in PostgreSQL: {found:?}");
            Ok(())
        })
        .await?;
        in_outputs(&api.site).await?;
        in_topics(&api.site, &retained)?;
        let again = ["lead", "erase", "+55 11 98765-0201", "--in-crms", "--apply"];
        let told = api.site.tool(&again).await?;
        ensure!(told.contains("no lead has this id"), "{told}");
        while_the_sink_is_away(&api).await?;
        api.site.finish().await
    })
}

async fn has_records(api: &ApiSite<'_>, wa_id: &str) -> anyhow::Result<()> {
    let client = api.site.sandbox.client()?;
    eventually(Duration::from_secs(60), async || {
        let known: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM crm_ledger WHERE lead_id = $1 AND crm_record_id IS NOT NULL",
        )
        .bind(wa_id)
        .fetch_one(&api.site.database)
        .await?;
        ensure!(known == 2, "{known} records in the ledger");
        ensure!(client.contact(wa_id).await?.is_some() && client.lead(wa_id).await?.is_some());
        Ok(())
    })
    .await
}

async fn has_no_records(api: &ApiSite<'_>, wa_id: &str) -> anyhow::Result<()> {
    let client = api.site.sandbox.client()?;
    let (contact, lead) = (client.contact(wa_id).await?, client.lead(wa_id).await?);
    ensure!(contact.is_none() && lead.is_none(), "{contact:?} {lead:?}");
    Ok(())
}

/// Checks that an erasure without --apply names the records and changes nothing.
async fn dry_run(api: &ApiSite<'_>) -> anyhow::Result<()> {
    let planned = api
        .site
        .tool(&["lead", "erase", "+55 (11) 8765-0201", "--in-crms"])
        .await?;
    for expected in [
        "Quillfeather): would be deleted",
        "nothing was erased: add --apply",
    ] {
        ensure!(planned.contains(expected), "{expected}: {planned}");
    }
    api.is_in(ZOE, "COMPLETED").await?;
    has_records(api, ZOE).await
}

/// Erases and returns what the topics hold, with the times until when.
async fn erase(api: &ApiSite<'_>) -> anyhow::Result<Vec<(String, Timestamp)>> {
    let told = api
        .site
        .tool(&[
            "lead",
            "erase",
            "+55 (11) 8765-0201",
            "--in-crms",
            "--apply",
            "--wait",
            "60s",
            "--json",
        ])
        .await?;
    let told: Value = serde_json::from_str(&told)?;
    ensure!(told["result"]["status"] == "applied", "{told}");
    let records = told["crm_records"].as_array().context("records")?;
    let deleted = records.iter().filter(|it| it["state"] == "deleted").count();
    ensure!(deleted == 2 && records.len() == 2, "{told}");
    has_no_records(api, ZOE).await?;
    let now = Timestamp::now().millis();
    let mut retained = Vec::new();
    for it in told["retained_data"].as_array().context("topics")? {
        let topic = it["topic"].as_str().context("topic")?.to_owned();
        let until: Timestamp = serde_json::from_value(it["until"].clone())?;
        ensure!(until.millis() > now, "{it}");
        retained.push((topic, until));
    }
    let inputs = api.site.topic(Topic::LeadInputs);
    let kept = retained.iter().find(|(topic, _)| *topic == inputs);
    let days = kept.map(|(_, until)| (until.millis() - now) / DAY_MS);
    // A year, and the seven days for which a segment takes records by default.
    ensure!(days == Some(372), "{days:?}");
    Ok(retained)
}

/// Returns the tables of PostgreSQL in which a marker is. Bytes are searched in their digits.
async fn in_database(site: &Site<'_>) -> anyhow::Result<BTreeSet<String>> {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&site.database)
            .await?;
    ensure!(tables.len() > 10, "{tables:?}");
    let mut found = BTreeSet::new();
    for table in tables {
        for marker in MARKERS {
            let digits: String = marker.bytes().map(|byte| format!("{byte:02x}")).collect();
            let count = format!(
                "SELECT count(*) FROM \"{table}\" t WHERE t::text LIKE $1 OR t::text LIKE $2"
            );
            let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(count))
                .bind(format!("%{marker}%"))
                .bind(format!("%{digits}%"))
                .fetch_one(&site.database)
                .await?;
            if left > 0 {
                found.insert(table.clone());
            }
        }
    }
    // Its records are compressed.
    let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
        .fetch_one(&site.database)
        .await?;
    if waiting > 0 {
        found.insert("outbox".to_owned());
    }
    Ok(found)
}

/// Checks that no log and no metric of a service holds a marker.
async fn in_outputs(site: &Site<'_>) -> anyhow::Result<()> {
    for service in Service::ALL.map(Service::name).into_iter().chain(["api"]) {
        let metrics = site.metrics(service).await?;
        let log = site.log(service)?;
        for (what, text) in [("metrics", metrics), ("log", log)] {
            for marker in MARKERS {
                let line = text.lines().find(|line| line.contains(marker));
                ensure!(line.is_none(), "{what} of {service}: {line:?}");
            }
        }
    }
    Ok(())
}

/// Checks that the topics which hold a marker are those that the erasure named.
fn in_topics(site: &Site<'_>, retained: &[(String, Timestamp)]) -> anyhow::Result<()> {
    let mut holding = 0;
    for topic in Topic::ALL {
        let dead = topic.dead_letters(&site.deployment.topic_prefix);
        for name in [site.topic(topic), dead] {
            let holds = read_all(site, &name)?.iter().any(|record| {
                let value = String::from_utf8_lossy(&record.value);
                MARKERS.iter().any(|marker| value.contains(marker))
            });
            let named = retained.iter().any(|(topic, _)| *topic == name);
            ensure!(
                !holds || named,
                "{name} holds the person, and was not named"
            );
            holding += usize::from(holds);
        }
    }
    ensure!(holding > 1, "the search finds no record");
    Ok(())
}

/// Erases while sink-crm is unavailable, which can create records again. The command says so, and a repeat
/// finishes.
async fn while_the_sink_is_away(api: &ApiSite<'_>) -> anyhow::Result<()> {
    api.writes(&Person::new(BEN, "Ben"), &["Hi", "Ben Doe"])
        .await?;
    api.is_in(BEN, "AWAITING_BUDGET").await?;
    has_records(api, BEN).await?;
    api.site.stop("sink-crm").await?;
    let erase = ["lead", "erase", BEN, "--in-crms", "--apply", "--wait"];
    let at_first = [&erase[..], &["5s"]].concat();
    api.refused(&at_first, "may be left: run this again")
        .await?;
    has_no_records(api, BEN).await?;
    api.site.start(Service::SinkCrm, "sink-crm").await?;
    let again = [&erase[..], &["60s"]].concat();
    let told = api.site.tool(&again).await?;
    ensure!(told.contains("no lead has this id"), "{told}");
    super::nothing_is_left(&api.site, "1555888").await?;
    has_no_records(api, BEN).await
}
