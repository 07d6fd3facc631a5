//! A partition as its lane sees it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use leadstream_stream::dead_letter::PoisonCount;
use lru::LruCache;

use super::batch::{Folded, Progress};
use super::timers::Pace;
use crate::store::Owned;

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
    pub(crate) timers: Pace,
    /// Counts what time did here, by any owner.
    pub(crate) sweep: i64,
    /// Leads at home here in their stored form, a quarter of what they take unfolded: this owner is
    /// their only writer, so they need no reading again.
    pub(crate) leads: LruCache<String, Box<[u8]>>,
}

/// What a commit has to find of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fence {
    pub(crate) epoch: i64,
    pub(crate) next_offset: i64,
    pub(crate) sweep: i64,
}

/// What the commit of `folded` has to find, by partition (invariant 5).
pub(crate) fn fences(
    partitions: &BTreeMap<i32, Partition>,
    folded: &Folded,
) -> BTreeMap<i32, Fence> {
    folded
        .partitions
        .keys()
        .filter_map(|id| {
            let partition = partitions.get(id)?;
            let fence = Fence {
                epoch: partition.epoch,
                next_offset: partition.next_offset,
                sweep: partition.sweep,
            };
            Some((*id, fence))
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
            timers: Pace::default(),
            sweep: 0,
            leads: LruCache::new(leads),
        }
    }

    /// It is ours, and the next record is that at `next_offset`.
    pub(crate) const fn begin(&mut self, owned: Owned, next_offset: i64) {
        self.epoch = owned.epoch;
        self.sweep = owned.sweep;
        self.next_offset = next_offset;
    }

    /// A commit has brought it to where `progress` says.
    pub(crate) fn advance(&mut self, progress: &Progress) {
        self.next_offset = progress.next_offset;
        self.sweep = self.sweep.max(progress.sweep);
    }

    /// After a failure nothing in memory is trusted.
    pub(crate) fn distrust(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Resume;
        }
        self.leads.clear();
    }
}
