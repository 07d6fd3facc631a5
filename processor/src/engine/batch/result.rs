//! Holds the changes of a batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use leadstream_kafka::Outgoing;
use leadstream_schemas::{
    Account, Identity, InputId, LeadId, Offset, Partition, Revision, Timestamp,
};

use crate::engine::command::CommandStatus;
use crate::engine::outbox::OutboxKey;
use crate::erasure::Tombstone;
use crate::lead::{Lead, StoredError};
use crate::metrics::Counts;

/// All changes of a batch.
#[derive(Debug, Default)]
pub(crate) struct BatchResult {
    /// Changed leads by lead id, which is the order in which rows are written.
    pub(crate) leads: BTreeMap<LeadId, Box<LeadUpdate>>,
    /// New rows of `lead_identities`.
    pub(crate) identities: BTreeMap<Identity, LeadId>,
    /// New rows of `dedup_ids`.
    pub(crate) evicted: Vec<Evicted>,
    /// The next offset and the records to publish, by partition.
    pub(crate) partitions: BTreeMap<Partition, PartitionAdvance>,
    /// Partitions that stop before a record, with the reason.
    pub(crate) halted: BTreeMap<Partition, String>,
    /// Results of commands, by command id.
    pub(crate) commands: BTreeMap<InputId, CommandDecision>,
    /// Erased leads, by lead id.
    pub(crate) erased: BTreeMap<LeadId, Erased>,
    pub(crate) counts: Counts,
}

/// What deduplicates an input.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DedupId {
    pub(crate) lead_id: LeadId,
    pub(crate) input_id: InputId,
}

/// An input that left its lead's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evicted {
    pub(crate) id: DedupId,
    /// The time of sending, which is equal in all duplicates.
    pub(crate) sent_at: Timestamp,
}

#[derive(Debug)]
pub(crate) struct LeadUpdate {
    pub(crate) lead: Box<Lead>,
    /// The stored form of the lead, set once the batch is folded.
    pub(crate) serialized_state: Vec<u8>,
    pub(crate) account: Account,
    pub(crate) partition: Partition,
    pub(crate) created: bool,
    /// The revision in PostgreSQL. The commit fails for any other.
    pub(crate) revision_before: Revision,
    /// The digest of the lead's profile before the batch.
    profile: u64,
    /// Whether the profile has changed.
    pub(crate) has_another_profile: bool,
}

impl LeadUpdate {
    pub(crate) fn new(
        lead: Box<Lead>,
        account: &Account,
        partition: Partition,
        created: bool,
    ) -> Box<Self> {
        Box::new(Self {
            profile: lead.profile().digest(),
            revision_before: lead.revision,
            lead,
            serialized_state: Vec::new(),
            account: account.clone(),
            partition,
            created,
            has_another_profile: false,
        })
    }

    /// Sets the stored form after the last change.
    pub(super) fn finish(&mut self) -> Result<(), StoredError> {
        self.has_another_profile = self.lead.profile().digest() != self.profile;
        self.serialized_state = self.lead.to_bytes()?;
        Ok(())
    }
}

/// A command's result before the commit, which gives its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandDecision {
    pub(crate) command: &'static str,
    pub(crate) content_sha256: Vec<u8>,
    /// None if there is no such lead (any more).
    pub(crate) lead_id: Option<LeadId>,
    pub(crate) status: CommandStatus,
}

/// An erased lead: its rows are deleted, its tombstones stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Erased {
    pub(crate) partition: Partition,
    /// The person's ids whose rows are deleted. The own ids of leads that merged into this one are
    /// deleted with those leads, because a lead is found by its own id.
    pub(crate) identities: Vec<Identity>,
    /// The lead and those that merged into it: only their rows are deleted. A lead that began since
    /// can have one of the ids.
    pub(crate) owners: Vec<LeadId>,
    /// The tombstones. The one of the lead's own id has the last revision.
    pub(crate) tombstones: Vec<(Tombstone, Revision)>,
    /// The fingerprint of the key that made the tombstones.
    pub(crate) key_fingerprint: Vec<u8>,
    /// When the person was first seen.
    pub(crate) since: Timestamp,
    /// The time until which inputs of the person are dropped.
    pub(crate) until: Timestamp,
    /// The key of the lead's records.
    pub(super) key: Vec<u8>,
    /// The topic whose records are kept for their consumers.
    pub(super) inputs: Arc<str>,
}

impl Erased {
    /// Returns whether an unpublished record is about the person.
    pub(crate) fn concerns(&self, record: &Outgoing) -> bool {
        record.topic != self.inputs && record.key == self.key
    }

    /// Returns the rows of `lead_identities` to delete, as far as they exist.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&Identity, &LeadId)> {
        let owners = |id| self.owners.iter().map(move |owner| (id, owner));
        self.identities.iter().flat_map(owners)
    }

    /// Adds the rows and tombstones of `before`, an earlier erasure of the same lead.
    pub(super) fn join(&mut self, before: Self) {
        self.identities.extend(before.identities);
        self.owners.extend(before.owners);
        self.tombstones.extend(before.tombstones);
        self.since = self.since.min(before.since);
        self.until = self.until.max(before.until);
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PartitionAdvance {
    pub(crate) next_offset: Offset,
    /// The count of timer commits after this one, which distinguishes outbox rows at one offset; 0
    /// for inputs.
    pub(crate) timer_commit: i64,
    pub(crate) records: u64,
    /// The greatest time of receipt of the records.
    pub(crate) max_received_at: Option<Timestamp>,
    /// Whether each record is a dead letter.
    pub(crate) poison: Vec<bool>,
    pub(crate) outgoing: Vec<Outgoing>,
}

impl PartitionAdvance {
    /// Returns the key of `partition`'s outbox row, or none if the partition publishes nothing.
    pub(crate) fn outbox_key(&self, partition: Partition) -> Option<OutboxKey> {
        (!self.outgoing.is_empty()).then_some(OutboxKey {
            partition,
            next_offset: self.next_offset,
            timer_commit: self.timer_commit,
        })
    }
}

impl BatchResult {
    /// Returns whether the batch has records. A timer commit has none.
    pub(crate) fn has_records(&self) -> bool {
        self.partitions.values().any(|it| it.records > 0)
    }
}
