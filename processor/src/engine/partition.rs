//! A partition as its lane sees it.

use std::collections::BTreeMap;

use leadstream_stream::dead_letter::PoisonLimit;

use super::batch::{Changed, Erased, Folded, Progress};
use super::cache::LeadCache;
use super::poison::Poison;
use super::timers::Pace;

/// How far a lane is with a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Assigned: its epoch is to be raised, its outbox published.
    TakeOver,
    /// Ours, but a batch or a delivery failed: what is committed is to be read again and the
    /// outbox published before anything else is folded.
    Resume,
    Running,
    /// Stopped before a record that must not be skipped, or after too many dead letters.
    Halted,
}

#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) phase: Phase,
    pub(crate) epoch: i64,
    pub(crate) next_offset: i64,
    /// The fetcher was told where to start.
    pub(crate) started: bool,
    /// Of any owner.
    pub(crate) poison: Poison,
    pub(crate) timers: Pace,
    /// Counts what time did here, by any owner.
    pub(crate) sweep: i64,
    /// Leads at home here: this owner is their only writer, so they need no reading again.
    pub(crate) leads: LeadCache,
}

/// Where a partition stands in PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) epoch: i64,
    /// None when no record of it was ever processed.
    pub(crate) next_offset: Option<i64>,
    pub(crate) sweep: i64,
    pub(crate) poison: Poison,
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

/// How many dead letters each partition of `folded` had lately, once that is committed.
pub(crate) fn poison(
    partitions: &BTreeMap<i32, Partition>,
    folded: &Folded,
    limit: PoisonLimit,
) -> BTreeMap<i32, Poison> {
    folded
        .partitions
        .iter()
        .filter_map(|(id, progress)| {
            let before = partitions.get(id)?.poison;
            Some((*id, before.after(&progress.poison, limit)))
        })
        .collect()
}

/// Keeps no lead in memory that was erased.
pub(crate) fn forget(partitions: &mut BTreeMap<i32, Partition>, erased: &BTreeMap<String, Erased>) {
    for (lead_id, erased) in erased {
        if let Some(partition) = partitions.get_mut(&erased.partition) {
            partition.leads.remove(lead_id);
        }
    }
}

/// Keeps the leads of a committed batch within `room` bytes, which `partitions` share evenly.
pub(crate) fn keep(
    partitions: &mut BTreeMap<i32, Partition>,
    leads: BTreeMap<String, Box<Changed>>,
    room: usize,
) {
    let each = room / partitions.len().max(1);
    for (lead_id, changed) in leads {
        if let Some(partition) = partitions.get_mut(&changed.partition) {
            // A copy of its own: to shrink the vector would keep the whole block it was written to.
            let body = Box::from(changed.body.as_slice());
            partition.leads.put(lead_id, body, each);
        }
    }
}

/// Holds what `partitions` keep within `room` bytes, when there are more of them.
pub(crate) fn make_room(partitions: &mut BTreeMap<i32, Partition>, room: usize) {
    let each = room / partitions.len().max(1);
    for partition in partitions.values_mut() {
        partition.leads.shrink(each);
    }
}

impl Partition {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::TakeOver,
            epoch: 0,
            next_offset: 0,
            started: false,
            poison: Poison::default(),
            timers: Pace::default(),
            sweep: 0,
            leads: LeadCache::new(),
        }
    }

    /// It is ours, and the next record is that at `next_offset`.
    pub(crate) const fn begin(&mut self, owned: Owned, next_offset: i64) {
        self.epoch = owned.epoch;
        self.poison = owned.poison;
        self.sweep = owned.sweep;
        self.next_offset = next_offset;
    }

    /// A commit has brought it to where `progress` says.
    pub(crate) fn advance(&mut self, progress: &Progress, poison: Poison) {
        self.poison = poison;
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
