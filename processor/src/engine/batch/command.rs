//! Folds commands of people of the business, at the lead's home.

use leadstream_kafka::Outgoing;

use super::{BatchError, BatchResult, Decided, LeadUpdate, LoadedState, Outcome, Step};
use crate::lead::Command;

const NO_LEAD: &str =
    "no lead has this id; a command is for a lead that wrote before, and begins none";
const TOO_LATE: &str = "the command is older than its lead's journal reaches; give it again";

impl Step<'_> {
    /// Folds a command into `found`, the lead that the record addresses, if known.
    pub(super) fn command(
        &self,
        command: &Command,
        found: Option<Box<LeadUpdate>>,
        known: &LoadedState,
        folded: &mut BatchResult,
        outgoing: &mut Vec<Outgoing>,
    ) -> Result<(Option<Box<LeadUpdate>>, Outcome), BatchError> {
        let Some(mut found) = found else {
            decide(command, None, Err(NO_LEAD.to_owned()), folded);
            return Ok((None, Outcome::Unchanged));
        };
        let lead = &mut found.lead;
        let outcome = self.message(&command.input, lead, known, folded, outgoing)?;
        let decided = match outcome {
            // A duplicate: the command already has an outcome.
            Outcome::Unchanged => return Ok((Some(found), outcome)),
            Outcome::Refused => Err(TOO_LATE.to_owned()),
            Outcome::Objected(objection) => Err(objection.to_string()),
            Outcome::Kept => Ok(lead.revision),
        };
        decide(command, Some(&self.lead_id), decided, folded);
        Ok((Some(found), outcome))
    }
}

/// Records the outcome of `command`, unless a duplicate of it was already applied.
pub(super) fn decide(
    command: &Command,
    lead_id: Option<&str>,
    outcome: Result<u64, String>,
    folded: &mut BatchResult,
) {
    let id = command.input.order.id.clone();
    let known = folded.decided.get(&id);
    if known.is_some_and(|known| known.outcome.is_ok()) {
        return;
    }
    let count = match outcome {
        Ok(_) => &mut folded.counts.commands_applied,
        Err(_) => &mut folded.counts.commands_refused,
    };
    *count += 1;
    let decided = Decided {
        verb: command.verb.as_str(),
        digest: command.digest.clone(),
        lead_id: lead_id.map(ToOwned::to_owned),
        outcome,
    };
    folded.decided.insert(id, decided);
}
