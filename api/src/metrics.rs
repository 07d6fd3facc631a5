//! The metrics of the API.

use leadstream_service::metric_table;
use leadstream_service::metrics::{Gauge, Metric};

/// The metrics of this service.
pub const METRICS: &[&[Metric]] = &[Metrics::TABLE];

metric_table! {
    pub(crate) struct Metrics() {
        /// Open connections of clients.
        connections: Gauge = "leadstream_api_connections";
    }
}
