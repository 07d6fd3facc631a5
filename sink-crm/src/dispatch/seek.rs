//! Searches for existing sales records before a CRM gets leads for the first time. Records that
//! match are adopted, so that each lead has one record.

use std::collections::BTreeMap;

use chrono::Utc;
use leadstream_schemas::LeadEvent;

use super::Shared;
use super::batch::Fate;
use super::held::Held;
use crate::crm::{Adoption, Class, Crm, Failure, Outcome, Verdict};
use crate::ledger::{Claimed, Matched};
use crate::matching::{Found, Newcomer, assign};
use crate::number::Number;

/// The result of the search for a batch's newcomers.
#[derive(Debug, Default)]
pub(super) struct Sought {
    pub(super) requests: u32,
    /// The search's result by row.
    pub(super) matched: BTreeMap<usize, Matched>,
    /// Outcomes of the rows that end with the search.
    pub(super) fates: BTreeMap<usize, Fate>,
    /// Rows for which the search failed, and the failure.
    pub(super) failure: Option<(Vec<usize>, Failure)>,
}

type Part = Vec<(usize, Newcomer)>;

/// The reason why the search did not complete.
#[derive(Debug)]
enum Ended {
    /// A request failed.
    Failed(Failure),
    /// No further request may go out, or this worker no longer owns the rows.
    Interrupted,
}

impl From<Failure> for Ended {
    /// Converts a failure of a request for which no lead is at fault.
    fn from(failure: Failure) -> Self {
        Self::Failed(match failure.class {
            Class::Split(_) | Class::Auth => Failure {
                class: Class::Halt,
                ..failure
            },
            _ => failure,
        })
    }
}

impl<C: Crm> Shared<C> {
    /// Searches for records for the rows that have no outcome yet and that the CRM does not have
    /// yet.
    pub(super) async fn seek(
        &self,
        rows: &[Claimed],
        events: &[Result<LeadEvent, String>],
        fates: &[Option<Fate>],
        held: &mut Held,
    ) -> Sought {
        let mut sought = Sought::default();
        let Some(several) = self.lane.crm.matches() else {
            return sought;
        };
        let mut newcomers: Part = (0..rows.len())
            .filter(|row| fates[*row].is_none() && rows[*row].unmatched)
            .filter_map(|row| {
                let data = &events[row].as_ref().ok()?.data;
                let number = Number::new(data.wa_id.as_deref()?)?;
                let lead_id = data.lead_id.clone();
                Some((row, Newcomer { lead_id, number }))
            })
            .collect();
        while !newcomers.is_empty() {
            let rest = newcomers.split_off(newcomers.len().min(C::LOOKUP));
            let part = std::mem::replace(&mut newcomers, rest);
            let found = self.find(&part, rows, several, held, &mut sought).await;
            if let Err(ended) = found {
                let open: Vec<usize> = part
                    .into_iter()
                    .chain(newcomers)
                    .map(|(row, _)| row)
                    .filter(|row| !sought.fates.contains_key(row))
                    .collect();
                match ended {
                    Ended::Failed(failure) => sought.failure = Some((open, failure)),
                    Ended::Interrupted => sought
                        .fates
                        .extend(open.into_iter().map(|row| (row, Fate::Release))),
                }
                break;
            }
        }
        sought
    }

    /// Brings a part of the newcomers to what was found for each.
    async fn find(
        &self,
        part: &Part,
        rows: &[Claimed],
        several: crate::mapping::Several,
        held: &mut Held,
        sought: &mut Sought,
    ) -> Result<(), Ended> {
        self.await_turn(part, rows, held, sought).await?;
        let newcomers: Vec<Newcomer> = part.iter().map(|(_, newcomer)| newcomer.clone()).collect();
        let candidates = match self.lane.crm.candidates(&newcomers).await {
            Err(failure) if failure.class == Class::Auth => {
                self.lane.crm.candidates(&newcomers).await
            }
            outcome => outcome,
        }?;
        let mut records = Vec::new();
        for ((row, newcomer), found) in part.iter().zip(assign(&newcomers, &candidates, several)) {
            match found {
                Found::Nothing => {
                    sought.matched.insert(*row, Matched::None);
                }
                Found::Several(number) => {
                    let reason = format!(
                        "{number} records have the lead's number: merge them, or write the lead id into one, then `leadstream crm retry` (several_matches: park)"
                    );
                    sought.fates.insert(*row, Fate::Park(reason));
                }
                Found::Record(id) => records.push((*row, newcomer.lead_id.as_str(), id)),
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        self.await_turn(part, rows, held, sought).await?;
        let adoptions: Vec<Adoption<'_>> = records
            .iter()
            .map(|(_, lead_id, record_id)| Adoption { record_id, lead_id })
            .collect();
        let verdict = match self.adopt(&adoptions).await {
            Err(Failure {
                class: Class::Split(_),
                ..
            }) if adoptions.len() > 1 => self.adopt_singly(&adoptions, sought).await,
            // Writing a key again changes nothing.
            Ok(outcomes) if adoptions.len() > 1 && outcomes.iter().any(is_split) => {
                self.adopt_singly(&adoptions, sought).await
            }
            verdict => verdict,
        };
        let outcomes = match verdict {
            // Another record already has the key: the lead has a record.
            Err(Failure {
                class: Class::Split(_),
                ..
            }) => vec![Outcome::RetryOnce(String::new()); records.len()],
            verdict => verdict?,
        };
        for ((row, _, _), outcome) in records.iter().zip(outcomes) {
            match taken_over(outcome) {
                Ok(matched) => {
                    if matched == Matched::Adopted {
                        self.lane.metrics.adopted.increment(1);
                    }
                    sought.matched.insert(*row, matched);
                }
                Err(fate) => {
                    sought.fates.insert(*row, fate);
                }
            }
        }
        Ok(())
    }

    async fn adopt(&self, adoptions: &[Adoption<'_>]) -> Verdict {
        let mut reply = self.lane.crm.adopt(adoptions).await;
        self.note(reply.quota);
        if matches!(&reply.verdict, Err(failure) if failure.class == Class::Auth) {
            reply = self.lane.crm.adopt(adoptions).await;
            self.note(reply.quota);
        }
        reply.verdict
    }

    async fn adopt_singly(&self, adoptions: &[Adoption<'_>], sought: &mut Sought) -> Verdict {
        let mut outcomes = Vec::new();
        for adoption in adoptions {
            self.await_place().await;
            sought.requests += 1;
            match self.adopt(&[*adoption]).await {
                Ok(outcome) => outcomes.extend(outcome),
                Err(Failure {
                    class: Class::Split(_),
                    ..
                }) => outcomes.push(Outcome::RetryOnce(String::new())),
                Err(failure) => return Err(failure),
            }
        }
        Ok(outcomes)
    }

    /// Waits for the rate limiter, and ensures that the lease outlasts the request.
    async fn await_turn(
        &self,
        part: &Part,
        rows: &[Claimed],
        held: &mut Held,
        sought: &mut Sought,
    ) -> Result<(), Ended> {
        // The rate limiter admitted the first request with the rows.
        if sought.requests > 0 {
            self.await_place().await;
        }
        sought.requests += 1;
        if self.ends() {
            return Err(Ended::Interrupted);
        }
        let part: Vec<usize> = part.iter().map(|(row, _)| *row).collect();
        let ours = self.outlast(part.clone(), rows, held, Utc::now()).await;
        match ours {
            Some(ours) if ours.len() == part.len() => Ok(()),
            _ => Err(Ended::Interrupted),
        }
    }
}

const fn is_split(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Split(_))
}

/// What an outcome of writing the key says of the record.
fn taken_over(outcome: Outcome) -> Result<Matched, Fate> {
    match outcome {
        Outcome::Done { .. } | Outcome::Stale => Ok(Matched::Adopted),
        // Another record already has the key: the lead has a record.
        Outcome::RetryOnce(_) => Ok(Matched::None),
        Outcome::Retry(reason) | Outcome::Halt(reason) => Err(Fate::Retry(reason)),
        Outcome::Split(reason) => Err(Fate::RetryFew(reason)),
        Outcome::DeadLetter(reason) | Outcome::Park(reason) => Err(Fate::Park(format!(
            "the record that sales has was not taken over: {reason}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, Ended, Failure, Fate, Matched, Outcome, taken_over};
    use crate::crm::Alone;

    #[test]
    fn a_record_that_cannot_be_taken_over_keeps_its_lead_back_and_one_with_a_key_does_not() {
        let done = Outcome::Done { record_id: None };
        assert_eq!(taken_over(done), Ok(Matched::Adopted));
        let known = Outcome::RetryOnce("DUPLICATE_VALUE".into());
        assert_eq!(taken_over(known), Ok(Matched::None));
        let locked = Outcome::Retry("UNABLE_TO_LOCK_ROW".into());
        assert!(matches!(taken_over(locked), Err(Fate::Retry(_))));
        let converted = Outcome::Park("CANNOT_UPDATE_CONVERTED_LEAD".into());
        assert!(matches!(taken_over(converted), Err(Fate::Park(_))));
    }

    #[test]
    fn a_search_that_is_refused_is_no_lead_s_fault() {
        let class = |class| match Ended::from(Failure::new(class, "")) {
            Ended::Failed(failure) => failure.class,
            Ended::Interrupted => panic!("it failed"),
        };
        assert_eq!(class(Class::Split(Alone::DeadLetter)), Class::Halt);
        assert_eq!(class(Class::Auth), Class::Halt);
        assert_eq!(class(Class::Retry), Class::Retry);
        assert_eq!(class(Class::Throttle), Class::Throttle);
    }
}
