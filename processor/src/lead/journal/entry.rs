//! Holds what the journal keeps of an input.

use leadstream_schemas::{InputId, Offset, Partition, Revision, Timestamp};
use serde::{Deserialize, Serialize};

use super::{FoldError, fold_from};
use crate::flow::{Conversation, Receipt, Referral, Step, TurnInput};
use crate::flows::{Flows, Origin};
use crate::lead::amend::Amendment;
use crate::lead::input::OrderKey;
use crate::trailing_defaults::omit_trailing_defaults;

/// One input of the journal.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Entry {
    pub order: OrderKey,
    pub sent_at: Timestamp,
    pub answer: TurnInput,
    /// The edit or revocation of an earlier message.
    #[serde(default)]
    pub amends: Option<Box<Amendment>>,
    /// The bookkeeping of the arrival; the fold does not read it.
    #[serde(default)]
    pub arrival: Option<Arrival>,
    /// The input's source; kept only while a flow is chosen by it.
    #[serde(default)]
    pub source: Option<Source>,
    /// Whether a reply to the input can be sent.
    #[serde(default = "yes")]
    pub can_reply: bool,
    /// The ad or post that led to the message.
    #[serde(default)]
    pub referral: Option<Box<Referral>>,
    /// Whether the lead can be shown forms.
    #[serde(default = "yes")]
    pub has_forms: bool,
}

omit_trailing_defaults!(Entry {
    order, sent_at, answer;
    amends: None,
    arrival: None,
    source: None,
    can_reply: true,
    referral: None,
    has_forms: true,
});

const fn yes() -> bool {
    true
}

/// The business number that received a message, and the ad or post that led to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub number: String,
    pub referral: Option<String>,
}

impl Entry {
    /// Folds the entry; `answer` is its content after edits. Returns none for a command or a delivery
    /// before the lead's first input, because neither begins a conversation.
    pub(super) fn fold(
        &self,
        flows: &Flows,
        conversation: Option<&Conversation>,
        answer: &TurnInput,
    ) -> Result<Option<Step>, FoldError> {
        if conversation.is_none() && !self.answer.is_from_provider() {
            return Ok(None);
        }
        let receipt = Receipt {
            at: self.order.at,
            received_at: self.order.received_at,
            can_reply: self.can_reply,
            has_forms: self.has_forms,
            referral: self.referral.as_deref(),
        };
        let id = &self.order.id;
        fold_from(flows, conversation, self.origin(), id, receipt, answer).map(Some)
    }

    fn origin(&self) -> Origin<'_> {
        self.source
            .as_ref()
            .map_or_else(Origin::default, |source| Origin {
                number: &source.number,
                referral: source.referral.as_deref(),
            })
    }

    /// Returns whether the entry edits or revokes the message `id`.
    pub(super) fn is_amendment_of(&self, id: &InputId) -> bool {
        self.amends.as_ref().is_some_and(|it| it.message_id == *id)
    }

    pub(super) fn has_reply(&self) -> bool {
        self.arrival.as_ref().is_some_and(|arrival| arrival.replied)
    }
}

/// The position from which an input was read and what the engine emitted for it, to explain a lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    pub partition: Partition,
    pub offset: Offset,
    /// The revision that the input's event gave the lead; none if nothing changed.
    pub revision: Option<Revision>,
    /// Whether a reply was emitted.
    pub replied: bool,
}
