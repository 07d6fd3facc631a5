//! Runs `leadstream lead erase`: erases a person, and the person's records in CRMs.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, bail};
use leadstream_processor::commanding::{
    Claimed, CommandService, LeadRef, RetainedData, retained_data,
};
use leadstream_processor::lead::Address;
use leadstream_schemas::{Content, LeadId, Timestamp};
use leadstream_sink_crm::tool::{CrmRecords, PersonRecord, RecordState};
use leadstream_sink_crm::{CrmArgs, LedgerEntry, ledger_entries};
use serde::Serialize;
use sqlx::PgPool;

use super::commands::{CommandOptions, CommandReport};
use super::{Named, UNKNOWN};
use crate::terminal::{Style, show};

/// How often the ledger is read while sink-crm reaches the erasure.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Erase {
    #[command(flatten)]
    lead: Named,
    /// Erase, which cannot be undone; without it, only print what would be erased
    #[arg(long, alias = "yes")]
    apply: bool,
    /// Also delete the person's records in HubSpot and Salesforce
    ///
    /// HubSpot deletes a contact for privacy, with all that it associates. Salesforce deletes a record
    /// and keeps it in its recycle bin for 15 days.
    #[arg(long)]
    in_crms: bool,
    #[command(flatten)]
    options: CommandOptions,
    #[command(flatten)]
    crm: CrmArgs,
}

/// What is erased, or would be.
#[derive(Debug, Serialize)]
struct ErasureReport {
    /// Whether anything was changed.
    applied: bool,
    #[serde(flatten)]
    command: Option<CommandReport>,
    /// The lead and those that merged into it; empty if it is erased already.
    lead_ids: Vec<LeadId>,
    retained_data: Vec<RetainedData>,
    /// The lead's rows in the ledger of CRMs.
    crms: Vec<LedgerEntry>,
    /// The records in CRMs; only with --in-crms.
    #[serde(skip_serializing_if = "Option::is_none")]
    crm_records: Option<Vec<PersonRecord>>,
}

impl Erase {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (address, pool) = (self.lead.address()?, self.lead.pool()?);
        let records = self.in_crms.then(|| CrmRecords::open(&self.crm));
        let records = records.transpose()?;
        let commands = self.options.commands(&self.lead, pool.clone()).await?;
        let lead = commands.leads().find(&address).await?;
        if lead.is_none() && records.is_none() && self.options.is_new() {
            bail!(UNKNOWN);
        }
        let lead_ids = lead.as_ref().map(LeadRef::lead_ids).unwrap_or_default();
        let keys = keys(&lead_ids, &address);
        let crms = ledger_entries(&pool, &keys).await;
        let crms = crms.context("the CRM ledger cannot be read")?;
        let mut found = match &records {
            Some(records) => Some(records.find(&keys, &crms).await),
            None => None,
        };
        let mut command = None;
        if self.apply {
            // Before the lead: while that exists, the ledger has the ids of its records.
            if let (Some(records), Some(to_erase)) = (&records, found.take()) {
                found = Some(records.erase(to_erase).await);
            }
            if lead.is_some() || !self.options.is_new() {
                command = Some(self.command(&commands, address).await?);
            }
            if let (Some(records), Some(erased)) = (&records, &mut found) {
                // A change that was under way may have created a record again.
                let is_reached = until_forgotten(&pool, &keys, self.options.wait).await?;
                let again = records.erase(records.find(&keys, &[]).await).await;
                erased.extend(
                    again
                        .into_iter()
                        .filter(|it| it.state != RecordState::Absent),
                );
                if !is_reached {
                    erased.push(not_reached());
                }
            }
        }
        let report = ErasureReport {
            applied: self.apply,
            command,
            lead_ids,
            retained_data: retained_data(&self.options.kafka, Timestamp::now()).await,
            crms,
            crm_records: found,
        };
        if self.lead.json {
            show(&format!("{}\n", serde_json::to_string_pretty(&report)?));
        } else {
            show(&report.text(Style::stdout()));
        }
        report.outcome(self.options.wait)
    }

    async fn command(
        &self,
        commands: &CommandService,
        address: Address,
    ) -> anyhow::Result<CommandReport> {
        let (id, content) = (self.options.id(), Content::Erase { of: None });
        let claimed = commands.claim(address, id.clone(), &content).await?;
        let result = match claimed.context(UNKNOWN)? {
            Claimed::Finished(result) => Some(result),
            Claimed::Pending(command) => {
                commands.submit(&command, Timestamp::now()).await?;
                let wait = self.options.wait;
                commands.wait_for_result(&command, wait).await?
            }
        };
        Ok(CommandReport { id, result })
    }
}

/// Returns the keys of the person's records in CRMs. Those of an erased lead are its number's.
fn keys(lead_ids: &[LeadId], address: &Address) -> Vec<LeadId> {
    if !lead_ids.is_empty() {
        return lead_ids.to_vec();
    }
    address.identities().map(|it| it.as_str().into()).collect()
}

/// Waits until sink-crm has deleted its rows, up to `within`: from then on it writes nothing. Returns
/// false if it has not.
async fn until_forgotten(pool: &PgPool, keys: &[LeadId], within: Duration) -> anyhow::Result<bool> {
    let until = tokio::time::Instant::now() + within;
    loop {
        let rows = ledger_entries(pool, keys).await;
        if rows.context("the CRM ledger cannot be read")?.is_empty() {
            return Ok(true);
        }
        if tokio::time::Instant::now() >= until {
            return Ok(false);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn not_reached() -> PersonRecord {
    PersonRecord {
        crm: "sink-crm".to_owned(),
        record_id: String::new(),
        name: None,
        state: RecordState::Left {
            reason: "it has not reached the erasure yet, and can create records again".to_owned(),
        },
    }
}

impl ErasureReport {
    fn text(&self, style: Style) -> String {
        let mut out = String::new();
        if let Some(command) = &self.command {
            out.push_str(&command.text(style));
        }
        match self.lead_ids.as_slice() {
            [] => out.push_str("no lead has this id; it may be erased already\n"),
            ids => {
                let ids: Vec<&str> = ids.iter().map(LeadId::as_str).collect();
                let verb = if self.applied { "lead" } else { "would erase" };
                let _ = writeln!(out, "{verb}: {}", ids.join(", "));
            }
        }
        out.push_str("\nThese topics hold earlier data of the person:\n");
        for it in &self.retained_data {
            let _ = writeln!(out, "  {}: {}", it.topic, it.retention);
        }
        out.push_str(
            "  Delete the data in backups of PostgreSQL and in other consumers of the topics there.\n",
        );
        match &self.crm_records {
            Some(records) => self.records(records, &mut out),
            None => self.ledger(&mut out),
        }
        out.push_str("  Receivers of the signed webhook get an event of state ERASED.\n");
        if !self.applied {
            out.push_str("\nnothing was erased: add --apply, which cannot be undone\n");
        }
        out
    }

    fn records(&self, records: &[PersonRecord], out: &mut String) {
        out.push_str("\nRecords in CRMs:\n");
        if records.is_empty() {
            out.push_str("  none has a key of this lead; search for its number there\n");
        }
        for record in records {
            let name = record.name.as_deref().unwrap_or("without a name");
            let what = match record.record_id.as_str() {
                "" => record.crm.clone(),
                id => format!("{}: record {id} ({name})", record.crm),
            };
            let state = match &record.state {
                RecordState::Found => "would be deleted",
                RecordState::Deleted if record.crm == "salesforce" => {
                    "deleted; in the recycle bin for 15 days"
                }
                RecordState::Deleted => "deleted",
                RecordState::Absent => "is not there any more",
                RecordState::Left { reason } => reason,
            };
            let _ = writeln!(out, "  {what}: {state}");
        }
    }

    /// Names the records that stay in the CRMs.
    fn ledger(&self, out: &mut String) {
        out.push_str("\nRecords in CRMs, which only --in-crms deletes:\n");
        let known = self.crms.iter().filter(|it| it.crm_record_id.is_some());
        if known.clone().next().is_none() {
            out.push_str("  none is known; search for the lead's number there\n");
        }
        for entry in known {
            let id = entry.crm_record_id.as_deref().unwrap_or_default();
            let _ = writeln!(out, "  {}: record {id}", entry.crm);
        }
    }

    /// Returns an error if anything of an erasure is left.
    fn outcome(&self, wait: Duration) -> anyhow::Result<()> {
        if let Some(command) = &self.command {
            command.outcome(wait)?;
        }
        let records = self.crm_records.iter().flatten();
        let left = records.filter(|it| it.is_left()).count();
        if self.applied && left > 0 {
            bail!("{left} of the records in CRMs may be left: run this again");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use leadstream_sink_crm::LedgerState;

    use super::*;

    fn report(applied: bool, crm_records: Option<Vec<PersonRecord>>) -> ErasureReport {
        let entry = |crm: &str, crm_record_id: Option<&str>| LedgerEntry {
            crm: crm.into(),
            lead_id: "4917".into(),
            state: LedgerState::Synced,
            desired_revision: 3,
            synced_revision: 3,
            crm_record_id: crm_record_id.map(str::to_owned),
            is_filtered: false,
            attempts: 0,
            last_error: None,
            updated_at: chrono::Utc::now(),
        };
        ErasureReport {
            applied,
            command: None,
            lead_ids: vec!["4917".into(), "US.1".into()],
            retained_data: vec![RetainedData {
                topic: "lead.inputs".into(),
                until: None,
                retention: "until 2027-12-08".into(),
            }],
            crms: vec![entry("hubspot", Some("501")), entry("webhook", None)],
            crm_records,
        }
    }

    fn record(crm: &str, record_id: &str, state: RecordState) -> PersonRecord {
        PersonRecord {
            crm: crm.into(),
            record_id: record_id.into(),
            name: (crm == "hubspot").then(|| "Ada Byron".to_owned()),
            state,
        }
    }

    #[test]
    fn a_dry_run_names_what_would_be_erased_and_succeeds() {
        let records = vec![record("hubspot", "501", RecordState::Found)];
        let report = report(false, Some(records));
        let text = report.text(Style::PLAIN);
        for expected in [
            "would erase: 4917, US.1",
            "lead.inputs: until 2027-12-08",
            "hubspot: record 501 (Ada Byron): would be deleted",
            "nothing was erased: add --apply",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(report.outcome(Duration::ZERO).is_ok());
    }

    #[test]
    fn an_erasure_says_what_came_of_each_record_and_fails_if_one_is_left() {
        let left = RecordState::Left {
            reason: "HubSpot did not answer".into(),
        };
        let done = vec![
            record("hubspot", "501", RecordState::Deleted),
            record("salesforce", "00Q1", RecordState::Deleted),
            record("salesforce", "00Q2", RecordState::Absent),
        ];
        let complete = report(true, Some(done.clone()));
        let text = complete.text(Style::PLAIN);
        for expected in [
            "record 501 (Ada Byron): deleted\n",
            "record 00Q1 (without a name): deleted; in the recycle bin for 15 days",
            "record 00Q2 (without a name): is not there any more",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(complete.outcome(Duration::ZERO).is_ok());
        let mut some = done;
        some.push(record("hubspot", "502", left));
        some.push(not_reached());
        let partial = report(true, Some(some));
        assert!(
            partial
                .text(Style::PLAIN)
                .contains("HubSpot did not answer")
        );
        let error = partial.outcome(Duration::ZERO).unwrap_err().to_string();
        assert!(
            error.contains("2 of the records in CRMs may be left"),
            "{error}"
        );
    }

    #[test]
    fn without_in_crms_the_known_records_are_listed() {
        let text = report(true, None).text(Style::PLAIN);
        assert!(text.contains("hubspot: record 501\n"), "{text}");
        assert!(!text.contains("webhook: record"), "{text}");
    }

    #[test]
    fn an_erased_lead_has_the_keys_of_its_number() {
        let address = Address::of(&"eu".into(), "+55 11 98765-0001", None).unwrap();
        let both: Vec<LeadId> = vec!["eu/5511987650001".into(), "eu/551187650001".into()];
        assert_eq!(keys(&[], &address), both);
        assert_eq!(keys(&["US.1".into()], &address), ["US.1"]);
    }
}
