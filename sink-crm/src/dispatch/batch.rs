//! Decides the outcome of each leased row of a batch, request by request. Pure. Each row ends with
//! exactly one outcome, whatever the CRM responds.

use std::collections::BTreeSet;
use std::time::Duration;

use super::batch_size::Sizes;
use super::refusals::{Reaction, react};
use crate::crm::{BatchResult, Class, Failure, SingleFailure};
use crate::mapping::FieldRole;
use crate::outcome::{Cause, RecordOutcome, Refusal};

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
        Failure::new(Class::Halt, reason).into()
    }

    pub(super) fn fault(reason: impl Into<String>) -> Self {
        Failure::new(Class::Retry, reason).into()
    }

    fn throttle(reason: impl Into<String>) -> Self {
        Failure::new(Class::Throttle, reason).into()
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

/// Returns what a field is to a record.
pub(super) type Roles<'r> = &'r (dyn Fn(&str) -> FieldRole + Send + Sync);

/// Rows by position, and the requests that are still to be made about them.
pub(super) struct Batch<'r> {
    outcomes: Vec<Option<RecordOutcome>>,
    roles: Roles<'r>,
    /// By row, the fields that were left out, or of a parked row those that it waits for.
    refusals: Vec<Vec<Refusal>>,
    /// Rows of a request whose records all failed in the same way.
    suspects: BTreeSet<usize>,
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

impl<'r> Batch<'r> {
    /// Creates a batch; `known` returns the outcome of rows that need no request.
    pub(super) fn new(
        rows: usize,
        roles: Roles<'r>,
        known: impl Fn(usize) -> Option<RecordOutcome>,
    ) -> Self {
        let outcomes: Vec<Option<RecordOutcome>> = (0..rows).map(known).collect();
        let sendable = outcomes
            .iter()
            .enumerate()
            .filter(|(_, outcome)| outcome.is_none())
            .map(|(row, _)| row)
            .collect();
        let mut batch = Self {
            outcomes,
            roles,
            refusals: vec![Vec::new(); rows],
            suspects: BTreeSet::new(),
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
            Ok(outcomes) if outcomes.len() == part.len() => self.apply_outcomes(part, outcomes),
            Ok(_) => {
                let reason = "the response does not fit the request";
                self.apply_failure(part, Failure::new(Class::Retry, reason));
            }
            Err(failure) => self.apply_failure(part, failure),
        }
    }

    fn apply_outcomes(&mut self, part: Vec<usize>, outcomes: Vec<RecordOutcome>) {
        let is_uniform = is_uniform(&outcomes);
        if outcomes.iter().any(RecordOutcome::is_accepted) {
            self.accepted = true;
            self.sizes.accept(part.len());
        } else if is_uniform
            || outcomes
                .iter()
                .any(|outcome| matches!(outcome, RecordOutcome::Split(_)))
        {
            self.sizes.refuse(part.len());
        }
        if is_uniform {
            self.suspects.extend(&part);
            self.halve(part);
            return;
        }
        let (mut smaller, mut without_fields) = (Vec::new(), Vec::new());
        for (&row, outcome) in part.iter().zip(outcomes) {
            match outcome {
                RecordOutcome::Split(_) if part.len() > 1 => smaller.push(row),
                RecordOutcome::Halt(reason) => self.stop = Some(Stop::halt(reason)),
                RecordOutcome::Throttle(reason) => self.stop = Some(Stop::throttle(reason)),
                RecordOutcome::Refused { reason, refusals } => {
                    if self.refuse(row, reason, refusals) == Reaction::LeaveOut {
                        without_fields.push(row);
                    }
                }
                outcome => self.end(row, outcome),
            }
        }
        self.halve(smaller);
        self.push(without_fields);
    }

    /// Ends a row with its outcome, unless the organisation may be at fault.
    fn end(&mut self, row: usize, outcome: RecordOutcome) {
        let is_suspect = self.suspects.contains(&row);
        match &outcome {
            RecordOutcome::DeadLetter(reason) if is_suspect => {
                let class = Class::Split(SingleFailure::Unknown);
                self.add_unknown(row, Failure::new(class, reason.as_str()));
                return;
            }
            RecordOutcome::Uncertain(reason) => {
                if is_suspect {
                    self.count_single_failure(Stop::halt(reason.as_str()));
                }
                self.wait_for(row, vec![any_change()]);
            }
            RecordOutcome::Split(reason) => {
                self.count_single_failure(Stop::halt(reason.as_str()));
                self.wait_for(row, vec![any_change()]);
            }
            _ => {}
        }
        self.set_outcome(row, outcome);
    }

    /// Applies the refusal of fields of a row.
    fn refuse(&mut self, row: usize, reason: String, refusals: Vec<Refusal>) -> Reaction {
        let reaction = react(&refusals, self.left_out(row), self.roles);
        match reaction {
            Reaction::LeaveOut => {
                if let Some(left_out) = self.refusals.get_mut(row) {
                    left_out.extend(refusals);
                }
            }
            Reaction::Park => {
                self.wait_for(row, refusals);
                self.set_outcome(row, RecordOutcome::Parked(reason));
            }
            Reaction::GiveUp => self.end(row, RecordOutcome::DeadLetter(reason)),
        }
        reaction
    }

    fn wait_for(&mut self, row: usize, refusals: Vec<Refusal>) {
        if let Some(slot) = self.refusals.get_mut(row) {
            *slot = refusals;
        }
    }

    /// Returns the fields that are left out of a row.
    pub(super) fn left_out(&self, row: usize) -> &[Refusal] {
        self.refusals.get(row).map_or(&[], Vec::as_slice)
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
            Class::Split(_) if !failure.refusals.is_empty() => {
                for row in part {
                    let (reason, refusals) = (failure.reason.clone(), failure.refusals.clone());
                    if self.refuse(row, reason, refusals) == Reaction::LeaveOut {
                        self.push(vec![row]);
                    }
                }
            }
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

    /// Returns whether the CRM judged a record: it accepted it, or refused it for its own sake.
    pub(super) fn is_judged(&self) -> bool {
        let is_refused = |outcome: &Option<RecordOutcome>| {
            use RecordOutcome::{DeadLetter, Parked, Refused};
            matches!(outcome, Some(Parked(_) | DeadLetter(_) | Refused { .. }))
        };
        self.accepted || self.outcomes.iter().any(is_refused)
    }

    /// Takes, by row, the fields that were left out, or of a parked row those that it waits for.
    pub(super) fn take_refusals(&mut self) -> Vec<Vec<Refusal>> {
        std::mem::take(&mut self.refusals)
    }

    /// Returns one outcome per row, in order, and whether the worker has to stop.
    pub(super) fn finish(mut self) -> (Vec<RecordOutcome>, Option<Stop>) {
        for (row, failure) in std::mem::take(&mut self.unknown) {
            if self.accepted {
                self.set_outcome(row, RecordOutcome::DeadLetter(failure.reason));
                continue;
            }
            // The row lets others go first; they show what is at fault.
            self.set_outcome(row, RecordOutcome::Deferred(failure.reason.clone()));
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

/// Returns what a row waits for whose failure names no field.
const fn any_change() -> Refusal {
    Refusal {
        field: String::new(),
        code: String::new(),
        cause: Cause::Setup,
    }
}

/// Returns whether all of several records failed in the same way, so that the request may be at fault.
fn is_uniform(outcomes: &[RecordOutcome]) -> bool {
    let [first, second, ..] = outcomes else {
        return false;
    };
    matches!(
        first,
        RecordOutcome::DeadLetter(_) | RecordOutcome::Uncertain(_)
    ) && first == second
        && outcomes.iter().all(|outcome| outcome == first)
}

#[cfg(test)]
mod tests;
