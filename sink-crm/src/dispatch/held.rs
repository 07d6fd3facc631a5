//! Until when each row of a batch is leased to this worker: pure.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::ledger::Lease;

/// The lease of a batch, row by row: it is extended for the rows of one request, and the others are
/// held no longer than before.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) token: Uuid,
    until: Vec<DateTime<Utc>>,
}

impl Held {
    pub(super) fn new(lease: &Lease, rows: usize) -> Self {
        Self {
            token: lease.token,
            until: vec![lease.until; rows],
        }
    }

    /// Whether all of `part` are held for longer than until `end`.
    pub(super) fn outlasts(&self, part: &[usize], end: DateTime<Utc>) -> bool {
        part.iter()
            .all(|row| self.until.get(*row).is_some_and(|until| end < *until))
    }

    pub(super) fn extend(&mut self, part: &[usize], until: DateTime<Utc>) {
        for row in part {
            if let Some(held) = self.until.get_mut(*row) {
                *held = until;
            }
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
    fn what_is_extended_for_one_part_of_a_batch_is_not_for_another() {
        let now = DateTime::<Utc>::UNIX_EPOCH;
        let after = |seconds| now + TimeDelta::seconds(seconds);
        let lease = Lease {
            token: Uuid::new_v4(),
            until: after(30),
        };
        let mut held = Held::new(&lease, 4);
        assert!(held.outlasts(&[0, 1, 2, 3], after(29)));
        held.extend(&[0, 1], after(60));
        assert!(held.outlasts(&[0, 1], after(59)));
        assert!(!held.outlasts(&[1, 2], after(30)));
        assert!(!held.outlasts(&[2, 3], after(30)));
    }
}
