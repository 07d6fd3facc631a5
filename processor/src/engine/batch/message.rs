//! Folds an input into its lead: a message, a command of a person of the business, or a delivery.

use std::collections::BTreeSet;

use leadstream_schemas::{Cause, LeadId};

use super::{BatchError, BatchFold, DedupId, Outcome, Step};
use crate::engine::effects::{self, Silence};
use crate::lead::{Admission, Arrival, Inbound, Input, Lead, scoped};

impl Step<'_> {
    pub(super) fn message(
        &self,
        input: &Input,
        lead: &mut Lead,
        batch: &mut BatchFold,
    ) -> Result<Outcome, BatchError> {
        let (rules, record) = (self.rules, self.record);
        // The sender of a command or a delivery is not the lead, so neither says anything about the
        // lead's ids and number.
        let is_from_provider = input.answer.is_from_provider();
        let out_of_reach = lead.journal.out_of_reach(input);
        let was_evicted = || was_evicted(&self.lead_id, lead, input, batch);
        let silence = Silence::of(lead);
        let known_before = lead.journal.needs_dedup_lookup(input) && was_evicted();
        let admission = lead
            .journal
            .admit(rules.flows, input, rules.journal, || known_before)?;
        let (change, prompt, rejection, evicted) = match admission {
            Admission::Duplicate => {
                batch.result.counts.duplicates += 1;
                return Ok(Outcome::Unchanged);
            }
            Admission::TooLate => {
                batch.result.counts.too_late += 1;
                if matches!(self.keyed.inbound, Inbound::Delivery(_)) {
                    // Its question was answered long ago.
                    return Ok(Outcome::Unchanged);
                }
                batch.outgoing.push(effects::dead_letter(
                    rules.output_topics,
                    record,
                    "too_late",
                    "the input is older than its lead's journal reaches; a larger PROCESSOR_JOURNAL_LENGTH reaches further back",
                ));
                // The sender's ids are valid even if the message is too late.
                if is_from_provider {
                    self.learn(input, lead, batch)?;
                }
                return Ok(Outcome::DeadLetter);
            }
            Admission::Folded {
                change,
                prompt,
                rejection,
                evicted,
            } => (change, prompt, rejection, evicted),
        };
        batch.result.counts.folded += 1;
        batch.result.counts.amendments_out_of_reach += u64::from(out_of_reach);
        if is_from_provider {
            self.learn(input, lead, batch)?;
        }
        let mut arrival = Arrival {
            partition: record.partition,
            offset: record.offset,
            revision: None,
            replied: prompt.is_some(),
        };
        if let Some(change) = change {
            batch.result.counts.events += 1;
            batch.result.counts.late += u64::from(change.late);
            let cause = match (&self.keyed.inbound, change.late) {
                (Inbound::Command(_), _) => Cause::Command,
                (Inbound::Delivery(_), _) => Cause::Delivery,
                (_, true) => Cause::LateMessage,
                (_, false) => Cause::Message,
            };
            let previous = change.previous.as_ref().map(|it| it.state.as_str());
            self.event(lead, cause, previous, input.order.at, batch)?;
            arrival.revision = Some(lead.revision);
        }
        lead.journal.record_arrival(&input.order.id, arrival);
        let conversation = lead.journal.conversation();
        let is_machine = is_from_provider
            && conversation.is_some_and(|it| it.is_silent_to_machine(input.order.at));
        batch.result.counts.unanswered += u64::from(is_machine);
        let withdrawal = silence.withdrawal(Silence::of(lead), &input.answer, prompt.is_some());
        self.effect_builder()
            .withdraw(lead, withdrawal, &input.order.id, batch)?;
        self.reply(lead, prompt, &input.order.id, batch)?;
        self.keep_evicted(evicted, batch);
        Ok(rejection.map_or(Outcome::Folded, Outcome::Rejected))
    }

    /// Adds the ids that came with the input to the lead. Another lead that has one of them is the
    /// same person, so it gets a merge request.
    fn learn(
        &self,
        input: &Input,
        lead: &mut Lead,
        batch: &mut BatchFold,
    ) -> Result<(), BatchError> {
        let account = &self.keyed.account;
        if let Some(own) = self.keyed.identities.first()
            && !batch.loaded.identities.contains_key(own)
        {
            batch
                .result
                .identities
                .entry(own.clone())
                .or_insert_with(|| self.lead_id.clone());
        }
        let mut foreign = BTreeSet::new();
        let mut others = BTreeSet::new();
        for id in input.identities().filter(|id| !lead.identities.hold(id)) {
            let identity = scoped(account, id);
            match batch.owner(&identity) {
                Some(owner) if *owner != self.lead_id && !lead.merged.contains(owner) => {
                    foreign.insert(id);
                    others.insert(owner.clone());
                }
                Some(_) => {}
                None => {
                    batch
                        .result
                        .identities
                        .insert(identity, self.lead_id.clone());
                }
            }
        }
        lead.observe(input, |id| !foreign.contains(id));
        for other in others {
            if !lead.pending_merges.contains(&other) {
                self.send_merge_request(lead, &other, &input.order, None, batch)?;
                lead.pending_merges.push(other);
                batch.result.counts.merge_requests += 1;
            }
        }
        Ok(())
    }
}

/// Returns whether the input was evicted earlier, from the journal of its lead or of a lead that
/// merged into it.
fn was_evicted(lead_id: &LeadId, lead: &Lead, input: &Input, batch: &BatchFold) -> bool {
    std::iter::once(lead_id).chain(&lead.merged).any(|owner| {
        let id = DedupId {
            lead_id: owner.clone(),
            input_id: input.order.id.clone(),
        };
        batch.loaded.evicted.contains(&id) || batch.result.evicted.iter().any(|it| it.id == id)
    })
}
