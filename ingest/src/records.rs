//! Encodes items as Kafka records: topic, key, framed value, trace.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use leadstream_kafka::{Outgoing, TraceContext, dead_letter, topic};
use leadstream_schemas::Topic;
use leadstream_schemas::codec::{self, CodecError};
use leadstream_schemas::registry::SchemaIds;

use crate::item::{Class, Item};

/// The topics that this service writes.
pub const TOPICS: [Topic; 3] = [
    Topic::LeadInputs,
    Topic::MessageStatuses,
    Topic::ProviderNotices,
];

/// The most bytes that key, headers and the batch add to a record's value.
const OVERHEAD: usize = 2048;

/// An output topic, with its dead-letter topic and schema id.
#[derive(Clone, Debug)]
struct OutputTopic {
    topic: Topic,
    name: Arc<str>,
    dead_letters: Arc<str>,
    schema_id: u32,
}

/// Encodes items for a deployment's topic names, the registry's ids and the maximal record size.
#[derive(Debug)]
pub struct Encoder {
    inputs: OutputTopic,
    statuses: OutputTopic,
    notices: OutputTopic,
    max_record: AtomicUsize,
}

impl Encoder {
    /// Returns `None` when `ids` lacks one of [`TOPICS`].
    #[must_use]
    pub fn new(prefix: &str, ids: &SchemaIds) -> Option<Self> {
        let output = |topic: Topic| {
            Some(OutputTopic {
                topic,
                name: topic.name(prefix).into(),
                dead_letters: topic.dead_letters(prefix).into(),
                schema_id: ids.get(topic)?,
            })
        };
        Some(Self {
            inputs: output(Topic::LeadInputs)?,
            statuses: output(Topic::MessageStatuses)?,
            notices: output(Topic::ProviderNotices)?,
            max_record: AtomicUsize::new(topic::MAX_RECORD_BYTES_BY_DEFAULT),
        })
    }

    /// Sets the length, in bytes, of the longest record that all topics accept.
    pub fn limit(&self, max_record: usize) {
        self.max_record.store(max_record, Ordering::Relaxed);
    }

    /// Returns the records of a webhook's items, in order, each with a child of the webhook's
    /// trace. An ignored item has no record. An item whose record would be too long is a dead
    /// letter. A long dead letter has several records.
    ///
    /// # Errors
    /// Returns an error if a value has no JSON form.
    pub fn encode(
        &self,
        items: Vec<Item>,
        trace: TraceContext,
    ) -> Result<Vec<Outgoing>, CodecError> {
        let mut records = Vec::with_capacity(items.len());
        for (item, step) in items.into_iter().zip(0..) {
            self.append(item, trace.child(step), &mut records)?;
        }
        Ok(records)
    }

    fn append(
        &self,
        item: Item,
        trace: TraceContext,
        records: &mut Vec<Outgoing>,
    ) -> Result<(), CodecError> {
        let (output, key, value, raw) = match item {
            Item::Input(input) => {
                let key = input.sender.key().unwrap_or_default().to_owned();
                let value = codec::encode(self.inputs.schema_id, &input)?;
                (&self.inputs, key, value, input.raw)
            }
            Item::Status(status) => {
                let key = status.recipient.key().unwrap_or(&status.id).to_owned();
                let value = codec::encode(self.statuses.schema_id, &status)?;
                (&self.statuses, key, value, status.raw)
            }
            Item::Notice(notice) => {
                let value = codec::encode(self.notices.schema_id, &notice)?;
                let key = notice.number.unwrap_or_default();
                (&self.notices, key, value, Some(notice.raw))
            }
            Item::DeadLetter(letter) => {
                let output = [&self.statuses, &self.notices]
                    .into_iter()
                    .find(|output| output.topic == letter.topic)
                    .unwrap_or(&self.inputs);
                let parts =
                    self.dead_letter(output, &letter.key, &letter.bytes, letter.class, trace);
                records.extend(parts);
                return Ok(());
            }
            Item::Ignored(_) => return Ok(()),
        };
        if value.len() + OVERHEAD > self.max_record.load(Ordering::Relaxed) {
            let bytes = raw.as_ref().map_or(&*value, |raw| raw.get().as_bytes());
            records.extend(self.dead_letter(output, &key, bytes, Class::TooLong, trace));
        } else {
            records.push(Outgoing {
                trace: Some(trace),
                ..Outgoing::new(Arc::clone(&output.name), key, value)
            });
        }
        Ok(())
    }

    fn dead_letter<'e>(
        &'e self,
        output: &'e OutputTopic,
        key: &'e str,
        bytes: &'e [u8],
        class: Class,
        trace: TraceContext,
    ) -> impl Iterator<Item = Outgoing> + 'e {
        let longest = self
            .max_record
            .load(Ordering::Relaxed)
            .saturating_sub(OVERHEAD);
        dead_letter::in_parts(bytes, longest).map(move |part| {
            let reason = dead_letter::Reason {
                service: "ingest",
                class: class.as_str(),
                message: class.message(),
                attempts: 1,
            };
            let key = key.as_bytes().to_vec();
            let (dead_letters, topic) = (&output.dead_letters, &output.name);
            dead_letter::of_bytes(dead_letters, topic, key, part, trace, &reason)
        })
    }
}
