//! A bound on what may be in memory at once, and the permits that hold parts of it.
//!
//! Tokio's semaphore does not serve: its permits are 32-bit counts, an item larger than the limit
//! would never pass, and each use takes a lock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A budget of bytes, or of records. The item that reaches the limit may exceed it, so that one of
/// any size passes; the budget is then full. Cheap to clone.
#[derive(Clone)]
pub struct Budget(Arc<Shared>);

struct Shared {
    limit: usize,
    used: AtomicUsize,
    on_capacity: Box<dyn Fn() + Send + Sync>,
}

impl Budget {
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self::notifying(limit, || {})
    }

    /// Creates a budget that calls `on_capacity` when it is no longer full.
    #[must_use]
    pub fn notifying(limit: usize, on_capacity: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            limit,
            used: AtomicUsize::new(0),
            on_capacity: Box::new(on_capacity),
        }))
    }

    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Acquire)
    }

    #[must_use]
    pub fn is_full(&self) -> bool {
        self.used() >= self.0.limit
    }

    /// Acquires `amount`, even from a full budget.
    #[must_use]
    pub fn acquire(&self, amount: usize) -> Permit {
        self.0.used.fetch_add(amount, Ordering::AcqRel);
        Permit {
            budget: self.clone(),
            amount,
        }
    }

    /// Acquires `amount`; returns `None` if the budget is full.
    #[must_use]
    pub fn try_acquire(&self, amount: usize) -> Option<Permit> {
        let mut permit = self.empty_permit();
        permit.try_grow(amount).then_some(permit)
    }

    /// Returns a permit that holds nothing yet.
    #[must_use]
    pub fn empty_permit(&self) -> Permit {
        Permit {
            budget: self.clone(),
            amount: 0,
        }
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("limit", &self.0.limit)
            .field("used", &self.used())
            .finish_non_exhaustive()
    }
}

/// A part of a budget, released on drop.
#[derive(Debug)]
pub struct Permit {
    budget: Budget,
    amount: usize,
}

impl Permit {
    #[must_use]
    pub const fn amount(&self) -> usize {
        self.amount
    }

    /// Acquires `more` in addition; returns false, and acquires nothing, if the budget is full.
    #[must_use]
    pub fn try_grow(&mut self, more: usize) -> bool {
        let Shared { limit, used, .. } = &*self.budget.0;
        let grown = used.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
            (used < *limit).then_some(used + more)
        });
        self.amount += grown.map_or(0, |_| more);
        grown.is_ok()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Shared {
            limit,
            used,
            on_capacity,
        } = &*self.budget.0;
        let before = used.fetch_sub(self.amount, Ordering::AcqRel);
        if before >= *limit && before - self.amount < *limit {
            on_capacity();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::Budget;

    #[test]
    fn a_full_budget_gives_no_permit_until_one_is_released() {
        let budget = Budget::new(100);
        let first = budget.try_acquire(60).unwrap();
        let second = budget.try_acquire(60).unwrap();
        assert!(budget.is_full());
        assert!(budget.try_acquire(1).is_none());
        drop(second);
        let mut third = budget.try_acquire(1).unwrap();
        assert_eq!(budget.used(), 61);
        assert!(third.try_grow(39));
        assert!(!third.try_grow(1));
        assert_eq!(budget.used(), 100);
        drop((first, third));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_budget_notifies_when_it_is_no_longer_full() {
        let calls = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&calls);
        let budget = Budget::notifying(100, move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        drop(budget.acquire(99));
        let (first, second, third) = (budget.acquire(50), budget.acquire(50), budget.acquire(50));
        drop(first);
        assert_eq!(calls.load(Ordering::Relaxed), 0);
        drop(second);
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        drop(third);
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }
}
