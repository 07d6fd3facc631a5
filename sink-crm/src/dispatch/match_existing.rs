//! Matches leads with existing records before a CRM gets them for the first time, and when their record
//! is gone. A record that matches is adopted, so that each lead has one record.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::Utc;
use leadstream_schemas::{LeadEvent, LeadId};

use super::Shared;
use super::batch_lease::BatchLease;
use crate::crm::{Adoption, BatchResult, Class, Crm, Failure, Known, Prepared};
use crate::ledger::{Claimed, MatchResult};
use crate::mapping::OnMultipleMatches;
use crate::matching::{Match, UnmatchedLead, assign};
use crate::number::Number;
use crate::outcome::RecordOutcome;

/// The results of the search for the unmatched leads of a batch.
#[derive(Debug, Default)]
pub(super) struct BatchMatches {
    pub(super) requests: u32,
    /// The result of the search by row.
    pub(super) results: BTreeMap<usize, MatchResult>,
    /// The records that rows are written to by the CRM's own id.
    pub(super) records: BTreeMap<usize, String>,
    /// Outcomes of the rows that end with the search.
    pub(super) outcomes: BTreeMap<usize, RecordOutcome>,
    /// Rows for which the search failed, and the failure.
    pub(super) failure: Option<(Vec<usize>, Failure)>,
    /// The longest pause that the CRM asked for.
    pub(super) after: Option<Duration>,
}

type Part = Vec<(usize, UnmatchedLead)>;

/// The reason why the search did not complete.
#[derive(Debug)]
pub(super) enum Ended {
    /// A request failed.
    Failed(Failure),
    /// No further request may go out, or the rows are no longer leased.
    Interrupted,
}

impl From<Failure> for Ended {
    /// Converts a failure of a request for which no lead is at fault.
    fn from(failure: Failure) -> Self {
        Self::Failed(match failure.class {
            Class::Auth => Failure {
                class: Class::Halt,
                ..failure
            },
            _ => failure.without_records(),
        })
    }
}

impl<C: Crm> Shared<C> {
    /// Searches for records of the rows that have no outcome yet, and that the CRM does not have: yet, or
    /// any more.
    pub(super) async fn match_existing(
        &self,
        rows: &[Claimed],
        events: &[Result<LeadEvent, String>],
        prepared: &[Result<Prepared, String>],
        outcomes: &[Option<RecordOutcome>],
        lease: &mut BatchLease,
    ) -> BatchMatches {
        let mut matches = BatchMatches::default();
        let Some(on_multiple) = self.parts.crm.on_multiple_matches() else {
            return matches;
        };
        let lost = self.follow_known(rows, outcomes, lease, &mut matches).await;
        let mut unmatched: Part = (0..rows.len())
            .filter(|row| outcomes[*row].is_none())
            .filter(|row| rows[*row].unmatched || lost.contains(row))
            .filter_map(|row| {
                let data = &events[row].as_ref().ok()?.data;
                let number = data.wa_id.as_deref().and_then(Number::new);
                let email = self.parts.crm.email(prepared[row].as_ref().ok()?);
                let lead = UnmatchedLead {
                    lead_id: data.lead_id.clone(),
                    number,
                    email: email.map(str::to_owned),
                };
                (lead.number.is_some() || lead.email.is_some()).then_some((row, lead))
            })
            .collect();
        if matches.failure.is_some() {
            unmatched.clear();
        }
        while !unmatched.is_empty() {
            let rest = unmatched.split_off(unmatched.len().min(C::LOOKUP));
            let part = std::mem::replace(&mut unmatched, rest);
            let found = self
                .match_part(&part, rows, on_multiple, lease, &mut matches)
                .await;
            if let Err(ended) = found {
                let open: Vec<usize> = part
                    .into_iter()
                    .chain(unmatched)
                    .map(|(row, _)| row)
                    .filter(|row| !matches.outcomes.contains_key(row))
                    .collect();
                match ended {
                    Ended::Failed(failure) => matches.failure = Some((open, failure)),
                    Ended::Interrupted => matches
                        .outcomes
                        .extend(open.into_iter().map(|row| (row, RecordOutcome::Released))),
                }
                break;
            }
        }
        matches
    }

    /// Matches a part of the leads, and adopts the records that were found.
    async fn match_part(
        &self,
        part: &Part,
        rows: &[Claimed],
        on_multiple: OnMultipleMatches,
        lease: &mut BatchLease,
        matches: &mut BatchMatches,
    ) -> Result<(), Ended> {
        let positions = || part.iter().map(|(row, _)| *row).collect();
        self.begin_request(positions(), rows, lease, &mut matches.requests)
            .await?;
        let leads: Vec<UnmatchedLead> = part.iter().map(|(_, lead)| lead.clone()).collect();
        let candidates = match self.parts.crm.find_candidates(&leads).await {
            Err(failure) if failure.class == Class::Auth => {
                self.parts.crm.find_candidates(&leads).await
            }
            outcome => outcome,
        }?;
        let mut records = Vec::new();
        for ((row, lead), found) in part.iter().zip(assign(&leads, &candidates, on_multiple)) {
            match found {
                Match::None => {
                    matches.results.insert(*row, MatchResult::None);
                }
                Match::Multiple { records, by } => {
                    let reason = format!(
                        "{records} records have the lead's {by}: merge them, or write the lead id into one, then `leadstream crm retry --apply` (several_matches: park)"
                    );
                    tracing::info!(
                        crm = C::NAME.as_str(),
                        records,
                        by,
                        "a lead is parked: several records match"
                    );
                    matches.outcomes.insert(*row, RecordOutcome::Parked(reason));
                }
                Match::Record(id) if self.parts.crm.writes_by_id(&id) => {
                    matches.results.insert(*row, MatchResult::Adopted);
                    matches.records.insert(*row, id);
                    self.parts.metrics.adopted.increment(1);
                }
                Match::Record(id) => records.push((*row, &lead.lead_id, id)),
            }
        }
        let positions: Vec<usize> = part.iter().map(|(row, _)| *row).collect();
        self.adopt_all(&positions, &records, rows, lease, matches)
            .await
    }

    /// Writes the keys of leads into records, which are theirs then.
    async fn adopt_all(
        &self,
        part: &[usize],
        records: &[(usize, &LeadId, String)],
        rows: &[Claimed],
        lease: &mut BatchLease,
        matches: &mut BatchMatches,
    ) -> Result<(), Ended> {
        if records.is_empty() {
            return Ok(());
        }
        self.begin_request(part.to_vec(), rows, lease, &mut matches.requests)
            .await?;
        let adoptions: Vec<Adoption<'_>> = records
            .iter()
            .map(|(_, lead_id, record_id)| Adoption { record_id, lead_id })
            .collect();
        let mut result = self.adopt(&adoptions, matches).await;
        if adoptions.len() > 1 && is_split(&result) {
            // Writing a key twice changes nothing.
            result = self.adopt_singly(&adoptions, matches).await;
        }
        let outcomes = result?;
        for ((row, _, _), outcome) in records.iter().zip(outcomes) {
            match adoption_result(outcome) {
                Ok(matched) => {
                    if matched == MatchResult::Adopted {
                        self.parts.metrics.adopted.increment(1);
                    }
                    matches.results.insert(*row, matched);
                }
                Err(outcome) => {
                    matches.outcomes.insert(*row, outcome);
                }
            }
        }
        Ok(())
    }

    /// Looks whether the records of known leads still have their keys. A survivor without a key becomes
    /// the lead's. Returns the rows whose records are gone.
    async fn follow_known(
        &self,
        rows: &[Claimed],
        outcomes: &[Option<RecordOutcome>],
        lease: &mut BatchLease,
        matches: &mut BatchMatches,
    ) -> BTreeSet<usize> {
        let mut gone = BTreeSet::new();
        let mut known: Vec<usize> = (0..rows.len())
            .filter(|row| outcomes[*row].is_none())
            .filter(|row| {
                let record = rows[*row].crm_record_id.as_deref();
                record.is_some_and(|id| !self.parts.crm.writes_by_id(id))
            })
            .collect();
        while !known.is_empty() {
            let rest = known.split_off(known.len().min(C::READ));
            let part = std::mem::replace(&mut known, rest);
            let followed = self
                .follow_part(&part, rows, lease, matches, &mut gone)
                .await;
            let Err(ended) = followed else {
                continue;
            };
            let open = part.into_iter().chain(known);
            let open: Vec<usize> = open
                .filter(|row| !matches.outcomes.contains_key(row))
                .collect();
            match ended {
                Ended::Failed(failure) => matches.failure = Some((open, failure)),
                Ended::Interrupted => {
                    let released = open.into_iter().map(|row| (row, RecordOutcome::Released));
                    matches.outcomes.extend(released);
                }
            }
            break;
        }
        gone
    }

    async fn follow_part(
        &self,
        part: &[usize],
        rows: &[Claimed],
        lease: &mut BatchLease,
        matches: &mut BatchMatches,
        gone: &mut BTreeSet<usize>,
    ) -> Result<(), Ended> {
        self.begin_request(part.to_vec(), rows, lease, &mut matches.requests)
            .await?;
        let known: Vec<Known<'_>> = part
            .iter()
            .filter_map(|row| {
                Some(Known {
                    lead_id: &rows[*row].lead_id,
                    record_id: rows[*row].crm_record_id.as_deref()?,
                })
            })
            .collect();
        let lost = match self.parts.crm.find_lost(&known).await {
            Err(failure) if failure.class == Class::Auth => self.parts.crm.find_lost(&known).await,
            outcome => outcome,
        }?;
        let mut records = Vec::new();
        for lost in &lost {
            let Some(row) = part.iter().find(|row| rows[**row].lead_id == lost.lead_id) else {
                continue;
            };
            match &lost.survivor {
                None => {
                    gone.insert(*row);
                }
                Some(survivor) if survivor.key.is_none() => {
                    records.push((*row, &lost.lead_id, survivor.id.clone()));
                }
                Some(_) => {
                    let reason = "sales merged the lead's record into that of another lead: `leadstream lead merge` joins the leads, or write the lead id into another record, then `leadstream crm retry --apply`";
                    let parked = RecordOutcome::Parked(reason.to_owned());
                    matches.outcomes.insert(*row, parked);
                }
            }
        }
        let leads: Vec<usize> = records.iter().map(|(row, _, _)| *row).collect();
        self.adopt_all(&leads, &records, rows, lease, matches).await
    }

    async fn adopt(&self, adoptions: &[Adoption<'_>], matches: &mut BatchMatches) -> BatchResult {
        let mut response = self.parts.crm.adopt(adoptions).await;
        self.update_quota(response.quota);
        matches.after = matches.after.max(response.after);
        if matches!(&response.result, Err(failure) if failure.class == Class::Auth) {
            response = self.parts.crm.adopt(adoptions).await;
            self.update_quota(response.quota);
            matches.after = matches.after.max(response.after);
        }
        match response.result {
            // Another record already has the key: the lead has a record.
            Err(failure) if adoptions.len() == 1 && matches!(failure.class, Class::Split(_)) => {
                Ok(vec![RecordOutcome::RetryOnce(failure.reason)])
            }
            result => result,
        }
    }

    async fn adopt_singly(
        &self,
        adoptions: &[Adoption<'_>],
        matches: &mut BatchMatches,
    ) -> BatchResult {
        let mut outcomes = Vec::new();
        for adoption in adoptions {
            self.acquire_slot().await;
            matches.requests += 1;
            outcomes.extend(self.adopt(&[*adoption], matches).await?);
        }
        Ok(outcomes)
    }

    /// Waits for the rate limiter, and ensures that the lease covers the request.
    pub(super) async fn begin_request(
        &self,
        part: Vec<usize>,
        rows: &[Claimed],
        lease: &mut BatchLease,
        requests: &mut u32,
    ) -> Result<(), Ended> {
        // The rate limiter admitted the first request with the rows.
        if *requests > 0 {
            self.acquire_slot().await;
        }
        *requests += 1;
        if self.is_stopping() {
            return Err(Ended::Interrupted);
        }
        let owned = self
            .extend_lease(part.clone(), rows, lease, Utc::now())
            .await;
        match owned {
            Some(owned) if owned.len() == part.len() => Ok(()),
            _ => Err(Ended::Interrupted),
        }
    }
}

/// Returns whether a smaller request may succeed for some of the records.
fn is_split(result: &BatchResult) -> bool {
    match result {
        Ok(outcomes) => outcomes
            .iter()
            .any(|outcome| matches!(outcome, RecordOutcome::Split(_))),
        Err(failure) => matches!(failure.class, Class::Split(_)),
    }
}

/// Returns the result of the search from the outcome of writing the key. An error is the outcome of
/// the lead.
fn adoption_result(outcome: RecordOutcome) -> Result<MatchResult, RecordOutcome> {
    match outcome {
        RecordOutcome::Synced { .. } | RecordOutcome::Stale => Ok(MatchResult::Adopted),
        // Another record already has the key: the lead has a record.
        RecordOutcome::RetryOnce(_) => Ok(MatchResult::None),
        RecordOutcome::Halt(reason) | RecordOutcome::Throttle(reason) => {
            Err(RecordOutcome::Retry(reason))
        }
        RecordOutcome::DeadLetter(reason)
        | RecordOutcome::Parked(reason)
        | RecordOutcome::Refused { reason, .. } => {
            let reason = format!("the existing record was not adopted: {reason}");
            Err(RecordOutcome::Parked(reason))
        }
        other => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, Ended, Failure, MatchResult, RecordOutcome, adoption_result};
    use crate::crm::SingleFailure;

    #[test]
    fn a_record_that_cannot_be_adopted_blocks_its_lead_and_one_with_a_key_does_not() {
        let done = RecordOutcome::Synced {
            crm_record_id: None,
        };
        assert_eq!(adoption_result(done), Ok(MatchResult::Adopted));
        let known = RecordOutcome::RetryOnce("DUPLICATE_VALUE".into());
        assert_eq!(adoption_result(known), Ok(MatchResult::None));
        let locked = RecordOutcome::Retry("UNABLE_TO_LOCK_ROW".into());
        assert!(matches!(
            adoption_result(locked),
            Err(RecordOutcome::Retry(_))
        ));
        let throttled = RecordOutcome::Throttle("REQUEST_LIMIT_EXCEEDED".into());
        assert!(matches!(
            adoption_result(throttled),
            Err(RecordOutcome::Retry(_))
        ));
        let refused = RecordOutcome::Refused {
            reason: "REQUIRED_FIELD_MISSING".into(),
            refusals: Vec::new(),
        };
        assert!(matches!(
            adoption_result(refused),
            Err(RecordOutcome::Parked(_))
        ));
        let converted = RecordOutcome::Parked("CANNOT_UPDATE_CONVERTED_LEAD".into());
        assert!(matches!(
            adoption_result(converted),
            Err(RecordOutcome::Parked(_))
        ));
    }

    #[test]
    fn a_search_that_is_refused_is_no_lead_s_fault() {
        let class = |class| match Ended::from(Failure::new(class, "")) {
            Ended::Failed(failure) => failure.class,
            Ended::Interrupted => panic!("it failed"),
        };
        assert_eq!(
            class(Class::Split(SingleFailure::RecordAtFault)),
            Class::Halt
        );
        assert_eq!(class(Class::Auth), Class::Halt);
        assert_eq!(class(Class::Retry), Class::Retry);
        assert_eq!(class(Class::Throttle), Class::Throttle);
    }
}
