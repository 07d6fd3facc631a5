//! Metrics, named `leadstream_<service>_<noun>_<unit>[_total]`. Handles are made once.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::crm::{Alone, Class, CrmName};

/// Events read from Kafka.
const EVENTS: &str = "leadstream_sink_crm_events_total";
/// Events that could not be read, by reason: now in dead letters.
const UNDECODABLE: &str = "leadstream_sink_crm_undecodable_events_total";
/// Ledger rows that an event made due.
const WANTED: &str = "leadstream_sink_crm_wanted_leads_total";
/// Leads that wait to be sent, by CRM.
const DUE: &str = "leadstream_sink_crm_due_leads";
/// Requests to a CRM, by CRM and outcome.
const REQUESTS: &str = "leadstream_sink_crm_requests_total";
/// Time that a request took, by CRM.
const REQUEST_SECONDS: &str = "leadstream_sink_crm_request_seconds";
/// Records in a request, by CRM.
const BATCH_RECORDS: &str = "leadstream_sink_crm_batch_records";
/// What became of records, by CRM and outcome.
const OUTCOMES: &str = "leadstream_sink_crm_outcomes_total";
/// 1 while a CRM's lane waits, by CRM and reason: `fault`, `throttle`, `halt`.
const WAITING: &str = "leadstream_sink_crm_waiting_lanes";
/// Leads that needed no request because the CRM holds an equal payload, by CRM.
const EQUAL: &str = "leadstream_sink_crm_equal_payloads_total";

/// Records of sales that became a lead's, by CRM.
const ADOPTED: &str = "leadstream_sink_crm_adopted_records_total";
/// Texts that were cut because the mapping or the CRM takes no longer ones, by CRM.
const CUT: &str = "leadstream_sink_crm_cut_values_total";

/// Of the consumer.
#[derive(Clone)]
pub(crate) struct ConsumeMetrics {
    pub(crate) events: Counter,
    pub(crate) undecodable: Counter,
    pub(crate) wanted: Counter,
}

impl ConsumeMetrics {
    pub(crate) fn new() -> Self {
        Self {
            events: counter!(EVENTS),
            undecodable: counter!(UNDECODABLE),
            wanted: counter!(WANTED),
        }
    }
}

/// Of one CRM's lane.
#[derive(Clone)]
pub(crate) struct LaneMetrics {
    pub(crate) due: Gauge,
    waiting: [(&'static str, Gauge); 3],
    pub(crate) equal: Counter,
    pub(crate) adopted: Counter,
    /// Texts that were cut.
    pub(crate) cut: Counter,
    pub(crate) filtered: Counter,
    pub(crate) request_seconds: Histogram,
    pub(crate) batch_records: Histogram,
    pub(crate) requests_ok: Counter,
    failed: [(Class, Counter); 5],
    pub(crate) done: Counter,
    pub(crate) stale: Counter,
    pub(crate) retry: Counter,
    pub(crate) parked: Counter,
    pub(crate) dead: Counter,
    pub(crate) released: Counter,
}

impl LaneMetrics {
    pub(crate) fn new(crm: CrmName) -> Self {
        let crm = crm.as_str();
        let requests =
            |outcome: &'static str| counter!(REQUESTS, "crm" => crm, "outcome" => outcome);
        let outcomes =
            |outcome: &'static str| counter!(OUTCOMES, "crm" => crm, "outcome" => outcome);
        Self {
            due: gauge!(DUE, "crm" => crm),
            waiting: ["fault", "throttle", "halt"]
                .map(|reason| (reason, gauge!(WAITING, "crm" => crm, "reason" => reason))),
            equal: counter!(EQUAL, "crm" => crm),
            adopted: counter!(ADOPTED, "crm" => crm),
            cut: counter!(CUT, "crm" => crm),
            filtered: outcomes("filtered"),
            request_seconds: histogram!(REQUEST_SECONDS, "crm" => crm),
            batch_records: histogram!(BATCH_RECORDS, "crm" => crm),
            requests_ok: requests("ok"),
            failed: [
                (Class::Retry, requests("retry")),
                (Class::Throttle, requests("throttle")),
                (Class::Split(Alone::DeadLetter), requests("split")),
                (Class::Auth, requests("auth")),
                (Class::Halt, requests("halt")),
            ],
            done: outcomes("done"),
            stale: outcomes("stale"),
            retry: outcomes("retry"),
            parked: outcomes("parked"),
            dead: outcomes("dead"),
            released: outcomes("released"),
        }
    }

    /// Takes note of why the lane waits, or that it does not.
    pub(crate) fn waiting(&self, reason: Option<&str>) {
        for (name, gauge) in &self.waiting {
            gauge.set(f64::from(u8::from(reason == Some(name))));
        }
    }

    /// Counts a request that failed as a whole.
    pub(crate) fn failed(&self, class: Class) {
        let counted = match class {
            Class::Split(_) => Class::Split(Alone::DeadLetter),
            other => other,
        };
        for (class, counter) in &self.failed {
            if *class == counted {
                counter.increment(1);
            }
        }
    }
}
