//! Applies the mapping's write rules to a batch: reads the records of which a guarded field is about
//! to change, and leaves out what belongs to sales.

use std::collections::BTreeMap;

use leadstream_schemas::{LeadId, Revision};

use super::Shared;
use super::batch_lease::BatchLease;
use super::match_existing::{BatchMatches, Ended};
use crate::crm::{Class, Crm, Failure, Prepared};
use crate::ledger::{Claimed, MatchResult};
use crate::mapping::{Remote, Target, WrittenFields, decide, needs_read};
use crate::outcome::{RecordOutcome, Refusal};

/// A part of Salesforce's code of an error about a field that has to be in every new record.
const REQUIRED: &str = "REQUIRED_FIELD_MISSING";

/// What the write rules decided about a row that is sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Selected {
    /// Whether fields were left out of a record that was not read.
    omitted_unread: bool,
    /// What the ledger remembers once the CRM took the record.
    written: WrittenFields,
}

/// The decisions about a batch.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub(super) requests: u32,
    rows: BTreeMap<usize, Selected>,
    /// Outcomes of the rows that end here.
    pub(super) outcomes: BTreeMap<usize, RecordOutcome>,
    /// Rows whose records could not be read, and the failure.
    pub(super) failure: Option<(Vec<usize>, Failure)>,
}

impl<C: Crm> Shared<C> {
    /// Decides which fields of the rows without an outcome are sent.
    pub(super) async fn apply_write_rules(
        &self,
        rows: &[Claimed],
        prepared: &mut [Result<Prepared, String>],
        outcomes: &[Option<RecordOutcome>],
        matched: &BatchMatches,
        lease: &mut BatchLease,
    ) -> Selection {
        let mut selection = Selection {
            requests: matched.requests,
            ..Selection::default()
        };
        let (Some(target), None) = (self.parts.crm.target(), &matched.failure) else {
            return selection;
        };
        let mut to_read = Vec::new();
        for (position, (row, lead)) in rows.iter().zip(prepared.iter_mut()).enumerate() {
            let (None, Ok(lead)) = (&outcomes[position], lead) else {
                continue;
            };
            let adopted = is_adopted(row, matched, position);
            if may_exist(row, adopted)
                && needs_read(
                    target,
                    &lead.guarded,
                    &row.written_fields,
                    row.synced_hash.is_some(),
                )
            {
                to_read.push(position);
            } else {
                let (selected, kept) = select(target, row, lead, Remote::Unread, adopted);
                self.leave_out(lead, &kept);
                selection.rows.insert(position, selected);
            }
        }
        while !to_read.is_empty() && selection.failure.is_none() {
            let rest = to_read.split_off(to_read.len().min(C::READ));
            let part = std::mem::replace(&mut to_read, rest);
            let lead_ids: Vec<&LeadId> = part.iter().map(|row| &rows[*row].lead_id).collect();
            let records = self
                .read_records(&part, &lead_ids, rows, lease, &mut selection.requests)
                .await;
            let open = || part.iter().chain(&to_read).copied();
            match records {
                Ok(records) => {
                    for position in part {
                        let (row, Ok(lead)) = (&rows[position], &mut prepared[position]) else {
                            continue;
                        };
                        let record = records.get(&row.lead_id);
                        let remote = record.map_or(Remote::Absent, Remote::Record);
                        let adopted = is_adopted(row, matched, position);
                        let (selected, kept) = select(target, row, lead, remote, adopted);
                        self.leave_out(lead, &kept);
                        selection.rows.insert(position, selected);
                    }
                }
                Err(Ended::Failed(failure)) => {
                    selection.failure = Some((open().collect(), failure));
                }
                Err(Ended::Interrupted) => {
                    let released = open().map(|row| (row, RecordOutcome::Released));
                    selection.outcomes.extend(released);
                    break;
                }
            }
        }
        selection
    }

    fn leave_out(&self, lead: &mut Prepared, fields: &[String]) {
        if !fields.is_empty() {
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            *lead = self.parts.crm.leave_out(lead, &fields);
        }
    }

    async fn read_records(
        &self,
        part: &[usize],
        lead_ids: &[&LeadId],
        rows: &[Claimed],
        lease: &mut BatchLease,
        requests: &mut u32,
    ) -> Result<BTreeMap<LeadId, crate::compare::RemoteRecord>, Ended> {
        self.begin_request(part.to_vec(), rows, lease, requests)
            .await?;
        let (records, quota) = match self.parts.crm.read(lead_ids).await {
            Err(failure) if failure.class == Class::Auth => self.parts.crm.read(lead_ids).await,
            outcome => outcome,
        }?;
        self.update_quota(quota);
        Ok(records)
    }
}

fn is_adopted(row: &Claimed, matched: &BatchMatches, position: usize) -> bool {
    row.adopted || matched.results.get(&position) == Some(&MatchResult::Adopted)
}

/// Returns whether the CRM may have the record already: a lead that was never sent is new there, unless
/// this ledger missed its first revision.
fn may_exist(row: &Claimed, adopted: bool) -> bool {
    adopted || row.attempted || row.revision > Revision(1)
}

/// Returns the decision about `lead`, and the fields that the rules keep.
fn select(
    target: &Target,
    row: &Claimed,
    lead: &Prepared,
    remote: Remote<'_>,
    adopted: bool,
) -> (Selected, Vec<String>) {
    let decided = decide(target, &lead.guarded, remote, &row.written_fields, adopted);
    let selected = Selected {
        omitted_unread: matches!(remote, Remote::Unread) && !decided.omitted.is_empty(),
        written: decided.written.at(row.revision),
    };
    (selected, decided.omitted)
}

impl Selection {
    /// Sends a record again of which fields were left out that it turned out to lack: the CRM has made
    /// another record of it. The next attempt reads it first.
    pub(super) fn retry_recreated(&mut self, rows: &[Claimed], outcomes: &mut [RecordOutcome]) {
        for (position, selected) in &mut self.rows {
            let (row, outcome) = (&rows[*position], &mut outcomes[*position]);
            if selected.omitted_unread && is_recreated(row, outcome) {
                let reason =
                    "the CRM made another record of the lead; its fields are written again";
                *outcome = RecordOutcome::Retry(reason.to_owned());
                selected.written = WrittenFields::default();
            }
        }
    }

    /// Returns what the ledger remembers of a row from now on; `None` for no change. A field that the
    /// CRM refused was not written.
    pub(super) fn written_fields(
        &self,
        row: usize,
        outcome: &RecordOutcome,
        refusals: &[Refusal],
    ) -> Option<Vec<u8>> {
        let selected = self.rows.get(&row)?;
        let is_forgotten = selected.omitted_unread && selected.written == WrittenFields::default();
        let is_taken = matches!(
            outcome,
            RecordOutcome::Synced { .. } | RecordOutcome::Recreated { .. }
        );
        (is_taken || is_forgotten).then(|| {
            let refused = refusals.iter().map(|it| it.field.as_str());
            selected.written.without(refused).to_bytes()
        })
    }
}

fn is_recreated(row: &Claimed, outcome: &RecordOutcome) -> bool {
    match outcome {
        RecordOutcome::Synced { crm_record_id } => {
            let known = row.crm_record_id.as_ref().zip(crm_record_id.as_ref());
            known.is_some_and(|(before, now)| before != now)
        }
        RecordOutcome::DeadLetter(reason)
        | RecordOutcome::Parked(reason)
        | RecordOutcome::Refused { reason, .. } => reason.contains(REQUIRED),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
