//! Compares the CRMs' records and requests with the wanted state of each lead.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, topic};
use leadstream_sandbox::{CrmRecord, SandboxClient};
use leadstream_schemas::Topic;
use serde_json::Value;
use sqlx::Row;

use super::leads::{LEADS, Leads, Newest, lead_id};
use super::{CRMS, Crm};

/// The findings for the report.
#[derive(Default)]
pub(super) struct Found {
    /// Leads whose newest revision is missing in some CRM, which has a reason.
    pub(super) behind: Vec<usize>,
    pub(super) requests: usize,
    records: usize,
    synced: usize,
    /// The number of older writes that a CRM applied after the newest.
    pub(super) late: usize,
    dead: usize,
    parked: usize,
    /// The number of records without a field that a CRM refused.
    incomplete: usize,
}

/// What is no record's fault: no dead letter names it.
const SPARED: [&str; 8] = [
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
    "UNKNOWN_EXCEPTION",
    "A_CODE_OF_NEXT_YEAR",
    "INACTIVE_OWNER_OR_USER",
    "INVALID_OPTION",
    "RESTRICTED_PICKLIST",
    "INVALID_LONG",
    "NUMBER_OUTSIDE_VALID_RANGE",
];

pub(super) async fn check(
    site: &Site<'_>,
    client: &SandboxClient,
    leads: &Leads,
) -> anyhow::Result<Found> {
    let mut found = Found::default();
    sent_in_order(client, &mut found).await?;
    let dead_letters = dead_letters(site)?;
    let mut behind = BTreeSet::new();
    for crm in CRMS {
        let records = match crm.name {
            "hubspot" => client.contacts().await?,
            _ => client.leads().await?,
        };
        let records = by_lead(records, crm)?;
        let rows = sqlx::query("SELECT lead_id, state, last_error FROM crm_ledger WHERE crm = $1")
            .bind(crm.name)
            .fetch_all(&site.database)
            .await?;
        for row in rows {
            let (id, state): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let reason: Option<String> = row.try_get(2)?;
            let newest = leads.newest(&id)?;
            let record = records.get(&id);
            let context = || format!("{}: {id}, {state}, {reason:?}", crm.name);
            let differs = differs(record, newest, crm);
            match state.as_str() {
                "synced" if differs.is_none() => {
                    found.synced += 1;
                    continue;
                }
                "synced" if lacks(reason.as_deref(), differs.as_deref(), crm) => {
                    found.incomplete += 1;
                }
                "synced" => {
                    let last = record.and_then(|record| record.history.back());
                    let late = last.is_some_and(|write| write.late);
                    let differs = differs.unwrap_or_default();
                    ensure!(late, "{}: {differs}", context());
                    found.late += 1;
                }
                "dead" => {
                    let is_dead_letter = dead_letters.contains(&(crm.name.to_owned(), id.clone()));
                    ensure!(is_dead_letter, "{}: no dead letter", context());
                    let reason = reason.as_deref().unwrap_or_default();
                    let is_spared = SPARED.iter().any(|code| reason.contains(code));
                    ensure!(!is_spared, "{}: the CRM takes the lead", context());
                    found.dead += 1;
                }
                _ => found.parked += 1,
            }
            let has_reason = reason
                .as_ref()
                .is_some_and(|reason| !reason.contains("1555"));
            ensure!(state == "synced" || has_reason, "{}: no reason", context());
            behind.insert(id);
        }
    }
    found.behind = (0..LEADS)
        .filter(|lead| behind.contains(&lead_id(*lead)))
        .collect();
    Ok(found)
}

/// Returns whether a record lacks only the score, which the CRM refused.
fn lacks(reason: Option<&str>, differs: Option<&str>, crm: Crm) -> bool {
    let left_out = format!("1 field left out: {}", crm.score);
    reason.is_some_and(|reason| reason.starts_with(&left_out))
        && differs.is_some_and(|differs| differs.starts_with(crm.score))
}

/// Checks that no request held a revision older than one sent to the CRM before.
async fn sent_in_order(client: &SandboxClient, found: &mut Found) -> anyhow::Result<()> {
    let mut newest: HashMap<(String, String), u64> = HashMap::new();
    let upserts = client.upserts(0).await?;
    ensure!(
        upserts.first().is_none_or(|upsert| upsert.seq == 1),
        "the sandbox forgot the first requests"
    );
    for upsert in upserts {
        found.requests += 1;
        let mut keys = BTreeSet::new();
        for record in upsert.records {
            found.records += 1;
            let revision = record.revision.context("a record without its revision")?;
            ensure!(keys.insert(record.key.clone()), "a lead twice in a request");
            let crm = format!("{:?}", upsert.endpoint);
            let last = newest.entry((crm, record.key)).or_default();
            ensure!(
                revision >= *last,
                "request {}: revision {revision} was sent after {last}",
                upsert.seq
            );
            *last = revision;
        }
    }
    Ok(())
}

/// Returns the CRM and lead of each dead letter.
fn dead_letters(site: &Site<'_>) -> anyhow::Result<BTreeSet<(String, String)>> {
    let topic = Topic::LeadEvents.dead_letters(&site.deployment.topic_prefix);
    topic::read_all(site, &topic)?
        .into_iter()
        .map(|letter| {
            let class = letter.headers.get("__connect.errors.exception.class.name");
            let class = class.context("a dead letter without its class")?;
            Ok((class.clone(), String::from_utf8(letter.key)?))
        })
        .collect()
}

/// Returns records by lead, and checks that each lead has at most one.
fn by_lead(records: Vec<CrmRecord>, crm: Crm) -> anyhow::Result<BTreeMap<String, CrmRecord>> {
    let mut by_lead = BTreeMap::new();
    for record in records {
        let id = record.text(crm.key).context("a record without its key")?;
        let twice = by_lead.insert(id.to_owned(), record.clone());
        ensure!(twice.is_none(), "{}: a lead has two records", crm.name);
    }
    Ok(by_lead)
}

/// Returns the difference of a record from the wanted state.
fn differs(record: Option<&CrmRecord>, newest: &Newest, crm: Crm) -> Option<String> {
    let Some(record) = record else {
        return Some("no record".to_owned());
    };
    let text = |name: &str| {
        record.values.get(name).map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    };
    let phone = record.text(crm.key).map(|id| format!("+{id}"));
    let wanted = [
        (crm.state, Some(newest.state.to_owned())),
        (crm.score, Some(newest.score.to_string())),
        (crm.budget, newest.budget.map(|budget| budget.to_string())),
        (crm.phone, phone),
    ];
    let wrong = wanted
        .into_iter()
        .find(|(name, value)| text(name) != *value);
    if let Some((name, value)) = wrong {
        return Some(format!("{name} is {:?} and not {value:?}", text(name)));
    }
    // An equal payload is not sent again, so the record may name an older revision.
    let revision = text(crm.revision).and_then(|text| text.parse::<u64>().ok());
    let newer = revision.is_none_or(|revision| revision > newest.revision);
    newer.then(|| format!("its revision is {revision:?} of {}", newest.revision))
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} records in {} requests; of {LEADS} leads in {} CRMs {} synced, {} incomplete, {} applied late, {} dead, {} parked",
            self.records,
            self.requests,
            CRMS.len(),
            self.synced,
            self.incomplete,
            self.late,
            self.dead,
            self.parked
        )
    }
}
