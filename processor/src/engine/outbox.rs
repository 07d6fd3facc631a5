//! One outbox row: the records of a batch and partition, in their order.

use leadstream_stream::Outgoing;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

const FORMAT: u8 = 1;

#[derive(Serialize, Deserialize)]
struct StoredRecord {
    topic: String,
    key: ByteBuf,
    value: ByteBuf,
    headers: Vec<(String, ByteBuf)>,
}

/// Why an outbox row cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    #[error("an outbox row is in a format that this version does not read; upgrade the processor")]
    Format,
    #[error("an outbox row cannot be read: {0}")]
    Decode(#[from] rmp_serde::decode::Error),
    #[error("an outbox row cannot be written: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
}

pub(crate) fn encode(records: &[Outgoing]) -> Result<Vec<u8>, OutboxError> {
    let stored: Vec<StoredRecord> = records
        .iter()
        .map(|record| StoredRecord {
            topic: record.topic.to_string(),
            key: ByteBuf::from(record.key.clone()),
            value: ByteBuf::from(record.value.clone()),
            headers: record
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), ByteBuf::from(value.clone())))
                .collect(),
        })
        .collect();
    let mut bytes = vec![FORMAT];
    rmp_serde::encode::write(&mut bytes, &stored)?;
    Ok(bytes)
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Outgoing>, OutboxError> {
    let [FORMAT, body @ ..] = bytes else {
        return Err(OutboxError::Format);
    };
    let stored: Vec<StoredRecord> = rmp_serde::from_slice(body)?;
    Ok(stored
        .into_iter()
        .map(|record| Outgoing {
            topic: record.topic.into(),
            key: record.key.into_vec(),
            value: record.value.into_vec(),
            headers: record
                .headers
                .into_iter()
                .map(|(name, value)| (name, value.into_vec()))
                .collect(),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use leadstream_stream::Outgoing;

    use super::{decode, encode};

    #[test]
    fn records_come_back_as_they_went_in() {
        let records = vec![
            Outgoing {
                topic: "lead.events".into(),
                key: b"1".to_vec(),
                value: vec![0, 255, 0],
                headers: vec![("traceparent".into(), b"00".to_vec())],
            },
            Outgoing {
                topic: "lead.replies".into(),
                key: Vec::new(),
                value: Vec::new(),
                headers: Vec::new(),
            },
        ];
        assert_eq!(decode(&encode(&records).unwrap()).unwrap(), records);
        assert!(decode(b"\x09").is_err() && decode(b"").is_err());
    }
}
