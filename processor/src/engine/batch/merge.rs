//! Merges two leads that are one person, at the home of one of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use leadstream_schemas::reply::{WithdrawReason, WithdrawScope};
use leadstream_schemas::{Cause, Content, Identity, InputKind, LeadId, LeadInput};

use super::{BatchError, BatchFold, LeadUpdate, Outcome, Step};
use crate::engine::effects::{self, Silence};
use crate::flow::TurnInput;
use crate::lead::{Lead, Merge, OrderKey};

impl Step<'_> {
    /// Folds a merge request into `found`, the lead that the record addresses, if known.
    pub(super) fn merge(
        &self,
        merge: &Merge,
        found: Option<Box<LeadUpdate>>,
        batch: &mut BatchFold,
    ) -> Result<(Option<Box<LeadUpdate>>, Outcome), BatchError> {
        let done = |it: &LeadUpdate| {
            merge.lead_id == self.lead_id || it.lead.merged.contains(&merge.lead_id)
        };
        // The sender was erased after its merge request, and this lead now has its id. To close for
        // the sender would forward every later input between the two homes forever.
        let has_its_id = |it: &LeadUpdate| {
            let id = self.home_key(&merge.lead_id);
            merge.closed.is_none() && it.lead.identities.hold(id)
        };
        match (&merge.closed, found) {
            (_, Some(found)) if done(&found) || has_its_id(&found) => {
                batch.result.counts.duplicates += 1;
                Ok((Some(found), Outcome::Unchanged))
            }
            (Some(other), Some(mut found)) => {
                self.take_in(merge, other, &mut found.lead, batch)?;
                Ok((Some(found), Outcome::Folded))
            }
            // The topic no longer has the inputs of this lead, so it begins with the lead that is
            // handed over.
            (Some(other), None) => {
                let mut lead = other.clone();
                lead.revision = self.last_revision(batch);
                lead.timer_due_at = None;
                lead.merged.push(merge.lead_id.clone());
                batch
                    .result
                    .identities
                    .insert(Identity::from(&self.lead_id), self.lead_id.clone());
                let at = merge.order.at;
                self.event(&mut lead, Cause::Merge, None, at, batch)?;
                batch.result.counts.merges += 1;
                Ok((Some(self.begin(Box::new(lead))), Outcome::Folded))
            }
            (None, Some(mut found)) => {
                let outcome = self.on_merge_request(merge, &mut found.lead, batch)?;
                Ok((Some(found), outcome))
            }
            (None, None) => {
                batch.result.counts.merge_requests_missed += 1;
                Ok((None, Outcome::Unchanged))
            }
        }
    }

    /// Handles another lead's merge request: the younger of the two closes.
    fn on_merge_request(
        &self,
        merge: &Merge,
        lead: &mut Lead,
        batch: &mut BatchFold,
    ) -> Result<Outcome, BatchError> {
        let other = &merge.lead_id;
        batch.result.counts.merge_requests += 1;
        if lead.is_elder(&self.lead_id, other, merge.first_seen) {
            self.send_merge_request(lead, other, &merge.order, None, batch)?;
            return Ok(Outcome::Unchanged);
        }
        let previous = lead.state().map(ToOwned::to_owned);
        let handed_over = lead.close(other);
        let at = merge.order.at;
        self.event(lead, Cause::Merge, previous.as_deref(), at, batch)?;
        batch.result.counts.events += 1;
        let withdrawal = Some((WithdrawScope::Prompts, WithdrawReason::Merge));
        self.effect_builder()
            .withdraw(lead, withdrawal, &merge.order.id, batch)?;
        self.send_merge_request(&handed_over, other, &merge.order, Some(&handed_over), batch)?;
        Ok(Outcome::Folded)
    }

    fn take_in(
        &self,
        merge: &Merge,
        other: &Lead,
        lead: &mut Lead,
        batch: &mut BatchFold,
    ) -> Result<(), BatchError> {
        let rules = self.rules;
        let previous = lead.state().map(ToOwned::to_owned);
        let silence = Silence::of(lead);
        let joined = lead.absorb(rules.flows, &merge.lead_id, other.clone(), rules.journal)?;
        batch.result.counts.merges += 1;
        batch.result.counts.events += 1;
        let at = merge.order.at;
        self.event(lead, Cause::Merge, previous.as_deref(), at, batch)?;
        let says = joined.prompt.is_some();
        let withdrawal = silence.withdrawal(Silence::of(lead), &TurnInput::Ignored, says);
        self.effect_builder()
            .withdraw(lead, withdrawal, &merge.order.id, batch)?;
        self.reply(lead, joined.prompt, &merge.order.id, batch)?;
        self.keep_evicted(joined.evicted, batch);
        Ok(())
    }

    /// Sends a merge request to `other`'s home. With `closed`, the request hands that lead over.
    pub(super) fn send_merge_request(
        &self,
        lead: &Lead,
        other: &LeadId,
        order: &OrderKey,
        closed: Option<&Lead>,
        batch: &mut BatchFold,
    ) -> Result<(), BatchError> {
        let kind = if closed.is_some() {
            "merge"
        } else {
            "merge-request"
        };
        let snapshot = closed.map(Lead::to_bytes).transpose()?;
        let record = LeadInput {
            id: format!("{kind}:{}:{other}", self.lead_id).into(),
            kind: InputKind::Merge,
            platform: lead.platform,
            number: lead.number.clone(),
            sender: lead.identities.to_sender(),
            sent_at: order.at,
            received_at: order.received_at,
            item: 0,
            content: Content::Merge {
                lead_id: self.lead_id.clone(),
                first_seen: lead.first_seen,
                lead: snapshot.map(|bytes| BASE64.encode(bytes)),
            },
            referral: None,
            raw: None,
        };
        let trace = self.record.trace.map(|trace| trace.child(3));
        batch.outgoing.push(effects::outgoing(
            &self.rules.output_topics.inputs,
            self.home_key(other),
            trace,
            &record,
        )?);
        Ok(())
    }
}
