//! Folds commands of people of the business, at the lead's home.

use super::{BatchError, BatchFold, CommandDecision, LeadUpdate, Outcome, Step};
use crate::engine::command::CommandStatus;
use crate::lead::Command;
use leadstream_schemas::LeadId;

const NO_LEAD: &str =
    "no lead has this id; a command is for a lead that wrote before, and begins none";
const TOO_LATE: &str = "the command is older than its lead's journal reaches; give it again";

impl Step<'_> {
    /// Folds a command into `found`, the lead that the record addresses, if known.
    pub(super) fn command(
        &self,
        command: &Command,
        found: Option<Box<LeadUpdate>>,
        batch: &mut BatchFold,
    ) -> Result<(Option<Box<LeadUpdate>>, Outcome), BatchError> {
        let Some(mut found) = found else {
            decide(command, None, reject(NO_LEAD), batch);
            return Ok((None, Outcome::Unchanged));
        };
        let lead = &mut found.lead;
        let outcome = self.message(&command.input, lead, batch)?;
        let status = match outcome {
            // A duplicate: the command already has a result.
            Outcome::Unchanged => return Ok((Some(found), outcome)),
            Outcome::DeadLetter => reject(TOO_LATE),
            Outcome::Rejected(reason) => reject(reason.to_string()),
            Outcome::Folded => CommandStatus::Applied {
                revision: lead.revision,
            },
        };
        decide(command, Some(&self.lead_id), status, batch);
        Ok((Some(found), outcome))
    }
}

/// Returns the status of a command that is rejected for `reason`.
pub(super) fn reject(reason: impl Into<String>) -> CommandStatus {
    CommandStatus::Rejected {
        reason: reason.into(),
    }
}

/// Records the result of `command`, unless a duplicate of it was already applied.
pub(super) fn decide(
    command: &Command,
    lead_id: Option<&LeadId>,
    status: CommandStatus,
    batch: &mut BatchFold,
) {
    let id = command.input.order.id.clone();
    let before = batch.result.commands.get(&id);
    if before.is_some_and(|it| it.status.revision().is_some()) {
        return;
    }
    let count = match status {
        CommandStatus::Applied { .. } => &mut batch.result.counts.commands_applied,
        CommandStatus::Rejected { .. } => &mut batch.result.counts.commands_rejected,
    };
    *count += 1;
    let decision = CommandDecision {
        command: command.kind.as_str(),
        content_sha256: command.content_sha256.clone(),
        lead_id: lead_id.cloned(),
        status,
    };
    batch.result.commands.insert(id, decision);
}
