//! Erases a person, at the home of their lead and of each lead that merged into it.

use std::collections::BTreeSet;
use std::sync::Arc;

use leadstream_schemas::reply::{WithdrawReason, WithdrawScope};
use leadstream_schemas::{
    Cause, Content, Identity, InputKind, LeadId, LeadInput, Platform, Revision, Timestamp,
};

use super::command::{decide, reject};
use super::{BatchError, BatchFold, Erased, Keyed, LeadUpdate, Outcome, Step};
use crate::engine::command::CommandStatus;
use crate::engine::effects;
use crate::erasure::ErasureRecord;
use crate::lead::{Command, Inbound, Lead, scoped};

const NO_KEY: &str = "the processor has no ERASURE_KEY, so nothing would keep a replay from bringing the person back; set one (`openssl rand -hex 32`), the same for all processors, and give the command again";
const NO_LEAD: &str = "no lead has this id (any more)";

/// Returns the time until which inputs under the record's ids are erased.
pub(super) fn until(keyed: &Keyed, batch: &BatchFold) -> Option<Timestamp> {
    let ids = keyed.identities.iter();
    ids.filter_map(|identity| batch.loaded.erased.get(identity))
        .map(|erasure| erasure.until)
        .max()
}

impl Step<'_> {
    /// Erases `found`, the lead that the record addresses, if known.
    pub(super) fn erase(
        &self,
        command: &Command,
        found: Option<Box<LeadUpdate>>,
        batch: &mut BatchFold,
    ) -> Result<(Option<Box<LeadUpdate>>, Outcome), BatchError> {
        let decide = |lead_id, status, batch: &mut BatchFold| {
            // Only the lead that the command was for records its result.
            if command.erased_with.is_none() {
                decide(command, lead_id, status, batch);
            }
        };
        let Some(found) = found else {
            decide(None, reject(NO_LEAD), batch);
            return Ok((None, Outcome::Unchanged));
        };
        let order = &command.input.order;
        // A duplicate, or another command from before that erasure: the person has written again
        // since. A lead that existed then may know of the erasure by an id, and must still be
        // erased with it.
        let is_old = command.erased_with.is_some() && found.lead.first_seen <= order.at;
        let erased_until = found.lead.erased_until.filter(|_| !is_old);
        if erased_until.is_some_and(|until| order.at <= until) {
            batch.result.counts.duplicates += 1;
            decide(None, reject(NO_LEAD), batch);
            return Ok((Some(found), Outcome::Unchanged));
        }
        if self.rules.erasure.is_empty() {
            decide(Some(&self.lead_id), reject(NO_KEY), batch);
            return Ok((Some(found), Outcome::Unchanged));
        }
        let with = command.erased_with.as_ref();
        let revision = self.remove(found.lead, order.at, with, batch)?;
        decide(None, CommandStatus::Applied { revision }, batch);
        Ok((None, Outcome::Unchanged))
    }

    /// Erases `lead` as of `at`, and requests the erasure of all leads of the same person except
    /// `with`, which requested this one. These are leads that merged into it, the lead that it
    /// merged into, and leads with a pending merge request. Leads that now have an id which the
    /// command names are included. Returns the last revision of `lead`.
    pub(super) fn remove(
        &self,
        mut lead: Box<Lead>,
        at: Timestamp,
        with: Option<&LeadId>,
        batch: &mut BatchFold,
    ) -> Result<Revision, BatchError> {
        let until = lead.journal.latest().unwrap_or(at).max(at);
        let others = lead
            .merged
            .iter()
            .chain(&lead.pending_merges)
            .chain(&lead.merged_into);
        let named = self
            .named()
            .filter_map(|id| batch.owner(id))
            .filter(|owner| **owner != self.lead_id);
        let others: BTreeSet<LeadId> = others
            .chain(named)
            .filter(|other| with != Some(other))
            .cloned()
            .collect();
        self.forget(&lead, batch, until);
        let previous = lead.state().map(ToOwned::to_owned);
        lead.erase();
        self.event(&mut lead, Cause::Command, previous.as_deref(), at, batch)?;
        batch.result.counts.events += 1;
        let withdrawal = Some((WithdrawScope::All, WithdrawReason::Erasure));
        let cause = format!("erase:{}", lead.revision).into();
        self.effect_builder()
            .withdraw(&lead, withdrawal, &cause, batch)?;
        for other in others {
            self.erase_also(&other, (lead.platform, &lead.number), at, batch)?;
        }
        batch.result.counts.erasures += 1;
        Ok(lead.revision)
    }

    /// Drops an input that was sent before its person was erased. A lead that meanwhile sent a
    /// merge request to the erased lead is erased, too.
    pub(super) fn drop_erased(&self, batch: &mut BatchFold) -> Result<(), BatchError> {
        batch.result.counts.erased += 1;
        match &self.keyed.inbound {
            Inbound::Command(command) => decide(command, None, reject(NO_LEAD), batch),
            Inbound::Merge(merge) => {
                let by = (merge.platform, merge.number.as_str());
                let closed = merge.closed.as_ref();
                let latest = closed.and_then(|it| it.journal.latest());
                let at = latest.unwrap_or_default().max(merge.order.at);
                self.erase_also(&merge.lead_id, by, at, batch)?;
            }
            Inbound::Message(_) | Inbound::Delivery(_) => {}
        }
        Ok(())
    }

    /// Returns the ids that the record names, if it is an erasure.
    fn named(&self) -> impl Iterator<Item = &Identity> {
        let ids = self
            .keyed
            .inbound
            .erases()
            .then_some(&self.keyed.identities);
        ids.into_iter().flatten()
    }

    /// Returns every id of the person within the account. An id that the command names is omitted
    /// if another lead has it now.
    fn ids_of(&self, lead: &Lead, batch: &BatchFold) -> BTreeSet<Identity> {
        let account = &self.keyed.account;
        let own = std::iter::once(&self.lead_id).chain(&lead.merged);
        let named = self
            .named()
            .filter(|id| batch.owner(id).is_none_or(|owner| *owner == self.lead_id));
        let held = lead.identities.all().map(|id| scoped(account, id));
        own.map(Identity::from)
            .chain(named.cloned())
            .chain(held)
            .collect()
    }

    /// Removes the lead from the known state and from what this batch publishes.
    fn forget(&self, lead: &Lead, batch: &mut BatchFold, until: Timestamp) {
        let lead_id = &self.lead_id;
        let ids = self.ids_of(lead, batch);
        let is_ours = |id: &Identity| lead.merged.iter().all(|other| *other != id.as_str());
        let is_deleted = |id: &Identity, owner: &LeadId| {
            owner == lead_id || lead.merged.contains(owner) && ids.contains(id) && is_ours(id)
        };
        let rows = &mut batch.loaded.identities;
        rows.retain(|id, owner| !is_deleted(id, owner));
        batch.loaded.evicted.retain(|it| it.lead_id != *lead_id);
        // The ERASED event takes one more revision.
        let revision = |id: &Identity| {
            if *lead_id == id.as_str() {
                lead.revision.next()
            } else {
                Revision::default()
            }
        };
        for id in &ids {
            let erasure = ErasureRecord {
                until,
                last_revision: revision(id),
            };
            batch
                .loaded
                .erased
                .entry(id.clone())
                .or_default()
                .join(erasure);
        }
        batch.result.identities.retain(|_, owner| owner != lead_id);
        batch.result.evicted.retain(|it| it.id.lead_id != *lead_id);
        batch
            .result
            .commands
            .retain(|_, it| it.lead_id.as_ref() != Some(lead_id));
        let keys = self.rules.erasure;
        let tombstones = ids
            .iter()
            .filter_map(|id| Some((keys.tombstone(id)?, revision(id))));
        let mut erased = Erased {
            partition: self.record.partition,
            tombstones: tombstones.collect(),
            key_fingerprint: keys.fingerprints().next().unwrap_or_default(),
            since: lead.first_seen,
            until,
            key: self.home_key(lead_id).as_bytes().to_vec(),
            identities: ids.into_iter().filter(is_ours).collect(),
            owners: std::iter::once(lead_id)
                .chain(&lead.merged)
                .cloned()
                .collect(),
            inputs: Arc::clone(self.rules.output_topics.inputs.topic()),
        };
        if let Some(progress) = batch.result.partitions.get_mut(&self.record.partition) {
            progress.outgoing.retain(|it| !erased.concerns(it));
        }
        // The lead was erased before in this batch.
        if let Some(before) = batch.result.erased.remove(lead_id) {
            erased.join(before);
        }
        batch.result.erased.insert(lead_id.clone(), erased);
    }

    /// Sends an erasure to the home of a lead of the same person.
    fn erase_also(
        &self,
        other: &LeadId,
        (platform, number): (Platform, &str),
        at: Timestamp,
        batch: &mut BatchFold,
    ) -> Result<(), BatchError> {
        let key = self.home_key(other);
        let record = LeadInput {
            id: format!("erase:{}:{other}", self.lead_id).into(),
            kind: InputKind::Command,
            platform,
            number: number.to_owned(),
            sender: leadstream_schemas::Sender::default(),
            sent_at: at,
            received_at: at,
            item: 0,
            content: Content::Erase {
                of: Some(self.lead_id.clone()),
            },
            referral: None,
            raw: None,
        };
        let trace = self.record.trace.map(|trace| trace.child(4));
        let output_topic = &self.rules.output_topics.inputs;
        batch
            .outgoing
            .push(effects::outgoing(output_topic, key, trace, &record)?);
        Ok(())
    }
}
