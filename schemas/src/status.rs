//! Defines the records of `message.statuses`: the statuses of the messages that we sent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::input::Platform;
use crate::reply::Recipient;
use crate::time::Timestamp;

/// One record of `message.statuses`, keyed by its recipient, else by `id`. Statuses arrive in any order, and
/// more than once.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "message.statuses")]
pub struct MessageStatus {
    /// The provider's id of our message.
    pub id: String,
    pub platform: Platform,
    /// The business number that sent the message.
    pub number: String,
    pub status: DeliveryStatus,
    /// The time at which it happened, by the provider.
    pub at: Timestamp,
    pub received_at: Timestamp,
    /// Empty when the provider named nobody.
    pub recipient: Recipient,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<StatusError>,
    /// Our own id of the reply, where the provider echoes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_id: Option<String>,
    /// The id that the provider answered the send with, where it is another than `id`
    /// (WASenderApi's `msgId`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_id: Option<String>,
    /// The text of the message, if the provider repeats it. Only the sending service can
    /// distinguish an echo of our own words from a person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The provider's own JSON of this one item, secrets redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub raw: Option<Box<RawValue>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    Pending,
    Sent,
    Delivered,
    Read,
    Played,
    Failed,
    Deleted,
    /// A status that does not exist yet.
    #[serde(other)]
    Unknown,
}

/// The reason why a message failed, in the provider's terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusError {
    pub code: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}
