//! Whose the id of a command is: it belongs to the first command that was given with it, which is
//! one content for one lead.

use leadstream_schemas::Content;
use sha2::{Digest, Sha256};

use super::files::{CommandOutcome, Found};
use crate::lead::{Address, Command};

/// What the id of a command was given for first: a row of `command_claims`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) account: String,
    /// Of the content.
    pub(crate) digest: Vec<u8>,
    /// Hashes of the ids that its lead had, so that a repeat is known when the lead is erased.
    pub(crate) people: Vec<Vec<u8>>,
}

/// A command that is to be given.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) claim: Claim,
    /// Of its lead and of those that became it; empty where no lead was found.
    lead_ids: Vec<String>,
}

/// What is known of the id of a command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) claim: Option<Claim>,
    pub(crate) outcome: Option<CommandOutcome>,
    /// The account of the outcome's lead, while that is there.
    pub(crate) account: Option<String>,
}

/// Another command has the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken;

impl Asked {
    pub(crate) fn new(
        id: &str,
        address: &Address,
        found: Option<&Found>,
        content: &Content,
    ) -> Self {
        let lead_ids = found.map(Found::lead_ids).unwrap_or_default();
        let held = found.map(Found::identities).unwrap_or_default();
        let named = std::iter::once(address.identity());
        let all = named.chain(held.iter().chain(&lead_ids).map(String::as_str));
        let mut people: Vec<Vec<u8>> = all.map(|identity| hash(id, identity)).collect();
        people.sort();
        people.dedup();
        Self {
            claim: Claim {
                account: address.account().to_owned(),
                digest: Command::digest(content),
                people,
            },
            lead_ids,
        }
    }
}

impl Claim {
    /// Whether `other` has the same content for the same person.
    fn is_of(&self, other: &Self) -> bool {
        self.digest == other.digest && self.people.iter().any(|id| other.people.contains(id))
    }
}

impl Known {
    /// Whether nobody has the id.
    pub(crate) const fn is_free(&self) -> bool {
        self.claim.is_none() && self.outcome.is_none()
    }

    /// What became of the command that is `asked` for; none: nothing yet.
    pub(crate) fn outcome_of(self, asked: &Asked) -> Result<Option<CommandOutcome>, Taken> {
        let claim = self.claim.as_ref();
        if claim.is_some_and(|claim| !claim.is_of(&asked.claim)) {
            return Err(Taken);
        }
        let Some(outcome) = self.outcome else {
            return Ok(None);
        };
        // Whoever writes to the topic itself, or gave the command before there were claims, has none.
        let is_ours = match &outcome.lead_id {
            Some(lead_id) if !asked.lead_ids.is_empty() => asked.lead_ids.contains(lead_id),
            _ => claim.is_some(),
        };
        if is_ours && outcome.digest == asked.claim.digest {
            Ok(Some(outcome))
        } else {
            Err(Taken)
        }
    }

    /// The account of the lead that the command was for, if that is known.
    pub(crate) fn account(&self) -> Option<&str> {
        let claimed = self.claim.as_ref().map(|claim| claim.account.as_str());
        self.account.as_deref().or(claimed)
    }
}

/// Neither an id nor an identity has a NUL, so no other pair has the same hash.
fn hash(id: &str, identity: &str) -> Vec<u8> {
    Sha256::digest(format!("{id}\0{identity}")).to_vec()
}

#[cfg(test)]
mod tests;
