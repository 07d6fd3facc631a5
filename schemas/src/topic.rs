//! Defines topic names and settings.

use std::fmt;
use std::time::Duration;

/// The time within which duplicates of a message are recognised, by the records' times. Providers
/// repeat a webhook for 7 days (invariant 2).
pub const DUPLICATE_HORIZON: Duration = Duration::from_secs(10 * 24 * 60 * 60);

/// A topic of Leadstream, named without the deployment's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Everything from outside that can change a lead, keyed by lead.
    LeadInputs,
    /// One `lead_state_updated` for every change of a lead.
    LeadEvents,
    /// Replies to leads.
    LeadReplies,
    /// The statuses of the messages that we sent.
    MessageStatuses,
    /// Sessions, templates, account quality: for operators.
    ProviderNotices,
}

impl Topic {
    pub const ALL: [Self; 5] = [
        Self::LeadInputs,
        Self::LeadEvents,
        Self::LeadReplies,
        Self::MessageStatuses,
        Self::ProviderNotices,
    ];

    /// The name without prefix.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeadInputs => "lead.inputs",
            Self::LeadEvents => "lead.events",
            Self::LeadReplies => "lead.replies",
            Self::MessageStatuses => "message.statuses",
            Self::ProviderNotices => "provider.notices",
        }
    }

    /// The name in a deployment, `prefix` before it.
    #[must_use]
    pub fn name(self, prefix: &str) -> String {
        format!("{prefix}{}", self.as_str())
    }

    /// The topic that takes what of this one could not be processed: original bytes as value,
    /// the reason in headers.
    #[must_use]
    pub fn dead_letters(self, prefix: &str) -> String {
        format!("{prefix}{}.dead-letters", self.as_str())
    }

    /// The registry's subject of the value's schema.
    #[must_use]
    pub fn subject(self, prefix: &str) -> String {
        format!("{prefix}{}-value", self.as_str())
    }

    /// The checked-in JSON Schema (draft-07) of the value.
    #[must_use]
    pub const fn json_schema(self) -> &'static str {
        match self {
            Self::LeadInputs => include_str!("../json/lead.inputs.json"),
            Self::LeadEvents => include_str!("../json/lead.events.json"),
            Self::LeadReplies => include_str!("../json/lead.replies.json"),
            Self::MessageStatuses => include_str!("../json/message.statuses.json"),
            Self::ProviderNotices => include_str!("../json/provider.notices.json"),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
