//! Erasing a person, at the home of their lead and of each lead that became it.

use std::sync::Arc;

use leadstream_schemas::{Cause, Content, InputKind, LeadInput, Timestamp};
use leadstream_stream::Outgoing;

use super::command::decide;
use super::{BatchError, Changed, Folded, Keyed, Known, Outcome, Step, home_key};
use crate::engine::effects;
use crate::erasure::{Gone, Tombstone};
use crate::lead::{Command, Inbound, Lead, OrderKey, scoped};

/// A lead that is gone: its rows go, its tombstones stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Erased {
    pub(crate) partition: i32,
    /// Every id of the person.
    pub(crate) identities: Vec<String>,
    /// Each with the last revision, of the lead's own id.
    pub(crate) tombstones: Vec<(Tombstone, u64)>,
    /// Tells the key of the tombstones from others.
    pub(crate) key_check: Vec<u8>,
    /// When the person was first seen.
    pub(crate) since: Timestamp,
    /// Nothing that was sent up to then comes back.
    pub(crate) until: Timestamp,
    /// The keys of the person's records.
    keys: Vec<Vec<u8>>,
    /// The topic whose records are left to those who read them.
    inputs: Arc<str>,
}

impl Erased {
    /// Whether a record that is not published yet tells of the person.
    pub(crate) fn concerns(&self, record: &Outgoing) -> bool {
        record.topic != self.inputs && self.keys.contains(&record.key)
    }
}

const NO_KEY: &str = "the processor has no ERASURE_KEY, so nothing would keep a replay from bringing the person back; set one (`openssl rand -hex 32`), the same for all processors, and give the command again";
const NO_LEAD: &str = "no lead has this id (any more)";

/// Up to when what comes under the record's ids was erased.
pub(super) fn until(keyed: &Keyed, known: &Known) -> Option<Timestamp> {
    let ids = keyed.identities.iter();
    ids.filter_map(|identity| known.erased.get(identity))
        .map(|gone| gone.until)
        .max()
}

impl Step<'_> {
    /// `found` is the lead that the record speaks to, where it is known.
    pub(super) fn erase(
        &self,
        command: &Command,
        found: Option<Changed>,
        known: &mut Known,
        folded: &mut Folded,
        outgoing: &mut Vec<Outgoing>,
    ) -> Result<(Option<Changed>, Outcome), BatchError> {
        let decide = |lead_id, outcome, folded: &mut Folded| {
            // Who gave the command is told by the lead that it was for.
            if command.erased_with.is_none() {
                decide(command, lead_id, outcome, folded);
            }
        };
        let Some(mut found) = found else {
            decide(None, Err(NO_LEAD.to_owned()), folded);
            return Ok((None, Outcome::Unchanged));
        };
        let order = &command.input.order;
        // A repeat, and the person has written anew since.
        if found
            .lead
            .erased_until
            .is_some_and(|until| order.at <= until)
        {
            folded.counts.duplicates += 1;
            return Ok((Some(found), Outcome::Unchanged));
        }
        if self.rules.erasure.is_empty() {
            decide(Some(&self.lead_id), Err(NO_KEY.to_owned()), folded);
            return Ok((Some(found), Outcome::Unchanged));
        }
        let merged = std::mem::take(&mut found.lead.merged);
        let ids = self.ids_of(&found.lead, &merged);
        let until = order
            .at
            .max(found.lead.journal.latest().unwrap_or(order.at));
        self.forget(&found.lead, &ids, known, folded, until);
        let previous = found.lead.state().map(ToOwned::to_owned);
        found.lead.erase();
        let lead = &mut found.lead;
        self.event(
            lead,
            Cause::Command,
            previous.as_deref(),
            order.at,
            outgoing,
        )?;
        folded.counts.events += 1;
        decide(None, Ok(lead.revision), folded);
        for other in merged {
            self.erase_also(&other, &found.lead, order, outgoing)?;
        }
        folded.counts.erasures += 1;
        Ok((None, Outcome::Unchanged))
    }

    /// What was sent before its person was erased. A lead that handed itself over to them
    /// meanwhile goes, too.
    pub(super) fn drop_erased(
        &self,
        folded: &mut Folded,
        outgoing: &mut Vec<Outgoing>,
    ) -> Result<(), BatchError> {
        folded.counts.erased += 1;
        match &self.keyed.inbound {
            Inbound::Command(command) => decide(command, None, Err(NO_LEAD.to_owned()), folded),
            Inbound::Merge(merge) => {
                if let Some(other) = &merge.closed {
                    self.erase_also(&merge.lead_id, other, &merge.order, outgoing)?;
                }
            }
            Inbound::Message(_) => {}
        }
        Ok(())
    }

    /// Every id of the person, within the account.
    fn ids_of(&self, lead: &Lead, merged: &[String]) -> Vec<String> {
        let account = &self.keyed.account;
        let mut ids = vec![self.lead_id.clone()];
        ids.extend(merged.iter().cloned());
        ids.extend(lead.identities.all().map(|id| scoped(account, id)));
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Nothing of the lead is known any more, nor goes out from this batch.
    fn forget(
        &self,
        lead: &Lead,
        ids: &[String],
        known: &mut Known,
        folded: &mut Folded,
        until: Timestamp,
    ) {
        let lead_id = &self.lead_id;
        known.identities.retain(|_, owner| owner != lead_id);
        known.departed.retain(|(owner, _)| owner != lead_id);
        // Of which the last is still to be told.
        let revision = |id: &String| if id == lead_id { lead.revision + 1 } else { 0 };
        for id in ids {
            let gone = Gone {
                until,
                revision: revision(id),
            };
            known.erased.entry(id.clone()).or_default().join(gone);
        }
        folded.armed.remove(lead_id);
        folded.identities.retain(|_, owner| owner != lead_id);
        folded.departed.retain(|(owner, ..)| owner != lead_id);
        folded
            .decided
            .retain(|_, it| it.lead_id.as_ref() != Some(lead_id));
        let account = &self.keyed.account;
        let keys: Vec<Vec<u8>> = ids
            .iter()
            .map(|id| home_key(id, account).as_bytes().to_vec())
            .collect();
        let erasure = self.rules.erasure;
        let tombstones = ids
            .iter()
            .filter_map(|id| Some((erasure.tombstone(id)?, revision(id))));
        let erased = Erased {
            partition: self.record.partition,
            identities: ids.to_vec(),
            tombstones: tombstones.collect(),
            key_check: erasure.checks().next().unwrap_or_default(),
            since: lead.first_seen,
            until,
            keys,
            inputs: Arc::clone(self.rules.outlets.inputs.topic()),
        };
        if let Some(progress) = folded.partitions.get_mut(&self.record.partition) {
            progress.outgoing.retain(|it| !erased.concerns(it));
        }
        folded.erased.insert(lead_id.clone(), erased);
    }

    /// Tells the home of a lead that became this one.
    fn erase_also(
        &self,
        other: &str,
        lead: &Lead,
        order: &OrderKey,
        outgoing: &mut Vec<Outgoing>,
    ) -> Result<(), BatchError> {
        let key = self.home_key(other);
        let record = LeadInput {
            id: format!("erase:{}:{other}", self.lead_id),
            kind: InputKind::Command,
            platform: lead.platform,
            number: lead.number.clone(),
            sender: leadstream_schemas::Sender::default(),
            sent_at: order.at,
            received_at: order.received_at,
            item: 0,
            content: Content::Erase {
                of: Some(self.lead_id.clone()),
            },
            referral: None,
            raw: None,
        };
        let trace = self.record.trace.map(|trace| trace.child(4));
        let outlet = &self.rules.outlets.inputs;
        outgoing.push(effects::outgoing(outlet, key, trace, &record)?);
        Ok(())
    }
}
