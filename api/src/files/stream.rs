//! Sends the bytes of a file as they arrive. A file that is not the one that the lead sent never
//! arrives as a whole.

use std::io;

use axum::body::{Body, Bytes};
use futures::stream;
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::graph::{Opened, PART};

/// The state of a file that is being sent.
struct Sending {
    opened: Opened,
    hashes: Vec<[u8; 32]>,
    check: Check,
    /// The part that waits for the next one, or for the check at the end.
    held: Option<Bytes>,
    is_over: bool,
}

/// Checks the bytes of a file while they pass.
struct Check {
    hasher: Sha256,
    left: u64,
}

impl Check {
    fn of(size: u64) -> Self {
        Self {
            hasher: Sha256::new(),
            left: size,
        }
    }

    /// Counts a part; fails if the file is longer than announced.
    fn add(&mut self, part: &[u8]) -> io::Result<()> {
        let length = part.len() as u64;
        self.left = self.left.checked_sub(length).ok_or_else(broken)?;
        self.hasher.update(part);
        Ok(())
    }

    /// Fails if the file is too short, or has another hash than one of these.
    fn end(self, hashes: &[[u8; 32]]) -> io::Result<()> {
        let found: [u8; 32] = self.hasher.finalize().into();
        if self.left == 0 && hashes.iter().all(|hash| *hash == found) {
            Ok(())
        } else {
            Err(broken())
        }
    }
}

fn broken() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidData)
}

/// Returns the file as a body. The last part is sent only if the length is the announced one and the
/// file has each of the hashes; otherwise the connection breaks.
pub(crate) fn body(opened: Opened, hashes: Vec<[u8; 32]>) -> Body {
    let sending = Sending {
        check: Check::of(opened.size),
        opened,
        hashes,
        held: None,
        is_over: false,
    };
    Body::from_stream(stream::try_unfold(sending, next))
}

async fn next(mut sending: Sending) -> io::Result<Option<(Bytes, Sending)>> {
    while !sending.is_over {
        let part = timeout(PART, sending.opened.response.chunk()).await;
        let part = part.map_err(|_| io::ErrorKind::TimedOut)?;
        match part.map_err(|_| io::ErrorKind::ConnectionAborted)? {
            Some(part) => {
                sending.check.add(&part)?;
                if let Some(held) = sending.held.replace(part) {
                    return Ok(Some((held, sending)));
                }
            }
            None => {
                let check = std::mem::replace(&mut sending.check, Check::of(0));
                let checked = check.end(&sending.hashes);
                checked.inspect_err(|_| {
                    tracing::warn!(
                        "a file differs from what the lead sent; its transfer was broken off"
                    );
                })?;
                sending.is_over = true;
            }
        }
    }
    Ok(sending.held.take().map(|held| (held, sending)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(size: u64, parts: &[&[u8]], hashes: &[[u8; 32]]) -> bool {
        let mut check = Check::of(size);
        parts.iter().all(|part| check.add(part).is_ok()) && check.end(hashes).is_ok()
    }

    #[test]
    fn a_file_has_its_length_and_each_hash() {
        let hash: [u8; 32] = Sha256::digest(b"photo").into();
        assert!(checked(5, &[b"pho", b"to"], &[hash, hash]));
        assert!(checked(5, &[b"photo"], &[]));
        assert!(checked(0, &[], &[]));
        assert!(!checked(6, &[b"photo"], &[hash]));
        assert!(!checked(4, &[b"pho", b"to"], &[]));
        assert!(!checked(5, &[b"photO"], &[hash]));
        assert!(!checked(5, &[b"photo"], &[hash, [0; 32]]));
    }
}
