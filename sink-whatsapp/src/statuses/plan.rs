//! Reduces a batch of statuses to at most one change per reply and round. Pure.
//!
//! Statuses arrive in any order and repeatedly. Of one message the highest counts, and a failure only if
//! the message was not delivered. A reply that was sent twice has two messages, each with statuses.

use std::collections::BTreeMap;

use leadstream_schemas::{DeliveryStatus, MessageStatus, Platform};
use uuid::Uuid;

use super::change::{StatusChange, state};
use super::session::SessionStatus;
use crate::reply_row::ReplyState;

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
#[derive(Debug, Default)]
pub struct Plan {
    /// Each round has at most one change of a reply.
    pub rounds: Vec<Vec<StatusChange>>,
    /// What is said of the messages of sessions, of which no reply is named.
    pub sessions: Vec<SessionStatus>,
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
    let mut sessions: BTreeMap<(&str, &str), SessionStatus> = BTreeMap::new();
    for status in statuses {
        let token = status.token();
        if token.is_none() && status.platform != Platform::Wasender {
            plan.foreign += 1;
            continue;
        }
        if state(status.status).is_none() && status.status != DeliveryStatus::Failed {
            plan.ignored += 1;
            continue;
        }
        match token {
            Some(token) => messages
                .entry((token, &status.id))
                .or_insert_with(|| StatusChange::new(token, status))
                .add(status),
            None => sessions
                .entry((&status.number, &status.id))
                .or_insert_with(|| SessionStatus::new(status))
                .add(status),
        }
    }
    plan.rounds = rounds(messages.into_values());
    plan.sessions = sessions.into_values().collect();
    plan
}

/// Puts changes into rounds, each with at most one change of a reply.
#[must_use]
pub fn rounds(changes: impl IntoIterator<Item = StatusChange>) -> Vec<Vec<StatusChange>> {
    let mut rounds: Vec<Vec<StatusChange>> = Vec::new();
    for mut change in changes {
        if change.state > Some(ReplyState::Sent) {
            change.failure = None;
        }
        // The messages of a reply follow each other.
        let is_free = |round: &&mut Vec<StatusChange>| {
            round.last().is_none_or(|last| last.token != change.token)
        };
        match rounds.iter_mut().find(is_free) {
            Some(round) => round.push(change),
            None => rounds.push(vec![change]),
        }
    }
    rounds
}

#[cfg(test)]
mod tests;
