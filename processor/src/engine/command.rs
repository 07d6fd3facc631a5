//! Describes commands by their ids: the claim of an id and the outcome of its command.

use leadstream_schemas::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CommandOutcome {
    pub id: String,
    /// `restart`, `release`, `assign`, `say` or `erase`.
    pub command: String,
    pub outcome: Applied,
    /// The lead's revision after it.
    pub revision: Option<i64>,
    /// Why it was refused.
    pub reason: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub decided_at: Timestamp,
    #[serde(skip)]
    pub(crate) digest: Vec<u8>,
    /// None once the lead is erased, or where there was none.
    #[serde(skip)]
    pub(crate) lead_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Applied {
    Applied,
    Refused,
}

/// The first use of a command's id: a row of `command_claims`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) account: String,
    /// The digest of the content.
    pub(crate) digest: Vec<u8>,
    /// Hashes of the ids that the lead had, which identify a duplicate after the lead is erased.
    pub(crate) people: Vec<Vec<u8>>,
}

impl Claim {
    /// Returns whether `other` has the same content for the same person.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        self.digest == other.digest && self.people.iter().any(|id| other.people.contains(id))
    }
}

/// The state of a command's id in PostgreSQL.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownCommand {
    pub(crate) claim: Option<Claim>,
    pub(crate) outcome: Option<CommandOutcome>,
    /// The account of the outcome's lead, while the lead exists.
    pub(crate) account: Option<String>,
}

impl KnownCommand {
    /// Returns whether the id is unused.
    pub(crate) const fn is_free(&self) -> bool {
        self.claim.is_none() && self.outcome.is_none()
    }

    /// Returns the account of the lead that the command was for, if known.
    pub(crate) fn account(&self) -> Option<&str> {
        let claimed = self.claim.as_ref().map(|claim| claim.account.as_str());
        self.account.as_deref().or(claimed)
    }
}
