//! Two leads that turn out to be one person. The younger closes and hands itself over; the elder
//! takes it in. Each step is an input at the home of the lead that makes it, so no transaction
//! concerns two partitions.

use leadstream_schemas::Timestamp;

use super::journal::Joined;
use super::{FoldError, Lead};
use crate::flows::Flows;

impl Lead {
    /// Whether this lead stays and the other closes. A lead's time only ever becomes earlier, and
    /// what it told the other is never earlier than what it decides by: so two leads cannot both
    /// close.
    #[must_use]
    pub fn is_elder(&self, lead_id: &str, other_id: &str, other_first_seen: Timestamp) -> bool {
        (self.first_seen, lead_id) < (other_first_seen, other_id)
    }

    /// Closes it; what it was is to be handed over to `survivor`.
    pub fn close(&mut self, survivor: &str) -> Self {
        let handed_over = self.clone();
        self.merged_into = Some(survivor.to_owned());
        self.merged.clear();
        self.pending_merges.clear();
        // The survivor's, which is reported under it.
        self.identities.former.extend(self.identities.wa_id.take());
        self.journal.close();
        handed_over
    }

    /// Takes in `other`, which has closed: its inputs, ids and what it took in itself.
    ///
    /// # Errors
    /// [`FoldError`]; the lead is then to be thrown away and read again.
    pub fn absorb(
        &mut self,
        flows: &Flows,
        other_id: &str,
        other: Self,
        capacity: usize,
    ) -> Result<Joined, FoldError> {
        let is_newer = other.journal.last_interaction() > self.journal.last_interaction();
        self.identities.join(other.identities, is_newer);
        if is_newer {
            self.platform = other.platform;
            self.number = other.number;
        }
        if is_newer || self.profile_name.is_none() {
            self.profile_name = other.profile_name.or(self.profile_name.take());
        }
        self.first_seen = self.first_seen.min(other.first_seen);
        self.erased_until = self.erased_until.max(other.erased_until);
        self.pending_merges.retain(|pending| pending != other_id);
        self.merged.push(other_id.to_owned());
        for id in other.merged {
            if !self.merged.contains(&id) {
                self.merged.push(id);
            }
        }
        self.journal.join(flows, other.journal, capacity)
    }
}
