//! Reads a request's body within limits of size, time and memory.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use leadstream_service::budget::{Budget, Permit};

use super::WebhookError;

/// The longest body that is accepted: Meta sends up to 3 MB.
pub const MAX_BODY: usize = 3 * 1024 * 1024;
/// The bytes of each body that the budget does not count. Ordinary webhooks are accepted while slow
/// clients hold the whole budget.
const FREE: usize = 16 * 1024;
/// The bytes of a refused body that are read and discarded. A client may read the answer only after
/// it has sent its body.
const MAX_DISCARDED: usize = 4 * MAX_BODY;

/// Grows the permit of a body that has `length` bytes so far.
fn grow(permit: &mut Permit, length: usize) -> Result<(), WebhookError> {
    let more = length.saturating_sub(FREE).saturating_sub(permit.amount());
    if more == 0 || permit.try_grow(more) {
        Ok(())
    } else {
        Err(WebhookError::Busy)
    }
}

/// Reads a body and returns the result of `then`. A long body holds a part of `budget` until `then`
/// returns.
pub(super) async fn read<T>(
    body: &mut Body,
    budget: &Budget,
    timeout: Duration,
    then: impl FnOnce(Bytes) -> Result<T, WebhookError>,
) -> Result<T, WebhookError> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(WebhookError::TooLarge);
    }
    let mut permit = budget.empty_permit();
    let bytes = tokio::time::timeout(timeout, collect(body, &mut permit))
        .await
        .map_err(|_| WebhookError::SlowBody)??;
    then(bytes)
}

async fn collect(body: &mut Body, permit: &mut Permit) -> Result<Bytes, WebhookError> {
    let Some(first) = next(body).await? else {
        return Ok(Bytes::new());
    };
    // Most bodies arrive in one piece.
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut bytes = BytesMut::from(first);
    while let Some(piece) = next(body).await? {
        let length = bytes.len() + piece.len();
        if length > MAX_BODY {
            return Err(WebhookError::TooLarge);
        }
        grow(permit, length)?;
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

/// Reads and discards the rest of a refused body.
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
    // After the timeout, the connection closes with the answer.
    tokio::time::timeout(timeout, rest)
        .await
        .unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use leadstream_service::budget::Budget;

    use super::{FREE, grow};

    #[test]
    fn only_the_bytes_of_long_bodies_take_a_part_of_the_budget() {
        let budget = Budget::new(100);
        let (mut short, mut long) = (budget.empty_permit(), budget.empty_permit());
        assert!(grow(&mut long, FREE + 60).is_ok());
        assert!(grow(&mut long, FREE + 100).is_ok());
        assert!(grow(&mut long, FREE + 101).is_err());
        assert!(grow(&mut short, FREE).is_ok());
        assert!(grow(&mut short, FREE + 1).is_err());
        drop(long);
        assert!(grow(&mut short, FREE + 100).is_ok());
        drop(short);
        assert_eq!(budget.used(), 0);
    }
}
