//! Defines the records of `lead.inputs`: every external change of a lead.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::id::{is_number, is_user_id};
use crate::ids::{InputId, LeadId};
use crate::time::Timestamp;

/// One record of `lead.inputs`, keyed by [`Sender::key`]; a delivery, by its reply's key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "lead.inputs")]
pub struct LeadInput {
    /// The provider's message id (for WASenderApi `<number>/<key.id>`), or a command's own id, which
    /// no other command has. Of a delivery, `<reply id>/delivery`.
    pub id: InputId,
    pub kind: InputKind,
    pub platform: Platform,
    /// The business number that received it: Cloud API `phone_number_id`, or the configured name
    /// of a WASenderApi session. Of a command: a number of the lead's account. Of a delivery: the
    /// number that sent the reply.
    pub number: String,
    pub sender: Sender,
    /// The time at which it was sent, by the sender's device or the provider.
    pub sent_at: Timestamp,
    /// The time at which ingest received it.
    pub received_at: Timestamp,
    /// Position in its webhook, from 0: keeps the order of items that share a second.
    pub item: u32,
    pub content: Content,
    /// The ad or post that led here, on a person's first message after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<Referral>,
    /// The provider's own JSON of this one item, secrets redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub raw: Option<Box<RawValue>>,
}

/// The kind of an input. A reader that does not know a kind must stop, because skipping it could
/// change a lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// A person's message.
    Message,
    /// An agent's command.
    Command,
    /// An assistant's answer.
    Assistant,
    /// A younger lead that is merged into the elder lead of the same person.
    Merge,
    /// The final result of a reply that did not surely reach its lead.
    Delivery,
    #[serde(untagged)]
    Unknown(String),
}

impl JsonSchema for InputKind {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "InputKind".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": [
            "message", "command", "assistant", "merge", "delivery",
        ] })
    }
}

/// The platform of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    WhatsappCloud,
    Wasender,
}

impl Platform {
    /// The name that people read, as in `lead_metadata.platform`.
    #[must_use]
    pub const fn display_name(self) -> &'static str {
        match self {
            Self::WhatsappCloud | Self::Wasender => "WhatsApp",
        }
    }
}

/// The author: all ids that the provider sent, never an empty text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sender {
    /// WhatsApp id, a phone number in digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_id: Option<String>,
    /// Business-scoped user id (BSUID), such as `US.13491208655302741918`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// WhatsApp's linked id, digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lid: Option<String>,
    /// Profile name, as the sender chose it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The JID with which WASenderApi names the conversation, such as `15550100001@s.whatsapp.net` or
    /// `20000000000001@lid`. Replies go there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jid: Option<String>,
}

impl Sender {
    /// Without ids that are none, where another id names the person: two people may have the
    /// same, such as `null`.
    #[must_use]
    pub fn without_junk(mut self) -> Self {
        let proper = |id: &Option<String>, is: fn(&str) -> bool| id.as_deref().is_some_and(is);
        let wa_id = proper(&self.wa_id, is_number);
        let user_id = proper(&self.user_id, is_user_id);
        let lid = proper(&self.lid, is_number);
        if wa_id || user_id || lid {
            self.wa_id = self.wa_id.filter(|_| wa_id);
            self.user_id = self.user_id.filter(|_| user_id);
            self.lid = self.lid.filter(|_| lid);
        }
        self
    }

    /// The record's key: `wa_id`, else the user id, else the LID.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.identities().next()
    }

    /// The known ids, the one that keys the record first.
    pub fn identities(&self) -> impl Iterator<Item = &str> {
        [&self.wa_id, &self.user_id, &self.lid]
            .into_iter()
            .filter_map(Option::as_deref)
    }
}

/// The ad or post that brought a person here: the Cloud API's `referral`, or WASenderApi's
/// `externalAdReply` under the same names. Values are as the provider sent them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Referral {
    /// `ad` or `post`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_type: Option<String>,
    /// The ad's or post's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headline: Option<String>,
    /// The ad's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Click id, which Meta's Conversions API takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ctwa_clid: Option<String>,
}

/// The content of an input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    Text {
        body: String,
    },
    /// A button or list row that was tapped.
    Choice {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        title: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    },
    /// A submitted WhatsApp Flow.
    Form {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The answers, JSON as text, as the provider gave it.
        response_json: String,
    },
    /// A file that WhatsApp keeps.
    Media {
        media: MediaType,
        /// The Cloud API's media id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mime_type: Option<String>,
        /// The hash of the file, as the provider writes it: base64 or hex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caption: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filename: Option<String>,
        /// The size in bytes (WASenderApi).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
    },
    Location {
        latitude: f64,
        longitude: f64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
    Contacts {
        contacts: Vec<ContactCard>,
    },
    Order {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        catalog_id: Option<String>,
        items: Vec<OrderItem>,
        /// The text beside it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// The answer to our request to call. Never an answer to a question of the flow.
    CallPermission {
        granted: bool,
        /// Absent: until it is taken back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
    },
    /// Never an answer. Without `emoji` an earlier reaction was taken back.
    Reaction {
        message_id: InputId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        emoji: Option<String>,
    },
    /// An earlier message has another text now; an empty one when a caption was removed.
    Edit {
        message_id: InputId,
        body: String,
    },
    /// An earlier message was deleted for everyone.
    Revoke {
        message_id: InputId,
    },
    /// The provider reports a changed number or id: the sender's ids are those before the change,
    /// the ids here those after it.
    System {
        event: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wa_id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_id: Option<String>,
    },
    /// A person of the business answered.
    Takeover {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
    },
    /// A merge request between two leads of one person (kind `merge`). A lead requests that the
    /// other's home merges both, or hands its own conversation over and closes.
    Merge {
        /// The lead that sends the request.
        lead_id: LeadId,
        /// The time of its first input: the elder lead stays.
        first_seen: Timestamp,
        /// The closed lead in its stored form, base64.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lead: Option<String>,
    },
    /// A command (kind `command`): restart the flow, for a lead that has not opted out.
    Restart,
    /// A command: a person gives the lead back to the bot.
    Release,
    /// A command: the assignee of the business; absent: nobody.
    Assign {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assignee: Option<String>,
    },
    /// A command: a person of the business writes this, and the bot is silent.
    Say {
        /// Absent: the template is sent at any time.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        body: String,
        /// The template of the lead's flow that is sent outside WhatsApp's window.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        template: Option<String>,
    },
    /// A command: everything that is known of the person goes.
    Erase {
        /// The lead that took this one in and is erased; the processor alone sets it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<LeadId>,
    },
    /// A reply did not reach the lead, as far as is known (kind `delivery`).
    Undelivered {
        reply_id: String,
        class: UndeliveredClass,
        /// WhatsApp's error code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<i64>,
        /// The reply's `asked_at`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked_at: Option<Timestamp>,
    },
    /// Anything else; the provider's own type and JSON say what.
    Unsupported {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_type: Option<String>,
    },
    /// A type that this reader does not know yet: read as unsupported, never written.
    #[serde(other, skip_serializing)]
    #[schemars(skip)]
    Unknown,
}

/// The reason why a reply did not reach its lead.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum UndeliveredClass {
    /// The person cannot be written to from this number.
    Unreachable,
    /// WhatsApp's 24-hour window closed before the message went out.
    WindowClosed,
    /// Meta limits the person's marketing messages, or the person wants none.
    Marketing,
    /// Meta withholds the message as part of an experiment.
    Experiment,
    /// The template is missing, paused or disabled.
    Template,
    /// The form is blocked or throttled.
    Form,
    /// WhatsApp may have the message: no answer and no status came.
    UnknownOutcome,
    /// An operator gave the conversation to a person instead.
    HandedOff,
    /// WhatsApp refuses the message as wrong, or it failed too often. A reader takes the classes of
    /// later versions for this one.
    #[serde(other)]
    Rejected,
}

impl UndeliveredClass {
    pub const ALL: [Self; 9] = [
        Self::Unreachable,
        Self::WindowClosed,
        Self::Marketing,
        Self::Experiment,
        Self::Template,
        Self::Form,
        Self::Rejected,
        Self::UnknownOutcome,
        Self::HandedOff,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::WindowClosed => "window_closed",
            Self::Marketing => "marketing",
            Self::Experiment => "experiment",
            Self::Template => "template",
            Self::Form => "form",
            Self::Rejected => "rejected",
            Self::UnknownOutcome => "unknown_outcome",
            Self::HandedOff => "handed_off",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MediaType {
    Image,
    Video,
    Audio,
    Voice,
    Document,
    Sticker,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContactCard {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OrderItem {
    pub product_id: String,
    pub quantity: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}
