//! Encodes and decodes the Confluent wire format: magic 0, schema id as u32 big-endian, JSON body.

use serde::Serialize;
use serde::de::DeserializeOwned;

const MAGIC: u8 = 0;

/// The reason why a record's value could not be read or written. Names no part of the value.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    #[error(
        "the value has no Confluent frame (magic byte 0 and a schema id, 5 bytes): it is {length} bytes{}; produce it with a JSON Schema serializer",
        .first.map(|byte| format!(" that begin with 0x{byte:02x}")).unwrap_or_default()
    )]
    NotFramed { length: usize, first: Option<u8> },
    #[error(
        "the JSON body (schema id {schema_id}) does not fit the record type at line {line}, column {column}: {kind}"
    )]
    Body {
        schema_id: u32,
        line: usize,
        column: usize,
        kind: &'static str,
    },
    #[error("the value cannot be written as JSON")]
    Encode(#[source] serde_json::Error),
}

/// Writes `value` in the wire format.
///
/// # Errors
/// [`CodecError::Encode`] when the value has no JSON form.
pub fn encode<T: Serialize>(schema_id: u32, value: &T) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Vec::with_capacity(512);
    bytes.push(MAGIC);
    bytes.extend_from_slice(&schema_id.to_be_bytes());
    serde_json::to_writer(&mut bytes, value).map_err(CodecError::Encode)?;
    Ok(bytes)
}

/// The schema id and the JSON body of a framed value.
///
/// # Errors
/// [`CodecError::NotFramed`] when the frame is missing.
pub fn unframe(value: &[u8]) -> Result<(u32, &[u8]), CodecError> {
    match value {
        [MAGIC, a, b, c, d, body @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), body)),
        _ => Err(CodecError::NotFramed {
            length: value.len(),
            first: value.first().copied(),
        }),
    }
}

/// Reads a framed value. Members that the type does not know are passed over: readers are
/// lenient, writers upgrade last.
///
/// # Errors
/// [`CodecError::NotFramed`], or [`CodecError::Body`] with the place but none of the content.
pub fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, CodecError> {
    let (schema_id, body) = unframe(value)?;
    serde_json::from_slice(body).map_err(|source| CodecError::Body {
        schema_id,
        line: source.line(),
        column: source.column(),
        kind: match source.classify() {
            serde_json::error::Category::Io => "it could not be read",
            serde_json::error::Category::Syntax => "it is not JSON",
            serde_json::error::Category::Data => "a member is missing or of another type",
            serde_json::error::Category::Eof => "it ends too early",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::{CodecError, decode, encode, unframe};

    #[test]
    fn a_frame_is_five_bytes_and_json() {
        let bytes = encode(0x0102_0304, &serde_json::json!({"a": 1})).unwrap();
        assert_eq!(&bytes[..5], &[0, 1, 2, 3, 4]);
        assert_eq!(unframe(&bytes).unwrap(), (0x0102_0304, &br#"{"a":1}"#[..]));
    }

    #[test]
    fn errors_name_the_place_and_none_of_the_content() {
        assert!(matches!(
            decode::<serde_json::Value>(b"{\"secret\":1}"),
            Err(CodecError::NotFramed {
                length: 12,
                first: Some(b'{')
            })
        ));
        let error =
            decode::<std::collections::BTreeMap<String, u32>>(b"\0\0\0\0\x07{\"a\":\"4917\"}")
                .unwrap_err()
                .to_string();
        assert!(
            error.contains("schema id 7") && !error.contains("4917"),
            "{error}"
        );
    }
}
