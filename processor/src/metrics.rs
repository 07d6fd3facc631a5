//! The metrics of the processor.

use std::sync::LazyLock;

use leadstream_service::metric_table;
use leadstream_service::metrics::{ByLabel, Counter, Gauge, Histogram, Metric, Open};

use crate::store::Backlog;

/// The metrics of this service.
pub const METRICS: &[&[Metric]] = &[Metrics::TABLE];

metric_table! {
    pub(crate) struct Metrics() {
        /// Inputs by result. `late` counts the folded inputs that changed their lead by a refold,
        /// `unanswered` those that got no reply because a machine seems to write.
        inputs: ByLabel<Counter> = "leadstream_processor_inputs_total" (result: [
            "folded", "late", "unanswered", "duplicate", "too_late", "undecodable", "forwarded", "erased"
        ]);
        /// Events that were committed.
        events: Counter = "leadstream_processor_events_total";
        /// Replies that were committed.
        replies: Counter = "leadstream_processor_replies_total";
        /// Merge requests. `exchanged`: a lead sent or received one. `unknown_lead`: the topic no
        /// longer has the inputs of the lead that one names. `merged`: a lead joined another.
        merge_requests: ByLabel<Counter> = "leadstream_processor_merge_requests_total"
            (result: ["exchanged", "unknown_lead", "merged"]);
        /// Edits and deletions of messages that were evicted from their lead's journal.
        ignored_edits: Counter = "leadstream_processor_ignored_edits_total";
        /// Commands by result.
        commands: ByLabel<Counter> = "leadstream_processor_commands_total"
            (result: ["applied", "rejected"]);
        /// Results of replies that did not reach their leads, as the flow took them. `applied`: it changed
        /// the lead. `no_effect`: the question is not the open one, or the flow does nothing.
        /// `unknown_lead`: the lead is not known.
        deliveries: ByLabel<Counter> = "leadstream_processor_deliveries_total"
            (result: ["applied", "no_effect", "unknown_lead"]);
        /// Timers. `fired`: time changed a lead without an input. `expired`: the reply of such a
        /// timer had already expired.
        timers: ByLabel<Counter> = "leadstream_processor_timers_total"
            (result: ["fired", "expired"]);
        /// Leads that were erased.
        erasures: Counter = "leadstream_processor_erasures_total";
        /// Records in a batch.
        batch_records: Histogram = "leadstream_processor_batch_records";
        /// Time of a commit cycle: load, fold, commit and publish one batch.
        commit_duration: Histogram = "leadstream_processor_commit_duration_seconds";
        /// Failures. `database`: a commit or a read failed. `delivery`: Kafka did not acknowledge a
        /// batch. `fenced`: another processor owns the partition. `halted`: a partition halted.
        /// `retried`: a worker waits before another attempt. `reports`: a refresh of `lead_reports`
        /// failed. `maintenance`: expired ids and command results were not deleted.
        failures: ByLabel<Counter> = "leadstream_processor_failures_total" (kind: [
            "database", "delivery", "fenced", "halted", "retried", "reports", "maintenance"
        ]);
        /// Rows of `lead_reports` that were refreshed.
        refreshed_report_rows: Counter = "leadstream_processor_refreshed_report_rows_total";
        /// Partitions that a worker owns.
        owned_partitions: Open<Gauge> = "leadstream_processor_owned_partitions"
            (worker: "the number of the worker in its process");
        /// Partitions that this process owns and that an operator has to resume.
        halted_partitions: Gauge = "leadstream_processor_halted_partitions";
        /// Rows of the outbox: commits with records that Kafka has not acknowledged. Every processor
        /// counts all rows, every `OPS_METRICS_INTERVAL`.
        outbox_rows: Gauge = "leadstream_processor_outbox_rows";
        /// Age of the oldest row of the outbox, else 0. Every processor measures it, every `OPS_METRICS_INTERVAL`.
        outbox_age: Gauge = "leadstream_processor_oldest_outbox_row_age_seconds";
        /// Timers that were due more than a minute ago, up to 1,000 of each partition. Every processor
        /// counts all, every `OPS_METRICS_INTERVAL`.
        overdue_timers: Gauge = "leadstream_processor_overdue_timers";
        /// Delay of the timer that is overdue for the longest time, else 0. Every processor measures
        /// it, every `OPS_METRICS_INTERVAL`.
        timer_delay: Gauge = "leadstream_processor_oldest_overdue_timer_age_seconds";
    }
}

static HANDLES: LazyLock<Metrics> = LazyLock::new(|| Metrics::new(&[]));

/// Registers the metrics, so that they are served from the start.
pub(crate) fn register() {
    LazyLock::force(&HANDLES);
}

/// The results of the inputs of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) folded: u64,
    /// Folded inputs that changed their lead by a refold.
    pub(crate) late: u64,
    /// Folded inputs that got no reply because a machine seems to write.
    pub(crate) unanswered: u64,
    pub(crate) duplicates: u64,
    pub(crate) too_late: u64,
    pub(crate) undecodable: u64,
    pub(crate) forwarded: u64,
    pub(crate) events: u64,
    pub(crate) replies: u64,
    /// Merge requests that leads received or sent.
    pub(crate) merge_requests: u64,
    /// Merge requests for an unknown lead, whose inputs are no longer in the topic.
    pub(crate) merge_requests_missed: u64,
    /// Leads that merged into another.
    pub(crate) merges: u64,
    /// Edits and revocations of messages that were evicted from their lead's journal.
    pub(crate) amendments_out_of_reach: u64,
    pub(crate) commands_applied: u64,
    pub(crate) commands_rejected: u64,
    /// Deliveries that changed their lead.
    pub(crate) deliveries_applied: u64,
    pub(crate) deliveries_without_effect: u64,
    pub(crate) deliveries_without_lead: u64,
    /// Timers that fired without an input.
    pub(crate) timers: u64,
    /// Replies of timers that had already expired.
    pub(crate) stale: u64,
    /// Inputs of people who were erased after they had sent them.
    pub(crate) erased: u64,
    /// Leads that were erased.
    pub(crate) erasures: u64,
}

impl Counts {
    /// Adds the counts to the metrics, once the batch is committed.
    pub(crate) fn record(&self) {
        let metrics = &*HANDLES;
        metrics.inputs.add("folded", self.folded);
        metrics.inputs.add("late", self.late);
        metrics.inputs.add("unanswered", self.unanswered);
        metrics.inputs.add("duplicate", self.duplicates);
        metrics.inputs.add("too_late", self.too_late);
        metrics.inputs.add("undecodable", self.undecodable);
        metrics.inputs.add("forwarded", self.forwarded);
        metrics.inputs.add("erased", self.erased);
        metrics.events.increment(self.events);
        metrics.replies.increment(self.replies);
        metrics.merge_requests.add("exchanged", self.merge_requests);
        metrics
            .merge_requests
            .add("unknown_lead", self.merge_requests_missed);
        metrics.merge_requests.add("merged", self.merges);
        metrics
            .ignored_edits
            .increment(self.amendments_out_of_reach);
        metrics.commands.add("applied", self.commands_applied);
        metrics.commands.add("rejected", self.commands_rejected);
        metrics.deliveries.add("applied", self.deliveries_applied);
        metrics
            .deliveries
            .add("no_effect", self.deliveries_without_effect);
        metrics
            .deliveries
            .add("unknown_lead", self.deliveries_without_lead);
        metrics.timers.add("fired", self.timers);
        metrics.timers.add("expired", self.stale);
        metrics.erasures.increment(self.erasures);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a batch is far below 2^52 records"
)]
pub(crate) fn batch(records: usize, seconds: f64) {
    HANDLES.batch_records.record(records as f64);
    HANDLES.commit_duration.record(seconds);
}

/// Counts rows of `lead_reports` that were refreshed.
pub(crate) fn reports(leads: u64) {
    HANDLES.refreshed_report_rows.increment(leads);
}

/// Counts a failure of a kind that the table lists.
pub(crate) fn failure(kind: &'static str) {
    HANDLES.failures.add(kind, 1);
}

/// Sets the number of halted partitions.
pub(crate) fn halted_partitions(count: usize) {
    HANDLES
        .halted_partitions
        .set(u32::try_from(count).map_or(f64::from(u32::MAX), f64::from));
}

/// Sets what waits in the database.
#[expect(clippy::cast_precision_loss, reason = "no table has 2^52 rows")]
pub(crate) fn backlog(backlog: Backlog) {
    let metrics = &*HANDLES;
    metrics.outbox_rows.set(backlog.outbox_rows as f64);
    metrics.outbox_age.set(backlog.outbox_age);
    metrics.overdue_timers.set(backlog.overdue_timers as f64);
    metrics.timer_delay.set(backlog.timer_delay);
}

/// Returns the gauge of the partitions that a worker owns.
pub(crate) fn owned_partitions(worker: usize) -> Gauge {
    HANDLES.owned_partitions.with(&worker.to_string())
}
