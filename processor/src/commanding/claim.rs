//! Whose the id of a command is: it belongs to the first command that was given with it, which is
//! one content for one lead.

use leadstream_schemas::Content;
use sha2::{Digest, Sha256};

use super::files::Found;
use crate::engine::command::{Claim, CommandResult, KnownCommand};
use crate::lead::{Address, Command};

/// A command that is to be given.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) claim: Claim,
    /// Of its lead and of those that became it; empty where no lead was found.
    lead_ids: Vec<String>,
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
        let mut identity_hashes: Vec<Vec<u8>> = all.map(|identity| hash(id, identity)).collect();
        identity_hashes.sort();
        identity_hashes.dedup();
        Self {
            claim: Claim {
                account: address.account().to_owned(),
                content_sha256: Command::content_sha256(content),
                identity_hashes,
            },
            lead_ids,
        }
    }

    /// Returns what became of this command, given what is known of its id; none: nothing yet.
    pub(crate) fn outcome(&self, known: KnownCommand) -> Result<Option<CommandResult>, Taken> {
        let claim = known.claim.as_ref();
        if claim.is_some_and(|claim| !claim.is_of(&self.claim)) {
            return Err(Taken);
        }
        let Some(outcome) = known.result else {
            return Ok(None);
        };
        // Whoever writes to the topic itself, or gave the command before there were claims, has none.
        let is_ours = match &outcome.lead_id {
            Some(lead_id) if !self.lead_ids.is_empty() => self.lead_ids.contains(lead_id),
            _ => claim.is_some(),
        };
        if is_ours && outcome.content_sha256 == self.claim.content_sha256 {
            Ok(Some(outcome))
        } else {
            Err(Taken)
        }
    }
}

/// Neither an id nor an identity has a NUL, so no other pair has the same hash.
fn hash(id: &str, identity: &str) -> Vec<u8> {
    Sha256::digest(format!("{id}\0{identity}")).to_vec()
}

#[cfg(test)]
mod tests;
