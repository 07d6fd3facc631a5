//! All that the fold computes of a lead.

use leadstream_schemas::{FlowRef, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{COLD, Flow, HUMAN_HANDOFF, OPTED_OUT, START};

/// All that the fold computes of a lead. Stored as MessagePack arrays and compared with `==`, so
/// fields are only ever added at the end, with a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// The version that it follows to its end.
    pub flow: FlowRef,
    pub state: String,
    pub score: i32,
    pub is_completed: bool,
    /// The answers by field.
    pub data: Map<String, Value>,
    #[serde(default)]
    pub aside: Aside,
    /// Who of the business looks after the lead.
    #[serde(default)]
    pub assignee: Option<String>,
}

/// What events and reports do not tell. As a stored form it only grows at the end, with defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Aside {
    /// Messages in a row that were no answer to the open question.
    pub tries: u32,
    /// The state to go on from, while `state` is none of the flow's.
    pub left_off: Option<String>,
    /// When the lead wrote last: WhatsApp's window is open for 24 hours from then.
    pub wrote_at: Option<Timestamp>,
    /// Since when the bot has waited for an answer.
    pub waits_since: Option<Timestamp>,
    /// Whether the lead was nudged since.
    pub nudged: bool,
    /// When a person of the business wrote last, while they have the lead.
    pub person_at: Option<Timestamp>,
    /// The text that was accepted last, while its writer cannot have seen what was asked next.
    pub last_text: Option<LastText>,
    /// Chooses one of several sales representatives. A hash of the first input's id, so that leads
    /// are spread evenly. Set only if the flow assigns leads.
    pub assignment_hash: Option<u32>,
}

/// A text that another one, sent right after it, may belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastText {
    pub at: Timestamp,
    /// The field that it filled, if that takes any text.
    pub field: Option<String>,
}

impl Conversation {
    /// The conversation before the first message.
    #[must_use]
    pub fn start(flow: &Flow) -> Self {
        Self {
            flow: flow.reference(),
            state: START.to_owned(),
            score: 0,
            is_completed: false,
            data: Map::new(),
            aside: Aside::default(),
            assignee: None,
        }
    }

    /// Whether events and reports would tell the two apart.
    #[must_use]
    pub fn differs(&self, other: &Self) -> bool {
        self.state != other.state
            || self.score != other.score
            || self.is_completed != other.is_completed
            || self.data != other.data
            || self.flow != other.flow
            || self.assignee != other.assignee
    }

    /// Whether a person of the business has the lead, so that the bot is silent.
    #[must_use]
    pub fn is_handed_over(&self) -> bool {
        self.state == HUMAN_HANDOFF || self.aside.person_at.is_some()
    }

    #[must_use]
    pub fn is_opted_out(&self) -> bool {
        self.state == OPTED_OUT
    }

    /// Leaves the flow for `state`, to go on from here later.
    pub(super) fn leave(&mut self, state: &str) {
        if !self.is_left() {
            self.aside.left_off = Some(self.state.clone());
        }
        state.clone_into(&mut self.state);
        self.aside.tries = 0;
        self.aside.last_text = None;
    }

    /// Goes on where it left off, at `at`.
    pub(super) fn go_on(&mut self, at: Timestamp) {
        if let Some(state) = self.aside.left_off.take() {
            self.state = state;
        }
        self.aside.person_at = None;
        self.aside.tries = 0;
        self.aside.waits_since = Some(at);
        self.aside.nudged = false;
    }

    /// Whether it is in a state that is no step of the flow.
    fn is_left(&self) -> bool {
        [HUMAN_HANDOFF, COLD, OPTED_OUT].contains(&self.state.as_str())
    }
}
