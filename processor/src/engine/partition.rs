//! A partition as its owner sees it.

use super::batch::PartitionAdvance;
use super::cache::LeadCache;
use super::poison::Poison;
use super::timer_gate::TimerGate;

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
    pub(crate) timers: TimerGate,
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

impl Partition {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::TakeOver,
            epoch: 0,
            next_offset: 0,
            started: false,
            poison: Poison::default(),
            timers: TimerGate::default(),
            sweep: 0,
            leads: LeadCache::new(),
        }
    }

    /// Begins at `next_offset`, as its owner.
    pub(crate) const fn begin(&mut self, owned: Owned, next_offset: i64) {
        self.epoch = owned.epoch;
        self.poison = owned.poison;
        self.sweep = owned.sweep;
        self.next_offset = next_offset;
    }

    /// Returns what a commit has to find of it (invariant 5).
    pub(crate) const fn fence(&self) -> Fence {
        Fence {
            epoch: self.epoch,
            next_offset: self.next_offset,
            sweep: self.sweep,
        }
    }

    /// Moves it to where a commit has brought it.
    pub(crate) fn advance(&mut self, advance: &PartitionAdvance, poison: Poison) {
        self.poison = poison;
        self.next_offset = advance.next_offset;
        self.sweep = self.sweep.max(advance.sweep);
    }

    /// Drops what is in memory: after a failure only what is committed counts.
    pub(crate) fn reset_to_committed(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Resume;
        }
        self.leads.clear();
    }
}
