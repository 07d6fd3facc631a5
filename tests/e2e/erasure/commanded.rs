//! Tests erasure by command, which no replay undoes.

use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually, text_webhook};
use leadstream_local::deployment::Service;
use leadstream_sandbox::webhook::Person;
use leadstream_schemas::codec::decode;
use leadstream_schemas::{LeadEvent, Timestamp, Topic};
use serde_json::{Value, json};

use super::nothing_is_left;
use crate::resting_state::read_all;

const ADA: &str = "15558880201";
const BEN: &str = "15558880202";

/// Erases a person. Neither a replay of the log nor a late duplicate brings them back, and a new
/// message makes a new lead.
pub(crate) fn no_replay_restores_a_person_erased_by_command(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let api = crate::api_site::ApiSite::new(world, "erase").await?;
        let site = &api.site;
        // Two complete conversations, also in the CRMs.
        let mut sent = Vec::new();
        for wa_id in [ADA, BEN] {
            let person = Person::new(wa_id, "Somebody");
            sent = api
                .writes(&person, &["Hi", "Ada Byron", "$7,500 a month"])
                .await?;
            api.is_in(wa_id, "COMPLETED").await?;
        }
        site.tool(&["lead", "assign", ADA, "ana", "--wait", "30s"])
            .await?;
        eventually(Duration::from_secs(60), async || {
            let done: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM crm_ledger WHERE crm_record_id IS NOT NULL",
            )
            .fetch_one(&site.database)
            .await?;
            ensure!(done == 4, "{done} records in CRMs");
            Ok(())
        })
        .await?;
        erase_both(&api).await?;
        replay(site, &sent).await?;
        write_again(site).await?;
        let leads: Vec<(String, Option<String>)> =
            sqlx::query_as("SELECT wa_id, assignee FROM lead_qualifications")
                .fetch_all(&site.database)
                .await?;
        ensure!(leads == [(BEN.to_owned(), None)], "{leads:?}");
        let log = site.log("processor")?;
        ensure!(!log.contains("1555888"), "a number is in the log: {log}");
        api.site.finish().await
    })
}

/// Erases one lead by the command line and the other by the API.
async fn erase_both(api: &crate::api_site::ApiSite<'_>) -> anyhow::Result<()> {
    let site = &api.site;
    let planned = site.tool(&["lead", "erase", ADA]).await?;
    ensure!(
        planned.contains("nothing was erased: add --apply"),
        "{planned}"
    );
    api.is_in(ADA, "COMPLETED").await?;

    let told = site
        .tool(&[
            "lead", "erase", ADA, "--apply", "--id", "gone", "--wait", "30s", "--json",
        ])
        .await?;
    let told: Value = serde_json::from_str(&told)?;
    ensure!(told["result"]["status"] == "applied", "{told}");
    let crms = told["crms"].as_array().context("crms")?;
    ensure!(
        crms.len() == 2 && crms.iter().all(|it| it["crm_record_id"].is_string()),
        "{told}"
    );
    let remains = told["retained_data"].as_array().context("retained data")?;
    let inputs = remains
        .iter()
        .find(|it| it["topic"] == site.topic(Topic::LeadInputs));
    let kept = inputs
        .and_then(|it| it["retention"].as_str())
        .context("lead.inputs")?;
    ensure!(kept.contains("365 days"), "{kept}");
    let (status, told) = api.give(BEN, None, json!({"type": "erase"})).await?;
    ensure!(
        status == 200 && told["crm_records"].as_array().map(Vec::len) == Some(2),
        "{told}"
    );
    nothing_is_left(site, "1555888").await?;
    let told = erased_events(site)?;
    ensure!(told == 2, "{told} events of erasures");
    Ok(())
}

/// Folds the log again from its beginning, and delivers duplicates.
async fn replay(site: &Site<'_>, duplicates: &[Vec<u8>]) -> anyhow::Result<()> {
    site.stop("processor").await?;
    sqlx::query("UPDATE partition_offsets SET next_offset = 0")
        .execute(&site.database)
        .await?;
    site.tool(&["recover", "--apply"]).await?;
    nothing_is_left(site, "1555888").await?;
    site.start(Service::Processor, "processor").await?;
    for duplicate in duplicates {
        site.post(duplicate).await?;
    }
    Ok(())
}

/// Writes as one of the erased people, which makes a new lead.
async fn write_again(site: &Site<'_>) -> anyhow::Result<()> {
    // One second later by the provider's clock, which has whole seconds.
    let again = Person::new(BEN, "Somebody");
    eventually(Duration::from_secs(30), async || {
        let now = Timestamp::now().millis() / 1000;
        let id = format!("{}-{now}", site.name);
        site.post(&text_webhook(&again, &id, now, "Hello again"))
            .await?;
        let query = "SELECT current_state FROM lead_qualifications WHERE wa_id = $1";
        let state: String = sqlx::query_scalar(query)
            .bind(BEN)
            .fetch_one(&site.database)
            .await?;
        ensure!(state.starts_with("AWAITING"), "{state}");
        Ok(())
    })
    .await
}

/// Checks that the last event of each erased lead holds only the lead's id of the person.
fn erased_events(site: &Site<'_>) -> anyhow::Result<usize> {
    let mut count = 0;
    for record in read_all(site, &site.topic(Topic::LeadEvents))? {
        let event: LeadEvent = decode(&record.value)?;
        if event.data.current_state == "ERASED" {
            let data = &event.data;
            ensure!(data.wa_id.is_none() && data.lead_metadata.name.is_none());
            ensure!(data.lead_data.is_empty() && data.assignee.is_none());
            count += 1;
        }
    }
    Ok(count)
}
