//! Verifies that PostgreSQL's rows agree with each other: columns with the stored lead, the stored
//! conversation with its journal, identities with leads, and reports with rows.
//!
//! It reads short snapshots and writes nothing. Traffic goes on meanwhile: a row, its identities and the
//! entry that queues its report come with one commit, so every snapshot agrees.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use leadstream_schemas::{Identity, LeadId};
use leadstream_service::config::DatabaseArgs;
use serde::Serialize;
use serde_json::Value;

use crate::flows::Flows;
use crate::lead::{Integrity, Lead, scoped};
use crate::service::Error;
use crate::store::{LeadRow, Lookup, Page, Store, columns, pool};

/// How long published flows are taken as read. They take effect later than that after their publication.
const FLOWS_FRESH: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(60);

/// What is wrong with a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Columns of the row contradict the stored lead.
    Column,
    /// The stored lead cannot be read, or its conversation is not the fold of its journal.
    Body,
    /// An identity of the lead is missing, belongs to another lead, or is none of the lead's.
    Identity,
    /// Columns of the report contradict the row, or there is no report.
    Report,
    /// The row is missing: only identities or a report are left.
    Lead,
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub lead_id: LeadId,
    pub kind: FindingKind,
    /// What differs, without the lead's answers.
    pub what: String,
}

/// What was verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    pub leads: u64,
    pub identities: u64,
    pub reports: u64,
    /// Conversations that an earlier version of the fold computed, and that this one folds otherwise.
    pub outdated: u64,
    pub findings: u64,
}

/// Reads leads at a limited share of the time.
#[derive(Debug)]
pub(crate) struct Pacing {
    percent: u32,
    begun: Instant,
}

impl Pacing {
    /// `percent` is from 1 to 100.
    pub(crate) fn new(percent: u32) -> Self {
        Self {
            percent: percent.clamp(1, 100),
            begun: Instant::now(),
        }
    }

    /// Waits as long as the page since the last wait requires.
    pub(crate) async fn wait(&mut self) {
        let worked = self.begun.elapsed();
        tokio::time::sleep(worked * (100 - self.percent) / self.percent).await;
        self.begun = Instant::now();
    }
}

/// The published flows, never older than [`FLOWS_FRESH`].
#[derive(Debug)]
pub(crate) struct FreshFlows {
    pub(crate) flows: Flows,
    read_at: Instant,
}

impl FreshFlows {
    pub(crate) async fn read(store: &Store) -> Result<Self, Error> {
        let read_at = Instant::now();
        let flows = Flows::read(&store.flows().await?.0)?;
        Ok(Self { flows, read_at })
    }

    /// Reads the flows again if they are too old, and returns whether it did.
    pub(crate) async fn refresh(&mut self, store: &Store) -> Result<bool, Error> {
        let is_old = self.read_at.elapsed() >= FLOWS_FRESH;
        if is_old {
            *self = Self::read(store).await?;
        }
        Ok(is_old)
    }
}

/// Connects with a store that reads whole tables.
pub(crate) async fn connect(database: &DatabaseArgs) -> Result<Store, Error> {
    let store = Store::new(database.connect(|url| pool(url, 1))?, TIMEOUT);
    store.check_schema().await?;
    Ok(store)
}

/// Verifies all leads, and passes each finding to `found`. It reads for `percent` of the time.
///
/// # Errors
/// Returns an error if the database is unavailable or has another schema.
pub async fn verify(
    database: &DatabaseArgs,
    percent: u32,
    mut found: impl FnMut(&Finding),
) -> Result<Verified, Error> {
    let store = connect(database).await?;
    let mut pacing = Pacing::new(percent);
    let mut verified = Verified::default();
    let mut flows = FreshFlows::read(&store).await?;
    let mut count = |findings: Vec<Finding>| {
        findings.iter().for_each(&mut found);
        findings.len() as u64
    };
    let mut after = Some(String::new());
    while let Some(key) = after {
        let (Page { rows, next }, owners) = store.lead_rows(&key, wanted).await?;
        flows.refresh(&store).await?;
        for row in &rows {
            let (findings, is_outdated) = of_row(row, &flows.flows, &owners);
            verified.outdated += u64::from(is_outdated);
            verified.findings += count(findings);
        }
        verified.leads += rows.len() as u64;
        after = next;
        pacing.wait().await;
    }
    let mut after = Some(String::new());
    while let Some(key) = after {
        let Page { rows, next } = store.identity_rows(&key).await?;
        verified.identities += rows.len() as u64;
        verified.findings += count(rows.iter().filter_map(of_identity).collect());
        after = next;
        pacing.wait().await;
    }
    let mut after = Some(String::new());
    while let Some(key) = after {
        let Page { rows, next } = store.report_rows(&key).await?;
        verified.reports += rows.len() as u64;
        let orphans = rows.into_iter().filter(|(_, is_orphan)| *is_orphan);
        let orphans = orphans.map(|(lead_id, _)| Finding {
            lead_id,
            kind: FindingKind::Lead,
            what: "the row is missing, and its report is there".to_owned(),
        });
        verified.findings += count(orphans.collect());
        after = next;
        pacing.wait().await;
    }
    Ok(verified)
}

fn wanted(row: &LeadRow) -> Vec<Identity> {
    let lead = row.lead.as_ref().ok();
    lead.map_or_else(Vec::new, |lead| {
        let own = Identity::from(&row.lead_id);
        let all = lead.identities.all().map(|id| scoped(&row.account, id));
        let distinct: BTreeSet<Identity> = std::iter::once(own).chain(all).collect();
        distinct.into_iter().collect()
    })
}

/// Returns what is wrong with a row, and whether an earlier version of the fold computed it.
fn of_row(
    row: &LeadRow,
    flows: &Flows,
    owners: &BTreeMap<Identity, LeadId>,
) -> (Vec<Finding>, bool) {
    let finding = |kind, what: String| Finding {
        lead_id: row.lead_id.clone(),
        kind,
        what,
    };
    let lead = match &row.lead {
        Ok(lead) => lead,
        Err(error) => return (vec![finding(FindingKind::Body, error.clone())], false),
    };
    let mut findings = Vec::new();
    let expected = columns(&row.lead_id, lead);
    let differing: Vec<&str> = expected
        .iter()
        .filter(|(name, value)| !is_same(value, row.found.get(*name).unwrap_or(&Value::Null)))
        .map(|(name, _)| name.as_str())
        .collect();
    if !differing.is_empty() {
        let what = format!("differs from the stored lead: {}", differing.join(", "));
        findings.push(finding(FindingKind::Column, what));
    }
    let mut is_outdated = false;
    match lead.integrity(flows) {
        Ok(None | Some(Integrity::Intact)) => {}
        Ok(Some(Integrity::Outdated { .. })) => is_outdated = true,
        Ok(Some(Integrity::Drifted)) => {
            let what = "the stored conversation is not the fold of its journal".to_owned();
            findings.push(finding(FindingKind::Body, what));
        }
        Err(error) => findings.push(finding(FindingKind::Body, error.to_string())),
    }
    for identity in wanted(row) {
        if let Some(what) = misplaced(&row.lead_id, lead, owners.get(&identity)) {
            findings.push(finding(FindingKind::Identity, format!("{identity} {what}")));
        }
    }
    if !row.has_report {
        findings.push(finding(
            FindingKind::Report,
            "there is no report".to_owned(),
        ));
    } else if !row.report_differs.is_empty() {
        let what = format!("differs from the row: {}", row.report_differs.join(", "));
        findings.push(finding(FindingKind::Report, what));
    }
    (findings, is_outdated)
}

/// Returns what is wrong with the `owner` of one of the lead's identities. Leads that merged into this one
/// keep theirs. A closed lead no longer says which leads had merged into it.
pub(crate) fn misplaced(
    lead_id: &LeadId,
    lead: &Lead,
    owner: Option<&LeadId>,
) -> Option<&'static str> {
    match owner {
        None => Some("is missing"),
        Some(owner) => {
            let is_ours =
                owner == lead_id || lead.merged.contains(owner) || lead.merged_into.is_some();
            (!is_ours).then_some("belongs to another lead")
        }
    }
}

/// Returns what is wrong with a row of `lead_identities`.
fn of_identity(row: &Lookup) -> Option<Finding> {
    let finding = |kind, what: &str| Finding {
        lead_id: row.lead_id.clone(),
        kind,
        what: what.to_owned(),
    };
    match &row.lead {
        None => {
            let what = format!(
                "the row is missing, and its identity {} is there",
                row.identity
            );
            Some(finding(FindingKind::Lead, &what))
        }
        // The pass over the leads names a lead that cannot be read.
        Some((_, None)) => None,
        Some((account, Some(lead))) => {
            let is_theirs = row.identity == Identity::from(&row.lead_id)
                || lead
                    .identities
                    .all()
                    .any(|id| scoped(account, id) == row.identity);
            let what = format!("{} is no identity of the stored lead", row.identity);
            (!is_theirs).then(|| finding(FindingKind::Identity, &what))
        }
    }
}

/// Compares JSON values; PostgreSQL writes some numbers in another form.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64() == other.as_f64()
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let is_there = |(name, value): (&String, &Value)| {
                other.get(name).is_some_and(|other| is_same(value, other))
            };
            one.len() == other.len() && one.iter().all(is_there)
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::flow::{DEFAULT_FLOW, Flow};
    use crate::simulator::Simulator;

    fn flows(document: &str) -> Flows {
        Flows::new(Flow::parse("test", document).unwrap(), Vec::new())
    }

    /// Returns the row of a lead that completed the default flow, and its identities.
    fn row() -> (LeadRow, BTreeMap<Identity, LeadId>) {
        let flows = flows(DEFAULT_FLOW);
        let mut simulator = Simulator::new(&flows);
        let mut lead = None;
        for body in ["Hi", "John Doe", "5000"] {
            let body = body.to_owned();
            simulator
                .send(&leadstream_schemas::Content::Text { body })
                .unwrap();
            lead = Some(simulator.lead());
        }
        let mut lead = lead.unwrap();
        lead.identities.wa_id = Some("15550001".to_owned());
        lead.identities.add("US.1");
        let lead_id = LeadId::from("eu/15550001");
        let owners = ["eu/15550001", "eu/US.1"].map(|id| (Identity::from(id), lead_id.clone()));
        let row = LeadRow {
            account: "eu".into(),
            found: columns(&lead_id, &lead),
            lead: Ok(lead),
            lead_id,
            has_report: true,
            report_differs: Vec::new(),
        };
        (row, owners.into())
    }

    fn kinds(row: &LeadRow, owners: &BTreeMap<Identity, LeadId>) -> Vec<(FindingKind, String)> {
        let (findings, is_outdated) = of_row(row, &flows(DEFAULT_FLOW), owners);
        assert!(!is_outdated);
        findings.into_iter().map(|it| (it.kind, it.what)).collect()
    }

    #[test]
    fn each_column_that_contradicts_the_stored_lead_is_named_and_nothing_else() {
        let (mut row, owners) = row();
        assert_eq!(kinds(&row, &owners), []);
        let names: Vec<String> = row.found.keys().cloned().collect();
        assert_eq!(names.len(), 21);
        for name in names {
            let value = row.found.insert(name.clone(), json!("by hand")).unwrap();
            let what = format!("differs from the stored lead: {name}");
            assert_eq!(kinds(&row, &owners), [(FindingKind::Column, what)]);
            row.found.insert(name, value);
        }
    }

    #[test]
    fn another_conversation_than_the_fold_is_a_finding_and_so_is_an_unreadable_one() {
        let (mut row, owners) = row();
        let other = flows(&DEFAULT_FLOW.replace("100 : 50", "100 : 60"));
        let (findings, _) = of_row(&row, &other, &owners);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].kind, FindingKind::Body);
        row.lead = Err("no bytes".to_owned());
        assert_eq!(
            kinds(&row, &owners),
            [(FindingKind::Body, "no bytes".to_owned())]
        );
    }

    #[test]
    fn identities_and_reports_are_compared() {
        let (mut row, mut owners) = row();
        let us = Identity::from("eu/US.1");
        owners.insert(us.clone(), "eu/4917".into());
        let what = "eu/US.1 belongs to another lead".to_owned();
        assert_eq!(kinds(&row, &owners), [(FindingKind::Identity, what)]);
        row.lead.as_mut().unwrap().merged.push("eu/4917".into());
        assert_eq!(kinds(&row, &owners), []);
        owners.remove(&us);
        let what = "eu/US.1 is missing".to_owned();
        assert_eq!(kinds(&row, &owners), [(FindingKind::Identity, what)]);
        owners.insert(us.clone(), row.lead_id.clone());
        row.report_differs.push("step".to_owned());
        let what = "differs from the row: step".to_owned();
        assert_eq!(kinds(&row, &owners), [(FindingKind::Report, what)]);
        row.has_report = false;
        let what = "there is no report".to_owned();
        assert_eq!(kinds(&row, &owners), [(FindingKind::Report, what)]);

        let lookup = |identity: &str, lead| Lookup {
            identity: identity.into(),
            lead_id: "eu/15550001".into(),
            lead,
        };
        let kind = |it: &Lookup| of_identity(it).map(|it| it.kind);
        assert_eq!(kind(&lookup("eu/US.1", None)), Some(FindingKind::Lead));
        let account = row.account.clone();
        assert_eq!(
            kind(&lookup("eu/US.1", Some((account.clone(), None)))),
            None
        );
        let lead = || Some((account.clone(), row.lead.clone().ok()));
        assert_eq!(kind(&lookup("eu/US.1", lead())), None);
        assert_eq!(kind(&lookup("eu/15550001", lead())), None);
        assert_eq!(
            kind(&lookup("eu/US.2", lead())),
            Some(FindingKind::Identity)
        );
    }

    #[test]
    fn numbers_in_another_form_are_the_same_and_other_values_are_not() {
        let stored = json!({ "a": 1e16, "b": [0.5, { "c": null }] });
        let read = json!({ "a": 10_000_000_000_000_000_u64, "b": [0.50, { "c": null }] });
        assert!(is_same(&stored, &read));
        for other in [
            json!({ "a": 1e15, "b": [0.5, { "c": null }] }),
            json!({ "a": 1e16, "b": [0.5] }),
            json!({ "a": 1e16, "b": [0.5, { "c": false }] }),
            json!({ "a": 1e16, "b": [0.5, { "c": null }], "d": 1 }),
        ] {
            assert!(
                !is_same(&stored, &other) && !is_same(&other, &stored),
                "{other}"
            );
        }
    }

    #[tokio::test]
    async fn a_share_of_the_time_is_waited() {
        let mut pacing = Pacing::new(100);
        let begun = Instant::now();
        pacing.wait().await;
        let whole = begun.elapsed();
        pacing = Pacing::new(25);
        pacing.begun = Instant::now() - Duration::from_millis(20);
        let begun = Instant::now();
        pacing.wait().await;
        assert!(whole < Duration::from_millis(20) && begun.elapsed() >= Duration::from_millis(60));
    }
}
