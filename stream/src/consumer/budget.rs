//! What may wait in a lane: pure thresholds with hysteresis, and the permit that gives room back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where a lane's partitions pause; they resume at half of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) bytes: usize,
    pub(super) records: usize,
}

impl Limits {
    /// Whether partitions are to be paused, given how much waits and whether they are now.
    pub(super) const fn pause(&self, bytes: usize, records: usize, paused: bool) -> bool {
        if paused {
            bytes > self.bytes / 2 || records > self.records / 2
        } else {
            bytes >= self.bytes || records >= self.records
        }
    }
}

#[derive(Debug)]
pub(super) struct Budget {
    limits: Limits,
    bytes: AtomicUsize,
    records: AtomicUsize,
}

impl Budget {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            bytes: AtomicUsize::new(0),
            records: AtomicUsize::new(0),
        }
    }

    pub(super) fn take(self: &Arc<Self>, bytes: usize, records: usize) -> Permit {
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
        self.records.fetch_add(records, Ordering::AcqRel);
        Permit {
            budget: Arc::clone(self),
            bytes,
            records,
        }
    }

    pub(super) fn pause(&self, paused: bool) -> bool {
        let bytes = self.bytes.load(Ordering::Acquire);
        let records = self.records.load(Ordering::Acquire);
        self.limits.pause(bytes, records, paused)
    }
}

/// Room in a lane's budget, given back on drop.
#[derive(Debug)]
pub struct Permit {
    budget: Arc<Budget>,
    bytes: usize,
    records: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        self.budget
            .records
            .fetch_sub(self.records, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Budget, Limits};

    #[test]
    fn a_lane_pauses_at_its_limit_and_resumes_at_half_of_it() {
        let limits = Limits {
            bytes: 100,
            records: 10,
        };
        let budget = Arc::new(Budget::new(limits));
        let first = budget.take(60, 2);
        assert!(!budget.pause(false));
        let second = budget.take(40, 2);
        assert!(budget.pause(false));
        drop(second);
        assert!(budget.pause(true), "60 of 100 is more than half");
        drop(first);
        assert!(!budget.pause(true));
        assert!(limits.pause(0, 10, false), "records count, too");
    }
}
