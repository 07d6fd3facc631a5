//! Computes a lead: the pure fold of its inputs, without IO or a clock.

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
pub use input::{Command, CommandKind, Inbound, Input, InputError, Merge, OrderKey};
pub use journal::{
    Admission, Arrival, Change, ChangeKind, Entry, Evaluation, FoldError, HoldReason, Integrity,
    Joined, Journal, Replayed, Source, fold,
};
pub(crate) use profile::Profile;
pub use stored::StoredError;

use leadstream_schemas::{LeadId, Platform, Revision, Timestamp};
use serde::Deserialize;

use crate::flow::{FOLD_VERSION, MERGED, TurnInput};
use crate::flows::Flows;
use crate::trailing_defaults::omit_trailing_defaults;

/// Everything that the engine keeps of one lead.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Lead {
    pub journal: Journal,
    /// The count of the lead's events.
    pub revision: Revision,
    pub identities: Identities,
    /// The name in the lead's WhatsApp profile, as last seen.
    pub profile_name: Option<String>,
    /// The provider through which the lead wrote last; replies go out through it.
    pub platform: Platform,
    pub number: String,
    pub first_seen: Timestamp,
    /// The lead that is the same person; this lead is closed, and its inputs go there.
    #[serde(default)]
    pub merged_into: Option<LeadId>,
    /// The leads that merged into this one.
    #[serde(default)]
    pub merged: Vec<LeadId>,
    /// The leads that got this lead's merge request and have not answered yet.
    #[serde(default)]
    pub pending_merges: Vec<LeadId>,
    /// When the lead's home looks at its timers: never later than the next due time. Bookkeeping.
    #[serde(default)]
    pub timer_due_at: Option<Timestamp>,
    /// When the person was erased, if they wrote again later. Inputs sent up to that time do not
    /// count.
    #[serde(default)]
    pub erased_until: Option<Timestamp>,
    /// The JID from which the lead wrote last, if it wrote through WASenderApi; replies go there.
    #[serde(default)]
    pub jid: Option<String>,
}

omit_trailing_defaults!(Lead {
    journal, revision, identities, profile_name, platform, number, first_seen;
    merged_into: None,
    merged: Vec::new(),
    pending_merges: Vec::new(),
    timer_due_at: None,
    erased_until: None,
    jid: None,
});

impl Lead {
    #[must_use]
    pub fn new(input: &Input) -> Self {
        Self {
            journal: Journal::default(),
            revision: Revision::default(),
            identities: Identities::default(),
            profile_name: None,
            platform: input.platform,
            number: input.number.clone(),
            first_seen: input.order.at,
            merged_into: None,
            merged: Vec::new(),
            pending_merges: Vec::new(),
            timer_due_at: None,
            erased_until: None,
            jid: input.sender.jid.clone(),
        }
    }

    /// Returns the state, as in events and reports; none before the first input.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        if self.merged_into.is_some() {
            return Some(MERGED);
        }
        let conversation = self.journal.conversation();
        conversation.map(|conversation| conversation.state.as_str())
    }

    /// Returns when time next changes the lead if no input comes; none if it never does.
    ///
    /// # Errors
    /// Returns [`FoldError`] if the lead's conversation follows a flow that is not published.
    pub fn next_due(&self, flows: &Flows) -> Result<Option<Timestamp>, FoldError> {
        match self.merged_into {
            Some(_) => Ok(None),
            None => self.journal.next_due(flows),
        }
    }

    /// Returns the name that the lead gave, or else its profile's.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.journal
            .conversation()
            .and_then(|conversation| conversation.data.get("name"))
            .and_then(serde_json::Value::as_str)
            .or(self.profile_name.as_deref())
    }

    /// Records the number, the profile name and the ids under which the lead writes, once `input`
    /// was admitted. It keeps only ids that are `ours`. The input that is newest in order counts,
    /// whatever the order of arrival.
    pub fn observe(&mut self, input: &Input, ours: impl Fn(&str) -> bool) {
        let newest = self.journal.ends_with(&input.order);
        self.first_seen = self.first_seen.min(input.order.at);
        if newest {
            self.platform = input.platform;
            self.number.clone_from(&input.number);
            self.jid.clone_from(&input.sender.jid);
        }
        if (newest || self.profile_name.is_none())
            && let Some(name) = &input.sender.name
        {
            self.profile_name = Some(name.clone());
        }
        // A person of the business may write to another notation of the number. Replies keep the one
        // with which the lead writes.
        let is_ours = input.answer == TurnInput::Takeover;
        let is_other_notation = |known: &str| input.other_notations.iter().any(|id| id == known);
        self.identities.adopt(&input.sender, &ours, |known| {
            newest && !(is_ours && is_other_notation(known))
        });
        if let Some(becomes) = &input.becomes {
            let before = |known: &str| input.sender.identities().any(|id| id == known);
            self.identities
                .adopt(becomes, &ours, |known| newest || before(known));
        }
        for id in input.other_notations.iter().filter(|id| ours(id)) {
            self.identities.add(id);
        }
    }

    /// Deletes everything about the person; what remains shows other leads that this one is erased.
    pub fn erase(&mut self) {
        self.journal.erase();
        self.identities = Identities::default();
        self.profile_name = None;
        self.merged_into = None;
        self.merged.clear();
        self.pending_merges.clear();
    }

    /// Returns whether the stored conversation is the fold of the journal; none for a lead that has no
    /// conversation or merged into another, whose inputs are gone.
    ///
    /// # Errors
    /// Returns [`FoldError`] if the lead's conversation follows a flow that is not published.
    pub fn integrity(&self, flows: &Flows) -> Result<Option<Integrity>, FoldError> {
        match self.merged_into {
            Some(_) => Ok(None),
            None => self.journal.integrity(flows, FOLD_VERSION),
        }
    }

    /// Evaluates what would change if the lead's inputs were folded with `replaced` in the place of the
    /// versions `in_force`. Both folds fire timers up to `until`, silently. None for a lead without a
    /// conversation, or that merged into another.
    ///
    /// # Errors
    /// Returns [`FoldError`] if the lead's conversation follows a flow that is not published.
    pub fn evaluate(
        &self,
        in_force: &Flows,
        replaced: &Flows,
        until: Timestamp,
    ) -> Result<Option<Evaluation>, FoldError> {
        if self.merged_into.is_some() {
            return Ok(None);
        }
        let has_merged = !self.merged.is_empty();
        self.journal.evaluate(in_force, replaced, until, has_merged)
    }

    /// Encodes the lead for PostgreSQL.
    ///
    /// # Errors
    /// Returns [`StoredError::Encode`]; no data can cause it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StoredError> {
        stored::encode(self)
    }

    /// Decodes a lead from PostgreSQL.
    ///
    /// # Errors
    /// Returns [`StoredError`] for the format of a later version, and for bytes that are not a
    /// lead.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoredError> {
        stored::decode(bytes)
    }
}
