//! What a batch changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use leadstream_kafka::Outgoing;
use leadstream_schemas::Timestamp;

use super::LoadedState;
use crate::engine::outbox::OutboxKey;
use crate::erasure::Tombstone;
use crate::lead::{Lead, StoredError};
use crate::metrics::Counts;

/// Everything that a batch changes.
#[derive(Debug, Default)]
pub(crate) struct BatchResult {
    /// Leads that changed, by lead id: in the order in which rows are written.
    pub(crate) leads: BTreeMap<String, Box<LeadUpdate>>,
    /// New rows of `lead_identities`.
    pub(crate) identities: BTreeMap<String, String>,
    /// New rows of `departed_inputs`: lead id, input id, time of sending.
    pub(crate) evicted: Vec<(String, String, Timestamp)>,
    /// By partition: the next offset and what is to be published.
    pub(crate) partitions: BTreeMap<i32, PartitionAdvance>,
    /// Partitions that stop before a record, with the reason.
    pub(crate) halted: BTreeMap<i32, String>,
    /// What became of commands, by their ids.
    pub(crate) decided: BTreeMap<String, Decided>,
    /// Leads that are gone, by lead id.
    pub(crate) erased: BTreeMap<String, Erased>,
    /// Business numbers whose leads were handed to a person, because nothing is sent there.
    pub(crate) silent_numbers: BTreeSet<String>,
    pub(crate) counts: Counts,
}

#[derive(Debug)]
pub(crate) struct LeadUpdate {
    pub(crate) lead: Lead,
    /// Its stored form, once the batch is folded.
    pub(crate) body: Vec<u8>,
    pub(crate) account: String,
    pub(crate) partition: i32,
    pub(crate) created: bool,
    /// The revision that PostgreSQL has; a commit over any other fails.
    pub(crate) revision_before: u64,
    /// The digest of its profile before the batch.
    profile: u64,
    /// Whether that is another now.
    pub(crate) has_another_profile: bool,
}

impl LeadUpdate {
    pub(crate) fn new(lead: Lead, account: &str, partition: i32, created: bool) -> Box<Self> {
        Box::new(Self {
            profile: lead.profile().digest(),
            revision_before: lead.revision,
            lead,
            body: Vec::new(),
            account: account.to_owned(),
            partition,
            created,
            has_another_profile: false,
        })
    }

    /// After its last change.
    pub(super) fn finish(&mut self) -> Result<(), StoredError> {
        self.has_another_profile = self.lead.profile().digest() != self.profile;
        self.body = self.lead.to_bytes()?;
        Ok(())
    }
}

/// What became of a command: a row of `command_outcomes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) verb: &'static str,
    pub(crate) digest: Vec<u8>,
    /// None where there is no such lead (any more).
    pub(crate) lead_id: Option<String>,
    /// The lead's revision after it, or why it did nothing.
    pub(crate) outcome: Result<u64, String>,
}

/// A lead that is gone: its rows go, its tombstones stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Erased {
    pub(crate) partition: i32,
    /// The person's ids, whose rows go. Those that leads which became this one had as their own
    /// go with them: a lead is found by its own id.
    pub(crate) identities: Vec<String>,
    /// Each with the last revision, of the lead's own id.
    pub(crate) tombstones: Vec<(Tombstone, u64)>,
    /// Tells the key of the tombstones from others.
    pub(crate) key_check: Vec<u8>,
    /// When the person was first seen.
    pub(crate) since: Timestamp,
    /// Nothing that was sent up to then comes back.
    pub(crate) until: Timestamp,
    /// The key of the lead's records.
    pub(super) key: Vec<u8>,
    /// The topic whose records are left to those who read them.
    pub(super) inputs: Arc<str>,
}

impl Erased {
    /// Whether a record that is not published yet tells of the person.
    pub(crate) fn concerns(&self, record: &Outgoing) -> bool {
        record.topic != self.inputs && record.key == self.key
    }

    /// Erases what `before`, of the same lead, does as well.
    pub(super) fn join(&mut self, before: Self) {
        self.identities.extend(before.identities);
        self.tombstones.extend(before.tombstones);
        self.since = self.since.min(before.since);
        self.until = self.until.max(before.until);
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PartitionAdvance {
    pub(crate) next_offset: i64,
    /// Tells what time did from the inputs before it, which end at the same offset; 0: inputs.
    pub(crate) sweep: i64,
    pub(crate) records: u64,
    /// The greatest time of receipt among them.
    pub(crate) record_time: Option<Timestamp>,
    /// Of them, dead letters.
    pub(crate) poison: Vec<bool>,
    pub(crate) outgoing: Vec<Outgoing>,
}

impl PartitionAdvance {
    /// The outbox row of what `partition` publishes; none when that is nothing.
    pub(crate) fn outbox_key(&self, partition: i32) -> Option<OutboxKey> {
        (!self.outgoing.is_empty()).then_some(OutboxKey {
            partition,
            next_offset: self.next_offset,
            sweep: self.sweep,
        })
    }
}

impl BatchResult {
    /// Whether it passes a record: time changes leads without one.
    pub(crate) fn has_records(&self) -> bool {
        self.partitions.values().any(|it| it.records > 0)
    }

    pub(super) fn put_back(
        &mut self,
        lead_id: String,
        lead: Box<LeadUpdate>,
        is_changed: bool,
        known: &mut LoadedState,
    ) {
        if is_changed {
            self.leads.insert(lead_id, lead);
        } else if !lead.created {
            known.leads.insert(lead_id, lead.lead);
        }
    }
}
