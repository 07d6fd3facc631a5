//! The fold: applies one input to a conversation.

mod apply_command;
mod correct;
mod question;
mod repeated;
mod undelivered;
mod walk;

use leadstream_schemas::{ReplyContent, Timestamp};
use serde_json::Value;

use super::field::currency_field;
use super::progress::{ANSWERED, RETRIED};
use super::read::{Reading, read_name};
use super::reply::{ReplyBuilder, ask};
use super::turn_input::clean;
use super::{
    COLD, Conversation, FirstMessage, Flow, FlowStep, HUMAN_HANDOFF, Question, Referral,
    RejectReason, Role, StatedConsent, TurnInput,
};
use correct::Note;
use question::{compute, rescore};

/// The version of this code's outcomes. A change that gives any journal another conversation raises it,
/// so that `leadstream verify` does not take such a difference for damage. Version 0.1.0 has 1.
pub const FOLD_VERSION: u32 = 2;

/// The result of one input.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub conversation: Conversation,
    pub prompt: Option<ReplyContent>,
    /// The reason why a command was rejected.
    pub rejection: Option<RejectReason>,
}

/// The circumstances of an input's receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt<'a> {
    /// The time by which the input is ordered.
    pub at: Timestamp,
    /// The time of receipt, before which no reply can be sent.
    pub received_at: Timestamp,
    /// True if replies can be sent. Otherwise the flow asks nothing, so a person gets the
    /// conversation.
    pub can_reply: bool,
    /// True if the lead can be shown forms. Otherwise a person gets a lead that would be asked by one.
    pub has_forms: bool,
    /// The ad or post that led to the message.
    pub referral: Option<&'a Referral>,
}

impl From<Timestamp> for Receipt<'_> {
    /// Returns the receipt of an input that is delivered at once.
    fn from(at: Timestamp) -> Self {
        Self {
            at,
            received_at: at,
            can_reply: true,
            has_forms: true,
            referral: None,
        }
    }
}

/// Folds one input. A conversation in a state that the flow does not have begins again and keeps its
/// data.
#[must_use]
pub fn step<'a>(
    flow: &'a Flow,
    conversation: &Conversation,
    receipt: impl Into<Receipt<'a>>,
    input: &TurnInput,
) -> Step {
    Turn::new(flow, receipt.into()).step(conversation, input)
}

impl Flow {
    /// Returns whether the input restarts the flow, so that a new conversation begins.
    #[must_use]
    pub fn is_restart(&self, conversation: &Conversation, input: &TurnInput) -> bool {
        !conversation.is_opted_out()
            && (*input == TurnInput::Restart || self.is_keyword(&self.keywords.restart, input))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Turn<'a> {
    pub(super) flow: &'a Flow,
    pub(super) at: Timestamp,
    /// When the bot can first ask: timers count from then, because an input may come hours late.
    pub(super) asked_at: Timestamp,
    /// True if replies can be sent.
    pub(super) can_reply: bool,
    has_forms: bool,
    referral: Option<&'a Referral>,
    /// True within the working hours.
    is_open: bool,
}

impl<'a> Turn<'a> {
    fn new(flow: &'a Flow, receipt: Receipt<'a>) -> Self {
        Self {
            flow,
            at: receipt.at,
            asked_at: receipt.at.max(receipt.received_at),
            can_reply: receipt.can_reply,
            has_forms: receipt.has_forms,
            referral: receipt.referral,
            is_open: flow.schedule.is_open(receipt.at),
        }
    }

    fn step(self, before: &Conversation, input: &TurnInput) -> Step {
        let mut conversation = before.clone();
        if conversation.referral.is_none() {
            conversation.referral = self.referral.cloned().map(Box::new);
        }
        self.flow.lend_referral(&mut conversation, self.at);
        let (prompt, rejection) = match self.apply(&mut conversation, input) {
            Ok(Some(ReplyContent::Form { .. })) if !self.has_forms => {
                let reply = ReplyBuilder::new(self.flow);
                (self.hand_off(&mut conversation, reply, false), None)
            }
            Ok(prompt) => (prompt.filter(|_| self.can_reply), None),
            Err(reason) => (None, Some(reason)),
        };
        self.flow.take_referral_back(&mut conversation);
        self.note_times(before, &mut conversation);
        Step {
            conversation,
            prompt,
            rejection,
        }
    }

    /// Notes since when the lead has its assignee, and when it said STOP or START.
    fn note_times(self, before: &Conversation, after: &mut Conversation) {
        if after.assignee != before.assignee {
            after.assigned_at = after.assignee.is_some().then_some(self.at);
        }
        if after.is_opted_out() != before.is_opted_out() {
            after.consent = Some(StatedConsent {
                at: self.at,
                is_granted: before.is_opted_out(),
            });
        }
    }

    fn apply(
        self,
        conversation: &mut Conversation,
        input: &TurnInput,
    ) -> Result<Option<ReplyContent>, RejectReason> {
        Ok(match input {
            TurnInput::Ignored => None,
            TurnInput::Takeover => {
                self.take_over(conversation);
                None
            }
            TurnInput::Undelivered(undelivered) => {
                self.react(conversation, undelivered);
                None
            }
            command if command.is_command() => self.apply_command(conversation, command)?,
            _ => {
                if conversation.internal.last_message_at.is_none() {
                    let text = input.keyword().map(clean);
                    conversation.first_message = Some(FirstMessage {
                        at: self.at,
                        text: text.filter(|text| !text.is_empty()),
                    });
                }
                conversation.internal.last_message_at = Some(self.at);
                self.apply_keywords(conversation, input)
            }
        })
    }

    /// Hands the conversation to a person. The state of a completed lead stays, for reports.
    pub(super) fn take_over(self, conversation: &mut Conversation) {
        if conversation.is_opted_out() {
            return;
        }
        conversation.internal.takeover_at = Some(self.at);
        if !conversation.is_completed {
            conversation.suspend(HUMAN_HANDOFF);
        }
    }

    /// Applies keywords, and the states in which the flow is suspended; else the flow's step.
    fn apply_keywords(
        self,
        conversation: &mut Conversation,
        input: &TurnInput,
    ) -> Option<ReplyContent> {
        let (flow, keywords) = (self.flow, &self.flow.keywords);
        let mut reply = ReplyBuilder::new(flow);
        if conversation.is_opted_out() {
            if !flow.is_keyword(&keywords.start, input) {
                return None;
            }
            conversation.resume(self.asked_at);
            reply.add(flow.messages.started.as_ref(), conversation);
            return self.repeat(conversation, reply);
        }
        if flow.is_opt_out(conversation, input) {
            conversation.opt_out();
            reply.add(flow.messages.stopped.as_ref(), conversation);
            return reply.text();
        }
        if !self.can_reply {
            if !conversation.is_completed && !conversation.is_handed_over() {
                conversation.suspend(HUMAN_HANDOFF);
            }
            return None;
        }
        if flow.is_restart(conversation, input) {
            return self.restart(conversation);
        }
        if conversation.is_handed_over() {
            return None;
        }
        if flow.asks_for_person(conversation, input) {
            return self.hand_off(conversation, ReplyBuilder::new(flow), false);
        }
        if conversation.state == COLD {
            conversation.resume(self.asked_at);
        }
        conversation.internal.wait_from(self.asked_at);
        match flow.correction(conversation, input) {
            Some(correction) => self.correct(correction, conversation),
            None => self.apply_to_step(conversation, input),
        }
    }

    /// Says again what the open step says: a question, or the reply to every message.
    fn repeat(
        self,
        conversation: &mut Conversation,
        mut reply: ReplyBuilder<'a>,
    ) -> Option<ReplyContent> {
        let flow = self.flow;
        match flow.step(&conversation.state).map(|here| &here.role) {
            None => self.enter(&flow.start, conversation, reply),
            Some(Role::End { retry } | Role::Automatic { retry, .. }) => {
                reply.add(retry.as_ref(), conversation);
                reply.text()
            }
            Some(Role::Ask(_)) => ask(flow, reply, conversation),
        }
    }

    /// Hands the conversation to a person. A step with words of its own needs no general ones.
    fn hand_off(
        self,
        conversation: &mut Conversation,
        mut reply: ReplyBuilder<'a>,
        has_own_words: bool,
    ) -> Option<ReplyContent> {
        conversation.suspend(HUMAN_HANDOFF);
        if !has_own_words {
            reply.add(self.flow.messages.handoff.as_ref(), conversation);
        }
        reply.text()
    }

    fn apply_to_step(
        self,
        conversation: &mut Conversation,
        input: &TurnInput,
    ) -> Option<ReplyContent> {
        let Some(here) = self.flow.step(&conversation.state) else {
            return self.enter(&self.flow.start, conversation, ReplyBuilder::new(self.flow));
        };
        self.count_repetitions(here, conversation, input);
        let reply = self.read(here, conversation, input);
        self.unless_repeated(here, conversation, reply)
    }

    /// Reads the input as the step `here` does.
    fn read(
        self,
        here: &FlowStep,
        conversation: &mut Conversation,
        input: &TurnInput,
    ) -> Option<ReplyContent> {
        let question = match &here.role {
            Role::Ask(question) => question,
            Role::End { .. } | Role::Automatic { .. } => {
                return self.repeat(conversation, ReplyBuilder::new(self.flow));
            }
        };
        let input = &*here.own_tap(input);
        if self.flow.is_other_tap(question, input) {
            return ask(self.flow, ReplyBuilder::new(self.flow), conversation);
        }
        match self.reading(question, conversation, input) {
            Some(reading) => self.accept(here, question, conversation, reading),
            None => self.ask_again(here, question, conversation, input),
        }
    }

    fn accept(
        self,
        here: &FlowStep,
        question: &Question,
        conversation: &mut Conversation,
        reading: Reading,
    ) -> Option<ReplyContent> {
        self.mark(conversation, ANSWERED);
        let mut open_field = None;
        Self::note(here, Note::answer(&reading), conversation);
        match (reading, &question.fill) {
            (Reading::Value(value), Some(field)) => {
                open_field = question.takes_joined_texts().then(|| field.clone());
                conversation.data.insert(field.clone(), value);
            }
            (Reading::Amount(value, code), Some(field)) => {
                let currency = currency_field(field);
                match code {
                    Some(code) => conversation.data.insert(currency, code.into()),
                    None => conversation.data.remove(&currency),
                };
                conversation.data.insert(field.clone(), value);
            }
            (Reading::Value(_) | Reading::Amount(..), None) => {}
            (Reading::Fields(fields), _) => conversation.data.extend(fields),
            (Reading::Skipped, _) => {
                for field in &question.fills {
                    conversation.data.remove(&field.name);
                }
            }
        }
        let prompt = if let Some((again, prompt)) = self.walked_again(here, conversation) {
            *conversation = again;
            prompt
        } else {
            compute(here, conversation, self.is_open);
            rescore(question.score.as_ref(), conversation, self.is_open);
            let next = question.next.choose(conversation, self.is_open).to_owned();
            self.enter(&next, conversation, ReplyBuilder::new(self.flow))
        };
        if let Some(last) = &mut conversation.internal.last_text {
            last.field = open_field;
        }
        prompt
    }

    fn ask_again(
        self,
        here: &FlowStep,
        question: &Question,
        conversation: &mut Conversation,
        input: &TurnInput,
    ) -> Option<ReplyContent> {
        if self.continues_last_text(conversation, input) {
            return ask(self.flow, ReplyBuilder::new(self.flow), conversation);
        }
        self.mark(conversation, RETRIED);
        conversation.internal.last_text = None;
        conversation.internal.tries += 1;
        if conversation.internal.tries >= question.limit {
            return match &question.at_limit {
                Some(state) => self.give_up(here, state, conversation),
                None => self.hand_off(conversation, ReplyBuilder::new(self.flow), false),
            };
        }
        let mut reply = ReplyBuilder::new(self.flow);
        match &question.retry {
            Some(retry) => reply.add(Some(retry), conversation),
            None => reply.add_prompt(here, conversation),
        }
        reply.with_options(here, conversation)
    }

    /// Marks the step at which the conversation is.
    fn mark(self, conversation: &mut Conversation, bits: u8) {
        if let Some((index, _)) = self.flow.find(&conversation.state) {
            conversation.internal.progress.mark(index, bits);
        }
    }

    /// Leaves a question without an answer.
    fn give_up(
        self,
        here: &FlowStep,
        state: &str,
        conversation: &mut Conversation,
    ) -> Option<ReplyContent> {
        Self::note(here, Note::GivenUp, conversation);
        if let Some((again, prompt)) = self.walked_again(here, conversation) {
            *conversation = again;
            return prompt;
        }
        self.enter(state, conversation, ReplyBuilder::new(self.flow))
    }

    /// Returns whether the input continues the last accepted text, and appends it if so.
    ///
    /// A message right after an accepted one cannot answer the next question, which its writer has
    /// not seen yet. So it is no try.
    fn continues_last_text(self, conversation: &mut Conversation, input: &TurnInput) -> bool {
        let language = self.flow.language(conversation);
        let Some(last) = &mut conversation.internal.last_text else {
            return false;
        };
        let since = self.at.millis().saturating_sub(last.at.millis());
        if u128::try_from(since).is_ok_and(|since| since > self.flow.burst_wait.as_millis()) {
            return false;
        }
        last.at = self.at;
        let language = self.flow.languages.get(language).map_or("", String::as_str);
        if let (Some(field), Some(more)) = (last.field.clone(), input.text())
            && (!self.flow.is_name(&field) || read_name(&more, language).is_some())
            && let Some(Value::String(text)) = conversation.data.get_mut(&field)
            && text.chars().count() + 1 + more.chars().count() <= super::turn_input::MAX_CHARS
        {
            text.push(' ');
            text.push_str(&more);
            let fills = |step: &&FlowStep| matches!(&step.role, Role::Ask(it) if it.fill.as_ref() == Some(&field));
            let steps = self.flow.steps.iter().filter(fills);
            steps.for_each(|step| compute(step, conversation, self.is_open));
        }
        true
    }
}

#[cfg(test)]
mod tests;
