//! Brings a batch of leased rows to outcomes, request by request. Pure. Each row ends with exactly
//! one outcome, whatever the CRM answers.

use std::time::Duration;

use super::size::Sizes;
use crate::crm::{Alone, Class, Failure, Outcome, Verdict};

/// The number of single records that fail in the same way, with none that passes, after which the
/// organisation is at fault.
const SUSPECTS: usize = 5;

/// The outcome of a row of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Done {
        record_id: Option<String>,
    },
    Stale,
    /// Try the same again, later.
    Retry(String),
    /// Try the same again unless it was tried before.
    RetryOnce(String),
    /// Try the same again a few times, then park it.
    RetryFew(String),
    Park(String),
    DeadLetter(String),
    /// Not attempted, or refused through no fault of the row: the CRM's record did not change.
    Release,
    /// The CRM holds an equal payload: no request is made.
    Equal,
    /// The CRM shall not have this lead.
    Filtered,
}

/// The reason why the lane takes no more rows for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) kind: StopKind,
    pub(super) reason: String,
    /// The pause that the CRM asks for before the next request.
    pub(super) after: Option<Duration>,
}

/// The kinds of stop, the gravest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StopKind {
    /// The CRM cannot be reached or is broken.
    Fault,
    /// The CRM asked for fewer requests.
    Throttle,
    /// The CRM's set-up or our credentials are at fault.
    Halt,
}

impl StopKind {
    /// Returns the name in metrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Throttle => "throttle",
            Self::Halt => "halt",
        }
    }
}

impl Stop {
    pub(super) fn halt(reason: impl Into<String>) -> Self {
        Self {
            kind: StopKind::Halt,
            reason: reason.into(),
            after: None,
        }
    }
}

impl From<Failure> for Stop {
    /// Returns the reaction to a failure that concerns no record.
    fn from(failure: Failure) -> Self {
        let kind = match failure.class {
            Class::Retry => StopKind::Fault,
            Class::Throttle => StopKind::Throttle,
            Class::Halt | Class::Auth | Class::Split(_) => StopKind::Halt,
        };
        Self {
            kind,
            reason: failure.reason,
            after: failure.after,
        }
    }
}

/// Rows by position, and the requests that are still to be made about them.
#[derive(Debug)]
pub(super) struct Batch {
    fates: Vec<Option<Fate>>,
    /// The remaining requests; the last is the next.
    parts: Vec<Vec<usize>>,
    suspects: Vec<(usize, Failure)>,
    /// Single records that failed in a way that may be the organisation's fault.
    suspected: usize,
    sizes: Sizes,
    passed: bool,
    refreshed: bool,
    stop: Option<Stop>,
}

impl Batch {
    /// Creates a batch; `known` returns the outcome of rows that need no request.
    pub(super) fn new(rows: usize, known: impl Fn(usize) -> Option<Fate>) -> Self {
        let fates: Vec<Option<Fate>> = (0..rows).map(known).collect();
        let sendable = fates
            .iter()
            .enumerate()
            .filter(|(_, fate)| fate.is_none())
            .map(|(row, _)| row)
            .collect();
        let mut batch = Self {
            fates,
            parts: Vec::new(),
            suspects: Vec::new(),
            suspected: 0,
            sizes: Sizes::default(),
            passed: false,
            refreshed: false,
            stop: None,
        };
        batch.push(sendable);
        batch
    }

    /// Returns the rows of the next request; `None` when no request remains.
    pub(super) fn next(&mut self) -> Option<Vec<usize>> {
        if self.stop.is_some() {
            return None;
        }
        self.parts.pop()
    }

    /// Applies the result of the request about `part`.
    pub(super) fn take(&mut self, part: Vec<usize>, verdict: Verdict) {
        match verdict {
            Ok(outcomes) if outcomes.len() == part.len() => self.take_outcomes(&part, outcomes),
            Ok(_) => {
                let reason = "the answer does not fit the request";
                self.take_failure(part, Failure::new(Class::Retry, reason));
            }
            Err(failure) => self.take_failure(part, failure),
        }
    }

    fn take_outcomes(&mut self, part: &[usize], outcomes: Vec<Outcome>) {
        let mut again = Vec::new();
        if outcomes.iter().any(took) {
            self.passed = true;
            self.sizes.pass(part.len());
        } else if outcomes.iter().any(|o| matches!(o, Outcome::Split(_))) {
            self.sizes.refuse(part.len());
        }
        for (&row, outcome) in part.iter().zip(outcomes) {
            let fate = match outcome {
                Outcome::Done { record_id } => Fate::Done { record_id },
                Outcome::Stale => Fate::Stale,
                Outcome::Retry(reason) => Fate::Retry(reason),
                Outcome::RetryOnce(reason) => Fate::RetryOnce(reason),
                Outcome::DeadLetter(reason) => Fate::DeadLetter(reason),
                Outcome::Park(reason) => Fate::Park(reason),
                Outcome::Split(reason) if part.len() == 1 => {
                    self.suspected(Stop::halt(reason.as_str()));
                    Fate::RetryFew(reason)
                }
                Outcome::Split(_) => {
                    again.push(row);
                    continue;
                }
                Outcome::Halt(reason) => {
                    self.stop = Some(Stop::halt(reason));
                    continue;
                }
            };
            self.settle(row, fate);
        }
        self.halve(again);
    }

    fn take_failure(&mut self, part: Vec<usize>, failure: Failure) {
        if matches!(failure.class, Class::Split(_)) {
            self.sizes.refuse(part.len());
        }
        match failure.class {
            Class::Retry => {
                for row in part {
                    self.settle(row, Fate::Retry(failure.reason.clone()));
                }
                self.stop = Some(failure.into());
            }
            Class::Auth if !self.refreshed => {
                self.refreshed = true;
                self.push(part);
            }
            Class::Split(_) if part.len() > 1 => self.halve(part),
            Class::Split(alone) => {
                for row in part {
                    match alone {
                        Alone::DeadLetter => {
                            self.settle(row, Fate::DeadLetter(failure.reason.clone()));
                        }
                        Alone::Suspect => self.suspect(row, failure.clone()),
                    }
                }
            }
            Class::Throttle | Class::Auth | Class::Halt => self.stop = Some(failure.into()),
        }
    }

    fn suspect(&mut self, row: usize, failure: Failure) {
        self.suspects.push((row, failure.clone()));
        self.suspected(failure.into());
    }

    fn suspected(&mut self, stop: Stop) {
        self.suspected += 1;
        if self.suspected >= SUSPECTS && !self.passed {
            self.stop = Some(stop);
        }
    }

    fn settle(&mut self, row: usize, fate: Fate) {
        if let Some(slot) = self.fates.get_mut(row) {
            *slot = Some(fate);
        }
    }

    fn halve(&mut self, mut rows: Vec<usize>) {
        let rest = rows.split_off(rows.len().div_ceil(2));
        self.push(rest);
        self.push(rows);
    }

    fn push(&mut self, part: Vec<usize>) {
        if !part.is_empty() {
            self.parts.push(part);
        }
    }

    /// Returns the sizes of requests that passed and that were refused.
    pub(super) const fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Returns one outcome per row, in order, and whether the lane has to stop.
    pub(super) fn finish(mut self) -> (Vec<Fate>, Option<Stop>) {
        for (row, failure) in std::mem::take(&mut self.suspects) {
            if self.passed {
                self.settle(row, Fate::DeadLetter(failure.reason));
                continue;
            }
            // The row lets others go first, so that they show what is at fault.
            self.settle(row, Fate::Retry(failure.reason.clone()));
            self.stop.get_or_insert_with(|| failure.into());
        }
        let fates = self
            .fates
            .into_iter()
            .map(|fate| fate.unwrap_or(Fate::Release))
            .collect();
        (fates, self.stop)
    }
}

/// Returns whether the CRM took the record.
const fn took(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done { .. } | Outcome::Stale)
}

#[cfg(test)]
mod tests;
