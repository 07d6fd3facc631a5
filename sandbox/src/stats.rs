//! Counts requests and their results.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;

/// Counts since the sandbox started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// By endpoint; one that was never asked is absent.
    pub endpoints: BTreeMap<Endpoint, EndpointStats>,
    /// Status webhooks.
    pub webhooks: WebhookStats,
    /// Messages, contacts and leads that the sandbox holds.
    pub held: HeldStats,
}

/// Counts of one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointStats {
    /// Requests that arrived.
    pub requests: u64,
    /// The results: by HTTP status, `unanswered` or `torn` (ordered), or `abandoned` (the client
    /// left during an ordered delay).
    pub outcomes: BTreeMap<String, u64>,
    /// Records in all requests.
    pub records: u64,
    /// Most records in one request.
    pub largest_batch: u64,
}

/// Counts of status webhooks, each carrying one or more statuses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookStats {
    /// Answered 200.
    pub accepted: u64,
    /// Answered otherwise or not at all, and repeated.
    pub repeated: u64,
    /// Given up.
    pub given_up: u64,
}

/// The numbers of stored records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldStats {
    /// Accepted WhatsApp messages.
    pub messages: u64,
    /// HubSpot contacts.
    pub contacts: u64,
    /// Salesforce leads.
    pub leads: u64,
}

impl Stats {
    /// Returns the counts of one endpoint; zeros if it got no request.
    pub fn endpoint(&self, endpoint: Endpoint) -> EndpointStats {
        self.endpoints.get(&endpoint).cloned().unwrap_or_default()
    }

    pub(crate) fn count_request(&mut self, endpoint: Endpoint, records: usize) {
        let counts = self.endpoints.entry(endpoint).or_default();
        let records = records as u64;
        counts.requests += 1;
        counts.records += records;
        counts.largest_batch = counts.largest_batch.max(records);
    }

    pub(crate) fn count_outcome(&mut self, endpoint: Endpoint, outcome: &str) {
        let counts = self.endpoints.entry(endpoint).or_default();
        *counts.outcomes.entry(outcome.to_owned()).or_default() += 1;
    }
}

impl EndpointStats {
    /// Returns the number of requests with a result: an HTTP status as text, `unanswered` or
    /// `abandoned`.
    pub fn outcome(&self, outcome: &str) -> u64 {
        self.outcomes.get(outcome).copied().unwrap_or_default()
    }
}
