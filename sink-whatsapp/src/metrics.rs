//! Metric names and handles.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::dispatch::Count;
use crate::send_result::GiveUpReason;

/// Replies that are done with, by `outcome`: `accepted`, `repeat`, `expired`, `replaced`, or the class of a
/// dead letter.
pub const REPLIES: &str = "leadstream_sink_whatsapp_replies_total";
/// Attempts that failed and are made again.
pub const RETRIES: &str = "leadstream_sink_whatsapp_retries_total";
/// Attempts whose outcome is unknown: each may have reached the person, who may get it twice.
pub const UNKNOWN: &str = "leadstream_sink_whatsapp_unknown_outcomes_total";
/// The seconds from a request to its answer.
pub const SEND_SECONDS: &str = "leadstream_sink_whatsapp_send_seconds";
/// Requests under way.
pub const SENDING: &str = "leadstream_sink_whatsapp_requests_in_flight";
/// Business numbers that send nothing until they work again.
pub const STOPPED: &str = "leadstream_sink_whatsapp_stopped_numbers";

/// Handles, made once after the recorder was installed.
#[derive(Debug)]
pub struct Metrics {
    accepted: Counter,
    repeats: Counter,
    expired: Counter,
    replaced: Counter,
    given_up: [(GiveUpReason, Counter); GiveUpReason::ALL.len()],
    retries: Counter,
    unknown: Counter,
    seconds: Histogram,
    sending: Gauge,
    stopped: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            accepted: counter!(REPLIES, "outcome" => "accepted"),
            repeats: counter!(REPLIES, "outcome" => "repeat"),
            expired: counter!(REPLIES, "outcome" => "expired"),
            replaced: counter!(REPLIES, "outcome" => "replaced"),
            given_up: GiveUpReason::ALL
                .map(|class| (class, counter!(REPLIES, "outcome" => class.as_str()))),
            retries: counter!(RETRIES),
            unknown: counter!(UNKNOWN),
            seconds: histogram!(SEND_SECONDS),
            sending: gauge!(SENDING),
            stopped: gauge!(STOPPED),
        }
    }
}

impl Metrics {
    pub fn count(&self, count: Count) {
        match count {
            Count::Accepted => self.accepted.increment(1),
            Count::Repeat => self.repeats.increment(1),
            Count::Expired => self.expired.increment(1),
            Count::Replaced => self.replaced.increment(1),
            Count::Retried => self.retries.increment(1),
            Count::Unknown => self.unknown.increment(1),
            Count::GivenUp(class) => {
                if let Some((_, counter)) = self.given_up.iter().find(|(of, _)| *of == class) {
                    counter.increment(1);
                }
            }
        }
    }

    pub fn sent(&self, took: Duration) {
        self.seconds.record(took);
    }

    pub fn level(&self, sending: usize, stopped: usize) {
        self.sending.set(as_f64(sending));
        self.stopped.set(as_f64(stopped));
    }
}

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}
