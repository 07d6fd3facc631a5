//! A partition as its owner sees it.

use leadstream_schemas::{Epoch, Offset};

use super::batch::PartitionAdvance;
use super::cache::LeadCache;
use super::poison::Poison;
use super::timer_gate::TimerGate;

/// The progress of a worker with a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Assigned: the epoch must be raised and the outbox published.
    TakeOver,
    /// Owned, but a batch or a delivery failed. The committed state must be read again and the
    /// outbox published before anything else is folded.
    Resume,
    Running,
    /// Stopped before a record that must not be skipped, or after too many dead letters.
    Halted,
}

#[derive(Debug)]
pub(crate) struct OwnedPartition {
    pub(crate) phase: Phase,
    pub(crate) epoch: Epoch,
    pub(crate) next_offset: Offset,
    /// Whether the fetcher knows where to start.
    pub(crate) started: bool,
    /// The recent dead letters, under any owner.
    pub(crate) poison: Poison,
    pub(crate) timers: TimerGate,
    /// The count of timer commits, by any owner.
    pub(crate) timer_commits: i64,
    /// Leads with their home here. This owner is their only writer, so they need no second read.
    pub(crate) leads: LeadCache,
}

/// The state of a partition in PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) epoch: Epoch,
    /// The next offset, or none if no record was ever processed.
    pub(crate) next_offset: Option<Offset>,
    pub(crate) timer_commits: i64,
    pub(crate) poison: Poison,
}

/// The position and epoch that a commit must find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fence {
    pub(crate) epoch: Epoch,
    pub(crate) next_offset: Offset,
    pub(crate) timer_commits: i64,
}

impl OwnedPartition {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::TakeOver,
            epoch: Epoch::default(),
            next_offset: Offset::default(),
            started: false,
            poison: Poison::default(),
            timers: TimerGate::default(),
            timer_commits: 0,
            leads: LeadCache::new(),
        }
    }

    /// Begins at `next_offset`, as its owner.
    pub(crate) const fn begin(&mut self, owned: Owned, next_offset: Offset) {
        self.epoch = owned.epoch;
        self.poison = owned.poison;
        self.timer_commits = owned.timer_commits;
        self.next_offset = next_offset;
    }

    /// Returns the fence of the next commit (invariant 5).
    pub(crate) const fn fence(&self) -> Fence {
        Fence {
            epoch: self.epoch,
            next_offset: self.next_offset,
            timer_commits: self.timer_commits,
        }
    }

    /// Advances the partition after a commit.
    pub(crate) fn advance(&mut self, advance: &PartitionAdvance, poison: Poison) {
        self.poison = poison;
        self.next_offset = advance.next_offset;
        self.timer_commits = self.timer_commits.max(advance.timer_commit);
    }

    /// Drops the state in memory: after a failure only what is committed counts.
    pub(crate) fn reset_to_committed(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Resume;
        }
        self.leads.clear();
    }
}
