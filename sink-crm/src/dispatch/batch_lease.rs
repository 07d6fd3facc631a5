//! Tracks until when each row of a batch is leased. Pure.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::ledger::Lease;

/// The lease of a batch, row by row. A row that another batch has claimed since is lost; the others
/// are not affected.
#[derive(Clone, Debug)]
pub(super) struct BatchLease {
    pub(super) token: Uuid,
    /// `None` for a row that is lost.
    until: Vec<Option<DateTime<Utc>>>,
}

impl BatchLease {
    pub(super) fn new(lease: &Lease, rows: usize) -> Self {
        Self {
            token: lease.token,
            until: vec![Some(lease.until); rows],
        }
    }

    /// Returns whether the leases of all of `part` last beyond `end`.
    pub(super) fn covers(&self, part: &[usize], end: DateTime<Utc>) -> bool {
        part.iter().all(|row| {
            let until = self.until.get(*row).copied().flatten();
            until.is_some_and(|until| end < until)
        })
    }

    /// Returns the rows that are not lost.
    pub(super) fn owned_rows(&self) -> Vec<usize> {
        let owned = |(row, until): (usize, &Option<_>)| until.map(|_| row);
        self.until.iter().enumerate().filter_map(owned).collect()
    }

    /// Returns those of `part` that are not lost.
    pub(super) fn owned(&self, part: Vec<usize>) -> Vec<usize> {
        let owned = |row: &usize| self.until.get(*row).copied().flatten().is_some();
        part.into_iter().filter(owned).collect()
    }

    /// Extends the leases of the rows for which `is_owned` holds to `until`; the others are lost.
    pub(super) fn extend(&mut self, until: DateTime<Utc>, is_owned: impl Fn(usize) -> bool) {
        for (row, end) in self.until.iter_mut().enumerate() {
            *end = end.filter(|_| is_owned(row)).map(|_| until);
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use uuid::Uuid;

    use super::BatchLease;
    use crate::ledger::Lease;

    #[test]
    fn the_whole_batch_stays_leased_but_for_rows_that_another_batch_claimed() {
        let now = DateTime::<Utc>::UNIX_EPOCH;
        let after = |seconds| now + TimeDelta::seconds(seconds);
        let lease = Lease {
            token: Uuid::new_v4(),
            until: after(30),
        };
        let mut lease = BatchLease::new(&lease, 4);
        assert!(lease.covers(&[0, 1, 2, 3], after(29)));
        lease.extend(after(60), |row| row != 2);
        assert_eq!(lease.owned_rows(), [0, 1, 3]);
        assert_eq!(lease.owned(vec![3, 2]), [3]);
        assert!(lease.covers(&[0, 1, 3], after(59)));
        assert!(!lease.covers(&[1, 2], now));
        lease.extend(after(90), |_| true);
        assert_eq!(lease.owned_rows(), [0, 1, 3], "what is lost stays lost");
    }
}
