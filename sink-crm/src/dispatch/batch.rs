//! Decides the outcome of each leased row of a batch, request by request. Pure. Each row ends with
//! exactly one outcome, whatever the CRM responds.

use std::time::Duration;

use super::batch_size::Sizes;
use crate::crm::{BatchResult, Class, Failure, SingleFailure};
use crate::outcome::RecordOutcome;

/// The number of records that fail alone, with none accepted, after which the organisation is at
/// fault.
const SINGLE_FAILURES: usize = 5;

/// The reason why the worker claims no more rows for now.
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
    /// The receiver wants no more events.
    Gone,
}

impl StopKind {
    /// Returns the name in metrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Throttle => "throttle",
            Self::Halt => "halt",
            Self::Gone => "gone",
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
            Class::Gone => StopKind::Gone,
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
    outcomes: Vec<Option<RecordOutcome>>,
    /// The remaining requests; the last is the next.
    parts: Vec<Vec<usize>>,
    /// Rows that failed alone, where the record or the organisation may be at fault.
    unknown: Vec<(usize, Failure)>,
    single_failures: usize,
    sizes: Sizes,
    /// Whether the CRM accepted a record.
    accepted: bool,
    refreshed: bool,
    /// The longest pause that the CRM asked for.
    after: Option<Duration>,
    stop: Option<Stop>,
}

impl Batch {
    /// Creates a batch; `known` returns the outcome of rows that need no request.
    pub(super) fn new(rows: usize, known: impl Fn(usize) -> Option<RecordOutcome>) -> Self {
        let outcomes: Vec<Option<RecordOutcome>> = (0..rows).map(known).collect();
        let sendable = outcomes
            .iter()
            .enumerate()
            .filter(|(_, outcome)| outcome.is_none())
            .map(|(row, _)| row)
            .collect();
        let mut batch = Self {
            outcomes,
            parts: Vec::new(),
            unknown: Vec::new(),
            single_failures: 0,
            sizes: Sizes::default(),
            accepted: false,
            refreshed: false,
            after: None,
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

    /// Notes the pause that the CRM asked for before it gets rows again.
    pub(super) fn wait(&mut self, after: Option<Duration>) {
        self.after = self.after.max(after);
    }

    /// Applies the result of the request about `part`.
    pub(super) fn apply(&mut self, part: Vec<usize>, result: BatchResult) {
        match result {
            Ok(outcomes) if outcomes.len() == part.len() => self.apply_outcomes(&part, outcomes),
            Ok(_) => {
                let reason = "the response does not fit the request";
                self.apply_failure(part, Failure::new(Class::Retry, reason));
            }
            Err(failure) => self.apply_failure(part, failure),
        }
    }

    fn apply_outcomes(&mut self, part: &[usize], outcomes: Vec<RecordOutcome>) {
        let mut again = Vec::new();
        if outcomes.iter().any(RecordOutcome::is_accepted) {
            self.accepted = true;
            self.sizes.accept(part.len());
        } else if outcomes
            .iter()
            .any(|outcome| matches!(outcome, RecordOutcome::Split(_)))
        {
            self.sizes.refuse(part.len());
        }
        for (&row, outcome) in part.iter().zip(outcomes) {
            match outcome {
                RecordOutcome::Split(_) if part.len() > 1 => again.push(row),
                RecordOutcome::Halt(reason) => self.stop = Some(Stop::halt(reason)),
                outcome => {
                    if let RecordOutcome::Split(reason) = &outcome {
                        self.count_single_failure(Stop::halt(reason.as_str()));
                    }
                    self.set_outcome(row, outcome);
                }
            }
        }
        self.halve(again);
    }

    fn apply_failure(&mut self, part: Vec<usize>, failure: Failure) {
        self.wait(failure.after);
        if matches!(failure.class, Class::Split(_)) {
            self.sizes.refuse(part.len());
        }
        match failure.class {
            Class::Retry => {
                for row in part {
                    self.set_outcome(row, RecordOutcome::Retry(failure.reason.clone()));
                }
                self.stop = Some(failure.into());
            }
            Class::Auth if !self.refreshed => {
                self.refreshed = true;
                self.push(part);
            }
            Class::Split(_) if part.len() > 1 => self.halve(part),
            Class::Split(single) => {
                for row in part {
                    match single {
                        SingleFailure::RecordAtFault => {
                            self.set_outcome(
                                row,
                                RecordOutcome::DeadLetter(failure.reason.clone()),
                            );
                        }
                        SingleFailure::Unknown => self.add_unknown(row, failure.clone()),
                    }
                }
            }
            Class::Throttle | Class::Auth | Class::Halt | Class::Gone => {
                self.stop = Some(failure.into());
            }
        }
    }

    fn add_unknown(&mut self, row: usize, failure: Failure) {
        self.unknown.push((row, failure.clone()));
        self.count_single_failure(failure.into());
    }

    fn count_single_failure(&mut self, stop: Stop) {
        self.single_failures += 1;
        if self.single_failures >= SINGLE_FAILURES && !self.accepted {
            self.stop = Some(stop);
        }
    }

    fn set_outcome(&mut self, row: usize, outcome: RecordOutcome) {
        if let Some(slot) = self.outcomes.get_mut(row) {
            *slot = Some(outcome);
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

    /// Returns the sizes of requests that were accepted and that were refused.
    pub(super) const fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Returns the longest pause that the CRM asked for before it gets rows again.
    pub(super) const fn after(&self) -> Option<Duration> {
        self.after
    }

    /// Returns one outcome per row, in order, and whether the worker has to stop.
    pub(super) fn finish(mut self) -> (Vec<RecordOutcome>, Option<Stop>) {
        for (row, failure) in std::mem::take(&mut self.unknown) {
            if self.accepted {
                self.set_outcome(row, RecordOutcome::DeadLetter(failure.reason));
                continue;
            }
            // The row lets others go first; they show what is at fault.
            self.set_outcome(row, RecordOutcome::Retry(failure.reason.clone()));
            self.stop.get_or_insert_with(|| failure.into());
        }
        let outcomes = self
            .outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or(RecordOutcome::Released))
            .collect();
        (outcomes, self.stop)
    }
}

#[cfg(test)]
mod tests;
