//! Tracks until when each row of a batch is leased to this worker. Pure.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::ledger::Lease;

/// The lease of a batch, row by row. A row that another worker has taken meanwhile is lost,
/// whatever the others are.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) token: Uuid,
    /// `None` for a row that is lost.
    until: Vec<Option<DateTime<Utc>>>,
}

impl Held {
    pub(super) fn new(lease: &Lease, rows: usize) -> Self {
        Self {
            token: lease.token,
            until: vec![Some(lease.until); rows],
        }
    }

    /// Returns whether the leases of all of `part` last beyond `end`.
    pub(super) fn outlasts(&self, part: &[usize], end: DateTime<Utc>) -> bool {
        part.iter().all(|row| {
            let until = self.until.get(*row).copied().flatten();
            until.is_some_and(|until| end < until)
        })
    }

    /// Returns the rows that are not lost.
    pub(super) fn rows(&self) -> Vec<usize> {
        let held = |(row, until): (usize, &Option<_>)| until.map(|_| row);
        self.until.iter().enumerate().filter_map(held).collect()
    }

    /// Returns those of `part` that are not lost.
    pub(super) fn of(&self, part: Vec<usize>) -> Vec<usize> {
        let held = |row: &usize| self.until.get(*row).copied().flatten().is_some();
        part.into_iter().filter(held).collect()
    }

    /// Extends the leases of the rows for which `is_ours` holds to `until`; the others are lost.
    pub(super) fn renew(&mut self, until: DateTime<Utc>, is_ours: impl Fn(usize) -> bool) {
        for (row, held) in self.until.iter_mut().enumerate() {
            *held = held.filter(|_| is_ours(row)).map(|_| until);
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use uuid::Uuid;

    use super::Held;
    use crate::ledger::Lease;

    #[test]
    fn the_whole_batch_is_held_on_but_for_rows_that_another_worker_took() {
        let now = DateTime::<Utc>::UNIX_EPOCH;
        let after = |seconds| now + TimeDelta::seconds(seconds);
        let lease = Lease {
            token: Uuid::new_v4(),
            until: after(30),
        };
        let mut held = Held::new(&lease, 4);
        assert!(held.outlasts(&[0, 1, 2, 3], after(29)));
        held.renew(after(60), |row| row != 2);
        assert_eq!(held.rows(), [0, 1, 3]);
        assert_eq!(held.of(vec![3, 2]), [3]);
        assert!(held.outlasts(&[0, 1, 3], after(59)));
        assert!(!held.outlasts(&[1, 2], now));
        held.renew(after(90), |_| true);
        assert_eq!(held.rows(), [0, 1, 3], "what is lost stays lost");
    }
}
