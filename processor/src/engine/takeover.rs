//! Computes where a partition starts after a take-over, and why it cannot start: pure.

use std::collections::BTreeMap;

use leadstream_kafka::consumer::{LogOffsets, OffsetOutsideLog};

use leadstream_schemas::{Offset, Partition};

use super::partition::Owned;

/// The topic has another partition count than the one by which leads are placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "lead.inputs has {found} partitions, but PostgreSQL places leads by {recorded}: the keys of many leads belong to other partitions now, and two processors would write one lead. Nothing is lost: stop all processors, run `leadstream topics grow --apply`, which moves the leads, and start the processors"
)]
pub struct PartitionsChanged {
    pub recorded: usize,
    pub found: usize,
}

impl PartitionsChanged {
    /// Checks the partition count of the topic against the recorded one.
    pub(crate) const fn check(recorded: usize, found: usize) -> Result<usize, Self> {
        if recorded == found {
            Ok(recorded)
        } else {
            Err(Self { recorded, found })
        }
    }
}

/// Offsets in PostgreSQL and Kafka that contradict each other. No offset is reset silently.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OffsetError {
    #[error(
        "partition {partition}: Kafka has offset {committed} committed, PostgreSQL {stored}: PostgreSQL lost commits that it had acknowledged (a restored backup, a failed-over replica). Stop all processors and run `leadstream recover --apply`: it folds the log again from the offset in PostgreSQL, and publishes nothing that consumers have"
    )]
    StoreBehind {
        partition: Partition,
        committed: Offset,
        stored: String,
    },
    #[error(transparent)]
    OutsideLog(#[from] OffsetOutsideLog),
    #[error(
        "partition {0}: a recovery has begun and is not through. Run `leadstream recover --apply` again, to its end, while no processor runs"
    )]
    Recovering(Partition),
}

const REMEDY: &str = "Raise the topic's retention if it was too short. To continue with the records that the log holds, stop all processors and run `leadstream recover --accept-loss --apply`";

/// Returns the start offset of a partition of `topic` from the offsets of PostgreSQL and Kafka.
pub(crate) fn start_offset(
    topic: &str,
    partition: Partition,
    owned: Owned,
    log: LogOffsets,
) -> Result<Offset, OffsetError> {
    let committed = log.committed.unwrap_or_default();
    if committed > owned.next_offset.unwrap_or(log.low) {
        let stored = owned.next_offset;
        return Err(OffsetError::StoreBehind {
            partition,
            committed,
            stored: stored.map_or_else(|| "none".into(), |next| next.to_string()),
        });
    }
    Ok(log.start_offset(topic, partition, owned.next_offset, REMEDY)?)
}

/// Returns the partitions that this owner has lost.
pub(crate) fn lost_partitions(
    asked: &[Partition],
    owned: &BTreeMap<Partition, Owned>,
) -> Vec<Partition> {
    asked
        .iter()
        .copied()
        .filter(|partition| !owned.contains_key(partition))
        .collect()
}

#[cfg(test)]
mod tests {
    use leadstream_kafka::consumer::LogOffsets;
    use leadstream_schemas::{Epoch, Offset, Partition};

    use super::{OffsetError, start_offset};
    use crate::engine::partition::Owned;
    use crate::engine::poison::Poison;

    fn start(
        next: Option<i64>,
        low: i64,
        high: i64,
        committed: Option<i64>,
    ) -> Result<i64, OffsetError> {
        let owned = Owned {
            epoch: Epoch(1),
            next_offset: next.map(Offset),
            timer_commits: 0,
            poison: Poison::default(),
        };
        let log = LogOffsets {
            low: Offset(low),
            high: Offset(high),
            committed: committed.map(Offset),
        };
        start_offset("lead.inputs", Partition(0), owned, log).map(|start| start.0)
    }

    #[test]
    fn a_partition_starts_where_postgresql_says_or_at_the_log_s_beginning() {
        assert_eq!(start(None, 3, 9, None), Ok(3));
        assert_eq!(start(Some(5), 3, 9, Some(5)), Ok(5));
        assert_eq!(start(Some(9), 3, 9, Some(4)), Ok(9));
    }

    #[test]
    fn contradictions_halt() {
        assert!(matches!(
            start(Some(4), 0, 9, Some(5)),
            Err(OffsetError::StoreBehind { .. })
        ));
        assert!(matches!(
            start(None, 0, 9, Some(5)),
            Err(OffsetError::StoreBehind { .. })
        ));
        let outside = |next, low| match start(Some(next), low, 9, None) {
            Err(OffsetError::OutsideLog(error)) => error.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(outside(2, 3).contains("is 2, but the log begins at 3"));
        assert!(outside(10, 0).contains("is 10, but the log ends at 9"));
    }
}
