//! The ad or post that led to a conversation, and its fields.

use leadstream_schemas::{Referral as Given, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::field::Kind;
use super::turn_input::clean;
use super::{Conversation, Flow};

/// The longest text that is kept, in characters.
const MAX_TEXT: usize = 200;

/// The longest id or address that is kept, in bytes. A part of one is useless.
const MAX_ID: usize = 512;

/// No referral is older: the calendar of timestamps ends earlier.
const MAX_DAYS: i64 = 1_000_000_000;

const DAY: i64 = 24 * 3_600_000;

/// The fields of a referral. A conversation without one has none of them.
pub(super) const FIELDS: [&str; 7] = [
    "referral_type",
    "referral_id",
    "referral_url",
    "referral_headline",
    "referral_body",
    "referral_click_id",
    "referral_age_days",
];

/// The ad or post that led to a conversation. Stored as a MessagePack array: add fields only at the
/// end, with a default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referral {
    /// The time of the message that it led to.
    pub at: Timestamp,
    /// `ad` or `post`.
    pub source_type: Option<String>,
    pub source_id: Option<String>,
    pub source_url: Option<String>,
    pub headline: Option<String>,
    pub body: Option<String>,
    pub ctwa_clid: Option<String>,
}

impl Referral {
    /// Returns the referral of a message of the time `at`; none if nothing is known of it.
    #[must_use]
    pub fn new(given: Given, at: Timestamp) -> Option<Self> {
        let id = |id: Option<String>| {
            id.map(|id| clean(&id))
                .filter(|id| !id.is_empty() && id.len() <= MAX_ID)
        };
        let text = |text: Option<String>| {
            let text = text.map(|text| clean(&text).chars().take(MAX_TEXT).collect::<String>());
            text.filter(|text| !text.is_empty())
        };
        let kept = Self {
            at,
            source_type: id(given.source_type),
            source_id: id(given.source_id),
            source_url: id(given.source_url),
            headline: text(given.headline),
            body: text(given.body),
            ctwa_clid: id(given.ctwa_clid),
        };
        let nothing = Self {
            at,
            ..Self::default()
        };
        (kept != nothing).then_some(kept)
    }

    /// Returns the referral as events have it.
    #[must_use]
    pub fn to_given(&self) -> Given {
        Given {
            source_type: self.source_type.clone(),
            source_id: self.source_id.clone(),
            source_url: self.source_url.clone(),
            headline: self.headline.clone(),
            body: self.body.clone(),
            ctwa_clid: self.ctwa_clid.clone(),
        }
    }

    /// Returns the value of one of [`FIELDS`] at a time; none if the provider gave none.
    fn field(&self, name: &str, at: Timestamp) -> Option<Value> {
        let text = match name {
            "referral_type" => &self.source_type,
            "referral_id" => &self.source_id,
            "referral_url" => &self.source_url,
            "referral_headline" => &self.headline,
            "referral_body" => &self.body,
            "referral_click_id" => &self.ctwa_clid,
            "referral_age_days" => {
                let age = at.millis().saturating_sub(self.at.millis());
                return Some(json!((age / DAY).clamp(0, MAX_DAYS)));
            }
            _ => return None,
        };
        text.as_deref().map(Value::from)
    }
}

/// Returns the type of one of [`FIELDS`].
pub(super) fn kind(name: &str) -> Kind {
    match name {
        "referral_age_days" => Kind::Number {
            least: 0.0,
            most: 1e9,
        },
        "referral_headline" | "referral_body" => Kind::Text { most: MAX_TEXT },
        _ => Kind::Text { most: MAX_ID },
    }
}

impl Flow {
    /// Adds the fields of the referral to the answers, for one turn. They are no answers, and the age
    /// changes with time, so they are not kept.
    pub(super) fn lend_referral(&self, conversation: &mut Conversation, at: Timestamp) {
        let Some(referral) = &conversation.referral else {
            return;
        };
        for name in &self.referral_fields {
            if let Some(value) = referral.field(name, at) {
                conversation.data.insert((*name).to_owned(), value);
            }
        }
    }

    /// Removes the fields of the referral at the end of a turn.
    pub(super) fn take_referral_back(&self, conversation: &mut Conversation) {
        if conversation.referral.is_some() {
            for name in &self.referral_fields {
                conversation.data.remove(*name);
            }
        }
    }
}

#[cfg(test)]
mod tests;
