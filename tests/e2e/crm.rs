//! Tests sink-crm alone: the test writes events as the processor does, and the sandbox plays the
//! CRMs.

pub(crate) mod combined;
pub(crate) mod commands;
pub(crate) mod failures;
pub(crate) mod late;
pub(crate) mod limits;
pub(crate) mod records;
pub(crate) mod refused;
pub(crate) mod requests;
pub(crate) mod webhook;
pub(crate) mod webhook_answers;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::topic::{Read, read_all};
use leadstream_harness::{Site, World, eventually};
use leadstream_kafka::Outgoing;
use leadstream_local::deployment::sandbox_config;
use leadstream_sandbox::{CrmRecord, Endpoint, ReceivedUpsert, SandboxConfig};
use leadstream_schemas::{Topic, codec};
use serde_json::{Value, json};
use sqlx::Row;

use crate::clients::producer;

pub(crate) const HUBSPOT: &str = "hubspot";
pub(crate) const SALESFORCE: &str = "salesforce";

/// Creates a deployment whose sink waits at most a second for anything.
pub(crate) async fn site<'w>(world: &'w World, name: &str) -> anyhow::Result<Site<'w>> {
    site_with(world, name, sandbox_config()).await
}

pub(crate) async fn site_with<'w>(
    world: &'w World,
    name: &str,
    config: SandboxConfig,
) -> anyhow::Result<Site<'w>> {
    let mut site = Site::with(world, name, config).await?;
    site.deployment.further.extend(
        [
            ("SINK_CRM_REQUEST_TIMEOUT", "1s"),
            ("SINK_CRM_RETRY_BASE", "50ms"),
            ("SINK_CRM_RETRY_CAP", "1s"),
            ("SINK_CRM_PROBE_INTERVAL", "1s"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    Ok(site)
}

/// Returns the id of a lead: a number that nobody has.
pub(crate) fn lead_id(lead: usize) -> String {
    format!("1555{lead:07}")
}

/// Returns the state in a lead's event of `revision`.
pub(crate) fn state(revision: u64) -> String {
    format!("STEP_{revision}")
}

pub(crate) fn event(lead: usize, revision: u64) -> Value {
    let id = lead_id(lead);
    json!({
        "event": "lead_state_updated",
        "id": format!("{id}:{revision}"),
        "timestamp": "2026-11-23T10:15:00.123Z",
        "data": {
            "lead_id": id, "wa_id": id,
            "previous_state": state(revision - 1), "current_state": state(revision),
            "lead_metadata": {"name": format!("Lead {lead}"), "platform": "WhatsApp"},
            "sync_priority": "high", "revision": revision,
            "qualification_score": 10, "is_completed": false, "lead_data": {},
            "flow": {"name": "qualification", "version": 1}, "cause": "message",
        },
    })
}

/// Writes events to the topic and awaits their acknowledgement.
pub(crate) async fn publish(site: &Site<'_>, events: &[Value]) -> anyhow::Result<()> {
    let topic = site.topic(Topic::LeadEvents);
    let records: Vec<Outgoing> = events
        .iter()
        .map(|event| {
            let key = event["data"]["lead_id"].as_str().unwrap_or_default();
            let value = codec::encode(1, event)?;
            anyhow::Ok(Outgoing::new(topic.as_str(), key, value))
        })
        .collect::<anyhow::Result<_>>()?;
    producer(site)?.send(&records).await?.await?;
    Ok(())
}

/// A row of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) state: String,
    pub(crate) sent: i64,
    pub(crate) attempts: i32,
    pub(crate) error: Option<String>,
}

pub(crate) async fn ledger(site: &Site<'_>, crm: &str) -> anyhow::Result<BTreeMap<String, Entry>> {
    let rows = sqlx::query(
        "SELECT lead_id, state, synced_revision, attempts, last_error FROM crm_ledger
         WHERE crm = $1",
    )
    .bind(crm)
    .fetch_all(&site.database)
    .await?;
    rows.into_iter()
        .map(|row| {
            let entry = Entry {
                state: row.try_get("state")?,
                sent: row.try_get("synced_revision")?,
                attempts: row.try_get("attempts")?,
                error: row.try_get("last_error")?,
            };
            Ok((row.try_get("lead_id")?, entry))
        })
        .collect()
}

/// Waits until exactly so many rows of a CRM are in each of `states`.
pub(crate) async fn wait_for_states(
    site: &Site<'_>,
    crm: &str,
    states: &[(&str, usize)],
) -> anyhow::Result<BTreeMap<String, Entry>> {
    eventually(Duration::from_secs(40), async || {
        let ledger = ledger(site, crm).await?;
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in ledger.values() {
            *counts.entry(&entry.state).or_default() += 1;
        }
        let wanted: BTreeMap<&str, usize> = states.iter().copied().collect();
        let failing = ledger.values().find_map(|entry| entry.error.clone());
        ensure!(counts == wanted, "{crm}: {counts:?}; an error: {failing:?}");
        Ok(ledger)
    })
    .await
}

/// The sink's name in tests of one sink.
pub(crate) const SINK: &str = "sink-crm";

/// Returns a metric of sink-crm, by the rest of its name and its labels.
pub(crate) async fn metric(site: &Site<'_>, name: &str, labels: &str) -> anyhow::Result<f64> {
    let text = site.metrics(SINK).await?;
    let line = format!("leadstream_sink_crm_{name}{{{labels}}}");
    let found = text.lines().find_map(|found| found.strip_prefix(&line));
    let value = found.with_context(|| format!("there is no metric {line}"))?;
    Ok(value.trim().parse()?)
}

/// Returns how many records, or requests, had an outcome so far.
pub(crate) async fn count(
    site: &Site<'_>,
    of: &str,
    crm: &str,
    outcome: &str,
) -> anyhow::Result<f64> {
    let labels = format!("crm=\"{crm}\",result=\"{outcome}\"");
    metric(site, &format!("{of}_total"), &labels).await
}

/// Returns the records of each upsert that one CRM received.
async fn received(site: &Site<'_>, endpoint: Endpoint) -> anyhow::Result<Vec<ReceivedUpsert>> {
    let all = site.sandbox.client()?.upserts(0).await?;
    let of = |upsert: &ReceivedUpsert| upsert.endpoint == endpoint;
    Ok(all.into_iter().filter(of).collect())
}

fn dead_letters(site: &Site<'_>) -> anyhow::Result<Vec<Read>> {
    read_all(
        site,
        &Topic::LeadEvents.dead_letters(&site.deployment.topic_prefix),
    )
}

/// Checks that each lead has one record with the state of the newest revision.
fn ensure_synced(records: &[CrmRecord], crm: &str, newest: &[u64]) -> anyhow::Result<()> {
    let (key, state_field, revision_field) = match crm {
        HUBSPOT => ("wa_id", "leadstream_state", "leadstream_revision"),
        _ => ("WA_Id__c", "Leadstream_State__c", "Leadstream_Revision__c"),
    };
    ensure!(
        records.len() == newest.len(),
        "{crm}: {} records of {} leads",
        records.len(),
        newest.len()
    );
    for (lead, revision) in newest.iter().enumerate() {
        let id = lead_id(lead);
        let record = records
            .iter()
            .find(|record| record.text(key) == Some(&id))
            .with_context(|| format!("{crm}: a lead has no record"))?;
        ensure!(
            record.text(state_field) == Some(&state(*revision)),
            "{crm}: lead {lead} is {:?} and not at revision {revision}",
            record.text(state_field)
        );
        crate::resting_state::never_back(record, revision_field)?;
    }
    Ok(())
}
