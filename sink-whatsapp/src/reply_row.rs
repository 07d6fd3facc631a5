//! Defines what the ledger keeps of a reply. Pure.

use leadstream_kafka::Record;
pub use leadstream_schemas::reply::token;
use leadstream_schemas::{LeadId, Reply, ReplyKind, Revision, Timestamp};
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
    Failed,
    Superseded,
    Withdrawn,
    Expired,
}

impl ReplyState {
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Sending,
        Self::Unknown,
        Self::Accepted,
        Self::Failed,
        Self::Superseded,
        Self::Withdrawn,
        Self::Expired,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Accepted => "accepted",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
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

/// A reply that this process may send, or whose wait for proof has ended.
#[derive(Clone, Debug)]
pub struct ClaimedReply {
    pub token: Uuid,
    pub lead_id: LeadId,
    pub revision: Revision,
    /// `Waiting` before its request, `Unknown` after one without an outcome.
    pub state: ReplyState,
    pub attempts: Attempts,
    /// The state that it takes instead of another attempt.
    pub ends_as: Option<ReplyState>,
    pub unknown_since: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub record: Record,
}
