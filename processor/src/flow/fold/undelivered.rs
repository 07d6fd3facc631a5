//! Applies the news that a reply did not reach the lead.

use leadstream_schemas::UndeliveredClass;

use super::Turn;
use crate::flow::turn_input::Undelivered;
use crate::flow::undelivered::Reaction;
use crate::flow::{COLD, Conversation, HUMAN_HANDOFF, Role};

impl Turn<'_> {
    /// Reacts as the flow says, if the reply asked the question that is still open. Nothing is said:
    /// it might not arrive either. A completed lead stays as it is, for reports.
    pub(super) fn react(self, conversation: &mut Conversation, undelivered: &Undelivered) {
        let state = match self.flow.undelivered.of(undelivered.class) {
            Reaction::HandOff => HUMAN_HANDOFF,
            Reaction::Cold => COLD,
            Reaction::Nothing => return,
        };
        let here = self.flow.step(&conversation.state);
        let is_question = here.is_some_and(|step| matches!(step.role, Role::Ask(_)));
        if is_question
            && !conversation.is_completed
            && !conversation.is_handed_over()
            && conversation.is_last_question(undelivered.asked_at)
        {
            conversation.suspend(state);
            // A closed window says nothing against the template of `timers.reengage`.
            if state != COLD || undelivered.class != UndeliveredClass::WindowClosed {
                // The bot waits for no answer, so no timer counts.
                conversation.internal.waiting_since = None;
            }
        }
    }
}

#[cfg(test)]
mod tests;
