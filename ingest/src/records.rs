//! Items to Kafka records: topic, key, framed value, trace.

use std::sync::Arc;

use leadstream_schemas::codec::{self, CodecError};
use leadstream_schemas::registry::SchemaIds;
use leadstream_schemas::{Sender, Topic};
use leadstream_stream::trace::TRACEPARENT;
use leadstream_stream::{Outgoing, TraceContext, dead_letter};
use serde::Serialize;

use crate::cloud_api::{DeadLetter, Item};

/// The topics that this service writes.
pub const TOPICS: [Topic; 3] = [
    Topic::LeadInputs,
    Topic::MessageStatuses,
    Topic::ProviderNotices,
];

/// Where records of one topic go, and under which schema.
#[derive(Clone, Debug)]
struct Target {
    topic: Topic,
    name: Arc<str>,
    dead_letters: Arc<str>,
    schema_id: u32,
}

/// Knows the deployment's topic names and the registry's ids.
#[derive(Clone, Debug)]
pub struct Encoder {
    inputs: Target,
    statuses: Target,
    notices: Target,
}

impl Encoder {
    /// `None` when `ids` lacks one of [`TOPICS`].
    #[must_use]
    pub fn new(prefix: &str, ids: &SchemaIds) -> Option<Self> {
        let target = |topic: Topic| {
            Some(Target {
                topic,
                name: topic.name(prefix).into(),
                dead_letters: topic.dead_letters(prefix).into(),
                schema_id: ids.get(topic)?,
            })
        };
        Some(Self {
            inputs: target(Topic::LeadInputs)?,
            statuses: target(Topic::MessageStatuses)?,
            notices: target(Topic::ProviderNotices)?,
        })
    }

    /// The records of a webhook's items, in their order, each a step of the webhook's trace.
    ///
    /// # Errors
    /// A value without a JSON form.
    pub fn encode(&self, items: &[Item], trace: TraceContext) -> Result<Vec<Outgoing>, CodecError> {
        items
            .iter()
            .zip(0..)
            .map(|(item, step)| self.record(item, trace.child(step)))
            .collect()
    }

    fn record(&self, item: &Item, trace: TraceContext) -> Result<Outgoing, CodecError> {
        match item {
            Item::Input(input) => self.inputs.record(key_of(&input.sender), input, trace),
            Item::Status(status) => {
                let key = status.recipient.key().unwrap_or_default();
                self.statuses.record(key, status, trace)
            }
            Item::Notice(notice) => {
                let key = notice.number.as_deref().unwrap_or_default();
                self.notices.record(key, notice, trace)
            }
            Item::DeadLetter(letter) => Ok(self.dead_letter(letter, trace)),
        }
    }

    fn dead_letter(&self, letter: &DeadLetter, trace: TraceContext) -> Outgoing {
        let target = [&self.statuses, &self.notices]
            .into_iter()
            .find(|target| target.topic == letter.topic)
            .unwrap_or(&self.inputs);
        let reason = dead_letter::Reason {
            service: "ingest",
            class: letter.class.as_str(),
            message: letter.class.message(),
            attempts: 1,
        };
        let mut record = dead_letter::of_bytes(
            &target.dead_letters,
            &target.name,
            letter.key.clone().into_bytes(),
            letter.bytes.clone(),
            &reason,
        );
        record.headers.push(header(trace));
        record
    }
}

impl Target {
    fn record<T: Serialize>(
        &self,
        key: &str,
        value: &T,
        trace: TraceContext,
    ) -> Result<Outgoing, CodecError> {
        Ok(Outgoing {
            topic: Arc::clone(&self.name),
            key: key.as_bytes().to_vec(),
            value: codec::encode(self.schema_id, value)?,
            headers: vec![header(trace)],
        })
    }
}

fn key_of(sender: &Sender) -> &str {
    sender.key().unwrap_or_default()
}

fn header(trace: TraceContext) -> (String, Vec<u8>) {
    (TRACEPARENT.to_owned(), trace.to_string().into_bytes())
}
