//! Logs upserts in the order of their arrival, whatever their results.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::endpoint::Endpoint;

/// The number of requests kept; older ones are dropped.
const LIMIT: usize = 50_000;

/// An upsert that arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedUpsert {
    /// Position among all of them, from 1.
    pub seq: u64,
    /// The endpoint that received it.
    pub endpoint: Endpoint,
    /// The time at which it was read.
    pub at: DateTime<Utc>,
    /// Its records, in their order.
    pub records: Vec<ReceivedRecord>,
}

/// A record of an upsert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedRecord {
    /// The value that identifies it.
    pub key: String,
    /// The value of the configured revision field, if it is a whole number.
    pub revision: Option<u64>,
}

/// The newest requests.
#[derive(Debug, Default)]
pub(crate) struct Received {
    requests: VecDeque<ReceivedUpsert>,
    last: u64,
}

impl Received {
    pub(crate) fn add(&mut self, endpoint: Endpoint, records: Vec<ReceivedRecord>) {
        if self.requests.len() == LIMIT {
            self.requests.pop_front();
        }
        self.last += 1;
        self.requests.push_back(ReceivedUpsert {
            seq: self.last,
            endpoint,
            at: Utc::now(),
            records,
        });
    }

    /// Returns the upserts after `seq`, oldest first.
    pub(crate) fn after(&self, seq: u64) -> Vec<ReceivedUpsert> {
        let start = self.requests.partition_point(|request| request.seq <= seq);
        self.requests.range(start..).cloned().collect()
    }
}

/// Returns a whole number, or one written as text.
pub(crate) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
