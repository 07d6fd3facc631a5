//! Holds what statuses say of one message. Pure.

use leadstream_schemas::{DeliveryStatus, MessageStatus, Timestamp};
use uuid::Uuid;

use crate::reply_row::{NO_CODE, ReplyState};

/// What statuses say of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// The token of the reply.
    pub token: Uuid,
    /// WhatsApp's id of the message.
    pub message_id: String,
    /// The business number that sent it, as the status says.
    pub number: String,
    /// `Sent`, `Delivered` or `Read`; none if the message only failed.
    pub state: Option<ReplyState>,
    pub sent_at: Option<Timestamp>,
    pub delivered_at: Option<Timestamp>,
    pub read_at: Option<Timestamp>,
    /// The code with which the message failed before it was delivered, or [`NO_CODE`].
    pub failure: Option<i64>,
}

impl StatusChange {
    /// Returns a change of the message that `status` names, of which nothing is known yet.
    pub(super) fn new(token: Uuid, status: &MessageStatus) -> Self {
        Self {
            token,
            message_id: status.id.clone(),
            number: status.number.clone(),
            state: None,
            sent_at: None,
            delivered_at: None,
            read_at: None,
            failure: None,
        }
    }

    /// Adds what `status` says of the message.
    pub(super) fn add(&mut self, status: &MessageStatus) {
        let Some(state) = state(status.status) else {
            let code = status.errors.first().map_or(NO_CODE, |error| error.code);
            self.failure.get_or_insert(code);
            return;
        };
        self.state = self.state.max(Some(state));
        let time = match state {
            ReplyState::Sent => &mut self.sent_at,
            ReplyState::Delivered => &mut self.delivered_at,
            _ => &mut self.read_at,
        };
        time.get_or_insert(status.at);
    }
}

/// Returns the state to which a status raises a reply.
pub(super) const fn state(status: DeliveryStatus) -> Option<ReplyState> {
    match status {
        DeliveryStatus::Sent => Some(ReplyState::Sent),
        DeliveryStatus::Delivered => Some(ReplyState::Delivered),
        DeliveryStatus::Read | DeliveryStatus::Played => Some(ReplyState::Read),
        DeliveryStatus::Pending
        | DeliveryStatus::Failed
        | DeliveryStatus::Deleted
        | DeliveryStatus::Unknown => None,
    }
}
