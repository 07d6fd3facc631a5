//! `lead.replies`: what the bot says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::input::Platform;
use crate::time::Timestamp;

/// One record of `lead.replies`, keyed by the lead's home key. Repeats carry the same `id`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "lead.replies")]
pub struct Reply {
    /// `<lead_id>:<cause>`: the id of the input that caused it, or `timer:` and the timer's due time.
    /// At most one reply per cause.
    pub id: String,
    pub lead_id: String,
    pub platform: Platform,
    /// The business number that answers: the one that was written to.
    pub number: String,
    pub recipient: Recipient,
    pub content: ReplyContent,
    /// The lead's revision when the reply was decided.
    pub revision: u64,
    /// Not to be sent earlier; absent: at once. A newer reply to the lead that is written before then
    /// replaces this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Worthless from then on (WhatsApp's 24-hour window, or the next timer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Whom to write to: whichever ids are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recipient {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lid: Option<String>,
}

impl Recipient {
    /// The id that keys the recipient's records: `wa_id`, else user id, else LID.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        [&self.wa_id, &self.user_id, &self.lid]
            .into_iter()
            .find_map(Option::as_deref)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ReplyContent {
    Text {
        body: String,
    },
    Buttons {
        body: String,
        buttons: Vec<ReplyOption>,
    },
    List {
        body: String,
        /// The label that opens the list.
        button: String,
        rows: Vec<ReplyOption>,
    },
    /// An approved template, for use outside the 24-hour window.
    Template {
        name: String,
        language: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parameters: Vec<String>,
    },
    /// A WhatsApp Flow to fill in.
    Form {
        body: String,
        button: String,
        flow_id: String,
        flow_token: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplyOption {
    pub id: String,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}
