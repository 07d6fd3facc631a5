//! Matches leads with existing records before a CRM gets them for the first time. A record that
//! matches is adopted, so that each lead has one record.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::Utc;
use leadstream_schemas::LeadEvent;

use super::Shared;
use super::batch_lease::BatchLease;
use crate::crm::{Adoption, BatchResult, Class, Crm, Failure};
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
    /// Searches for records of the rows that have no outcome yet, and that the CRM does not have yet.
    pub(super) async fn match_existing(
        &self,
        rows: &[Claimed],
        events: &[Result<LeadEvent, String>],
        outcomes: &[Option<RecordOutcome>],
        lease: &mut BatchLease,
    ) -> BatchMatches {
        let mut matches = BatchMatches::default();
        let Some(on_multiple) = self.parts.crm.on_multiple_matches() else {
            return matches;
        };
        let mut unmatched: Part = (0..rows.len())
            .filter(|row| outcomes[*row].is_none() && rows[*row].unmatched)
            .filter_map(|row| {
                let data = &events[row].as_ref().ok()?.data;
                let number = Number::new(data.wa_id.as_deref()?)?;
                let lead_id = data.lead_id.clone();
                Some((row, UnmatchedLead { lead_id, number }))
            })
            .collect();
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
                Match::Multiple(number) => {
                    let reason = format!(
                        "{number} records have the lead's number: merge them, or write the lead id into one, then `leadstream crm retry` (several_matches: park)"
                    );
                    matches.outcomes.insert(*row, RecordOutcome::Parked(reason));
                }
                Match::Record(id) => records.push((*row, &lead.lead_id, id)),
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        self.begin_request(positions(), rows, lease, &mut matches.requests)
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
