//! Holds back records that were published before PostgreSQL lost its commits: pure.

use std::collections::{HashMap, HashSet};

use leadstream_kafka::Outgoing;
use leadstream_schemas::codec::{self, CodecError};
use leadstream_schemas::{EventData, LeadEvent, LeadId, Reply, Revision};

use crate::engine::effects::{Attribution, OutputTopics, attribution};
use crate::flow::{ERASED, START};
use crate::lead::Lead;

/// The state of a lead that consumers know.
#[derive(Debug)]
pub(super) struct Known {
    /// The home key of the lead.
    pub(super) key: String,
    /// The data of the lead's last event.
    pub(super) last: EventData,
}

/// Events and replies that consumers have.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// The known state by lead.
    events: HashMap<LeadId, Known>,
    /// Ids of published replies.
    replies: HashSet<String>,
}

/// The counts of records that were held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Suppressed {
    pub(super) events: u64,
    pub(super) replies: u64,
}

impl Published {
    /// Records a value of `lead.events`. Ignores values that cannot be read.
    pub(super) fn event(&mut self, key: &[u8], value: &[u8]) {
        let Ok(event) = codec::decode::<LeadEvent>(value) else {
            return;
        };
        let newer = self
            .events
            .get(&event.data.lead_id)
            .is_none_or(|known| known.last.revision < event.data.revision);
        if newer {
            let key = String::from_utf8_lossy(key).into_owned();
            let lead_id = event.data.lead_id.clone();
            let last = event.data;
            self.events.insert(lead_id, Known { key, last });
        }
    }

    /// Records a value of `lead.replies`.
    pub(super) fn reply(&mut self, value: &[u8]) {
        if let Ok(reply) = codec::decode::<Reply>(value) {
            self.replies.insert(reply.id);
        }
    }

    pub(super) fn leads(&self) -> impl Iterator<Item = &LeadId> {
        self.events.keys()
    }

    /// Removes from `outgoing` the events that consumers have, and the published replies. With
    /// `hold_replies`, removes all replies.
    ///
    /// # Errors
    /// Returns an error if a record of this processor cannot be read.
    pub(super) fn hold_back(
        &self,
        outgoing: &mut Vec<Outgoing>,
        output_topics: &OutputTopics,
        hold_replies: bool,
    ) -> Result<Suppressed, CodecError> {
        let mut held = Suppressed::default();
        let mut kept = Vec::with_capacity(outgoing.len());
        for record in std::mem::take(outgoing) {
            if record.topic == *output_topics.events.topic() {
                let data = codec::decode::<LeadEvent>(&record.value)?.data;
                if self.has(&data.lead_id, data.revision) {
                    held.events += 1;
                    continue;
                }
            } else if record.topic == *output_topics.replies.topic()
                && (hold_replies
                    || self
                        .replies
                        .contains(&codec::decode::<Reply>(&record.value)?.id))
            {
                held.replies += 1;
                continue;
            }
            kept.push(record);
        }
        *outgoing = kept;
        Ok(held)
    }

    fn has(&self, lead_id: &LeadId, revision: Revision) -> bool {
        self.events
            .get(lead_id)
            .is_some_and(|known| revision <= known.last.revision)
    }

    /// Returns whether consumers know the lead but the log no longer explains it. Such a lead is
    /// not stored, or is stored again although its person was erased.
    pub(super) fn misses(&self, lead_id: &LeadId, stored: Option<&Lead>) -> bool {
        self.events.get(lead_id).is_some_and(|known| {
            let erased = known.last.current_state == ERASED;
            match stored {
                None => !erased,
                Some(lead) => erased && lead.revision <= known.last.revision,
            }
        })
    }

    /// Returns the state that consumers know if the last published event differs from the log.
    /// Returns none if consumers know the lead's current state. An erased person gets no event that
    /// the log does not produce itself.
    pub(super) fn contradicts(&self, lead_id: &LeadId, lead: &Lead) -> Option<&Known> {
        let known = self.events.get(lead_id)?;
        let last = &known.last;
        if lead.revision > last.revision || last.current_state == ERASED {
            return None;
        }
        let same = lead.revision == last.revision
            && lead.state().unwrap_or(START) == last.current_state
            && lead.merged_into == last.merged_into
            && lead.journal.conversation().is_some_and(|conversation| {
                conversation.score == last.qualification_score
                    && conversation.is_completed == last.is_completed
                    && conversation.data == last.lead_data
                    && conversation.flow == last.flow
                    && conversation.assignee == last.assignee
                    && attribution(conversation) == Attribution::from(last)
            });
        (!same).then_some(known)
    }
}

#[cfg(test)]
mod tests;
