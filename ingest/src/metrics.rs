//! The metrics of ingest.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use leadstream_kafka::TraceContext;
use leadstream_service::metric_table;
use leadstream_service::metrics::{ByLabel, Counter, Gauge, Histogram, Metric, Open};

use crate::item::{Class, Ignored, Item};

/// The metrics of this service.
pub const METRICS: &[&[Metric]] = &[Metrics::TABLE];

metric_table! {
    pub struct Metrics() {
        /// Webhook requests that were answered, by HTTP status.
        requests: ByLabel<Counter> = "leadstream_ingest_requests_total"
            (status: ["200", "400", "401", "408", "413", "415", "500", "503"]);
        /// Time from the head of a webhook request to its response, whatever the status.
        request_duration: Histogram = "leadstream_ingest_request_duration_seconds";
        /// Items of webhooks that were answered 200.
        items: ByLabel<Counter> = "leadstream_ingest_items_total"
            (kind: ["input", "status", "notice", "dead_letter", "ignored"]);
        /// Items that ingest skipped on purpose.
        ignored_items: ByLabel<Counter> = "leadstream_ingest_ignored_items_total"
            (reason: ["foreign_number", "group", "newsletter", "broadcast", "own_reaction", "no_content"]);
        /// Items that ingest could not understand and wrote to a dead-letter topic.
        dead_letters: ByLabel<Counter> = "leadstream_ingest_dead_letters_total"
            (class: ["malformed", "no_id", "no_number", "no_sender", "bad_timestamp", "too_long"]);
        /// Notices of providers about an account or a session.
        notices: Open<Counter> = "leadstream_ingest_notices_total"
            (field: "the provider's name of the notice, or `other` after the first hundred names");
        /// Open connections of clients.
        connections: Gauge = "leadstream_ingest_connections";
        /// Bytes of records that Kafka has not acknowledged yet.
        unacknowledged: Gauge = "leadstream_ingest_unacknowledged_bytes";
    }
}

/// The numbers of the items of one webhook, by kind.
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

    /// Logs what an operator has to look at.
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

/// Returns a provider's name of a notice if it can be a label, else `other`.
fn label(field: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if field.len() <= 64 && field.bytes().all(plain) {
        field.to_owned()
    } else {
        "other".to_owned()
    }
}

impl Metrics {
    pub fn request(&self, status: StatusCode, took: Duration) {
        self.requests.add(status.as_str(), 1);
        self.request_duration.record(took);
    }

    pub fn items(&self, tally: &Tally) {
        self.items.add("input", tally.inputs);
        self.items.add("status", tally.statuses);
        self.items.add("notice", tally.notices.len() as u64);
        self.items
            .add("dead_letter", tally.dead_letters.len() as u64);
        for field in &tally.notices {
            self.notices.with(field).increment(1);
        }
        for class in &tally.dead_letters {
            self.dead_letters.add(class.as_str(), 1);
        }
        for (reason, count) in &tally.ignored {
            self.items.add("ignored", *count);
            self.ignored_items.add(reason.as_str(), *count);
        }
    }

    pub fn unacknowledged(&self, bytes: usize) {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        self.unacknowledged.set(bytes as f64);
    }
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
