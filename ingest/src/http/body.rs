//! Reads a request's body within limits of size, time and memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use super::WebhookError;

/// The longest body that is taken: Meta sends up to 3 MB.
pub const MAX_BODY: usize = 3 * 1024 * 1024;
/// So much of each body is not counted in [`Room`]: ordinary webhooks come through while slow
/// clients hold all of it.
const FREE: usize = 16 * 1024;
/// What is read and thrown away of a body that is refused, so that the client, which may not look
/// for an answer before it has sent all, gets it.
const MAX_DISCARDED: usize = 4 * MAX_BODY;

/// How much of long bodies may be held while they arrive, in all requests together.
#[derive(Clone, Debug)]
pub struct Room(Arc<AtomicUsize>);

impl Room {
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    fn take(&self, bytes: usize) -> bool {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| {
                free.checked_sub(bytes)
            })
            .is_ok()
    }
}

/// Room that a body takes, given back on drop.
struct Held<'r> {
    room: &'r Room,
    bytes: usize,
}

impl Held<'_> {
    /// Makes room for a body of `length` bytes so far.
    fn grow(&mut self, length: usize) -> Result<(), WebhookError> {
        let more = length.saturating_sub(FREE).saturating_sub(self.bytes);
        if !self.room.take(more) {
            return Err(WebhookError::Busy);
        }
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.room.0.fetch_add(self.bytes, Ordering::AcqRel);
    }
}

/// The body, and what is made of it while it holds its room.
pub(super) async fn read<T>(
    body: &mut Body,
    room: &Room,
    timeout: Duration,
    then: impl FnOnce(Bytes) -> Result<T, WebhookError>,
) -> Result<T, WebhookError> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(WebhookError::TooLarge);
    }
    let mut held = Held { room, bytes: 0 };
    let bytes = tokio::time::timeout(timeout, collect(body, &mut held))
        .await
        .map_err(|_| WebhookError::SlowBody)??;
    then(bytes)
}

async fn collect(body: &mut Body, held: &mut Held<'_>) -> Result<Bytes, WebhookError> {
    let Some(first) = next(body).await? else {
        return Ok(Bytes::new());
    };
    // Most bodies come in one piece.
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut bytes = BytesMut::from(first);
    while let Some(piece) = next(body).await? {
        let length = bytes.len() + piece.len();
        if length > MAX_BODY {
            return Err(WebhookError::TooLarge);
        }
        held.grow(length)?;
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

async fn next(body: &mut Body) -> Result<Option<Bytes>, WebhookError> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(_)) => return Err(WebhookError::Unreadable),
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

/// Reads the rest of a body that was refused, holding nothing of it.
pub(super) async fn discard(body: &mut Body, timeout: Duration) {
    let rest = async {
        let mut length = 0;
        while let Ok(Some(piece)) = next(body).await {
            length += piece.len();
            if length > MAX_DISCARDED {
                return;
            }
        }
    };
    // Past its time, the connection is closed with the answer.
    tokio::time::timeout(timeout, rest)
        .await
        .unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::{FREE, Held, Room};

    #[test]
    fn short_bodies_take_no_room_and_long_ones_give_it_back() {
        let room = Room::new(100);
        let mut short = Held {
            room: &room,
            bytes: 0,
        };
        let mut long = Held {
            room: &room,
            bytes: 0,
        };
        assert!(long.grow(FREE + 60).is_ok());
        assert!(long.grow(FREE + 100).is_ok());
        assert!(long.grow(FREE + 101).is_err());
        assert!(short.grow(FREE).is_ok());
        assert!(short.grow(FREE + 1).is_err());
        drop(long);
        assert!(short.grow(FREE + 100).is_ok());
        drop(short);
        assert!(room.take(100) && !room.take(1));
    }
}
