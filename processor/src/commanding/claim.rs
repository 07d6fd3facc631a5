//! Decides to which command an id belongs: the first one that claimed it, with one content for one
//! lead. Pure.

use leadstream_schemas::{Content, Identity, InputId, LeadId};
use sha2::{Digest, Sha256};

use super::lead_repository::LeadRef;
use crate::engine::command::{Claim, CommandResult, KnownCommand};
use crate::lead::{Address, Command};

/// A command that claims its id.
#[derive(Clone, Debug)]
pub(crate) struct ClaimRequest {
    pub(crate) claim: Claim,
    /// The ids of the lead and of those that merged into it. Empty if no lead was found.
    lead_ids: Vec<LeadId>,
}

/// Another command has the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken;

impl ClaimRequest {
    pub(crate) fn new(
        id: &InputId,
        address: &Address,
        lead: Option<&LeadRef>,
        content: &Content,
    ) -> Self {
        let lead_ids = lead.map(LeadRef::lead_ids).unwrap_or_default();
        let held = lead.map(LeadRef::identities).unwrap_or_default();
        let named = address.identities().chain(&held);
        let all = named
            .map(Identity::as_str)
            .chain(lead_ids.iter().map(LeadId::as_str));
        let mut identity_hashes: Vec<Vec<u8>> = all.map(|identity| hash(id, identity)).collect();
        identity_hashes.sort();
        identity_hashes.dedup();
        Self {
            claim: Claim {
                account: address.account().clone(),
                content_sha256: Command::content_sha256(content),
                identity_hashes,
            },
            lead_ids,
        }
    }

    /// Returns this command's result from what is known of its id, or `None` while it is pending.
    pub(crate) fn result(&self, known: KnownCommand) -> Result<Option<CommandResult>, Taken> {
        let claim = known.claim.as_ref();
        if claim.is_some_and(|claim| !claim.is_of(&self.claim)) {
            return Err(Taken);
        }
        let Some(result) = known.result else {
            return Ok(None);
        };
        // A command that another program wrote to the topic has no claim.
        let is_ours = match &result.lead_id {
            Some(lead_id) if !self.lead_ids.is_empty() => self.lead_ids.contains(lead_id),
            _ => claim.is_some(),
        };
        if is_ours && result.content_sha256 == self.claim.content_sha256 {
            Ok(Some(result))
        } else {
            Err(Taken)
        }
    }
}

/// Hashes an identity with the command's id. Neither contains a NUL, so no two pairs have the same
/// text.
fn hash(id: &InputId, identity: &str) -> Vec<u8> {
    Sha256::digest(format!("{id}\0{identity}")).to_vec()
}

#[cfg(test)]
mod tests;
