//! Decides when the CRM's schema is checked again for rows that wait for a change of it. Pure.

use std::time::{Duration, Instant};

use crate::ledger::WaitingFor;

/// Intervals between checks while records only lack fields; parked rows are worth one each.
const FIELD_INTERVALS: u32 = 15;

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

    /// Returns whether the schema is checked at the end of an interval.
    pub(super) const fn checks(&mut self, waiting: Option<WaitingFor>) -> bool {
        self.intervals = self.intervals.saturating_add(1);
        let checks = match waiting {
            None => false,
            Some(WaitingFor::Record) => true,
            Some(WaitingFor::Field) => self.intervals >= FIELD_INTERVALS,
        };
        if checks {
            self.intervals = 0;
        }
        checks
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Recheck, WaitingFor};

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
            (0..30).filter(|_| recheck.checks(waiting)).count()
        };
        assert_eq!(count(Some(WaitingFor::Record)), 30);
        assert_eq!(count(Some(WaitingFor::Field)), 2);
        assert_eq!(count(None), 0);
    }
}
