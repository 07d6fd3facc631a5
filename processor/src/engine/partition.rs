//! A partition as its lane sees it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use leadstream_stream::dead_letter::PoisonCount;
use lru::LruCache;

use super::batch::Folded;

/// How far a lane is with a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Assigned: its epoch is to be raised, its outbox published.
    TakeOver,
    /// Ours, but a batch or a delivery failed: what is committed is to be read again and the
    /// outbox published before anything else is folded.
    Resume,
    Running,
    /// Stopped before a record that must not be skipped.
    Halted,
}

#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) phase: Phase,
    pub(crate) epoch: i64,
    pub(crate) next_offset: i64,
    /// The fetcher was told where to start.
    pub(crate) started: bool,
    pub(crate) poison: PoisonCount,
    /// Leads at home here in their stored form, a quarter of what they take unfolded: this owner is
    /// their only writer, so they need no reading again.
    pub(crate) leads: LruCache<String, Box<[u8]>>,
}

/// Epoch and offset that the commit of `folded` has to find, by partition (invariant 5).
pub(crate) fn fences(
    partitions: &BTreeMap<i32, Partition>,
    folded: &Folded,
) -> BTreeMap<i32, (i64, i64)> {
    folded
        .partitions
        .keys()
        .filter_map(|id| {
            let partition = partitions.get(id)?;
            Some((*id, (partition.epoch, partition.next_offset)))
        })
        .collect()
}

impl Partition {
    pub(crate) fn new(leads: NonZeroUsize) -> Self {
        Self {
            phase: Phase::TakeOver,
            epoch: 0,
            next_offset: 0,
            started: false,
            poison: PoisonCount::default(),
            leads: LruCache::new(leads),
        }
    }

    /// After a failure nothing in memory is trusted.
    pub(crate) fn distrust(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Resume;
        }
        self.leads.clear();
    }
}
