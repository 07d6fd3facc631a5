//! Corrects consumers whose state of a lead differs from the log.

use std::collections::BTreeMap;

use leadstream_kafka::partitioner::partition_of;
use leadstream_kafka::{Outgoing, TraceContext};
use leadstream_schemas::{Account, Cause, LeadId};

use super::RecoverError;
use super::published::{Known, Published};
use super::recovery::Recovery;
use crate::engine::batch::{BatchError, BatchResult, LeadUpdate, PartitionAdvance};
use crate::engine::effects::{self, OutputTopics};
use crate::lead::Lead;

impl Recovery<'_> {
    /// Publishes one more event for each lead whose last published event differs from the log. The
    /// cause may be a loss of records or of a flow's version.
    pub(super) async fn correct(&mut self) -> Result<(), RecoverError> {
        let ids: Vec<LeadId> = self.published.leads().cloned().collect();
        for ids in ids.chunks(self.settings.processor_batch_records.get()) {
            let leads = self.store.load(ids).await?;
            let lost = |id: &&LeadId| self.published.misses(id, leads.get(*id).map(Box::as_ref));
            self.report.unexplained += ids.iter().filter(lost).count() as u64;
            let mut changed = BTreeMap::new();
            let mut outgoing = Vec::new();
            for (lead_id, lead) in leads {
                let (published, output_topics) = (&self.published, &self.output_topics);
                let revision_before = lead.revision;
                if let Some((lead, event)) = correction(published, output_topics, &lead_id, lead)? {
                    let home = partition_of(&event.key, self.partitions.len());
                    let serialized_state = lead.to_bytes().map_err(BatchError::from)?;
                    outgoing.push(event);
                    let mut lead = LeadUpdate::new(lead, &Account::DEFAULT, home, false);
                    lead.serialized_state = serialized_state;
                    lead.revision_before = revision_before;
                    changed.insert(lead_id, lead);
                }
            }
            self.report.corrected += changed.len() as u64;
            self.forget().await?;
            // Any partition is suitable, because this process owns all of them.
            let first = self.partitions.iter().next();
            if let Some((id, next_offset)) = first.map(|(id, it)| (id, it.next_offset))
                && !changed.is_empty()
            {
                let progress = PartitionAdvance {
                    next_offset,
                    outgoing,
                    ..PartitionAdvance::default()
                };
                let folded = BatchResult {
                    leads: changed,
                    partitions: BTreeMap::from([(id, progress)]),
                    ..BatchResult::default()
                };
                self.commit(folded).await?;
            }
        }
        Ok(())
    }
}

/// Returns an event with the lead's current state, and the lead at the event's revision. Returns
/// none if consumers know the state.
pub(super) fn correction(
    published: &Published,
    output_topics: &OutputTopics,
    lead_id: &LeadId,
    mut lead: Box<Lead>,
) -> Result<Option<(Box<Lead>, Outgoing)>, BatchError> {
    let Some(Known { key, last }) = published.contradicts(lead_id, &lead) else {
        return Ok(None);
    };
    lead.revision = last.revision.next();
    let at = lead.journal.last_interaction().unwrap_or(lead.first_seen);
    let previous = Some(last.current_state.as_str());
    let event = effects::event(lead_id, &lead, lead.revision, Cause::Replay, previous, at);
    let Some(event) = event else {
        return Ok(None);
    };
    let trace = Some(TraceContext::generate());
    let event = effects::outgoing(&output_topics.events, key, trace, &event)?;
    Ok(Some((lead, event)))
}
