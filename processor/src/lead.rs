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

mod amend;
mod identity;
mod input;
mod journal;
mod merge;
mod profile;
mod stored;

#[cfg(test)]
mod tests;

pub use amend::Amendment;
pub use identity::{Accounts, Address, Identities, scoped};
pub use input::{Command, Inbound, Input, InputError, Merge, OrderKey, Verb};
pub use journal::{
    Admission, Arrival, Change, Entry, FoldError, Joined, Journal, Replayed, Source, fold,
};
pub(crate) use profile::Profile;
pub use stored::StoredError;

use leadstream_schemas::{Platform, Timestamp};
use serde::{Deserialize, Serialize};

use crate::flow::MERGED;
use crate::flows::Flows;

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
    /// The lead that this one turned out to be: it is closed, and its inputs go there.
    #[serde(default)]
    pub merged_into: Option<String>,
    /// Leads that turned out to be this one.
    #[serde(default)]
    pub merged: Vec<String>,
    /// Leads that were told that they are the same person, and have not answered yet.
    #[serde(default)]
    pub pending_merges: Vec<String>,
    /// When its home looks at it: never later than what time does next. Bookkeeping.
    #[serde(default)]
    pub armed: Option<Timestamp>,
    /// The person was erased, and wrote anew: nothing that was sent up to then counts.
    #[serde(default)]
    pub erased_until: Option<Timestamp>,
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
            merged_into: None,
            merged: Vec::new(),
            pending_merges: Vec::new(),
            armed: None,
            erased_until: None,
        }
    }

    /// Its state, as in events and reports; none before its first input.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        if self.merged_into.is_some() {
            return Some(MERGED);
        }
        let conversation = self.journal.conversation();
        conversation.map(|conversation| conversation.state.as_str())
    }

    /// When time next changes it, should no input come; none: never.
    ///
    /// # Errors
    /// [`FoldError`] when its conversation follows a flow that is not there.
    pub fn next_due(&self, flows: &Flows) -> Result<Option<Timestamp>, FoldError> {
        match self.merged_into {
            Some(_) => Ok(None),
            None => self.journal.next_due(flows),
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

    /// Takes note of where, under which name and which of the ids that are `ours` the lead
    /// writes, after `input` was admitted. The newest input counts, whichever came last.
    pub fn observe(&mut self, input: &Input, ours: impl Fn(&str) -> bool) {
        let newest = self.journal.ends_with(&input.order);
        self.first_seen = self.first_seen.min(input.order.at);
        if newest {
            self.platform = input.platform;
            self.number.clone_from(&input.number);
        }
        if (newest || self.profile_name.is_none())
            && let Some(name) = &input.sender.name
        {
            self.profile_name = Some(name.clone());
        }
        self.identities.adopt(&input.sender, &ours, |_| newest);
        if let Some(becomes) = &input.becomes {
            let before = |known: &str| input.sender.identities().any(|id| id == known);
            self.identities
                .adopt(becomes, ours, |known| newest || before(known));
        }
    }

    /// Keeps nothing of the person: what remains tells others that they are gone.
    pub fn erase(&mut self) {
        self.journal.erase();
        self.identities = Identities::default();
        self.profile_name = None;
        self.merged_into = None;
        self.merged.clear();
        self.pending_merges.clear();
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
