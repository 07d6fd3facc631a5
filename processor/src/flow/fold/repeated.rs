//! Notices a machine that answers by itself, and falls silent. Two machines would write to each other
//! for ever.

use std::time::Duration;

use leadstream_schemas::{ReplyContent, Timestamp};

use super::Turn;
use crate::flow::conversation::Repeated;
use crate::flow::{Conversation, FlowStep, Role, TurnInput, fnv};

/// How often the same words in a row get a reply at one step, unless so much time is between them.
const MAX_SAME: u32 = 3;
const SAME_APART: Duration = Duration::from_secs(6 * 3600);

/// How many messages in a row get a reply after the flow's end, unless so much time is between them.
const MAX_ENDED: u32 = 5;
const ENDED_APART: Duration = Duration::from_secs(10 * 60);

/// How many messages in a row get a reply at machine speed. No person answers so many questions.
const MAX_QUICK: u32 = 60;
const QUICK_APART: Duration = Duration::from_secs(60);

impl Turn<'_> {
    /// Counts how often a message like `input` came in a row.
    pub(super) fn count_repetitions(
        self,
        here: &FlowStep,
        conversation: &mut Conversation,
        input: &TurnInput,
    ) {
        let before = conversation.internal.repeated.take().unwrap_or_default();
        let apart = self.at.millis().saturating_sub(before.at.millis());
        let is_within = |limit: Duration| u128::try_from(apart).unwrap_or(0) <= limit.as_millis();
        let count = |holds: bool, count: u32| if holds { count.saturating_add(1) } else { 1 };
        let words = fnv(here
            .state
            .as_bytes()
            .iter()
            .chain(b"\n")
            .chain(input.words().as_bytes()));
        let has_ended = !matches!(here.role, Role::Ask(_));
        let same = count(words == before.words && is_within(SAME_APART), before.same);
        let ended = count(is_within(ENDED_APART), before.ended);
        let quick = count(is_within(QUICK_APART), before.quick);
        let ended = if has_ended { ended } else { 0 };
        conversation.internal.repeated = Some(Repeated {
            words,
            at: self.at,
            same,
            ended,
            quick,
            is_silent: same > MAX_SAME || ended > MAX_ENDED || quick > MAX_QUICK,
        });
    }

    /// Returns the reply, unless it is one of too many at the step `here`. A reply that leads to
    /// another step, or to a person, always goes out.
    pub(super) fn unless_repeated(
        self,
        here: &FlowStep,
        conversation: &mut Conversation,
        reply: Option<ReplyContent>,
    ) -> Option<ReplyContent> {
        let Some(repeated) = &mut conversation.internal.repeated else {
            return reply;
        };
        let has_moved = conversation.state != here.state && repeated.quick <= MAX_QUICK;
        repeated.is_silent &= !has_moved && reply.is_some();
        reply.filter(|_| !repeated.is_silent)
    }
}

impl Conversation {
    /// Returns whether the lead's message of the time `at` got no reply because a machine seems to
    /// write.
    #[must_use]
    pub fn is_silent_to_machine(&self, at: Timestamp) -> bool {
        let repeated = self.internal.repeated.as_ref();
        repeated.is_some_and(|it| it.is_silent && it.at == at)
    }
}

#[cfg(test)]
mod tests;
