//! Commits a worker's offsets to Kafka. Only tools that show consumer lag read these offsets: the
//! start of a partition comes from PostgreSQL.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use leadstream_kafka::consumer::ConsumerHandle;
use leadstream_schemas::{Offset, Partition};

const OFFSET_COMMIT_INTERVAL: Duration = Duration::from_secs(1);

/// The offsets to commit, at most once per interval and at checks.
#[derive(Debug)]
pub(super) struct OffsetCommitter {
    /// The uncommitted next offset by partition.
    pending: BTreeMap<Partition, Offset>,
    last: Instant,
}

impl OffsetCommitter {
    pub(super) fn new() -> Self {
        Self {
            pending: BTreeMap::new(),
            last: Instant::now(),
        }
    }

    /// Adds next offsets, by partition.
    pub(super) fn record(&mut self, offsets: BTreeMap<Partition, Offset>) {
        self.pending.extend(offsets);
    }

    /// Drops the offset of a partition that was revoked.
    pub(super) fn forget(&mut self, partition: Partition) {
        self.pending.remove(&partition);
    }

    /// Commits pending offsets if the last commit was an interval ago.
    pub(super) fn commit_if_due(&mut self, consumer: &ConsumerHandle) {
        if self.last.elapsed() >= OFFSET_COMMIT_INTERVAL {
            self.commit(consumer);
        }
    }

    /// Commits pending offsets, without waiting for Kafka.
    pub(super) fn commit(&mut self, consumer: &ConsumerHandle) {
        if self.pending.is_empty() {
            return;
        }
        let offsets: Vec<(Partition, Offset)> =
            std::mem::take(&mut self.pending).into_iter().collect();
        consumer.commit(&offsets);
        self.last = Instant::now();
    }
}
