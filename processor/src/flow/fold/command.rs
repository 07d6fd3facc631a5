//! The turn of a command: what it has said, or why it does nothing.

use leadstream_schemas::{ReplyContent, Timestamp};

use super::Turn;
use crate::flow::say::{Words, ask};
use crate::flow::time::{WINDOW, later};
use crate::flow::{Answer, Conversation, RejectReason};

/// Why the command `answer`, given at `at`, does nothing to `conversation`; none: it does, or is
/// no command.
fn rejection(conversation: &Conversation, at: Timestamp, answer: &Answer) -> Option<RejectReason> {
    let (opted_out, handed_over) = (conversation.is_opted_out(), conversation.is_handed_over());
    match answer {
        Answer::Restart | Answer::Say { .. } if opted_out => Some(RejectReason::OptedOut),
        Answer::Release if !handed_over => Some(RejectReason::NotHandedOver),
        Answer::Say { has_window, .. } => {
            let wrote_at = conversation.aside.wrote_at;
            let is_open = wrote_at.is_some_and(|wrote_at| at < later(wrote_at, WINDOW));
            (*has_window && !is_open).then_some(RejectReason::WindowClosed)
        }
        _ => None,
    }
}

impl Turn<'_> {
    /// What a command has said, or why it does nothing.
    pub(super) fn apply_command(
        self,
        conversation: &mut Conversation,
        command: &Answer,
    ) -> Result<Option<ReplyContent>, RejectReason> {
        if let Some(rejection) = rejection(conversation, self.at, command) {
            return Err(rejection);
        }
        if !self.can_reply && !matches!(command, Answer::Assign(_)) {
            return Err(RejectReason::NoSending);
        }
        Ok(match command {
            Answer::Restart => self.begin_anew(conversation),
            Answer::Release => {
                conversation.go_on(self.at);
                ask(self.flow, Words::new(self.flow), conversation)
            }
            Answer::Assign(assignee) => {
                conversation.assignee.clone_from(assignee);
                None
            }
            Answer::Say { body, .. } => {
                self.take_over(conversation);
                Some(ReplyContent::Text { body: body.clone() })
            }
            _ => None,
        })
    }

    /// The flow from its beginning; who looks after the lead stays.
    pub(super) fn begin_anew(self, conversation: &mut Conversation) -> Option<ReplyContent> {
        let before = std::mem::replace(conversation, Conversation::start(self.flow));
        conversation.assignee = before.assignee;
        conversation.aside.wrote_at = before.aside.wrote_at;
        conversation.aside.assignment_hash = before.aside.assignment_hash;
        self.enter(&self.flow.start, conversation, Words::new(self.flow))
    }
}

#[cfg(test)]
mod tests;
