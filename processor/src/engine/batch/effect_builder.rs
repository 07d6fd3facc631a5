//! Publishes the events and replies of one lead's step.

use leadstream_kafka::TraceContext;
use leadstream_schemas::{
    Account, Cause, InputId, LeadId, Platform, Reply, ReplyContent, ReplyKind, Timestamp,
};

use super::{BatchError, BatchFold, Rules};
use crate::engine::effects::{self, Said, Times, Withdrawal};
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

    /// Returns `content` with what replaces it outside WhatsApp's window: the template `named`, or that of
    /// the step for a prompt.
    pub(super) fn said(
        &self,
        lead: &Lead,
        kind: ReplyKind,
        content: ReplyContent,
        named: Option<&str>,
    ) -> Said {
        let has_window = has_window(lead) && !matches!(content, ReplyContent::Template(_));
        let conversation = lead.journal.conversation().filter(|_| has_window);
        let flow = conversation.and_then(|it| self.rules.flows.get(&it.flow));
        let fallback = flow
            .zip(conversation)
            .and_then(|(flow, conversation)| match named {
                Some(name) => flow.template(name, conversation),
                None if kind == ReplyKind::Prompt => flow.outside_window(conversation),
                None => None,
            });
        Said {
            kind,
            content,
            fallback,
        }
    }

    /// Publishes the reply for `cause`. WASenderApi has no templates, so nothing replaces one there.
    pub(super) fn reply(
        &self,
        lead: &Lead,
        said: Said,
        cause: &str,
        times: Times,
        batch: &mut BatchFold,
    ) -> Result<(), BatchError> {
        let is_template = matches!(said.content, ReplyContent::Template(_));
        if is_template && !has_window(lead) {
            return Ok(());
        }
        batch.result.counts.replies += 1;
        let kind = Some(said.kind);
        let mut reply = effects::reply(self.lead_id, lead, said.content, kind, cause, times);
        reply.fallback = said.fallback;
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

    /// Returns how long a reply to an input received at `received_at` waits for a further message.
    pub(super) fn waits_until(&self, lead: &Lead, received_at: Timestamp) -> Option<Timestamp> {
        let conversation = lead.journal.conversation();
        let flow = conversation.and_then(|it| self.rules.flows.get(&it.flow));
        let wait = flow
            .map(crate::flow::Flow::burst_wait)
            .filter(|wait| !wait.is_zero());
        wait.map(|wait| later(received_at, wait))
    }

    /// Returns until when something said because of an input or timer at `at` may be sent. Free words
    /// expire when WhatsApp's window closes, and a template a day after its cause.
    pub(super) fn ends(lead: &Lead, said: &Said, at: Timestamp) -> Times {
        let is_template = matches!(said.content, ReplyContent::Template(_));
        let expires_at = if is_template || said.fallback.is_some() {
            Some(later(at, WINDOW))
        } else {
            // A person's words are not late on WASenderApi, whose senders write as people do.
            window_ends(lead).filter(|_| has_window(lead) || said.kind != ReplyKind::AgentMessage)
        };
        Times {
            not_before: None,
            expires_at,
            window_until: window_ends(lead).filter(|_| has_window(lead) && !is_template),
        }
    }
}

/// Returns whether the lead's provider takes free texts only within WhatsApp's window.
fn has_window(lead: &Lead) -> bool {
    lead.platform == Platform::WhatsappCloud
}

/// Returns when WhatsApp's window closes for `lead`, or none before its first message.
fn window_ends(lead: &Lead) -> Option<Timestamp> {
    let wrote_at = lead.journal.conversation()?.internal.last_message_at?;
    Some(later(wrote_at, WINDOW))
}
