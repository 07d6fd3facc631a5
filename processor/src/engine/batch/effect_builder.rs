//! Publishes the events and replies of one lead's step.

use leadstream_kafka::TraceContext;
use leadstream_schemas::{
    Account, Cause, InputId, LeadId, Platform, Reply, ReplyContent, ReplyKind, Timestamp,
};

use super::{BatchError, BatchFold, Rules};
use crate::engine::effects::{self, Times, Withdrawal};
use crate::flow::{WINDOW, later};
use crate::lead::Lead;

pub(super) struct EffectBuilder<'a> {
    pub(super) lead_id: &'a LeadId,
    pub(super) account: &'a Account,
    pub(super) trace: Option<TraceContext>,
    pub(super) rules: &'a Rules<'a>,
}

impl EffectBuilder<'_> {
    /// Publishes the event that gives `lead` its next revision.
    pub(super) fn event(
        &self,
        lead: &mut Lead,
        cause: Cause,
        previous: Option<&str>,
        at: Timestamp,
        batch: &mut BatchFold,
    ) -> Result<(), BatchError> {
        let revision = lead.revision.next();
        let Some(event) = effects::event(self.lead_id, lead, revision, cause, previous, at) else {
            return Ok(());
        };
        lead.revision = revision;
        let trace = self.trace.map(|trace| trace.child(1));
        batch.outgoing.push(effects::outgoing(
            &self.rules.output_topics.events,
            self.lead_id.home_key(self.account),
            trace,
            &event,
        )?);
        Ok(())
    }

    /// Publishes the reply for `cause`, if there is one.
    pub(super) fn reply(
        &self,
        lead: &Lead,
        said: Option<(ReplyKind, ReplyContent)>,
        cause: &str,
        times: Times,
        batch: &mut BatchFold,
    ) -> Result<(), BatchError> {
        let Some((kind, content)) = said else {
            return Ok(());
        };
        batch.result.counts.replies += 1;
        let reply = effects::reply(self.lead_id, lead, content, Some(kind), cause, times);
        self.publish(&reply, 2, batch)
    }

    /// Withdraws the lead's earlier replies, if `withdrawal` is set.
    pub(super) fn withdraw(
        &self,
        lead: &Lead,
        withdrawal: Option<Withdrawal>,
        cause: &InputId,
        batch: &mut BatchFold,
    ) -> Result<(), BatchError> {
        let Some(withdrawal) = withdrawal else {
            return Ok(());
        };
        let record = effects::withdraw(self.lead_id, lead, withdrawal, cause);
        self.publish(&record, 4, batch)
    }

    /// Publishes a reply. `child` distinguishes the record from others of the same cause in its
    /// trace.
    fn publish(&self, record: &Reply, child: u64, batch: &mut BatchFold) -> Result<(), BatchError> {
        batch.outgoing.push(effects::outgoing(
            &self.rules.output_topics.replies,
            self.lead_id.home_key(self.account),
            self.trace.map(|trace| trace.child(child)),
            record,
        )?);
        Ok(())
    }

    /// Returns the times of a reply to an input received at `received_at`. The reply waits for a
    /// further message as long as the flow says, and expires when WhatsApp's window closes.
    pub(super) fn answer_times(&self, lead: &Lead, received_at: Timestamp) -> Times {
        let conversation = lead.journal.conversation();
        let flow = conversation.and_then(|it| self.rules.flows.get(&it.flow));
        let wait = flow
            .map(crate::flow::Flow::burst_wait)
            .filter(|wait| !wait.is_zero());
        Times {
            not_before: wait.map(|wait| later(received_at, wait)),
            expires_at: window_ends(lead),
        }
    }

    /// Returns the times of an agent message, which waits for nothing. WASenderApi has no window:
    /// its senders write as people do.
    pub(super) fn command_times(lead: &Lead) -> Times {
        let has_window = lead.platform == Platform::WhatsappCloud;
        Times {
            not_before: None,
            expires_at: window_ends(lead).filter(|_| has_window),
        }
    }
}

/// Returns when WhatsApp's window closes for `lead`, or none before its first message.
pub(super) fn window_ends(lead: &Lead) -> Option<Timestamp> {
    let wrote_at = lead.journal.conversation()?.internal.last_message_at?;
    Some(later(wrote_at, WINDOW))
}
