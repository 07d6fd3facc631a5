//! What a batch changes.

use std::collections::{BTreeMap, BTreeSet};

use leadstream_schemas::Timestamp;
use leadstream_stream::Outgoing;

use super::{BatchError, Decided, Erased, Known, Rules, timers};
use crate::engine::outbox::OutboxKey;
use crate::lead::Lead;
use crate::metrics::Counts;

/// Everything that a batch changes.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    /// Leads that changed, by lead id: in the order in which rows are written.
    pub(crate) leads: BTreeMap<String, Box<Changed>>,
    /// New rows of `lead_identities`.
    pub(crate) identities: BTreeMap<String, String>,
    /// New rows of `departed_inputs`: lead id, input id, time of sending.
    pub(crate) departed: Vec<(String, String, Timestamp)>,
    /// By partition: the next offset and what is to be published.
    pub(crate) partitions: BTreeMap<i32, Progress>,
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
pub(crate) struct Changed {
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

impl Changed {
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
    pub(super) fn finish(&mut self, rules: &Rules<'_>) -> Result<(), BatchError> {
        timers::arm(&mut self.lead, rules)?;
        self.has_another_profile = self.lead.profile().digest() != self.profile;
        self.body = self.lead.to_bytes()?;
        Ok(())
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
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

impl Progress {
    /// The outbox row of what `partition` publishes; none when that is nothing.
    pub(crate) fn outbox_key(&self, partition: i32) -> Option<OutboxKey> {
        (!self.outgoing.is_empty()).then_some(OutboxKey {
            partition,
            next_offset: self.next_offset,
            sweep: self.sweep,
        })
    }
}

impl Folded {
    pub(super) fn put_back(
        &mut self,
        lead_id: String,
        lead: Box<Changed>,
        is_changed: bool,
        known: &mut Known,
    ) {
        if is_changed {
            self.leads.insert(lead_id, lead);
        } else if !lead.created {
            known.leads.insert(lead_id, lead.lead);
        }
    }
}
