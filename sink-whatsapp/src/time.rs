//! Calculates points in time. Pure.

use std::time::Duration;

use leadstream_schemas::Timestamp;

/// Returns the time `span` before `until`.
#[must_use]
pub fn before(until: Timestamp, span: Duration) -> Timestamp {
    let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(until.millis().saturating_sub(millis))
}

/// Returns the time `pause` after `from`.
#[must_use]
pub fn after(from: Timestamp, pause: Duration) -> Timestamp {
    let millis = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(from.millis().saturating_add(millis))
}
