//! Holds the partitions of one owner: the fences of a commit, and how a commit advances them.

use std::collections::BTreeMap;

use leadstream_kafka::dead_letter::PoisonLimit;
use leadstream_kafka::{Outgoing, Record};

use leadstream_schemas::{LeadId, Offset, Partition};

use super::batch::{BatchResult, Erased, LeadUpdate};
use super::outbox::OutboxKey;
use super::partition::{Fence, Owned, OwnedPartition, Phase};
use super::poison::Poison;
use crate::metrics::Counts;

/// The partitions that one owner works on, by id.
#[derive(Debug)]
pub(crate) struct OwnedPartitions {
    partitions: BTreeMap<Partition, OwnedPartition>,
    /// Bytes of leads that the partitions keep in memory, in equal shares.
    cache_bytes: usize,
    poison_limit: PoisonLimit,
}

/// The work that a commit leaves to do.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    /// The next offset by partition.
    pub(crate) offsets: BTreeMap<Partition, Offset>,
    /// The new rows of the outbox, and their records, in the order in which Kafka gets them.
    pub(crate) outbox: Vec<OutboxKey>,
    pub(crate) records: Vec<Outgoing>,
    /// Partitions that stop before a record, with the reason.
    pub(crate) halted: BTreeMap<Partition, String>,
    /// Partitions that have now exceeded the poison limit.
    pub(crate) poisoned: Vec<Partition>,
    pub(crate) counts: Counts,
}

impl OwnedPartitions {
    pub(crate) const fn new(cache_bytes: usize, poison_limit: PoisonLimit) -> Self {
        Self {
            partitions: BTreeMap::new(),
            cache_bytes,
            poison_limit,
        }
    }

    /// Adds partitions that have to be taken over.
    pub(crate) fn assign(&mut self, ids: impl IntoIterator<Item = Partition>) {
        let assigned = ids.into_iter().map(|id| (id, OwnedPartition::new()));
        self.partitions.extend(assigned);
        let share = self.cache_share();
        for partition in self.partitions.values_mut() {
            partition.leads.shrink(share);
        }
    }

    /// Adds a partition that was taken over and continues at `next_offset`.
    pub(crate) fn begin(&mut self, id: Partition, owned: Owned, next_offset: Offset) {
        self.assign([id]);
        if let Some(partition) = self.get_mut(id) {
            partition.begin(owned, next_offset);
        }
    }

    pub(crate) fn remove(&mut self, id: Partition) {
        self.partitions.remove(&id);
    }

    pub(crate) fn get(&self, id: Partition) -> Option<&OwnedPartition> {
        self.partitions.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: Partition) -> Option<&mut OwnedPartition> {
        self.partitions.get_mut(&id)
    }

    pub(crate) fn contains(&self, id: Partition) -> bool {
        self.partitions.contains_key(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.partitions.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Partition, &OwnedPartition)> {
        self.partitions.iter().map(|(id, it)| (*id, it))
    }

    /// Returns the ids of partitions in `phase`.
    pub(crate) fn in_phase(&self, phase: Phase) -> Vec<Partition> {
        let partitions = self.iter().filter(|(_, it)| it.phase == phase);
        partitions.map(|(id, _)| id).collect()
    }

    /// Returns whether a partition must be taken over or resumed before anything is folded.
    pub(crate) fn must_resume(&self) -> bool {
        let mut phases = self.partitions.values().map(|it| it.phase);
        phases.any(|phase| matches!(phase, Phase::TakeOver | Phase::Resume))
    }

    /// Returns whether `record` is still to be folded. A fetch may begin before the next offset.
    pub(crate) fn expects(&self, record: &Record) -> bool {
        self.get(record.partition)
            .is_some_and(|it| it.started && record.offset >= it.next_offset)
    }

    /// Returns the stored form of a lead that is at home in a partition, if it is in memory.
    pub(crate) fn cached(&mut self, id: Partition, lead_id: &str) -> Option<&[u8]> {
        self.get_mut(id)?.leads.get(lead_id)
    }

    /// Drops the state in memory of every partition: after a failure only what is committed counts.
    pub(crate) fn reset_to_committed(&mut self) {
        for partition in self.partitions.values_mut() {
            partition.reset_to_committed();
        }
    }

    /// Sets the positions of a timer commit's partitions. A timer commit moves no offset; the
    /// partition counts it instead.
    pub(crate) fn place_timer_commit(&self, batch: &mut BatchResult) {
        for (id, advance) in &mut batch.partitions {
            if let Some(partition) = self.get(*id) {
                advance.next_offset = partition.next_offset;
                advance.timer_commit = partition.timer_commits + 1;
            }
        }
    }

    /// Returns the fences for the commit of `batch`, by partition (invariant 5).
    pub(crate) fn fences(&self, batch: &BatchResult) -> BTreeMap<Partition, Fence> {
        let partitions = batch.partitions.keys();
        partitions
            .filter_map(|id| Some((*id, self.get(*id)?.fence())))
            .collect()
    }

    /// Returns the recent dead letters of each partition, including those of `batch`.
    pub(crate) fn poison(&self, batch: &BatchResult) -> BTreeMap<Partition, Poison> {
        let partitions = batch.partitions.iter();
        partitions
            .filter_map(|(id, advance)| {
                let before = self.get(*id)?.poison;
                Some((*id, before.after(&advance.poison, self.poison_limit)))
            })
            .collect()
    }

    /// Advances the partitions after the commit of `batch`, and keeps its leads in memory.
    pub(crate) fn advance(
        &mut self,
        batch: BatchResult,
        poison: &BTreeMap<Partition, Poison>,
    ) -> Committed {
        let has_records = batch.has_records();
        let mut committed = Committed {
            halted: batch.halted,
            counts: batch.counts,
            ..Committed::default()
        };
        for (id, advance) in batch.partitions {
            let Some(partition) = self.partitions.get_mut(&id) else {
                continue;
            };
            partition.advance(&advance, poison.get(&id).copied().unwrap_or_default());
            if partition.poison.is_halted() && !advance.poison.is_empty() {
                committed.poisoned.push(id);
            }
            committed.offsets.insert(id, advance.next_offset);
            committed.outbox.extend(advance.outbox_key(id));
            committed.records.extend(advance.outgoing);
        }
        self.forget(&batch.erased);
        self.keep(batch.leads, has_records);
        committed
    }

    /// Removes erased leads from memory.
    fn forget(&mut self, erased: &BTreeMap<LeadId, Erased>) {
        for (lead_id, erased) in erased {
            if let Some(partition) = self.get_mut(erased.partition) {
                partition.leads.remove(lead_id);
            }
        }
    }

    /// Keeps committed leads in memory. Leads that changed without a record do not evict leads that
    /// write.
    fn keep(&mut self, leads: BTreeMap<LeadId, Box<LeadUpdate>>, has_records: bool) {
        let share = self.cache_share();
        for (lead_id, update) in leads {
            let home = self.partitions.get_mut(&update.partition);
            if let Some(home) = home.filter(|it| has_records || it.leads.contains(&lead_id)) {
                // Allocates again in the exact size: to shrink the vector would keep its whole
                // original block.
                home.leads.put(
                    lead_id,
                    Box::from(update.serialized_state.as_slice()),
                    share,
                );
            }
        }
    }

    fn cache_share(&self) -> usize {
        self.cache_bytes / self.partitions.len().max(1)
    }
}

#[cfg(test)]
mod tests;
