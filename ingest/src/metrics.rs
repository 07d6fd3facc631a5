//! Metric names and handles.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use leadstream_kafka::TraceContext;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::item::{Class, Ignored, Item};

/// Webhook POSTs answered, by `status`.
pub const REQUESTS: &str = "leadstream_ingest_requests_total";
/// From the request's head to its answer, whatever the status.
pub const REQUEST_SECONDS: &str = "leadstream_ingest_request_seconds";
/// Items of webhooks answered 200, by `kind`: `input`, `status`, `notice`, `dead_letter`,
/// `ignored`.
pub const ITEMS: &str = "leadstream_ingest_items_total";
/// Items left out on purpose, by `reason`.
pub const IGNORED: &str = "leadstream_ingest_ignored_total";
/// Items that could not be understood, by `class`.
pub const DEAD_LETTERS: &str = "leadstream_ingest_dead_letters_total";
/// Notices, by the provider's `field`; `other` for names past the first hundred.
pub const NOTICES: &str = "leadstream_ingest_notices_total";
/// Open connections.
pub const CONNECTIONS: &str = "leadstream_ingest_connections";
/// Bytes of records that wait for Kafka.
pub const WAITING_BYTES: &str = "leadstream_ingest_waiting_bytes";

const STATUSES: [StatusCode; 8] = [
    StatusCode::OK,
    StatusCode::BAD_REQUEST,
    StatusCode::UNAUTHORIZED,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::SERVICE_UNAVAILABLE,
];
/// Fields told apart before the rest is `other`: labels must not grow with what is sent.
const MAX_FIELDS: usize = 100;

/// What the items of one webhook are, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    inputs: u64,
    statuses: u64,
    notices: Vec<String>,
    dead_letters: Vec<Class>,
    ignored: BTreeMap<Ignored, u64>,
}

impl Tally {
    #[must_use]
    pub fn of(items: &[Item]) -> Self {
        let mut tally = Self::default();
        for item in items {
            match item {
                Item::Input(_) => tally.inputs += 1,
                Item::Status(_) => tally.statuses += 1,
                Item::Notice(notice) => tally.notices.push(label(&notice.field)),
                Item::DeadLetter(letter) => tally.dead_letters.push(letter.class),
                Item::Ignored(reason) => *tally.ignored.entry(*reason).or_default() += 1,
            }
        }
        tally
    }

    /// Tells of what an operator has to look at.
    pub(crate) fn warn(&self, trace: TraceContext) {
        if !self.dead_letters.is_empty() {
            let classes: Vec<&str> = self
                .dead_letters
                .iter()
                .map(|class| class.as_str())
                .collect();
            tracing::warn!(
                webhook.dead_letters = ?classes,
                trace.id = trace.trace_id(),
                "items of a webhook could not be understood and went to dead letters"
            );
        }
    }
}

/// A provider's name of a notice, as far as it may be a label.
fn label(field: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if field.len() <= 64 && field.bytes().all(plain) {
        field.to_owned()
    } else {
        "other".to_owned()
    }
}

/// Handles, made once after the recorder was installed.
#[derive(Debug)]
pub struct Metrics {
    requests: [(StatusCode, Counter); STATUSES.len()],
    seconds: Histogram,
    inputs: Counter,
    statuses: Counter,
    notices: Counter,
    dead_letters: Counter,
    ignored: Counter,
    fields: Mutex<BTreeMap<String, Counter>>,
    waiting: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: STATUSES.map(|status| {
                let label = status.as_str().to_owned();
                (status, counter!(REQUESTS, "status" => label))
            }),
            seconds: histogram!(REQUEST_SECONDS),
            inputs: counter!(ITEMS, "kind" => "input"),
            statuses: counter!(ITEMS, "kind" => "status"),
            notices: counter!(ITEMS, "kind" => "notice"),
            dead_letters: counter!(ITEMS, "kind" => "dead_letter"),
            ignored: counter!(ITEMS, "kind" => "ignored"),
            fields: Mutex::default(),
            waiting: gauge!(WAITING_BYTES),
        }
    }
}

impl Metrics {
    pub fn request(&self, status: StatusCode, took: Duration) {
        if let Some((_, counter)) = self.requests.iter().find(|(of, _)| *of == status) {
            counter.increment(1);
        }
        self.seconds.record(took);
    }

    pub fn items(&self, tally: &Tally) {
        self.inputs.increment(tally.inputs);
        self.statuses.increment(tally.statuses);
        self.notices.increment(tally.notices.len() as u64);
        self.dead_letters.increment(tally.dead_letters.len() as u64);
        for field in &tally.notices {
            self.field(field);
        }
        for class in &tally.dead_letters {
            counter!(DEAD_LETTERS, "class" => class.as_str()).increment(1);
        }
        for (reason, count) in &tally.ignored {
            self.ignored.increment(*count);
            counter!(IGNORED, "reason" => reason.as_str()).increment(*count);
        }
    }

    fn field(&self, field: &str) {
        let mut fields = self.fields.lock().unwrap_or_else(PoisonError::into_inner);
        let known = fields.contains_key(field) || fields.len() < MAX_FIELDS;
        let field = if known { field } else { "other" };
        fields
            .entry(field.to_owned())
            .or_insert_with(|| counter!(NOTICES, "field" => field.to_owned()))
            .increment(1);
    }

    pub fn waiting(&self, bytes: usize) {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        self.waiting.set(bytes as f64);
    }
}

/// The number of open connections.
pub(crate) fn connections() -> Gauge {
    gauge!(CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn a_field_is_a_label_only_when_it_is_plain_and_short() {
        assert_eq!(label("account_update"), "account_update");
        assert_eq!(label("session.status"), "session.status");
        for odd in ["+49 170", "a\nb", "é", &"x".repeat(65)] {
            assert_eq!(label(odd), "other");
        }
    }
}
