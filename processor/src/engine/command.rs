//! Types that make commands idempotent: the claim of a command id, and the result of its command.

use leadstream_schemas::{Account, InputId, LeadId, Revision, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// The result of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CommandResult {
    #[schema(value_type = String)]
    pub id: InputId,
    /// `restart`, `release`, `assign`, `say` or `erase`.
    pub command: String,
    #[serde(flatten)]
    pub status: CommandStatus,
    #[schema(value_type = String, format = DateTime)]
    pub decided_at: Timestamp,
    #[serde(skip)]
    pub(crate) content_sha256: Vec<u8>,
    /// None once the lead is erased, or if there was none.
    #[serde(skip)]
    pub(crate) lead_id: Option<LeadId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum CommandStatus {
    Applied {
        /// The lead's revision after the command.
        #[schema(value_type = u64)]
        revision: Revision,
    },
    Rejected {
        /// Why the command changed nothing.
        reason: String,
    },
}

impl CommandStatus {
    /// Returns the lead's revision after an applied command.
    #[must_use]
    pub const fn revision(&self) -> Option<Revision> {
        match self {
            Self::Applied { revision } => Some(*revision),
            Self::Rejected { .. } => None,
        }
    }

    /// Returns why the command was rejected.
    #[must_use]
    pub fn rejection(&self) -> Option<&str> {
        match self {
            Self::Applied { .. } => None,
            Self::Rejected { reason } => Some(reason),
        }
    }
}

/// The first use of a command's id: a row of `command_claims`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) account: Account,
    pub(crate) content_sha256: Vec<u8>,
    /// Hashes of the ids that the lead had, which identify a duplicate after the lead is erased.
    pub(crate) identity_hashes: Vec<Vec<u8>>,
}

impl Claim {
    /// Returns whether `other` has the same content for the same person.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        let mut hashes = self.identity_hashes.iter();
        self.content_sha256 == other.content_sha256
            && hashes.any(|hash| other.identity_hashes.contains(hash))
    }
}

/// The state of a command's id in PostgreSQL.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownCommand {
    pub(crate) claim: Option<Claim>,
    pub(crate) result: Option<CommandResult>,
    /// The account of the result's lead, while the lead exists.
    pub(crate) account: Option<Account>,
}

impl KnownCommand {
    /// Returns whether the id is unused.
    pub(crate) const fn is_free(&self) -> bool {
        self.claim.is_none() && self.result.is_none()
    }

    /// Returns the account of the lead that the command was for, if known.
    pub(crate) fn account(&self) -> Option<&Account> {
        let claimed = self.claim.as_ref().map(|claim| &claim.account);
        self.account.as_ref().or(claimed)
    }
}
