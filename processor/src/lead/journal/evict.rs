//! Evicts inputs from the journal and keeps those of their effects that still count.

use leadstream_schemas::{InputId, Timestamp};

use super::amended::Amended;
use super::{Entry, Evicted, FoldError, Journal};
use crate::flows::Flows;

impl Journal {
    /// Evicts the oldest inputs beyond `capacity`. Returns their ids with their times of sending.
    pub(super) fn trim(
        &mut self,
        flows: &Flows,
        capacity: usize,
    ) -> Result<Vec<(InputId, Timestamp)>, FoldError> {
        let mut evicted = Vec::new();
        while self.entries.len() > capacity.max(1) {
            let answer = match self.entries.first() {
                Some(first) => {
                    let amended = Amended::of(self.amending(&self.entries));
                    amended.answer(first).into_owned()
                }
                None => break,
            };
            let entry = self.entries.remove(0);
            if let Some(step) = entry.fold(flows, self.base.as_ref(), &answer)? {
                self.base = Some(step.conversation);
            }
            let sent_at = self
                .evicted
                .as_ref()
                .map_or(entry.sent_at, |evicted| evicted.sent_at.max(entry.sent_at));
            evicted.push((entry.order.id.clone(), entry.sent_at));
            self.evicted = Some(Evicted {
                order: entry.order.clone(),
                sent_at,
            });
            self.keep_amendment(entry);
        }
        Ok(evicted)
    }

    /// Keeps the amendment in `evicted` if its message is still in the journal, so that every
    /// refold applies it. For each message one revocation and one text are kept.
    fn keep_amendment(&mut self, evicted: Entry) {
        self.amendments
            .retain(|entry| !entry.is_amendment_of(&evicted.order.id));
        let Some(amendment) = &evicted.amends else {
            return;
        };
        if self.holds(&amendment.message_id) {
            self.amendments.retain(|entry| {
                let earlier = entry.amends.as_ref();
                earlier.is_none_or(|earlier| !amendment.replaces(earlier))
            });
            self.amendments.push(evicted);
        }
    }
}
