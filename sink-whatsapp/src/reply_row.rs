//! Defines what the ledger keeps of a reply. Pure.

use std::time::Duration;

use leadstream_kafka::Record;
pub use leadstream_schemas::reply::token;
use leadstream_schemas::{LeadId, Reply, ReplyContent, ReplyKind, Revision, Timestamp, codec};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The state of a reply: see the migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyState {
    Waiting,
    Sending,
    Unknown,
    Accepted,
    Held,
    Sent,
    Delivered,
    Read,
    Failed,
    Superseded,
    Withdrawn,
    Expired,
    HandedOff,
}

impl ReplyState {
    pub const ALL: [Self; 13] = [
        Self::Waiting,
        Self::Sending,
        Self::Unknown,
        Self::Accepted,
        Self::Held,
        Self::Sent,
        Self::Delivered,
        Self::Read,
        Self::Failed,
        Self::Superseded,
        Self::Withdrawn,
        Self::Expired,
        Self::HandedOff,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Accepted => "accepted",
            Self::Held => "held",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::HandedOff => "handed_off",
        }
    }

    /// Returns the state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Returns whether the reply keeps back the later ones of its lead.
    #[must_use]
    pub const fn is_queued(self) -> bool {
        matches!(self, Self::Waiting | Self::Sending | Self::Unknown)
    }

    /// Returns whether the reply may be sent, or sent again, so that its record is kept: a status may
    /// still say that an accepted message failed.
    #[must_use]
    pub const fn keeps_record(self) -> bool {
        self.is_queued() || matches!(self, Self::Accepted | Self::Held | Self::Sent)
    }
}

/// What may replace a reply, and which goes first: the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Notice = 0,
    AgentMessage = 1,
    Prompt = 2,
}

impl Kind {
    #[must_use]
    pub const fn of(reply: &Reply) -> Self {
        match reply.kind {
            Some(ReplyKind::Prompt) => Self::Prompt,
            // Nothing replaces a reply without a kind.
            None | Some(ReplyKind::AgentMessage) => Self::AgentMessage,
            Some(ReplyKind::Notice) => Self::Notice,
        }
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::AgentMessage => "agent_message",
            Self::Prompt => "prompt",
        }
    }

    /// Returns the kind of a row; what is unknown counts as the most careful kind.
    #[must_use]
    pub const fn from_column(kind: i16) -> Self {
        match kind {
            0 => Self::Notice,
            2 => Self::Prompt,
            _ => Self::AgentMessage,
        }
    }
}

/// Returns what two equal contents have in common.
#[must_use]
pub fn content_digest(reply: &Reply) -> [u8; 16] {
    // A content is made of texts, which JSON can always hold.
    let json = serde_json::to_vec(&reply.content).unwrap_or_default();
    let hash: [u8; 32] = Sha256::digest(json).into();
    let mut prefix = [0; 16];
    prefix.copy_from_slice(hash.split_at(16).0);
    prefix
}

/// Returns what is left of a record whose words are dropped; none of a record that is no reply.
#[must_use]
pub fn without_words(record_value: &[u8]) -> Option<Vec<u8>> {
    let (schema_id, _) = codec::unframe(record_value).ok()?;
    let reply: Reply = codec::decode(record_value).ok()?;
    let wordless = Reply {
        content: ReplyContent::text(String::new()),
        fallback: None,
        ..reply
    };
    codec::encode(schema_id, &wordless).ok()
}

/// Attempts to send one reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Requests that went out.
    pub made: u32,
    /// Attempts that failed for reasons that may be this reply's own.
    pub failures: u32,
    pub failed_since: Option<Timestamp>,
    /// Attempts whose outcome is unknown: each may have reached the person.
    pub unknown: u32,
    pub recipient_throttles: u32,
    pub window_refusals: u32,
}

/// How long an unknown outcome may still be proved, once a newer prompt waits.
pub const UNKNOWN_BEFORE_NEWER: Duration = Duration::from_secs(10);
/// How long the next reply of a lead waits for the status `sent` of the accepted one before it:
/// WhatsApp keeps the order of messages only from then on.
pub const WAIT_FOR_SENT: Duration = Duration::from_secs(2);
/// How long the record of an accepted reply is kept that does not expire.
pub const KEEP_RECORD: Duration = Duration::from_secs(24 * 3600);
/// Stands for the code of a status `failed` that names none.
pub const NO_CODE: i64 = -1;

/// A reply that this process may send, or of which it decides what becomes.
#[derive(Clone, Debug)]
pub struct ClaimedReply {
    pub token: Uuid,
    pub lead_id: LeadId,
    pub revision: Revision,
    /// `Waiting` before a request and after a late failure, `Unknown` after a request without an
    /// outcome.
    pub state: ReplyState,
    /// The code of a status `failed` that came after the message was accepted.
    pub late_failure: Option<i64>,
    /// Whether statuses came of messages that were sent later, although none came of this one.
    pub is_disproved: bool,
    /// Whether WhatsApp said that the lead wants no marketing messages.
    pub refuses_marketing: bool,
    /// When the last request was claimed.
    pub claimed_at: Timestamp,
    pub attempts: Attempts,
    /// The state that it takes instead of another attempt.
    pub ends_as: Option<ReplyState>,
    pub unknown_since: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub record: Record,
}

impl ClaimedReply {
    /// Returns whether it is decided without a request what becomes of the reply.
    #[must_use]
    pub const fn is_unresolved(&self) -> bool {
        self.late_failure.is_some() || matches!(self.state, ReplyState::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::ReplyTemplate;

    use super::*;
    use crate::memory_ledger::prompt;

    #[test]
    fn nothing_is_left_of_the_words_of_a_reply() {
        let reply = Reply {
            content: ReplyContent::text("secret".into()),
            fallback: Some(ReplyTemplate {
                parameters: vec!["secret".into()],
                ..ReplyTemplate::default()
            }),
            ..prompt("a", "491700")
        };
        let left = without_words(&codec::encode(7, &reply).unwrap()).unwrap();
        assert!(!String::from_utf8_lossy(&left).contains("secret"));
        assert_eq!(codec::unframe(&left).unwrap().0, 7);
        assert_eq!(without_words(b"{}"), None);
    }
}
