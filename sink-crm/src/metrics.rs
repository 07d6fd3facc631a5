//! Metrics, named `leadstream_<service>_<noun>_<unit>[_total]`. Handles are made once.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::crm::CrmName;

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
/// 1 while a CRM's lane is halted.
const HALTED: &str = "leadstream_sink_crm_halted_lanes";

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
    pub(crate) halted: Gauge,
    pub(crate) request_seconds: Histogram,
    pub(crate) batch_records: Histogram,
    pub(crate) requests_ok: Counter,
    pub(crate) requests_failed: Counter,
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
            halted: gauge!(HALTED, "crm" => crm),
            request_seconds: histogram!(REQUEST_SECONDS, "crm" => crm),
            batch_records: histogram!(BATCH_RECORDS, "crm" => crm),
            requests_ok: requests("ok"),
            requests_failed: requests("failed"),
            done: outcomes("done"),
            stale: outcomes("stale"),
            retry: outcomes("retry"),
            parked: outcomes("parked"),
            dead: outcomes("dead"),
            released: outcomes("released"),
        }
    }
}
