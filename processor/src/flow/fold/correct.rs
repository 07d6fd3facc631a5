//! Corrections: the lead answers a question again, and the flow is walked again.

use leadstream_schemas::ReplyContent;

use super::Turn;
use crate::flow::keyword::Correction;
use crate::flow::progress::REACHED;
use crate::flow::read::Reading;
use crate::flow::reply::ReplyBuilder;
use crate::flow::{Conversation, FlowStep, Role};

/// How a lead left a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    Answered,
    Skipped,
    GivenUp,
}

impl Note {
    pub(super) const fn answer(reading: &Reading) -> Self {
        match reading {
            Reading::Skipped => Self::Skipped,
            _ => Self::Answered,
        }
    }
}

impl<'a> Turn<'a> {
    /// Asks the question again whose answer the lead wants to correct. If there is no such answer yet,
    /// the open step speaks again.
    pub(super) fn correct(
        self,
        correction: Correction<'a>,
        conversation: &mut Conversation,
    ) -> Option<ReplyContent> {
        let question = match correction {
            Correction::Before => self.question_before(conversation),
            Correction::Of(state) => {
                Some(state).filter(|state| self.was_answered(state, conversation))
            }
        };
        if let Some(state) = question.filter(|state| *state != conversation.state) {
            let open = std::mem::replace(&mut conversation.state, state.to_owned());
            conversation.internal.return_to.get_or_insert(open);
            self.await_answer(conversation);
            self.mark(conversation, REACHED);
        }
        self.repeat(conversation, ReplyBuilder::new(self.flow))
    }

    /// Returns the last question before the open step on the way from the start.
    fn question_before(self, conversation: &Conversation) -> Option<&'a str> {
        let answered = self.answered_questions(conversation);
        let open = answered
            .iter()
            .position(|state| *state == conversation.state);
        let before = match open {
            Some(open) => open.checked_sub(1)?,
            None => answered.len().checked_sub(1)?,
        };
        answered.get(before).copied()
    }

    fn was_answered(self, state: &str, conversation: &Conversation) -> bool {
        let internal = &conversation.internal;
        let was_left = internal
            .skipped
            .iter()
            .chain(&internal.given_up)
            .any(|it| it == state);
        let role = self.flow.step(state).map(|step| &step.role);
        was_left
            || matches!(role, Some(Role::Ask(question)) if self.is_answered(question, conversation))
    }

    /// Notes how the lead left the question `here`, for later walks.
    pub(super) fn note(here: &FlowStep, note: Note, conversation: &mut Conversation) {
        let internal = &mut conversation.internal;
        internal.skipped.retain(|state| *state != here.state);
        internal.given_up.retain(|state| *state != here.state);
        match note {
            Note::Answered => {}
            Note::Skipped => internal.skipped.push(here.state.clone()),
            Note::GivenUp => internal.given_up.push(here.state.clone()),
        }
    }
}
