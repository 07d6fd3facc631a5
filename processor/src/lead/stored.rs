//! Encodes leads: one byte of format version, then MessagePack with structs as arrays. Fields are
//! only ever added at the end, with a default, so a newer version can read an older row. Fields at the
//! end that have their default are not written
//! ([`omit_trailing_defaults`](crate::trailing_defaults::omit_trailing_defaults)).

use super::Lead;

const FORMAT: u8 = 1;

/// The reason why a stored lead cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    #[error(
        "a lead is stored in format {found}, this version reads {FORMAT}; upgrade the processor"
    )]
    Format { found: u8 },
    #[error("a stored lead has no bytes")]
    Empty,
    #[error("a stored lead cannot be read: {0}")]
    Decode(#[from] rmp_serde::decode::Error),
    #[error("a lead cannot be stored: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
}

pub(super) fn encode(lead: &Lead) -> Result<Vec<u8>, StoredError> {
    let mut bytes = Vec::with_capacity(512);
    bytes.push(FORMAT);
    rmp_serde::encode::write(&mut bytes, lead)?;
    Ok(bytes)
}

pub(super) fn decode(bytes: &[u8]) -> Result<Lead, StoredError> {
    match bytes {
        [FORMAT, body @ ..] => Ok(rmp_serde::from_slice(body)?),
        [found, ..] => Err(StoredError::Format { found: *found }),
        [] => Err(StoredError::Empty),
    }
}
