//! The metrics of sink-whatsapp.

use std::time::Duration;

use leadstream_schemas::UndeliveredClass;
use leadstream_service::metric_table;
use leadstream_service::metrics::{ByLabel, Counter, Gauge, Histogram, Metric, Open};

use crate::consume::plan::Plan;
use crate::dispatch::Count;
use crate::ledger::Backlog;
use crate::reply_row::ReplyState;

/// The metrics of this service.
pub const METRICS: &[&[Metric]] = &[Metrics::TABLE];

metric_table! {
    pub struct Metrics() {
        /// Replies that are finished. The results from `undecodable` on are classes of failures.
        replies: ByLabel<Counter> = "leadstream_sink_whatsapp_replies_total" (result: [
            "accepted", "duplicate", "conflict", "expired", "superseded", "withdrawn",
            "undecodable", "unsendable", "refused", "unknown_code", "window_closed",
            "unreachable", "marketing_limit", "marketing_opt_out", "marketing_country", "experiment",
            "exhausted", "unknown_outcome", "handed_off"
        ]);
        /// Statuses of messages, by their effect on the replies that they name. `failed` queues the
        /// reply again. `unchanged` was known or is lower. `unknown` names no reply of the ledger, and
        /// `foreign` none at all. `ignored` says nothing about delivery. A message counts once in each
        /// batch.
        statuses: ByLabel<Counter> = "leadstream_sink_whatsapp_statuses_total" (result: [
            "raised", "failed", "unchanged", "unknown", "foreign", "other_number", "ignored",
            "undecodable"
        ]);
        /// Replies that were sent once more although WhatsApp may have taken them, by policy.
        sent_again: ByLabel<Counter> = "leadstream_sink_whatsapp_sent_again_total" (policy: [
            "evidence", "send_again"
        ]);
        /// Results of replies that did not surely reach their leads, as inputs of the processor, by class.
        undelivered: ByLabel<Counter> = "leadstream_sink_whatsapp_undelivered_total" (class: [
            "unreachable", "window_closed", "marketing", "experiment", "template", "form",
            "unknown_outcome", "handed_off", "rejected"
        ]);
        /// Attempts that failed and are made again, by the class of the failure.
        retries: ByLabel<Counter> = "leadstream_sink_whatsapp_retries_total" (class: [
            "retry", "throttle_pair", "throttle_number", "pause_number", "stop_template",
            "stop_form", "refused", "unknown_code", "window_closed"
        ]);
        /// Attempts with an unknown outcome: the lead may have received the message.
        unknown_outcomes: Counter = "leadstream_sink_whatsapp_unknown_outcomes_total";
        /// Time from a request to the Cloud API to its response.
        send_duration: Histogram = "leadstream_sink_whatsapp_send_duration_seconds";
        /// Takeovers that echoes of WASenderApi's sessions showed, and that `lead.inputs` has.
        takeovers: Counter = "leadstream_sink_whatsapp_takeovers_total";
        /// Requests in flight.
        in_flight: Gauge = "leadstream_sink_whatsapp_requests_in_flight";
        /// Replies that wait to be sent or are being sent, of the numbers that this process sends from.
        /// Further ones that Kafka holds are in `leadstream_consumer_lag_records`.
        waiting: Gauge = "leadstream_sink_whatsapp_waiting_replies";
        /// Replies of the ledger that have not ended, of all numbers. Every sink-whatsapp counts all,
        /// every `OPS_METRICS_INTERVAL`.
        ledger_rows: ByLabel<Gauge> = "leadstream_sink_whatsapp_ledger_rows"
            (state: ["waiting", "sending", "unknown"]);
        /// Time since the oldest of these replies was read, else 0. Every sink-whatsapp measures it,
        /// every `OPS_METRICS_INTERVAL`.
        ledger_age: ByLabel<Gauge> = "leadstream_sink_whatsapp_oldest_ledger_row_age_seconds"
            (state: ["waiting", "sending", "unknown"]);
        /// Business numbers of this process that send nothing until they work again.
        paused_numbers: Gauge = "leadstream_sink_whatsapp_paused_numbers";
        /// Whether a business number sends nothing until it works again: 1 or 0.
        paused: Open<Gauge> = "leadstream_sink_whatsapp_number_paused" (number: "a business number");
        /// Templates and forms that no number sends until they work again.
        stopped_templates: Gauge = "leadstream_sink_whatsapp_stopped_templates";
    }
}

impl Metrics {
    pub fn count(&self, count: Count) {
        let result = match count {
            Count::Retried(class) => return self.retries.add(class.as_str(), 1),
            Count::Unknown => return self.unknown_outcomes.increment(1),
            Count::SentAgain(policy) => return self.sent_again.add(policy.as_str(), 1),
            Count::HandedOff => "handed_off",
            Count::Accepted => "accepted",
            Count::Expired => "expired",
            Count::Failed(class) => class.as_str(),
        };
        self.replies.add(result, 1);
    }

    /// Counts what a batch of records ended.
    pub fn written(&self, plan: &Plan) {
        self.replies.add("duplicate", plan.duplicates);
        self.replies.add("conflict", plan.conflicts.len() as u64);
        for state in plan.ended() {
            self.ended_as(state);
        }
    }

    /// Counts replies that a later record ended while a request was in flight.
    pub fn ended(&self, states: &[ReplyState]) {
        for state in states {
            self.ended_as(*state);
        }
    }

    fn ended_as(&self, state: ReplyState) {
        match state {
            ReplyState::Superseded => self.replies.add("superseded", 1),
            ReplyState::Withdrawn => self.replies.add("withdrawn", 1),
            _ => {}
        }
    }

    pub fn undelivered(&self, class: UndeliveredClass) {
        self.undelivered.add(class.as_str(), 1);
    }

    /// Counts statuses by what they did.
    pub fn status(&self, result: &'static str, statuses: u64) {
        self.statuses.add(result, statuses);
    }

    pub fn undecodable(&self, records: usize) {
        self.replies.add("undecodable", records as u64);
    }

    pub fn taken_over(&self, leads: usize) {
        self.takeovers.increment(leads as u64);
    }

    pub fn sent(&self, took: Duration) {
        self.send_duration.record(took);
    }

    /// Sets the requests in flight of one number, of which `before` were counted.
    pub fn in_flight(&self, now: usize, before: usize) {
        self.in_flight.increment(as_f64(now) - as_f64(before));
    }

    pub fn paused_numbers(&self, numbers: usize) {
        self.paused_numbers.set(as_f64(numbers));
    }

    pub fn paused(&self, number: &str, is_paused: bool) {
        self.paused.with(number).set(f64::from(u8::from(is_paused)));
    }

    /// Sets the stopped templates and forms of one number, of which `before` were counted.
    pub fn stopped_templates(&self, now: usize, before: usize) {
        self.stopped_templates
            .increment(as_f64(now) - as_f64(before));
    }

    /// Sets what has not ended in the ledger.
    pub(crate) fn backlog(&self, backlog: &[Backlog]) {
        for state in ReplyState::ALL.into_iter().filter(|it| it.is_queued()) {
            let state = state.as_str();
            let found = backlog.iter().find(|it| it.state == state);
            let rows = found.map_or(0, |it| it.rows) as f64;
            self.ledger_rows.set(state, rows);
            self.ledger_age.set(state, found.map_or(0.0, |it| it.age));
        }
    }

    pub fn waiting(&self, replies: i64) {
        self.waiting.set(replies as f64);
    }
}

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::UndeliveredClass;

    use super::{Backlog, Metrics};
    use crate::dispatch::Count;
    use crate::send_result::{CODES, Class};

    #[test]
    fn the_table_lists_each_state_that_has_not_ended() {
        let waiting = Backlog {
            state: "waiting".to_owned(),
            rows: 3,
            age: 1.5,
        };
        Metrics::new(&[]).backlog(&[waiting]);
    }

    #[test]
    fn the_table_lists_each_class_of_failures() {
        let metrics = Metrics::new(&[]);
        for class in UndeliveredClass::ALL {
            metrics.undelivered(class);
        }
        for class in Class::FINAL {
            metrics.count(Count::Failed(class));
        }
        for (class, _) in CODES {
            if !Class::FINAL.contains(class) {
                metrics.count(Count::Retried(*class));
            }
        }
    }
}
