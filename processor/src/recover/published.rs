//! What was published before PostgreSQL lost its commits, and what of it is not published again.
//! Pure.

use std::collections::{HashMap, HashSet};

use leadstream_schemas::codec::{self, CodecError};
use leadstream_schemas::{EventData, LeadEvent, Reply};
use leadstream_stream::Outgoing;

use crate::engine::effects::Outlets;
use crate::flow::START;
use crate::lead::Lead;

/// Events and replies that consumers have.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// By lead: its home key, and what its last event says.
    events: HashMap<String, (String, EventData)>,
    /// Ids.
    replies: HashSet<String>,
}

/// What was held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) events: u64,
    pub(super) replies: u64,
}

impl Published {
    /// Takes note of a value of `lead.events`; what cannot be read is nobody's.
    pub(super) fn event(&mut self, key: &[u8], value: &[u8]) {
        let Ok(event) = codec::decode::<LeadEvent>(value) else {
            return;
        };
        let newer = self
            .events
            .get(&event.data.lead_id)
            .is_none_or(|(_, known)| known.revision < event.data.revision);
        if newer {
            let key = String::from_utf8_lossy(key).into_owned();
            let lead_id = event.data.lead_id.clone();
            self.events.insert(lead_id, (key, event.data));
        }
    }

    /// Takes note of a value of `lead.replies`.
    pub(super) fn reply(&mut self, value: &[u8]) {
        if let Ok(reply) = codec::decode::<Reply>(value) {
            self.replies.insert(reply.id);
        }
    }

    pub(super) fn leads(&self) -> impl Iterator<Item = &String> {
        self.events.keys()
    }

    /// Takes out of `outgoing` the events that consumers have, and the replies: those that went
    /// out, or with `hold_replies` all.
    ///
    /// # Errors
    /// A record of ours that cannot be read.
    pub(super) fn hold_back(
        &self,
        outgoing: &mut Vec<Outgoing>,
        outlets: &Outlets,
        hold_replies: bool,
    ) -> Result<Held, CodecError> {
        let mut held = Held::default();
        let mut kept = Vec::with_capacity(outgoing.len());
        for record in std::mem::take(outgoing) {
            if record.topic == *outlets.events.topic() {
                let data = codec::decode::<LeadEvent>(&record.value)?.data;
                if self.has(&data.lead_id, data.revision) {
                    held.events += 1;
                    continue;
                }
            } else if record.topic == *outlets.replies.topic()
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

    fn has(&self, lead_id: &str, revision: u64) -> bool {
        self.events
            .get(lead_id)
            .is_some_and(|(_, last)| revision <= last.revision)
    }

    /// The last published event of a lead that says another thing than what the log makes of the
    /// lead by now, with its key; none when consumers know where the lead stands.
    pub(super) fn contradicts(&self, lead_id: &str, lead: &Lead) -> Option<(&str, &EventData)> {
        let (key, last) = self.events.get(lead_id)?;
        if lead.revision > last.revision {
            return None;
        }
        let same = lead.revision == last.revision
            && lead.state().unwrap_or(START) == last.current_state
            && lead.journal.conversation().is_some_and(|conversation| {
                conversation.score == last.qualification_score
                    && conversation.is_completed == last.is_completed
                    && conversation.data == last.lead_data
            });
        (!same).then_some((key, last))
    }
}
