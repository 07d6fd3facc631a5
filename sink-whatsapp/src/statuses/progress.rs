//! Says until when all statuses are written: what is missing later than that may only be late.
//!
//! A partition has passed a time once everything is written that its log held then. So a partition
//! without new records passes each time at which it is read to its end.

use std::collections::BTreeMap;
use std::time::Duration;

use leadstream_kafka::ConsumerHandle;
use leadstream_kafka::consumer::LogOffsets;
use leadstream_schemas::{Offset, Partition, Timestamp};
use leadstream_service::database::DatabaseError;
use tokio_util::sync::CancellationToken;

use crate::ledger::Ledger;

/// How often the offsets are read: three requests to Kafka and one to PostgreSQL.
const INTERVAL: Duration = Duration::from_secs(2);

/// How far a partition is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    pub partition: Partition,
    pub next: Offset,
    /// Everything is written that the log held at this time.
    pub at: Timestamp,
}

/// The ends of logs that were not written when they were read.
#[derive(Debug, Default)]
pub struct Progress {
    partitions: BTreeMap<Partition, (Passed, Option<LogEnd>)>,
}

/// The end of a log at a time.
#[derive(Clone, Copy, Debug)]
struct LogEnd {
    at: Timestamp,
    end: Offset,
}

impl Progress {
    /// Takes the offsets of every partition, which were read after `asked`. Returns how far each is.
    pub fn observe(
        &mut self,
        offsets: &BTreeMap<Partition, LogOffsets>,
        asked: Timestamp,
    ) -> Vec<Passed> {
        self.partitions.retain(|it, _| offsets.contains_key(it));
        let passed = offsets.iter().map(|(&partition, log)| {
            let next = log.committed.unwrap_or(log.low);
            let begin = Passed {
                partition,
                next,
                at: Timestamp::default(),
            };
            let (passed, end) = self.partitions.entry(partition).or_insert((begin, None));
            passed.next = next;
            if let Some(reached) = end.take_if(|it| it.end <= next) {
                passed.at = reached.at;
            }
            if log.high <= next {
                passed.at = asked;
            } else {
                end.get_or_insert(LogEnd {
                    at: asked,
                    end: log.high,
                });
            }
            *passed
        });
        passed.collect()
    }
}

/// Writes until shutdown how far the statuses are written.
pub(crate) async fn run(
    ledger: Ledger,
    consumer: ConsumerHandle,
    shutdown: CancellationToken,
) -> Result<(), DatabaseError> {
    let mut progress = Progress::default();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(INTERVAL) => {}
        }
        let asked = Timestamp::now();
        let offsets = match consumer.all_log_offsets().await {
            Ok(offsets) => offsets,
            Err(error) => {
                tracing::warn!(error = %error, "unknown outcomes wait: kafka does not say how far the statuses are read");
                continue;
            }
        };
        let passed = progress.observe(&offsets, asked);
        match ledger.pass_statuses(&passed).await {
            Ok(()) => {}
            Err(error) if error.is_transient() => {
                tracing::warn!(error = %error, "unknown outcomes wait for PostgreSQL");
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use leadstream_kafka::consumer::LogOffsets;
    use leadstream_schemas::{Offset, Partition, Timestamp};

    use super::Progress;

    /// The offsets of partitions: the group's next one, and the end of the log.
    fn log(partitions: &[(Option<i64>, i64)]) -> BTreeMap<Partition, LogOffsets> {
        (0..)
            .zip(partitions)
            .map(|(partition, (committed, high))| {
                let log = LogOffsets {
                    low: Offset(3),
                    high: Offset(*high),
                    committed: committed.map(Offset),
                };
                (Partition(partition), log)
            })
            .collect()
    }

    fn passed(progress: &mut Progress, partitions: &[(Option<i64>, i64)], second: i64) -> Vec<i64> {
        let passed = progress.observe(&log(partitions), Timestamp::from_secs(second));
        passed.iter().map(|it| it.at.millis() / 1000).collect()
    }

    #[test]
    fn a_partition_passes_the_time_at_which_its_log_ended_where_it_is_written_to() {
        let mut progress = Progress::default();
        let mut at = |next, end, second| passed(&mut progress, &[(Some(next), end)], second)[0];
        assert_eq!(at(5, 9, 1), 0);
        assert_eq!(at(8, 20, 2), 0);
        assert_eq!(at(9, 30, 3), 1);
        assert_eq!(at(29, 40, 4), 1, "the end that was read at 3 s is 30");
        assert_eq!(at(30, 50, 5), 3);
        assert_eq!(at(60, 60, 6), 6);
        assert_eq!(at(60, 60, 7), 7, "no new records");
        assert_eq!(at(60, 61, 8), 7);
    }

    #[test]
    fn a_partition_that_nobody_reads_passes_nothing_unless_it_is_empty() {
        let mut progress = Progress::default();
        assert_eq!(passed(&mut progress, &[(None, 3), (None, 4)], 9), [9, 0]);
        // A partition that is gone is forgotten.
        assert_eq!(passed(&mut progress, &[(None, 3)], 10), [10]);
        assert_eq!(progress.partitions.len(), 1);
    }
}
