//! Simulates the conversation of one lead without a server.
//!
//! Journal, timers and the wait for bursts work as in the engine. Pure: the caller advances the
//! time.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod transcript;

use std::time::Duration;

use leadstream_schemas::reply::ReplyLink;
use leadstream_schemas::{
    Content, InputId, Platform, Referral as Given, ReplyContent, Sender, Timestamp,
    UndeliveredClass,
};

pub use transcript::{
    Difference, PlayError, Recorder, TranscriptError, TranscriptFile, TranscriptResult,
    TurnDifference, parse_referral, transcripts_schema,
};

use crate::flow::{Conversation, Flow, Referral, TurnInput, Undelivered, WINDOW, later, numbered};
use crate::flows::Flows;
use crate::lead::{Admission, Amendment, FoldError, Input, Journal, OrderKey};
use crate::messages::template_text;

/// The time at which every simulation begins: 2026-01-05 09:00 UTC.
const BEGIN: Timestamp = Timestamp::from_secs(1_767_603_600);
/// The number of inputs that can still be edited.
const JOURNAL_LENGTH: usize = 64;

/// A simulated conversation.
#[derive(Debug)]
pub struct Simulator<'a> {
    flows: &'a Flows,
    journal: Journal,
    now: Timestamp,
    /// A reply that waits for a further message.
    waiting: Option<(Timestamp, ReplyContent)>,
    /// The replies that were sent and that nobody took yet.
    sent: Vec<ReplyContent>,
    inputs: usize,
    /// The ad or post that leads to the next message.
    referral: Option<Given>,
    /// The states to which the lead came, the last one last.
    states: Vec<String>,
}

impl<'a> Simulator<'a> {
    #[must_use]
    pub fn new(flows: &'a Flows) -> Self {
        Self {
            flows,
            journal: Journal::default(),
            now: BEGIN,
            waiting: None,
            sent: Vec::new(),
            inputs: 0,
            referral: None,
            states: Vec::new(),
        }
    }

    /// Returns the conversation; none before the first input.
    #[must_use]
    pub const fn conversation(&self) -> Option<&Conversation> {
        self.journal.conversation()
    }

    /// Returns a lead with this conversation.
    #[cfg(test)]
    pub(crate) fn lead(&self) -> crate::lead::Lead {
        let input = self.input(TurnInput::Ignored, None, None);
        let mut lead = crate::lead::Lead::new(&input);
        lead.journal = self.journal.clone();
        lead
    }

    /// Returns the simulated time.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns the replies that were sent since the last call.
    pub fn take_sent_replies(&mut self) -> Vec<ReplyContent> {
        std::mem::take(&mut self.sent)
    }

    /// Returns why `content` cannot be sent: it taps an option that no message so far has. The first
    /// message may tap a button of a template.
    #[must_use]
    pub fn refused(&self, content: &Content) -> Option<String> {
        let Content::Choice { id: Some(id), .. } = content else {
            return None;
        };
        let flow = self.flows.get(&self.conversation()?.flow)?;
        flow.refused_tap(&self.states, id)
    }

    /// Sends a waiting reply now.
    pub fn send_waiting_reply(&mut self) {
        if let Some((due, reply)) = self.waiting.take() {
            self.now = self.now.max(due);
            self.sent.push(reply);
        }
    }

    /// Advances the time: sends a waiting reply and fires timers.
    ///
    /// # Errors
    /// Returns [`FoldError`] if the conversation follows a flow that is not published.
    pub fn advance(&mut self, time: Duration) -> Result<(), FoldError> {
        let until = later(self.now, time);
        if self.waiting.as_ref().is_some_and(|(due, _)| *due <= until) {
            self.send_waiting_reply();
        }
        let fired = self.journal.fire_due_timers(self.flows, until)?;
        self.sent
            .extend(fired.into_iter().filter_map(|it| it.prompt));
        self.now = self.now.max(until);
        Ok(())
    }

    /// Sets the ad or post that leads to the next message of the lead.
    pub fn refer(&mut self, referral: Given) {
        self.referral = Some(referral);
    }

    /// Admits `content` from the lead or a person of the business, and returns its id.
    ///
    /// # Errors
    /// Returns [`FoldError`] if the conversation follows a flow that is not published.
    pub fn send(&mut self, content: &Content) -> Result<InputId, FoldError> {
        let referral = self.referral.take_if(|_| can_have_referral(content));
        let referral = referral
            .and_then(|given| Referral::new(given, self.now))
            .map(Box::new);
        self.admit(
            TurnInput::from(content),
            Amendment::of(content).map(Box::new),
            referral,
        )
    }

    /// Applies a command of a person of the business; other content has no effect.
    ///
    /// # Errors
    /// Returns [`FoldError`] if the conversation follows a flow that is not published.
    pub fn command(&mut self, content: &Content) -> Result<(), FoldError> {
        let command = TurnInput::command(content, Platform::WhatsappCloud);
        command.map_or(Ok(()), |command| {
            self.admit(command, None, None).map(|_| ())
        })
    }

    /// Says that the last question of the flow did not reach the lead.
    ///
    /// # Errors
    /// Returns [`FoldError`] if the conversation follows a flow that is not published.
    pub fn fail_to_deliver(&mut self, class: UndeliveredClass) -> Result<(), FoldError> {
        let asked_at = self.conversation().and_then(|it| it.internal.waiting_since);
        let undelivered = Undelivered {
            class,
            code: None,
            asked_at,
        };
        self.admit(TurnInput::Undelivered(undelivered), None, None)
            .map(|_| ())
    }

    /// Returns the id of the input `number`, from 1.
    #[must_use]
    pub fn id(number: usize) -> InputId {
        format!("input-{number}").into()
    }

    fn admit(
        &mut self,
        answer: TurnInput,
        amends: Option<Box<Amendment>>,
        referral: Option<Box<Referral>>,
    ) -> Result<InputId, FoldError> {
        self.inputs += 1;
        let input = self.input(answer, amends, referral);
        let id = input.order.id.clone();
        let admission = self
            .journal
            .admit(self.flows, &input, JOURNAL_LENGTH, || false)?;
        if let Some(conversation) = self.journal.conversation() {
            self.states.push(conversation.state.clone());
        }
        if let Admission::Folded {
            prompt: Some(prompt),
            ..
        } = admission
        {
            // A newer reply supersedes one that still waits.
            let conversation = self.conversation();
            let flow = conversation.and_then(|it| self.flows.get(&it.flow));
            let outside = flow.zip(conversation).and_then(|(flow, conversation)| {
                let wrote_at = conversation.internal.last_message_at?;
                let is_outside = later(wrote_at, WINDOW) <= self.now;
                let template = flow.outside_window(conversation);
                template.filter(|_| is_outside)
            });
            let prompt = outside.map_or(prompt, ReplyContent::Template);
            let wait = flow.map_or(Duration::ZERO, Flow::burst_wait);
            self.waiting = Some((later(self.now, wait), prompt));
        }
        Ok(id)
    }

    /// Returns the input of the current number.
    fn input(
        &self,
        answer: TurnInput,
        amends: Option<Box<Amendment>>,
        referral: Option<Box<Referral>>,
    ) -> Input {
        Input {
            order: OrderKey {
                at: self.now,
                received_at: self.now,
                item: u32::try_from(self.inputs).unwrap_or(u32::MAX),
                id: Self::id(self.inputs),
            },
            sent_at: self.now,
            platform: Platform::WhatsappCloud,
            number: String::new(),
            sender: Sender::default(),
            answer,
            amends,
            becomes: None,
            other_notations: Vec::new(),
            referral,
        }
    }
}

/// Returns whether an ad or post can lead to `content`: only to a new message of the lead.
const fn can_have_referral(content: &Content) -> bool {
    !matches!(
        content,
        Content::Takeover { .. }
            | Content::Reaction { .. }
            | Content::Edit { .. }
            | Content::Revoke { .. }
            | Content::Release
            | Content::Restart
    )
}

/// Returns a reply as text: options as numbered lines, the button of a form or link in brackets.
#[must_use]
pub fn plain_text(reply: ReplyContent) -> String {
    let shown = |image: Option<String>, body: String| match image {
        Some(image) => format!("[image] {image}\n\n{body}"),
        None => body,
    };
    match numbered(reply) {
        ReplyContent::Text { body, image, link } => {
            let body = shown(image, body);
            match link {
                Some(ReplyLink { title, url }) => format!("{body}\n\n[{title}] {url}"),
                None => body,
            }
        }
        ReplyContent::Form {
            body,
            button,
            image,
            ..
        } => format!("{}\n\n[{button}]", shown(image, body)),
        ReplyContent::Template(template) => format!("[{}]", template_text(&template)),
        ReplyContent::Withdraw { .. } => String::new(),
        // `numbered` left none of these.
        ReplyContent::Buttons { body, .. } | ReplyContent::List { body, .. } => body,
    }
}

#[cfg(test)]
mod tests;
