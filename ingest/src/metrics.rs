//! Metric names and handles.

use std::time::Duration;

use axum::http::StatusCode;
use metrics::{Counter, Histogram, counter, histogram};

use crate::cloud_api::Item;

/// Webhook POSTs answered, by `status`.
pub const REQUESTS: &str = "leadstream_ingest_requests_total";
/// From the request's head to its answer, whatever the status.
pub const REQUEST_SECONDS: &str = "leadstream_ingest_request_seconds";
/// Items of webhooks answered 200, by `kind`: `input`, `status`, `notice`, `dead_letter`.
pub const ITEMS: &str = "leadstream_ingest_items_total";

const STATUSES: [StatusCode; 7] = [
    StatusCode::OK,
    StatusCode::BAD_REQUEST,
    StatusCode::UNAUTHORIZED,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// Handles, made once after the recorder was installed.
#[derive(Debug)]
pub struct Metrics {
    requests: [(StatusCode, Counter); STATUSES.len()],
    seconds: Histogram,
    inputs: Counter,
    statuses: Counter,
    notices: Counter,
    dead_letters: Counter,
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

    pub fn item(&self, item: &Item) {
        match item {
            Item::Input(_) => self.inputs.increment(1),
            Item::Status(_) => self.statuses.increment(1),
            Item::Notice(_) => self.notices.increment(1),
            Item::DeadLetter(_) => self.dead_letters.increment(1),
        }
    }
}
