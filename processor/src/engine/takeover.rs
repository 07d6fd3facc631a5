//! Computes where a partition starts after a take-over, and why it cannot start: pure.

use std::collections::BTreeMap;

use leadstream_kafka::consumer::LogOffsets;

use super::partition::Owned;

/// The topic has another partition count than the one by which leads are placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "lead.inputs has {found} partitions, but PostgreSQL places leads by {recorded}: the keys of many leads belong to other partitions now, and two processors would write one lead. Nothing is lost: stop all processors, run `leadstream topics grow`, which moves the leads, and start the processors"
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

/// Offsets in PostgreSQL and Kafka that contradict each other. Nothing is reset in silence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OffsetError {
    #[error(
        "partition {partition}: Kafka has offset {committed} committed, PostgreSQL {stored}: PostgreSQL lost commits that it had acknowledged (a restored backup, a failed-over replica). Stop all processors and run `leadstream recover`: it folds the log again from where PostgreSQL stands, and publishes nothing that consumers have"
    )]
    StoreBehind {
        partition: i32,
        committed: i64,
        stored: String,
    },
    #[error(
        "partition {partition}: the next offset is {next}, but the log begins at {low}: records were deleted before they were processed. Raise the topic's retention. To go on without them, stop all processors and run `leadstream recover --accept-loss`"
    )]
    LogTruncated { partition: i32, next: i64, low: i64 },
    #[error(
        "partition {partition}: the next offset is {next}, but the log ends at {high}: the topic was made anew. To fold it from its beginning, stop all processors and run `leadstream recover --accept-loss`"
    )]
    LogReplaced {
        partition: i32,
        next: i64,
        high: i64,
    },
    #[error(
        "partition {0}: a recovery has begun and is not through. Run `leadstream recover` again, to its end, while no processor runs"
    )]
    Recovering(i32),
}

/// Returns the start offset from the offsets of PostgreSQL and Kafka.
pub(crate) fn start_offset(
    partition: i32,
    owned: Owned,
    log: LogOffsets,
) -> Result<i64, OffsetError> {
    let committed = log.committed.unwrap_or_default();
    match owned.next_offset {
        None if committed > log.low => Err(OffsetError::StoreBehind {
            partition,
            committed,
            stored: "none".into(),
        }),
        None => Ok(log.low),
        Some(next) if committed > next => Err(OffsetError::StoreBehind {
            partition,
            committed,
            stored: next.to_string(),
        }),
        Some(next) if next < log.low => Err(OffsetError::LogTruncated {
            partition,
            next,
            low: log.low,
        }),
        Some(next) if next > log.high => Err(OffsetError::LogReplaced {
            partition,
            next,
            high: log.high,
        }),
        Some(next) => Ok(next),
    }
}

/// Returns the partitions that this owner has lost.
pub(crate) fn lost_partitions(asked: &[i32], owned: &BTreeMap<i32, Owned>) -> Vec<i32> {
    asked
        .iter()
        .copied()
        .filter(|partition| !owned.contains_key(partition))
        .collect()
}

#[cfg(test)]
mod tests {
    use leadstream_kafka::consumer::LogOffsets;

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
            epoch: 1,
            next_offset: next,
            timer_commits: 0,
            poison: Poison::default(),
        };
        start_offset(
            0,
            owned,
            LogOffsets {
                low,
                high,
                committed,
            },
        )
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
        assert!(matches!(
            start(Some(2), 3, 9, None),
            Err(OffsetError::LogTruncated { .. })
        ));
        assert!(matches!(
            start(Some(10), 0, 9, None),
            Err(OffsetError::LogReplaced { .. })
        ));
    }
}
