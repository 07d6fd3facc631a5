//! The metrics of sink-whatsapp.

use std::time::Duration;

use leadstream_service::metric_table;
use leadstream_service::metrics::{ByLabel, Counter, Gauge, Histogram, Metric};

use crate::dispatch::Count;

/// The metrics of this service.
pub const METRICS: &[&[Metric]] = &[Metrics::TABLE];

metric_table! {
    pub struct Metrics() {
        /// Replies that are finished. The results from `undecodable` on are classes of dead
        /// letters.
        replies: ByLabel<Counter> = "leadstream_sink_whatsapp_replies_total" (result: [
            "accepted", "duplicate", "expired", "superseded",
            "undecodable", "unsendable", "refused", "window_closed", "stop_writing",
            "recipient_limit", "experiment", "exhausted", "unknown_outcome"
        ]);
        /// Attempts that failed and are made again.
        retries: Counter = "leadstream_sink_whatsapp_retries_total";
        /// Attempts with an unknown outcome: the lead may have received the message, and may
        /// receive it twice.
        unknown_outcomes: Counter = "leadstream_sink_whatsapp_unknown_outcomes_total";
        /// Time from a request to the Cloud API to its response.
        send_duration: Histogram = "leadstream_sink_whatsapp_send_duration_seconds";
        /// Requests in flight.
        in_flight: Gauge = "leadstream_sink_whatsapp_requests_in_flight";
        /// Replies that wait to be sent or are being sent, of the partitions that this process owns.
        /// Further ones that Kafka holds are in `leadstream_consumer_lag_records`.
        waiting: Gauge = "leadstream_sink_whatsapp_waiting_replies";
        /// Business numbers that send nothing until they work again.
        stopped_numbers: Gauge = "leadstream_sink_whatsapp_stopped_numbers";
    }
}

impl Metrics {
    pub fn count(&self, count: Count) {
        let result = match count {
            Count::Retried => return self.retries.increment(1),
            Count::Unknown => return self.unknown_outcomes.increment(1),
            Count::Accepted => "accepted",
            Count::Repeat => "duplicate",
            Count::Expired => "expired",
            Count::Replaced => "superseded",
            Count::GivenUp(class) => class.as_str(),
        };
        self.replies.add(result, 1);
    }

    pub fn sent(&self, took: Duration) {
        self.send_duration.record(took);
    }

    pub fn level(&self, waiting: usize, sending: usize, stopped: usize) {
        self.waiting.set(as_f64(waiting));
        self.in_flight.set(as_f64(sending));
        self.stopped_numbers.set(as_f64(stopped));
    }
}

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::Metrics;
    use crate::dispatch::Count;
    use crate::send_result::GiveUpReason;

    #[test]
    fn the_table_lists_each_class_of_dead_letters() {
        let metrics = Metrics::new(&[]);
        for class in GiveUpReason::ALL {
            metrics.count(Count::GivenUp(class));
        }
    }
}
