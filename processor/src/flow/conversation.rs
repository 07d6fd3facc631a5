//! The state of a conversation.

use chrono::{DateTime, Datelike};
use leadstream_schemas::{FlowRef, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{COLD, Flow, HUMAN_HANDOFF, OPTED_OUT, Progress, Referral, START};
use crate::trailing_defaults::omit_trailing_defaults;

/// The result of folding a lead's inputs. Stored as a MessagePack array: add fields only at the
/// end, with a default.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Conversation {
    /// The version that the conversation follows to its end.
    pub flow: FlowRef,
    pub state: String,
    pub score: i32,
    pub is_completed: bool,
    /// The answers by field.
    pub data: Map<String, Value>,
    #[serde(default)]
    pub internal: InternalState,
    /// The sales representative to whom the lead is assigned.
    #[serde(default)]
    pub assignee: Option<String>,
    /// The first ad or post that led to a message of the lead. It stays at a restart.
    #[serde(default)]
    pub referral: Option<Box<Referral>>,
    /// The lead's first message. It stays at a restart. A lead of version 0.1 has none.
    #[serde(default)]
    pub first_message: Option<FirstMessage>,
    /// The time since which the lead has its assignee.
    #[serde(default)]
    pub assigned_at: Option<Timestamp>,
    /// The lead's last STOP or START. It stays at a restart.
    #[serde(default)]
    pub consent: Option<StatedConsent>,
}

/// The first message of a lead. Stored as a MessagePack array: add fields only at the end, with a
/// default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstMessage {
    pub at: Timestamp,
    /// Its text or caption, if it has one.
    pub text: Option<String>,
}

/// What a lead said of messages. Stored as a MessagePack array: add fields only at the end, with a
/// default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatedConsent {
    pub at: Timestamp,
    /// True for START, false for STOP.
    pub is_granted: bool,
}

/// The part of a conversation that events and reports do not show. Stored as a MessagePack array:
/// add fields only at the end, with a default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct InternalState {
    /// The number of messages in a row that were no answer to the open question.
    pub tries: u32,
    /// The step to resume, while the conversation is suspended.
    pub resume_step: Option<String>,
    /// The time of the lead's last message: WhatsApp's window is open for 24 hours from then.
    pub last_message_at: Option<Timestamp>,
    /// The time since which the bot waits for an answer.
    pub waiting_since: Option<Timestamp>,
    /// True if the lead was nudged since then.
    pub nudged: bool,
    /// The time of a person's last message, during a takeover.
    pub takeover_at: Option<Timestamp>,
    /// The last accepted text, while its writer cannot have seen the next question.
    pub last_text: Option<LastText>,
    /// The hash of the lead's first input. It chooses among sales representatives, so that leads are
    /// spread evenly. Set only if the flow assigns leads.
    pub assignment_hash: Option<u32>,
    /// What the lead did at each step.
    pub progress: Progress,
    /// The messages in a row that are alike, so that no machine is answered for ever.
    pub repeated: Option<Repeated>,
    /// The step that was open when the lead began to answer a question again, until the conversation is
    /// there again.
    pub return_to: Option<String>,
    /// The questions that were skipped.
    pub skipped: Vec<String>,
    /// The questions that were left after too many tries.
    pub given_up: Vec<String>,
    /// True if the lead was sent the template of `timers.reengage` since the bot waits for an answer.
    pub reengaged: bool,
}

/// The last message to a question or after the flow's end, and how many like it came in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeated {
    /// The hash of its words and of the step.
    pub words: u64,
    pub at: Timestamp,
    /// How often the same words came.
    pub same: u32,
    /// How many messages came after the flow's end.
    pub ended: u32,
    /// How many messages came at machine speed.
    pub quick: u32,
    /// True if the message got no reply for that.
    pub is_silent: bool,
}

/// An accepted text that the next message may continue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastText {
    pub at: Timestamp,
    /// The field that the text filled, if the question takes any text.
    pub field: Option<String>,
}

omit_trailing_defaults!(Conversation {
    flow, state, score, is_completed, data, internal;
    assignee: None,
    referral: None,
    first_message: None,
    assigned_at: None,
    consent: None,
});

omit_trailing_defaults!(InternalState {
    tries, resume_step, last_message_at, waiting_since, nudged, takeover_at, last_text;
    assignment_hash: None,
    progress: Progress::default(),
    repeated: None,
    return_to: None,
    skipped: Vec::new(),
    given_up: Vec::new(),
    reengaged: false,
});

impl InternalState {
    /// Begins to wait for an answer.
    pub(super) const fn wait_from(&mut self, at: Timestamp) {
        self.waiting_since = Some(at);
        self.nudged = false;
        self.reengaged = false;
    }
}

impl Conversation {
    /// Returns the conversation before the first message.
    #[must_use]
    pub fn start(flow: &Flow) -> Self {
        Self {
            flow: flow.reference(),
            state: START.to_owned(),
            score: 0,
            is_completed: false,
            data: Map::new(),
            internal: InternalState::default(),
            assignee: None,
            referral: None,
            first_message: None,
            assigned_at: None,
            consent: None,
        }
    }

    /// Returns whether events and reports would differ.
    #[must_use]
    pub fn differs(&self, other: &Self) -> bool {
        self.state != other.state
            || self.score != other.score
            || self.is_completed != other.is_completed
            || self.data != other.data
            || self.flow != other.flow
            || self.assignee != other.assignee
            || self.assigned_at != other.assigned_at
            || self.referral != other.referral
            || self.first_message != other.first_message
            || self.consent != other.consent
    }

    /// Returns whether a person of the business has the lead, so that the bot is silent.
    #[must_use]
    pub fn is_handed_over(&self) -> bool {
        self.state == HUMAN_HANDOFF || self.internal.takeover_at.is_some()
    }

    /// Returns whether the lead has written nothing to the bot since the question of the time
    /// `asked_at`.
    #[must_use]
    pub fn is_last_question(&self, asked_at: Option<Timestamp>) -> bool {
        let since = self.internal.waiting_since;
        since
            .zip(asked_at)
            .is_some_and(|(since, asked_at)| since <= asked_at)
    }

    /// Returns the year of the lead's last message, in UTC.
    pub(super) fn year(&self) -> Option<i32> {
        let millis = self.internal.last_message_at?.millis();
        Some(DateTime::from_timestamp_millis(millis)?.year())
    }

    /// Returns whether the lead wants no messages.
    #[must_use]
    pub fn is_opted_out(&self) -> bool {
        self.state == OPTED_OUT
    }

    /// Returns the step at which the conversation is, or which it resumes.
    #[must_use]
    pub fn open_step(&self) -> &str {
        self.internal.resume_step.as_ref().unwrap_or(&self.state)
    }

    /// Suspends the flow at its current step, in a `state` that is no step.
    pub(super) fn suspend(&mut self, state: &str) {
        if !self.is_suspended() {
            self.internal.resume_step = Some(self.state.clone());
        }
        state.clone_into(&mut self.state);
        self.internal.tries = 0;
        self.internal.last_text = None;
    }

    /// Resumes the flow at the suspended step.
    pub(super) fn resume(&mut self, at: Timestamp) {
        if let Some(state) = self.internal.resume_step.take() {
            self.state = state;
        }
        self.internal.takeover_at = None;
        self.internal.tries = 0;
        self.internal.wait_from(at);
    }

    /// Opts the lead out, so that it gets no messages.
    pub(crate) fn opt_out(&mut self) {
        self.suspend(OPTED_OUT);
        self.internal.takeover_at = None;
    }

    fn is_suspended(&self) -> bool {
        [HUMAN_HANDOFF, COLD, OPTED_OUT].contains(&self.state.as_str())
    }
}
