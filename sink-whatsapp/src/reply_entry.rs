//! Defines a reply of the ledger as operators see it, and what they may do with it. Pure.

use chrono::{DateTime, Utc};
use leadstream_schemas::{LeadId, Offset, Partition, Reply, codec};
use serde::Serialize;

use crate::reply_row::{Kind, ReplyState};

/// A row of the ledger, without the words of the reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplyEntry {
    pub reply_id: String,
    pub lead_id: LeadId,
    /// The business number that sends the reply.
    pub number: String,
    pub kind: Kind,
    pub state: ReplyState,
    /// Requests that went out.
    pub attempts: u32,
    /// Requests whose outcome is unknown: each may have reached the person.
    pub unknown_outcomes: u32,
    /// The code of WhatsApp's last error.
    pub code: Option<i64>,
    /// The class of that error.
    pub class: Option<String>,
    /// Why the reply waits, or why it ended so.
    pub reason: Option<String>,
    /// WhatsApp's id of the message.
    pub provider_id: Option<String>,
    pub created_at: DateTime<Utc>,
    /// The time of the next attempt, or the end of the wait for proof; null once the reply has ended.
    pub due_at: Option<DateTime<Utc>>,
    /// The reply is not sent from this time on.
    pub expires_at: Option<DateTime<Utc>>,
    /// When the last outcome became unknown.
    pub unknown_since: Option<DateTime<Utc>>,
    /// When the row last changed.
    pub updated_at: DateTime<Utc>,
    /// Whether `lead.inputs` has the result of a reply that did not surely reach its lead.
    pub is_published: bool,
    /// Whether the lead has no later reply.
    pub is_newest: bool,
    /// The place of the reply's record in `lead.replies`.
    pub partition: Partition,
    pub offset: Offset,
}

/// Selects replies of the ledger. An empty filter selects all.
#[derive(Clone, Debug, Default)]
pub struct ReplyFilter {
    pub reply_ids: Vec<String>,
    /// The ids of one lead.
    pub lead_ids: Option<Vec<LeadId>>,
    pub states: Vec<ReplyState>,
    pub number: Option<String>,
    /// The time since which the replies were read.
    pub since: Option<DateTime<Utc>>,
    /// Only replies whose result may still change: those that wait, and those that WhatsApp took and
    /// has not delivered yet.
    pub is_open: bool,
}

/// How an operator ends a reply instead of sending it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is not sent, and the flow goes on.
    Cancel,
    /// A person gets the lead: the flow hears that the reply was handed off.
    HandOff,
}

impl End {
    /// Returns the state that the reply takes.
    #[must_use]
    pub const fn state(self) -> ReplyState {
        match self {
            Self::Cancel => ReplyState::Withdrawn,
            Self::HandOff => ReplyState::HandedOff,
        }
    }

    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Cancel => "an operator cancelled it",
            Self::HandOff => "an operator handed it off",
        }
    }
}

/// The replies of a business number that have not ended.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow)]
pub struct NumberQueue {
    pub number: String,
    /// Whether a process sends from the number.
    pub is_owned: bool,
    /// When the number paused; null while it sends.
    pub paused_since: Option<DateTime<Utc>>,
    pub pause_reason: Option<String>,
    /// Replies by state. A state without replies has 0.
    pub waiting: i64,
    pub sending: i64,
    pub unknown: i64,
    /// When the oldest of them was read.
    pub oldest: Option<DateTime<Utc>>,
    /// Messages per second that WhatsApp took within the last minute.
    pub rate: f64,
}

/// The record of a reply that is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyRecord {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

impl ReplyRecord {
    /// Returns whether it is the record of that reply. A topic that was created again has another one in
    /// its place.
    #[must_use]
    pub fn is_of(&self, reply_id: &str) -> bool {
        codec::decode::<Reply>(&self.value).is_ok_and(|reply| reply.id == reply_id)
    }
}

impl ReplyEntry {
    /// Returns why the reply cannot be retried. A lead that has opted out gets nothing but notices, and
    /// one that a person of the business has gets no prompt.
    #[must_use]
    pub fn retry_problem(
        &self,
        has_opted_out: bool,
        has_person: bool,
        now: DateTime<Utc>,
    ) -> Option<String> {
        if self.state != ReplyState::Failed {
            return Some(format!(
                "it is {}; only failed replies are retried",
                self.state.as_str()
            ));
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return Some("the time in which it may be sent is over".to_owned());
        }
        if has_opted_out && self.kind != Kind::Notice {
            return Some("the lead has opted out".to_owned());
        }
        if has_person && self.kind == Kind::Prompt {
            let why = "a person has the lead; `leadstream lead release` asks the question again";
            return Some(why.to_owned());
        }
        if self.kind == Kind::Prompt && !self.is_newest {
            return Some("a later reply of the lead supersedes it".to_owned());
        }
        None
    }

    /// Returns why the reply cannot be ended instead of sent.
    #[must_use]
    pub fn end_problem(&self) -> Option<String> {
        match self.state {
            ReplyState::Waiting | ReplyState::Unknown => None,
            ReplyState::Sending => Some("its request is in flight".to_owned()),
            state => Some(format!("it is {} already", state.as_str())),
        }
    }

    /// Returns whether the person may have the message although nothing confirms it.
    #[must_use]
    pub const fn may_be_sent(&self) -> bool {
        self.unknown_outcomes > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_ledger::prompt;

    fn entry(state: ReplyState) -> ReplyEntry {
        let now = DateTime::UNIX_EPOCH;
        ReplyEntry {
            reply_id: "4915:a".to_owned(),
            lead_id: "4915".into(),
            number: "1".to_owned(),
            kind: Kind::Prompt,
            state,
            attempts: 1,
            unknown_outcomes: 0,
            code: None,
            class: None,
            reason: None,
            provider_id: None,
            created_at: now,
            due_at: None,
            expires_at: None,
            unknown_since: None,
            updated_at: now,
            is_published: false,
            is_newest: true,
            partition: Partition(0),
            offset: Offset(1),
        }
    }

    #[test]
    fn only_a_failed_reply_that_is_still_wanted_is_retried() {
        let now = DateTime::UNIX_EPOCH;
        let failed = entry(ReplyState::Failed);
        assert_eq!(failed.retry_problem(false, false, now), None);
        for state in ReplyState::ALL {
            let is_failed = state == ReplyState::Failed;
            assert_eq!(
                entry(state).retry_problem(false, false, now).is_none(),
                is_failed,
                "{state:?}"
            );
        }
        let expired = ReplyEntry {
            expires_at: Some(now),
            ..failed.clone()
        };
        assert!(
            expired
                .retry_problem(false, false, now)
                .unwrap()
                .contains("over")
        );
        let mut superseded = ReplyEntry {
            is_newest: false,
            ..failed
        };
        assert!(
            superseded
                .retry_problem(false, false, now)
                .unwrap()
                .contains("later")
        );
        superseded.kind = Kind::AgentMessage;
        assert_eq!(superseded.retry_problem(false, false, now), None);
        let problem = superseded.retry_problem(true, false, now).unwrap();
        assert!(problem.contains("opted out"), "{problem}");
        superseded.kind = Kind::Notice;
        assert_eq!(superseded.retry_problem(true, false, now), None);
    }

    #[test]
    fn no_prompt_goes_to_a_lead_that_a_person_has() {
        let now = DateTime::UNIX_EPOCH;
        let mut failed = entry(ReplyState::Failed);
        let problem = failed.retry_problem(false, true, now).unwrap();
        assert!(problem.contains("a person has the lead"), "{problem}");
        for kind in [Kind::Notice, Kind::AgentMessage] {
            failed.kind = kind;
            assert_eq!(failed.retry_problem(false, true, now), None, "{kind:?}");
        }
    }

    #[test]
    fn only_a_reply_without_a_request_in_flight_is_ended() {
        for state in ReplyState::ALL {
            let problem = entry(state).end_problem();
            let ends = matches!(state, ReplyState::Waiting | ReplyState::Unknown);
            assert_eq!(problem.is_none(), ends, "{state:?}");
        }
        let sending = entry(ReplyState::Sending).end_problem().unwrap();
        assert!(sending.contains("in flight"), "{sending}");
    }

    #[test]
    fn the_record_of_another_reply_is_not_sent() {
        let reply = prompt("a", "4915");
        let record = ReplyRecord {
            key: Vec::new(),
            value: codec::encode(1, &reply).unwrap(),
        };
        assert!(record.is_of(&reply.id));
        assert!(!record.is_of("another"));
        let broken = ReplyRecord {
            value: vec![1],
            ..record
        };
        assert!(!broken.is_of(&reply.id));
    }
}
