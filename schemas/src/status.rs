//! Defines the records of `message.statuses`: the statuses of the messages that we sent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::input::Platform;
use crate::reply::{self, Recipient};
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
    /// The token of the reply, where the provider echoes it. Version 0.1 gave it the id instead.
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
    /// WASenderApi: how the message itself came back; missing where only its state did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo: Option<Echo>,
    /// The provider's own JSON of this one item, secrets redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub raw: Option<Box<RawValue>>,
}

impl MessageStatus {
    /// Returns the token of the reply that the message carried; none if it carried nothing of ours.
    #[must_use]
    pub fn token(&self) -> Option<Uuid> {
        let ours = self.reply_id.as_deref()?;
        // An older version sent the id itself.
        Some(ours.parse().unwrap_or_else(|_| reply::token(ours)))
    }
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

/// How a message of a WASenderApi session came back to the business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Echo {
    /// WASenderApi reports that its API sent it.
    Api,
    /// The session has it, from its API or from a person who writes on the phone.
    Session,
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

#[cfg(test)]
mod tests {
    use super::MessageStatus;
    use crate::reply::token;

    #[test]
    fn a_status_names_its_reply_by_token_or_by_id() {
        let json = include_str!("../examples/message.statuses/delivered.json");
        let mut status: MessageStatus = serde_json::from_str(json).unwrap();
        let expected = token("1234567890:wamid.EXAMPLE");
        for ours in ["1234567890:wamid.EXAMPLE", &expected.to_string()] {
            status.reply_id = Some(ours.to_owned());
            assert_eq!(status.token(), Some(expected), "{ours}");
        }
        status.reply_id = None;
        assert_eq!(status.token(), None);
    }

    #[test]
    fn a_token_is_the_beginning_of_a_hash() {
        // printf %s a | sha256sum
        let expected = "ca978112-ca1b-bdca-fac2-31b39a23dc4d";
        assert_eq!(token("a").to_string(), expected);
    }
}
