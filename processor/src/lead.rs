//! A lead: the pure fold of its inputs. No IO, no clock.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod identity;
mod input;
mod journal;
mod stored;

#[cfg(test)]
mod tests;

pub use identity::{Accounts, Identities, scoped};
pub use input::{Input, InputError, OrderKey};
pub use journal::{Admission, Change, FoldError, Journal, fold};
pub use stored::StoredError;

use leadstream_schemas::{Platform, Timestamp};
use serde::{Deserialize, Serialize};

/// Everything that the engine keeps of one lead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lead {
    pub journal: Journal,
    /// Counts the lead's events.
    pub revision: u64,
    pub identities: Identities,
    /// The profile's name, as last seen.
    pub profile_name: Option<String>,
    /// Where the lead wrote last: replies go out from there.
    pub platform: Platform,
    pub number: String,
    pub first_seen: Timestamp,
}

impl Lead {
    #[must_use]
    pub fn new(input: &Input) -> Self {
        Self {
            journal: Journal::default(),
            revision: 0,
            identities: Identities::default(),
            profile_name: None,
            platform: input.platform,
            number: input.number.clone(),
            first_seen: input.order.at,
        }
    }

    /// The name that the lead gave, else its profile's.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.journal
            .conversation()
            .and_then(|conversation| conversation.data.get("name"))
            .and_then(serde_json::Value::as_str)
            .or(self.profile_name.as_deref())
    }

    /// Takes note of where and under which name the lead writes.
    pub fn observe(&mut self, input: &Input) {
        self.platform = input.platform;
        self.number.clone_from(&input.number);
        self.first_seen = self.first_seen.min(input.order.at);
        if let Some(name) = &input.sender.name {
            self.profile_name = Some(name.clone());
        }
    }

    /// The form in which PostgreSQL keeps a lead.
    ///
    /// # Errors
    /// [`StoredError::Encode`]; it has no cause in the data.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StoredError> {
        stored::encode(self)
    }

    /// # Errors
    /// [`StoredError`] for a format of a later version, or bytes that are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoredError> {
        stored::decode(bytes)
    }
}
