//! Applies a command to a conversation.

use leadstream_schemas::{ReplyContent, Timestamp};

use super::Turn;
use crate::flow::reply::{ReplyBuilder, ask};
use crate::flow::time::{WINDOW, later};
use crate::flow::{Conversation, Flow, RejectReason, TurnInput};

/// Returns why `command` is rejected; none if it is applied, or if it is no command.
fn rejection(
    flow: &Flow,
    conversation: &Conversation,
    at: Timestamp,
    command: &TurnInput,
) -> Option<RejectReason> {
    let (opted_out, handed_over) = (conversation.is_opted_out(), conversation.is_handed_over());
    match command {
        TurnInput::Restart | TurnInput::Say { .. } if opted_out => Some(RejectReason::OptedOut),
        TurnInput::Release if !handed_over => Some(RejectReason::NotHandedOver),
        TurnInput::Say {
            template: Some(name),
            ..
        } if !flow.has_template(name) => Some(RejectReason::UnknownTemplate),
        TurnInput::Say {
            body,
            has_window: false,
            template: Some(_),
        } if body.is_empty() => Some(RejectReason::NoTemplates),
        TurnInput::Say {
            template: Some(_), ..
        } => None,
        TurnInput::Say { has_window, .. } => {
            let last_message_at = conversation.internal.last_message_at;
            let is_open = last_message_at.is_some_and(|last| at < later(last, WINDOW));
            (*has_window && !is_open).then_some(RejectReason::WindowClosed)
        }
        _ => None,
    }
}

impl Turn<'_> {
    /// Applies a command and returns its reply.
    pub(super) fn apply_command(
        self,
        conversation: &mut Conversation,
        command: &TurnInput,
    ) -> Result<Option<ReplyContent>, RejectReason> {
        if let Some(reason) = rejection(self.flow, conversation, self.at, command) {
            return Err(reason);
        }
        if !self.can_reply && !matches!(command, TurnInput::Assign(_)) {
            return Err(RejectReason::NoSending);
        }
        Ok(match command {
            TurnInput::Restart => self.restart(conversation),
            TurnInput::Release => {
                conversation.resume(self.asked_at);
                ask(self.flow, ReplyBuilder::new(self.flow), conversation)
            }
            TurnInput::Assign(assignee) => {
                conversation.assignee.clone_from(assignee);
                None
            }
            TurnInput::Say { body, template, .. } => {
                self.take_over(conversation);
                let template = template.as_ref().filter(|_| body.is_empty());
                match template {
                    Some(name) => self
                        .flow
                        .template(name, conversation)
                        .map(ReplyContent::Template),
                    None => Some(ReplyContent::text(body.clone())),
                }
            }
            _ => None,
        })
    }

    /// Restarts the flow from its first step. The assignee, the referral, the first message and the
    /// consent stay.
    pub(super) fn restart(self, conversation: &mut Conversation) -> Option<ReplyContent> {
        let before = std::mem::replace(conversation, Conversation::start(self.flow));
        conversation.assignee = before.assignee;
        conversation.internal.progress = before
            .internal
            .progress
            .restarted(before.flow, &conversation.flow);
        conversation.assigned_at = before.assigned_at;
        conversation.referral = before.referral;
        conversation.first_message = before.first_message;
        conversation.consent = before.consent;
        self.flow.lend_referral(conversation, self.at);
        conversation.internal.last_message_at = before.internal.last_message_at;
        conversation.internal.assignment_hash = before.internal.assignment_hash;
        self.enter(&self.flow.start, conversation, ReplyBuilder::new(self.flow))
    }
}

#[cfg(test)]
mod tests;
