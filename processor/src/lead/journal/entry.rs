//! What the journal keeps of an input.

use leadstream_schemas::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FoldError, fold_from};
use crate::flow::{self, Answer, Conversation, Step};
use crate::flows::{Flows, Origin};
use crate::lead::amend::Amendment;
use crate::lead::input::OrderKey;

/// One input of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub order: OrderKey,
    pub sent_at: Timestamp,
    pub answer: Answer,
    /// The earlier message that this one edits or revokes.
    #[serde(default)]
    pub amends: Option<Amendment>,
    /// Bookkeeping of arrival: no part of the fold.
    #[serde(default)]
    pub arrival: Option<Arrival>,
    /// Where it came from; kept only while a flow is chosen by it.
    #[serde(default)]
    pub source: Option<Source>,
    /// Whether a reply to it can be sent.
    #[serde(default = "yes")]
    pub can_reply: bool,
}

const fn yes() -> bool {
    true
}

/// The business number that a message was sent to, and the ad or post that led to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub number: String,
    pub referral: Option<String>,
}

impl Entry {
    /// Folds it; `answer` is what counts of it. None: a command before the lead's first input
    /// begins no conversation.
    pub(super) fn fold(
        &self,
        flows: &Flows,
        conversation: Option<&Conversation>,
        answer: &Answer,
    ) -> Result<Option<Step>, FoldError> {
        if conversation.is_none() && self.answer.is_command() {
            return Ok(None);
        }
        let step = if self.can_reply {
            flow::step
        } else {
            flow::step_without_reply
        };
        fold_from(
            flows,
            conversation,
            self.origin(),
            &self.order,
            answer,
            step,
        )
        .map(Some)
    }

    fn origin(&self) -> Origin<'_> {
        self.source
            .as_ref()
            .map_or_else(Origin::default, |source| Origin {
                number: &source.number,
                referral: source.referral.as_deref(),
            })
    }

    /// Whether it edits or revokes the message `id`.
    pub(super) fn is_amendment_of(&self, id: &str) -> bool {
        self.amends.as_ref().is_some_and(|it| it.message_id == id)
    }

    pub(super) fn has_reply(&self) -> bool {
        self.arrival.as_ref().is_some_and(|arrival| arrival.replied)
    }
}

/// Where an input was read, and what left the engine for it: what explains a lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    pub partition: i32,
    pub offset: i64,
    /// The revision that its event gave the lead; none when nothing changed.
    pub revision: Option<u64>,
    /// Whether a reply went out.
    pub replied: bool,
}
