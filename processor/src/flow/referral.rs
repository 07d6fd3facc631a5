//! The ad or post that led to a conversation.

use leadstream_schemas::{Referral as Given, Timestamp};
use serde::{Deserialize, Serialize};

use super::turn_input::clean;

/// The longest text that is kept, in characters.
const MAX_TEXT: usize = 200;

/// The longest id or address that is kept, in bytes. A part of one is useless.
const MAX_ID: usize = 512;

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
}

#[cfg(test)]
mod tests;
