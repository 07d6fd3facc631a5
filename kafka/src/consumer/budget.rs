//! The byte and record budget of a lane, and the permit that holds a part of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::wake::Wake;

/// The limits from which a lane receives nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) bytes: usize,
    pub(super) records: usize,
}

#[derive(Debug)]
pub(super) struct Budget {
    limits: Limits,
    bytes: AtomicUsize,
    records: AtomicUsize,
    /// Wakes the polling thread when the budget has capacity again.
    wake: Arc<Wake>,
}

impl Budget {
    pub(super) const fn new(limits: Limits, wake: Arc<Wake>) -> Self {
        Self {
            limits,
            bytes: AtomicUsize::new(0),
            records: AtomicUsize::new(0),
            wake,
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

    /// Returns whether the lane may receive more. One take may exceed the limits.
    pub(super) fn has_room(&self) -> bool {
        self.bytes.load(Ordering::Acquire) < self.limits.bytes
            && self.records.load(Ordering::Acquire) < self.limits.records
    }
}

/// A part of a lane's budget, released on drop.
#[derive(Debug)]
pub struct Permit {
    budget: Arc<Budget>,
    bytes: usize,
    records: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Budget {
            bytes,
            records,
            wake,
            ..
        } = &*self.budget;
        let was_full = !self.budget.has_room();
        bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        records.fetch_sub(self.records, Ordering::AcqRel);
        if was_full {
            wake.up();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Budget, Limits};

    #[test]
    fn a_lane_gets_nothing_past_either_limit_until_room_is_given_back() {
        let limits = Limits {
            bytes: 100,
            records: 10,
        };
        let budget = Arc::new(Budget::new(limits, Arc::default()));
        let first = budget.take(60, 2);
        assert!(budget.has_room());
        let second = budget.take(60, 2);
        assert!(!budget.has_room());
        drop(first);
        assert!(budget.has_room());
        let third = budget.take(1, 8);
        assert!(!budget.has_room(), "records count, too");
        drop((second, third));
        assert!(budget.has_room());
    }
}
