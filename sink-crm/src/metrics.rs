//! The metrics of sink-crm.

use leadstream_service::metric_table;
use leadstream_service::metrics::{ByLabel, Counter, Gauge, Histogram, Metric};

use crate::crm::Class;
use crate::ledger::Backlog;
use crate::open_dead_letters::OpenDeadLetters;

/// The metrics of this service.
pub const METRICS: &[&[Metric]] = &[
    ConsumeMetrics::TABLE,
    DeliveryMetrics::TABLE,
    OpenDeadLetters::TABLE,
];

metric_table! {
    pub(crate) struct ConsumeMetrics() {
        /// Events that were read from Kafka.
        events: Counter = "leadstream_sink_crm_events_total";
        /// Events that could not be decoded and became dead letters.
        undecodable: Counter = "leadstream_sink_crm_undecodable_events_total";
        /// Ledger rows that a newer desired revision made due, and events that were queued for the
        /// webhook.
        desired_changes: Counter = "leadstream_sink_crm_desired_changes_total";
    }
}

metric_table! {
    pub(crate) struct DeliveryMetrics(crm: ["hubspot", "salesforce", "webhook"]) {
        /// Leads that wait to be sent.
        due: Gauge = "leadstream_sink_crm_due_leads";
        /// Rows of the ledger that are not in step: `due` to be sent, `parked` for a person, or `dead`.
        /// Of the webhook, its events. Every sink-crm counts all, every `OPS_METRICS_INTERVAL`.
        ledger_rows: ByLabel<Gauge> = "leadstream_sink_crm_ledger_rows"
            (state: ["due", "parked", "dead"]);
        /// Time since the oldest of these rows became due, else 0. Every sink-crm measures it, every
        /// `OPS_METRICS_INTERVAL`.
        ledger_age: ByLabel<Gauge> = "leadstream_sink_crm_oldest_ledger_row_age_seconds"
            (state: ["due", "parked", "dead"]);
        /// Requests to a CRM: `ok`, or how the failure of the whole request is handled.
        requests: ByLabel<Counter> = "leadstream_sink_crm_requests_total"
            (result: ["ok", "retry", "throttle", "split", "auth", "halt", "gone"]);
        /// Time from a request to a CRM to its response.
        request_duration: Histogram = "leadstream_sink_crm_request_duration_seconds";
        /// Records in a request to a CRM.
        batch_records: Histogram = "leadstream_sink_crm_batch_records";
        /// Attempts to bring a record in step with its lead, by outcome.
        records: ByLabel<Counter> = "leadstream_sink_crm_records_total"
            (result: ["synced", "stale", "retry", "deferred", "parked", "dead", "released", "filtered"]);
        /// 1 while the worker of a CRM waits for this reason, else 0.
        waiting: ByLabel<Gauge> = "leadstream_sink_crm_waiting_workers"
            (reason: ["fault", "throttle", "halt", "gone"]);
        /// Leads that needed no request, because the CRM has an equal payload.
        unchanged: Counter = "leadstream_sink_crm_unchanged_skipped_total";
        /// Records that were written without a field, because the CRM refused the field's value.
        incomplete: Counter = "leadstream_sink_crm_incomplete_records_total";
        /// Existing CRM records that were matched with a lead and are updated from then on.
        adopted: Counter = "leadstream_sink_crm_adopted_records_total";
        /// Leads of which the CRM made another record, because sales merged or deleted the first.
        recreated: Counter = "leadstream_sink_crm_recreated_records_total";
        /// Text values that were shortened to the limit of the mapping or of the CRM.
        truncated: Counter = "leadstream_sink_crm_truncated_values_total";
    }
}

impl DeliveryMetrics {
    /// Sets what waits in the ledger.
    #[expect(clippy::cast_precision_loss, reason = "no ledger has 2^52 rows")]
    pub(crate) fn backlog(&self, backlog: &[Backlog]) {
        for state in ["due", "parked", "dead"] {
            let found = backlog.iter().find(|it| it.state == state);
            let rows = found.map_or(0, |it| it.rows) as f64;
            self.ledger_rows.set(state, rows);
            self.ledger_age.set(state, found.map_or(0.0, |it| it.age));
            if state == "due" {
                self.due.set(rows);
            }
        }
    }

    /// Counts a request that succeeded, or failed as a whole.
    pub(crate) fn request(&self, failure: Option<Class>) {
        let result = match failure {
            None => "ok",
            Some(Class::Retry) => "retry",
            Some(Class::Throttle) => "throttle",
            Some(Class::Split(_)) => "split",
            Some(Class::Auth) => "auth",
            Some(Class::Halt) => "halt",
            Some(Class::Gone) => "gone",
        };
        self.requests.add(result, 1);
    }
}
