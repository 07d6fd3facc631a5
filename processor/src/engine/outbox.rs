//! One outbox row: the records of a batch and partition, in their order, compressed. Records repeat
//! each other's names and sentences, so a few hundred bytes of each become a few dozen in PostgreSQL
//! and in its log.

use leadstream_kafka::trace::TRACEPARENT;
use leadstream_kafka::{Outgoing, TraceContext};
use leadstream_schemas::{Offset, Partition};
use lz4_flex::block::{DecompressError, compress_prepend_size, decompress_size_prepended};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};
use serde_bytes::{ByteBuf, Bytes};

/// The key of an outbox row, in the order of commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OutboxKey {
    pub(crate) partition: Partition,
    pub(crate) next_offset: Offset,
    /// As in [`PartitionAdvance`](super::batch::PartitionAdvance).
    pub(crate) timer_commit: i64,
}

/// The format version: MessagePack, compressed by LZ4.
const FORMAT: u8 = 1;

#[derive(Serialize)]
struct Stored<'a> {
    topic: &'a str,
    key: &'a Bytes,
    value: &'a Bytes,
    headers: Headers<'a>,
}

/// All of them, in their order.
struct Headers<'a>(&'a Outgoing);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Outgoing { trace, headers, .. } = self.0;
        let mut all = serializer.serialize_seq(Some(headers.len() + trace.iter().len()))?;
        if let Some(trace) = trace {
            all.serialize_element(&(TRACEPARENT, Bytes::new(&trace.to_header())))?;
        }
        for (name, value) in headers {
            all.serialize_element(&(name, Bytes::new(value)))?;
        }
        all.end()
    }
}

#[derive(Deserialize)]
struct Restored {
    topic: String,
    key: ByteBuf,
    value: ByteBuf,
    headers: Vec<(String, ByteBuf)>,
}

/// The reason why an outbox row cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    #[error("an outbox row is in a format that this version does not read; upgrade the processor")]
    Format,
    #[error("an outbox row cannot be read: {0}")]
    Decode(#[from] rmp_serde::decode::Error),
    #[error("an outbox row cannot be read: {0}")]
    Decompress(#[from] DecompressError),
    #[error("an outbox row cannot be written: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
}

pub(crate) fn encode(records: &[Outgoing]) -> Result<Vec<u8>, OutboxError> {
    let stored: Vec<Stored<'_>> = records
        .iter()
        .map(|record| Stored {
            topic: &record.topic,
            key: Bytes::new(&record.key),
            value: Bytes::new(&record.value),
            headers: Headers(record),
        })
        .collect();
    let length: usize = records.iter().map(|record| record.value.len() + 256).sum();
    let mut plain = Vec::with_capacity(length);
    rmp_serde::encode::write(&mut plain, &stored)?;
    let mut bytes = compress_prepend_size(&plain);
    bytes.insert(0, FORMAT);
    Ok(bytes)
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Outgoing>, OutboxError> {
    let restored: Vec<Restored> = match bytes {
        [FORMAT, compressed @ ..] => {
            rmp_serde::from_slice(&decompress_size_prepended(compressed)?)?
        }
        _ => return Err(OutboxError::Format),
    };
    Ok(restored.into_iter().map(Outgoing::from).collect())
}

impl From<Restored> for Outgoing {
    fn from(record: Restored) -> Self {
        let mut trace = None;
        let mut headers = Vec::new();
        for (name, value) in record.headers {
            let found = (name == TRACEPARENT).then(|| TraceContext::from_header(&value));
            match found.flatten() {
                Some(found) => trace = Some(found),
                None => headers.push((name, value.into_vec())),
            }
        }
        Self {
            topic: record.topic.into(),
            key: record.key.into_vec(),
            value: record.value.into_vec(),
            trace,
            headers,
        }
    }
}

#[cfg(test)]
mod tests {
    use leadstream_kafka::{Outgoing, TraceContext};

    use super::{decode, encode};

    #[test]
    fn records_come_back_as_they_went_in() {
        let records = vec![
            Outgoing {
                topic: "lead.events".into(),
                key: b"1".to_vec(),
                value: vec![0, 255, 0],
                trace: Some(TraceContext::generate()),
                headers: vec![
                    ("traceparent".into(), b"00".to_vec()),
                    ("part".into(), b"1/2".to_vec()),
                ],
            },
            Outgoing {
                topic: "lead.replies".into(),
                key: Vec::new(),
                value: Vec::new(),
                trace: None,
                headers: Vec::new(),
            },
        ];
        assert_eq!(decode(&encode(&records).unwrap()).unwrap(), records);
        assert!(decode(b"\x09").is_err() && decode(b"").is_err());
    }
}
