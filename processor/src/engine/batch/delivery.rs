//! Folds the result of a reply, at the lead's home.

use super::{BatchError, BatchFold, LeadUpdate, Outcome, Step};
use crate::lead::Input;

impl Step<'_> {
    /// Folds a delivery into `found`, the lead that the record addresses, if known.
    pub(super) fn delivery(
        &self,
        input: &Input,
        found: Option<Box<LeadUpdate>>,
        batch: &mut BatchFold,
    ) -> Result<(Option<Box<LeadUpdate>>, Outcome), BatchError> {
        let Some(mut found) = found else {
            batch.result.counts.deliveries_without_lead += 1;
            return Ok((None, Outcome::Unchanged));
        };
        let before = found.lead.revision;
        let outcome = self.message(input, &mut found.lead, batch)?;
        if outcome == Outcome::Folded {
            let counts = &mut batch.result.counts;
            let count = match found.lead.revision == before {
                true => &mut counts.deliveries_without_effect,
                false => &mut counts.deliveries_applied,
            };
            *count += 1;
        }
        Ok((Some(found), outcome))
    }
}
