//! The step that one answer makes in a conversation.

mod command;

use leadstream_schemas::{ReplyContent, Timestamp};
use serde_json::{Map, Value};

use super::conversation::LastText;
use super::expression::{Expression, VALUE};
use super::read::{Expected, Reading, Scalar};
use super::say::{Words, ask};
use super::{
    Answer, COLD, Conversation, Flow, FlowStep, HUMAN_HANDOFF, Next, OPTED_OUT, Question,
    RejectReason, Role,
};

/// What an answer makes of a conversation, and what is said to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub conversation: Conversation,
    /// None: nothing is said.
    pub prompt: Option<ReplyContent>,
    /// Why a command did nothing.
    pub rejection: Option<RejectReason>,
}

/// Folds one answer, given at `at`. Total: a conversation in a state that the flow does not have
/// begins again, with what is known kept.
#[must_use]
pub fn step(flow: &Flow, conversation: &Conversation, at: Timestamp, answer: &Answer) -> Step {
    let turn = Turn {
        flow,
        at,
        can_reply: true,
    };
    turn.step(conversation, answer)
}

/// Folds an answer as [`step`] does, where no reply can be sent: the flow asks nothing, so a person
/// gets the conversation.
#[must_use]
pub fn step_without_reply(
    flow: &Flow,
    conversation: &Conversation,
    at: Timestamp,
    answer: &Answer,
) -> Step {
    let turn = Turn {
        flow,
        at,
        can_reply: false,
    };
    turn.step(conversation, answer)
}

impl Flow {
    /// Whether the answer begins the flow anew: the conversation that follows is a new one.
    #[must_use]
    pub fn is_restart(&self, conversation: &Conversation, answer: &Answer) -> bool {
        !conversation.is_opted_out()
            && (*answer == Answer::Restart || self.is_said(&self.keywords.restart, answer))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Turn<'a> {
    pub(super) flow: &'a Flow,
    pub(super) at: Timestamp,
    /// Whether what is said can be sent.
    pub(super) can_reply: bool,
}

impl Turn<'_> {
    fn step(self, conversation: &Conversation, answer: &Answer) -> Step {
        let mut conversation = conversation.clone();
        let (prompt, rejection) = match self.apply(&mut conversation, answer) {
            Ok(prompt) => (prompt.filter(|_| self.can_reply), None),
            Err(rejection) => (None, Some(rejection)),
        };
        Step {
            conversation,
            prompt,
            rejection,
        }
    }

    fn apply(
        self,
        conversation: &mut Conversation,
        answer: &Answer,
    ) -> Result<Option<ReplyContent>, RejectReason> {
        Ok(match answer {
            Answer::Ignored => None,
            Answer::Takeover => {
                self.take_over(conversation);
                None
            }
            command if command.is_command() => self.apply_command(conversation, command)?,
            _ => {
                conversation.aside.wrote_at = Some(self.at);
                self.before_the_flow(conversation, answer)
            }
        })
    }

    /// A person's words do not change what a completed lead is reported as.
    pub(super) fn take_over(self, conversation: &mut Conversation) {
        if conversation.is_opted_out() {
            return;
        }
        conversation.aside.person_at = Some(self.at);
        if !conversation.is_completed {
            conversation.leave(HUMAN_HANDOFF);
        }
    }

    /// Keywords, and the states in which the flow is not asked.
    fn before_the_flow(
        self,
        conversation: &mut Conversation,
        answer: &Answer,
    ) -> Option<ReplyContent> {
        let (flow, keywords) = (self.flow, &self.flow.keywords);
        let mut words = Words::new(flow);
        if conversation.is_opted_out() {
            if !flow.is_said(&keywords.start, answer) {
                return None;
            }
            conversation.go_on(self.at);
            words.add(flow.messages.started.as_ref(), conversation);
            return match flow.step(&conversation.state).map(|here| &here.role) {
                None => self.enter(&flow.start, conversation, words),
                Some(Role::End { retry }) => {
                    words.add(retry.as_ref(), conversation);
                    words.plain()
                }
                Some(_) => ask(flow, words, conversation),
            };
        }
        if flow.is_opt_out(conversation, answer) {
            conversation.leave(OPTED_OUT);
            conversation.aside.person_at = None;
            words.add(flow.messages.stopped.as_ref(), conversation);
            return words.plain();
        }
        if !self.can_reply {
            if !conversation.is_completed && !conversation.is_handed_over() {
                conversation.leave(HUMAN_HANDOFF);
            }
            return None;
        }
        if flow.is_restart(conversation, answer) {
            return self.begin_anew(conversation);
        }
        if conversation.is_handed_over() {
            return None;
        }
        if flow.is_said(&keywords.human, answer) {
            return self.hand_over(conversation);
        }
        if conversation.state == COLD {
            conversation.go_on(self.at);
        }
        conversation.aside.waits_since = Some(self.at);
        conversation.aside.nudged = false;
        self.in_the_flow(conversation, answer)
    }

    fn hand_over(self, conversation: &mut Conversation) -> Option<ReplyContent> {
        conversation.leave(HUMAN_HANDOFF);
        let mut words = Words::new(self.flow);
        words.add(self.flow.messages.handoff.as_ref(), conversation);
        words.plain()
    }

    fn in_the_flow(self, conversation: &mut Conversation, answer: &Answer) -> Option<ReplyContent> {
        let Some(here) = self.flow.step(&conversation.state) else {
            return self.enter(&self.flow.start, conversation, Words::new(self.flow));
        };
        let question = match &here.role {
            Role::Ask(question) => question,
            Role::End { retry } => {
                let mut words = Words::new(self.flow);
                words.add(retry.as_ref(), conversation);
                return words.plain();
            }
            // Nothing rests here; were it so, it goes on.
            Role::Pass { .. } => {
                return self.enter(&here.state, conversation, Words::new(self.flow));
            }
        };
        match question.read(answer, &conversation.data, conversation.score) {
            Some(reading) => self.accept(question, conversation, reading),
            None => self.ask_again(here, question, conversation, answer),
        }
    }

    fn accept(
        self,
        question: &Question,
        conversation: &mut Conversation,
        reading: Reading,
    ) -> Option<ReplyContent> {
        let mut joins = None;
        match (reading, &question.fill) {
            (Reading::Value(value), Some(field)) => {
                joins = question.takes_any_text().then(|| field.clone());
                conversation.data.insert(field.clone(), value);
            }
            (Reading::Value(_), None) => {}
            (Reading::Fields(fields), _) => conversation.data.extend(fields),
        }
        rescore(question.score.as_ref(), conversation);
        let next = question.next.choose(conversation).to_owned();
        let prompt = self.enter(&next, conversation, Words::new(self.flow));
        if let Some(last) = &mut conversation.aside.last_text {
            last.field = joins;
        }
        prompt
    }

    /// Arrives at `state`, and goes on from steps that ask nothing.
    pub(super) fn enter(
        self,
        state: &str,
        conversation: &mut Conversation,
        mut words: Words<'_>,
    ) -> Option<ReplyContent> {
        let mut state = state.to_owned();
        conversation.aside.tries = 0;
        conversation.aside.waits_since = Some(self.at);
        conversation.aside.nudged = false;
        conversation.aside.last_text = Some(LastText {
            at: self.at,
            field: None,
        });
        // The loader let no loop pass that has no question in it, and no state be named that the
        // flow does not have.
        for _ in 0..=self.flow.steps.len() {
            let Some(step) = self.flow.step(&state) else {
                break;
            };
            conversation.state.clone_from(&step.state);
            conversation.is_completed |= step.completes;
            if conversation.assignee.is_none() {
                conversation.assignee = step.assignee(conversation).map(ToOwned::to_owned);
            }
            words.add(step.prompt.as_ref(), conversation);
            let Role::Pass { score, next } = &step.role else {
                return words.asking(step, conversation);
            };
            rescore(score.as_ref(), conversation);
            next.choose(conversation).clone_into(&mut state);
        }
        words.plain()
    }

    fn ask_again(
        self,
        here: &FlowStep,
        question: &Question,
        conversation: &mut Conversation,
        answer: &Answer,
    ) -> Option<ReplyContent> {
        if self.belongs_to_the_last(conversation, answer) {
            return ask(self.flow, Words::new(self.flow), conversation);
        }
        conversation.aside.last_text = None;
        conversation.aside.tries += 1;
        if conversation.aside.tries >= question.limit {
            return match &question.at_limit {
                Some(state) => self.enter(state, conversation, Words::new(self.flow)),
                None => self.hand_over(conversation),
            };
        }
        let mut words = Words::new(self.flow);
        words.add(
            question.retry.as_ref().or(here.prompt.as_ref()),
            conversation,
        );
        words.asking(here, conversation)
    }

    /// A message right after an accepted one cannot answer a question that its writer has not
    /// seen: it is no try, and a text completes the text before it.
    fn belongs_to_the_last(self, conversation: &mut Conversation, answer: &Answer) -> bool {
        let Some(last) = &mut conversation.aside.last_text else {
            return false;
        };
        let since = self.at.millis().saturating_sub(last.at.millis());
        if u128::try_from(since).is_ok_and(|since| since > self.flow.burst_wait.as_millis()) {
            return false;
        }
        last.at = self.at;
        if let (Some(field), Some(more)) = (&last.field, answer.text())
            && let Some(Value::String(text)) = conversation.data.get_mut(field)
            && text.chars().count() + 1 + more.chars().count() <= super::answer::MAX_CHARS
        {
            text.push(' ');
            text.push_str(&more);
        }
        true
    }
}

impl Question {
    /// Reads `answer`; none when it is no valid answer.
    fn read(&self, answer: &Answer, data: &Map<String, Value>, score: i32) -> Option<Reading> {
        let reading = self.expected.read(answer)?;
        let Some(valid) = &self.valid else {
            return Some(reading);
        };
        let mut seen = data.clone();
        match &reading {
            Reading::Value(value) => {
                seen.insert(VALUE.to_owned(), value.clone());
            }
            Reading::Fields(fields) => seen.extend(fields.clone()),
        }
        valid.holds(&seen, score).then_some(reading)
    }

    /// Whether every text within the usual limits is an answer, so that two texts together are.
    fn takes_any_text(&self) -> bool {
        let is_open = matches!(
            &self.expected,
            Expected::Scalar(Scalar::Text { most, pattern: None, .. })
                if *most == super::answer::MAX_CHARS
        );
        is_open && self.valid.is_none()
    }
}

impl Next {
    fn choose(&self, conversation: &Conversation) -> &str {
        let case = self
            .cases
            .iter()
            .find(|(condition, _)| condition.holds(&conversation.data, conversation.score));
        case.map_or(&self.otherwise, |(_, state)| state)
    }
}

/// Returns a lead's assignment hash, from the id of its first input.
pub(crate) fn assignment_hash(id: &str) -> u32 {
    // What is evenly spread over 64 bits is so over the upper half, which also small counts divide.
    u32::try_from(fnv(id.as_bytes()) >> 32).unwrap_or_default()
}

/// FNV-1a: what comes of it is stored, so it must not change with the toolchain.
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// A score that cannot be computed stays as it was.
fn rescore(score: Option<&Expression>, conversation: &mut Conversation) {
    if let Some(score) = score
        && let Some(points) = score.points(&conversation.data, conversation.score)
    {
        conversation.score = points;
    }
}

#[cfg(test)]
mod tests;
