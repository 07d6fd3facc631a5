//! Metrics of the processor: `leadstream_processor_<noun>_<unit>[_total]`.

use metrics::{counter, gauge, histogram};

const INPUTS: &str = "leadstream_processor_inputs_total";
const EVENTS: &str = "leadstream_processor_events_total";
const REPLIES: &str = "leadstream_processor_replies_total";
const MERGES: &str = "leadstream_processor_merges_total";
const AMENDMENTS_OUT_OF_REACH: &str = "leadstream_processor_amendments_out_of_reach_total";
const COMMANDS: &str = "leadstream_processor_commands_total";
const TIMERS: &str = "leadstream_processor_timers_total";
const ERASURES: &str = "leadstream_processor_erasures_total";
const BATCH: &str = "leadstream_processor_batch_records";
const COMMIT: &str = "leadstream_processor_commit_seconds";
const FAILURES: &str = "leadstream_processor_failures_total";
const REPORTS: &str = "leadstream_processor_reports_leads_total";
const PARTITIONS: &str = "leadstream_processor_partitions";

/// The outcomes of the inputs of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) folded: u64,
    /// Folded inputs that changed their lead by a refold.
    pub(crate) late: u64,
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
        for (outcome, count) in [
            ("folded", self.folded),
            ("late", self.late),
            ("duplicate", self.duplicates),
            ("too_late", self.too_late),
            ("undecodable", self.undecodable),
            ("forwarded", self.forwarded),
            ("erased", self.erased),
        ] {
            if count > 0 {
                counter!(INPUTS, "outcome" => outcome).increment(count);
            }
        }
        counter!(EVENTS).increment(self.events);
        counter!(REPLIES).increment(self.replies);
        for (step, count) in [
            ("met", self.merge_requests),
            ("missed", self.merge_requests_missed),
            ("merged", self.merges),
        ] {
            if count > 0 {
                counter!(MERGES, "step" => step).increment(count);
            }
        }
        for (outcome, count) in [
            ("applied", self.commands_applied),
            ("rejected", self.commands_rejected),
        ] {
            if count > 0 {
                counter!(COMMANDS, "outcome" => outcome).increment(count);
            }
        }
        counter!(ERASURES).increment(self.erasures);
        counter!(AMENDMENTS_OUT_OF_REACH).increment(self.amendments_out_of_reach);
        counter!(TIMERS, "outcome" => "fired").increment(self.timers);
        counter!(TIMERS, "outcome" => "stale").increment(self.stale);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a batch is far below 2^52 records"
)]
pub(crate) fn batch(records: usize, seconds: f64) {
    histogram!(BATCH).record(records as f64);
    histogram!(COMMIT).record(seconds);
}

/// Counts leads whose report was updated.
pub(crate) fn reports(leads: u64) {
    counter!(REPORTS).increment(leads);
}

/// Counts a failure. `kind`: `database`, `delivery`, `fenced`, `kafka`, `reports`, `upkeep`.
pub(crate) fn failure(kind: &'static str) {
    counter!(FAILURES, "kind" => kind).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "partitions are few")]
pub(crate) fn partitions(lane: usize, count: usize) {
    gauge!(PARTITIONS, "lane" => lane.to_string()).set(count as f64);
}
