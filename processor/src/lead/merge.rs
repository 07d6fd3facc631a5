//! Merges two leads that turn out to be one person. The younger closes and hands itself over; the
//! elder absorbs it. Each step is an input at the home of the lead that makes it, so no transaction
//! spans two partitions.

use leadstream_schemas::{LeadId, Timestamp};

use super::journal::Joined;
use super::{FoldError, Lead};
use crate::flows::Flows;

impl Lead {
    /// Returns whether this lead stays and the other closes. A lead's first-seen time only becomes
    /// earlier. The time in its merge request is never earlier than the one by which it decides. So
    /// two leads cannot both close.
    #[must_use]
    pub fn is_elder(
        &self,
        lead_id: &LeadId,
        other_id: &LeadId,
        other_first_seen: Timestamp,
    ) -> bool {
        (self.first_seen, lead_id) < (other_first_seen, other_id)
    }

    /// Closes the lead and returns its former content, which is handed over to `survivor`.
    pub fn close(&mut self, survivor: &LeadId) -> Self {
        let handed_over = self.clone();
        self.merged_into = Some(survivor.clone());
        self.merged.clear();
        self.pending_merges.clear();
        // The `wa_id` now belongs to the survivor, which is reported under it.
        self.identities.former.extend(self.identities.wa_id.take());
        self.journal.close();
        handed_over
    }

    /// Absorbs `other`, which has closed: its inputs, its ids and the leads that it absorbed.
    ///
    /// # Errors
    /// Returns [`FoldError`]; the caller must then drop the lead and read it again.
    pub fn absorb(
        &mut self,
        flows: &Flows,
        other_id: &LeadId,
        other: Self,
        capacity: usize,
    ) -> Result<Joined, FoldError> {
        let is_newer = other.journal.last_interaction() > self.journal.last_interaction();
        self.identities.join(other.identities, is_newer);
        if is_newer {
            self.platform = other.platform;
            self.number = other.number;
            self.jid = other.jid;
        }
        if is_newer || self.profile_name.is_none() {
            self.profile_name = other.profile_name.or(self.profile_name.take());
        }
        self.first_seen = self.first_seen.min(other.first_seen);
        self.erased_until = self.erased_until.max(other.erased_until);
        self.pending_merges.retain(|pending| pending != other_id);
        self.merged.push(other_id.clone());
        for id in other.merged {
            if !self.merged.contains(&id) {
                self.merged.push(id);
            }
        }
        self.journal.join(flows, other.journal, capacity)
    }
}
