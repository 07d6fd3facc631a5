//! Defines the records of `lead.replies`: messages of the bot and of people to leads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::ids::{LeadId, Revision};
use crate::input::Platform;
use crate::time::Timestamp;

/// One record of `lead.replies`, keyed by the lead's home key. Repeats carry the same `id`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "lead.replies")]
pub struct Reply {
    /// `<lead_id>:<cause>`: the id of the input that caused it, or `timer:` and the timer's due time.
    /// At most one reply per cause. Of a withdrawal, `<lead_id>:withdraw:<cause>`.
    pub id: String,
    pub lead_id: LeadId,
    pub platform: Platform,
    /// The business number that answers: the one that was written to.
    pub number: String,
    pub recipient: Recipient,
    pub content: ReplyContent,
    /// The lead's revision when the reply was decided.
    pub revision: Revision,
    /// The effect of a later record of the lead on this reply; absent: nothing replaces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ReplyKind>,
    /// The earliest time to send it; absent: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Worthless from then on (WhatsApp's 24-hour window, or the next timer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Since when the bot waits for the answer; only of a prompt. A delivery repeats it, so that it
    /// shows whether the question is still open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// The end of WhatsApp's window: `content` is sent before it, `fallback` from then on. Absent:
    /// `content` may be sent at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_until: Option<Timestamp>,
    /// The template that is sent instead of `content` outside the window; absent: nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<ReplyTemplate>,
}

impl Reply {
    /// Returns whether it sends nothing, and only withdraws earlier replies.
    #[must_use]
    pub const fn is_withdrawal(&self) -> bool {
        matches!(self.content, ReplyContent::Withdraw { .. })
    }
}

/// Returns the token of a reply's id. Requests and statuses carry it, because it names nobody.
#[must_use]
pub fn token(reply_id: &str) -> Uuid {
    let hash: [u8; 32] = Sha256::digest(reply_id.as_bytes()).into();
    let mut prefix = [0; 16];
    prefix.copy_from_slice(hash.split_at(16).0);
    Uuid::from_bytes(prefix)
}

/// The kind of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplyKind {
    /// The next question or text of the flow. Any later record of the lead replaces it while it
    /// waits.
    Prompt,
    /// The words of a person of the business. No later reply replaces them.
    AgentMessage,
    /// The confirmation of an opt-out or a hand-off. No later reply replaces it.
    Notice,
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
    /// WASenderApi: the JID from which the person wrote last. It goes before the ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jid: Option<String>,
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
        /// The address of an image above the text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image: Option<String>,
        /// A button below the text that opens an address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<ReplyLink>,
    },
    Buttons {
        body: String,
        buttons: Vec<ReplyOption>,
        /// The address of an image above the text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image: Option<String>,
    },
    List {
        body: String,
        /// The label that opens the list.
        button: String,
        rows: Vec<ReplyOption>,
    },
    Template(ReplyTemplate),
    /// A WhatsApp Flow to fill in.
    Form {
        body: String,
        button: String,
        flow_id: String,
        flow_token: String,
        /// The address of an image above the text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image: Option<String>,
    },
    /// Says nothing: what is before it and was not sent yet is not sent any more.
    Withdraw {
        scope: WithdrawScope,
        reason: WithdrawReason,
    },
}

impl ReplyContent {
    /// Returns a text without anything beside it.
    #[must_use]
    pub const fn text(body: String) -> Self {
        Self::Text {
            body,
            image: None,
            link: None,
        }
    }
}

/// An approved template, for use outside the 24-hour window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplyTemplate {
    /// The name that the template has at Meta.
    pub name: String,
    /// Meta's code of the language, such as `pt_BR`.
    pub language: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<TemplateCategory>,
    /// The values of the body's placeholders, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// The names of these placeholders, in the same order; empty if they have numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameter_names: Vec<String>,
    /// The value of the placeholder in the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The name of the header's placeholder; absent if it has a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_name: Option<String>,
    /// The values of buttons that need one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<TemplateButton>,
}

/// Meta's category of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TemplateCategory {
    Utility,
    Marketing,
}

/// The value of a template's button.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateButton {
    /// The place of the button in the template, from 0.
    pub index: u32,
    pub kind: TemplateButtonKind,
    /// The end of the address, or what a tap sends back.
    pub value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TemplateButtonKind {
    Url,
    QuickReply,
}

/// A button that opens an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplyLink {
    pub title: String,
    pub url: String,
}

/// The earlier replies of a lead that are withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WithdrawScope {
    All,
    /// Those of kind `prompt`.
    Prompts,
}

/// The reason for which replies are withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WithdrawReason {
    /// The lead opted out.
    Stop,
    /// A person of the business wrote to the lead.
    Takeover,
    /// The bot gave the lead to a person.
    HandOff,
    /// The lead became another one.
    Merge,
    /// The person was erased: nothing of the lead's replies is kept.
    Erasure,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplyOption {
    pub id: String,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}
