//! Reduces a batch of statuses to at most one change per reply and round. Pure.
//!
//! Statuses arrive in any order and repeatedly. Of one message the highest counts, and a failure only if
//! the message was not delivered. A reply that was sent twice has two messages, each with statuses.

use std::collections::BTreeMap;

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

/// What a change did to the row of its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AppliedStatus {
    pub token: Uuid,
    /// Whether the status names the number that the reply names.
    pub is_same_number: bool,
    /// The row's state before.
    pub before: ReplyState,
    pub is_changed: bool,
}

/// What a batch of statuses changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Each round has at most one change of a reply.
    pub rounds: Vec<Vec<StatusChange>>,
    /// Statuses of messages that do not carry a token.
    pub foreign: u64,
    /// Statuses that say nothing about delivery.
    pub ignored: u64,
}

/// Plans a batch.
#[must_use]
pub fn plan(statuses: &[MessageStatus]) -> Plan {
    let mut plan = Plan::default();
    let mut messages: BTreeMap<(Uuid, &str), StatusChange> = BTreeMap::new();
    for status in statuses {
        let Some(token) = status.token() else {
            plan.foreign += 1;
            continue;
        };
        if state(status.status).is_none() && status.status != DeliveryStatus::Failed {
            plan.ignored += 1;
            continue;
        }
        let change = messages
            .entry((token, &status.id))
            .or_insert_with(|| StatusChange {
                token,
                message_id: status.id.clone(),
                number: status.number.clone(),
                state: None,
                sent_at: None,
                delivered_at: None,
                read_at: None,
                failure: None,
            });
        add(change, status);
    }
    for mut change in messages.into_values() {
        if change.state > Some(ReplyState::Sent) {
            change.failure = None;
        }
        // The messages of a reply follow each other.
        let is_free = |round: &&mut Vec<StatusChange>| {
            round.last().is_none_or(|last| last.token != change.token)
        };
        match plan.rounds.iter_mut().find(is_free) {
            Some(round) => round.push(change),
            None => plan.rounds.push(vec![change]),
        }
    }
    plan
}

fn add(change: &mut StatusChange, status: &MessageStatus) {
    let Some(state) = state(status.status) else {
        let code = status.errors.first().map_or(NO_CODE, |error| error.code);
        change.failure.get_or_insert(code);
        return;
    };
    change.state = change.state.max(Some(state));
    let time = match state {
        ReplyState::Sent => &mut change.sent_at,
        ReplyState::Delivered => &mut change.delivered_at,
        _ => &mut change.read_at,
    };
    time.get_or_insert(status.at);
}

/// Returns the state to which a status raises a reply.
const fn state(status: DeliveryStatus) -> Option<ReplyState> {
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

#[cfg(test)]
mod tests;
