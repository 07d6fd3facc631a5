//! Decides when the CRM's schema is checked again for rows that wait for a change of it. Pure.

use std::time::{Duration, Instant};

use crate::ledger::WaitingFor;

/// Intervals between the less urgent checks.
const LONG: u32 = 15;

/// What is done about rows that wait for a change of the CRM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// The schema is read again.
    Schema,
    /// Also a row of each reason is sent again, because a schema does not show all causes: an owner is
    /// activated, or a record type gets a value.
    SchemaAndRows,
}

/// Counts the intervals since the last check.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Recheck {
    asked: Option<Instant>,
    intervals: u32,
}

impl Recheck {
    /// Returns whether an interval has passed, so that the ledger is asked for waiting rows.
    pub(super) fn asks(&mut self, interval: Duration, now: Instant) -> bool {
        let is_due = self
            .asked
            .is_some_and(|asked| now.saturating_duration_since(asked) >= interval);
        if is_due || self.asked.is_none() {
            self.asked = Some(now);
        }
        is_due
    }

    /// Returns what is done at the end of an interval.
    pub(super) fn checks(&mut self, waiting: Option<WaitingFor>) -> Option<Check> {
        let waiting = waiting.or_else(|| {
            self.intervals = 0;
            None
        })?;
        self.intervals += 1;
        let is_long = self.intervals >= LONG;
        if is_long {
            self.intervals = 0;
        }
        match waiting {
            WaitingFor::Record if is_long => Some(Check::SchemaAndRows),
            WaitingFor::Record => Some(Check::Schema),
            WaitingFor::Field => is_long.then_some(Check::Schema),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Check, Recheck, WaitingFor};

    #[test]
    fn the_ledger_is_asked_once_an_interval() {
        let (mut recheck, start) = (Recheck::default(), Instant::now());
        let interval = Duration::from_secs(60);
        let asks = [0, 59, 60, 61, 119, 120, 500, 501]
            .map(|seconds| recheck.asks(interval, start + Duration::from_secs(seconds)));
        assert_eq!(asks, [false, false, true, false, false, true, true, false]);
    }

    #[test]
    fn a_parked_row_is_worth_a_check_each_interval_and_a_missing_field_fewer() {
        let count = |waiting| {
            let mut recheck = Recheck::default();
            let checks: Vec<Check> = (0..30).filter_map(|_| recheck.checks(waiting)).collect();
            let rows = checks.iter().filter(|it| **it == Check::SchemaAndRows);
            (checks.len(), rows.count())
        };
        assert_eq!(count(Some(WaitingFor::Record)), (30, 2));
        assert_eq!(count(Some(WaitingFor::Field)), (2, 0));
        assert_eq!(count(None), (0, 0));
    }
}
