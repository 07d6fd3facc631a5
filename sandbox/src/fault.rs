//! Defines faults that a test orders: effect, endpoint, key and count.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A vendor that the sandbox simulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vendor {
    /// Meta's Graph API.
    Graph,
    /// HubSpot.
    Hubspot,
    /// Salesforce.
    Salesforce,
}

/// The operation of a request. Faults and counts are by endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// A send. Key: the recipient's digits or BSUID.
    GraphMessages,
    /// Mark as read, typing indicator. Key: the message's id.
    GraphRead,
    /// Batch upsert of contacts. Keys: the inputs' ids.
    HubspotUpsert,
    /// Batch update of contacts. Keys: the inputs' ids.
    HubspotUpdate,
    /// Search of contacts.
    HubspotSearch,
    /// Batch read of contacts. Keys: the inputs' ids.
    HubspotRead,
    /// Read of one contact. Key: the id of the path.
    HubspotContact,
    /// List, read or creation of properties. Key: the property's name.
    HubspotProperties,
    /// Use of the daily pool of requests.
    HubspotUsage,
    /// OAuth token of HubSpot.
    HubspotToken,
    /// OAuth token.
    SalesforceToken,
    /// Upsert of leads. Keys: the values of the external id.
    SalesforceUpsert,
    /// Update of leads. Keys: their ids.
    SalesforceUpdate,
    /// Query in SOQL.
    SalesforceQuery,
    /// Read of one lead. Key: the value of the external id.
    SalesforceLead,
    /// Description of the Lead object.
    SalesforceDescribe,
}

impl Endpoint {
    /// Returns the vendor of the endpoint.
    pub fn vendor(self) -> Vendor {
        match self {
            Self::GraphMessages | Self::GraphRead => Vendor::Graph,
            Self::HubspotUpsert
            | Self::HubspotUpdate
            | Self::HubspotSearch
            | Self::HubspotRead
            | Self::HubspotContact
            | Self::HubspotProperties
            | Self::HubspotToken
            | Self::HubspotUsage => Vendor::Hubspot,
            Self::SalesforceToken
            | Self::SalesforceUpsert
            | Self::SalesforceUpdate
            | Self::SalesforceQuery
            | Self::SalesforceLead
            | Self::SalesforceDescribe => Vendor::Salesforce,
        }
    }
}

/// The body of an ordered error.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBody {
    /// In the vendor's words.
    #[default]
    Vendor,
    /// A page of HTML, as from a proxy before the vendor.
    Html,
    /// Exactly this JSON.
    Json(Value),
}

/// The effect of a fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Effect {
    /// A response with this status; nothing is applied.
    Status {
        /// HTTP status, 100 to 999.
        status: u16,
        /// The vendor's own code: Graph error code, HubSpot `policyName`, Salesforce `errorCode`.
        #[serde(default)]
        code: Option<String>,
        /// Value of `Retry-After`, seconds.
        #[serde(default)]
        retry_after_s: Option<u64>,
        /// The body.
        #[serde(default)]
        body: ErrorBody,
    },
    /// The request is read, then the connection stays open without a response.
    Hold {
        /// The request is applied first.
        applied: bool,
        /// Milliseconds until the connection closes. `None`: until faults are cleared, or the
        /// client gives up.
        #[serde(default)]
        for_ms: Option<u64>,
    },
    /// The request is read, then the connection closes without a response.
    Close {
        /// The request is applied first.
        applied: bool,
    },
    /// The response is late; nothing is applied if the client gives up before.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// The access token is no longer valid: 401. OAuth of Salesforce and HubSpot issues a new one
    /// on request. Static tokens are valid again with the next request.
    TokenExpired,
    /// The request is read and never answered. It is applied after a delay, over later writes
    /// (upserts of HubSpot and Salesforce).
    AppliedLate {
        /// Milliseconds.
        ms: u64,
    },
    /// The request is applied. Half of the response is sent, then nothing more on an open
    /// connection.
    TornAnswer,
    /// The records of the fault's key fail with this code while the rest of the batch succeeds
    /// (HubSpot, Salesforce).
    RecordError {
        /// The vendor's code, for example `UNABLE_TO_LOCK_ROW`.
        code: String,
        /// The vendor's sentence; `None`: the usual one of the code.
        #[serde(default)]
        message: Option<String>,
    },
    /// Each record of a request with more than `most` fails with this code, as when a trigger
    /// exceeds a limit of its transaction (HubSpot, Salesforce).
    TooMany {
        /// Records that a request may hold.
        most: usize,
        /// The vendor's code.
        code: String,
        /// The vendor's sentence; `None`: the usual one of the code.
        #[serde(default)]
        message: Option<String>,
    },
    /// The records of the fault's key fail, but the error has no trace id, so it names no record
    /// (HubSpot).
    UntracedError,
    /// The records of the fault's key are not applied, and the response does not mention them
    /// (HubSpot).
    Omitted,
    /// HubSpot answers `COMPLETE` without results and applies nothing.
    SilentNoOp,
    /// The send is accepted, then a `failed` status with this Graph error code is posted.
    FailedStatus {
        /// Graph error code, for example 131026.
        code: i64,
    },
}

/// An ordered fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// The endpoint at which it happens.
    pub endpoint: Endpoint,
    /// The record or recipient that it affects; `None`: any. One matching key of a request is
    /// enough.
    #[serde(default)]
    pub key: Option<String>,
    /// The number of times; `None`: until faults are cleared.
    #[serde(default)]
    pub times: Option<u32>,
    /// The effect.
    pub effect: Effect,
}

impl Fault {
    /// Returns a fault that happens once, for any key.
    pub fn once(endpoint: Endpoint, effect: Effect) -> Self {
        Self {
            endpoint,
            key: None,
            times: Some(1),
            effect,
        }
    }

    /// Returns an error response, once, in the vendor's words.
    pub fn status(endpoint: Endpoint, status: u16) -> Self {
        let body = ErrorBody::Vendor;
        Self::once(
            endpoint,
            Effect::Status {
                status,
                code: None,
                retry_after_s: None,
                body,
            },
        )
    }

    /// Returns a refused send with a Graph error code and the usual status of the code, once.
    pub fn graph_error(code: i64) -> Self {
        Self::once(
            Endpoint::GraphMessages,
            Effect::Status {
                status: crate::graph_error::usual_status(code),
                code: Some(code.to_string()),
                retry_after_s: None,
                body: ErrorBody::Vendor,
            },
        )
    }

    /// Returns a request without a response, not applied, once. The connection stays open until the
    /// client gives up.
    pub fn timeout(endpoint: Endpoint) -> Self {
        Self::once(
            endpoint,
            Effect::Hold {
                applied: false,
                for_ms: None,
            },
        )
    }

    /// Returns a request that is applied without a response, once.
    pub fn applied_timeout(endpoint: Endpoint) -> Self {
        Self::once(
            endpoint,
            Effect::Hold {
                applied: true,
                for_ms: None,
            },
        )
    }

    /// Returns a failure of the records of `key` with the vendor's `code`, until faults are
    /// cleared.
    pub fn record_error(endpoint: Endpoint, key: impl Into<String>, code: &str) -> Self {
        Self::once(
            endpoint,
            Effect::RecordError {
                code: code.to_owned(),
                message: None,
            },
        )
        .for_key(key)
        .always()
    }

    /// Returns a failure of each record of a request with more than `most`, with the vendor's
    /// `code`, until faults are cleared.
    pub fn too_many(endpoint: Endpoint, most: usize, code: &str) -> Self {
        let (code, message) = (code.to_owned(), None);
        Self::once(
            endpoint,
            Effect::TooMany {
                most,
                code,
                message,
            },
        )
        .always()
    }

    /// Sets the sentence that comes with a code.
    #[must_use]
    pub fn saying(mut self, sentence: &str) -> Self {
        if let Effect::RecordError { message, .. } | Effect::TooMany { message, .. } =
            &mut self.effect
        {
            *message = Some(sentence.to_owned());
        }
        self
    }

    /// Limits the fault to one record or recipient.
    #[must_use]
    pub fn for_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the number of times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Keeps the fault until faults are cleared.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }
}

/// The ordered faults that are not used up, by id.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    ordered: BTreeMap<u64, Fault>,
    last_id: u64,
}

impl Faults {
    pub(crate) fn order(&mut self, fault: Fault) -> u64 {
        self.last_id += 1;
        if fault.times != Some(0) {
            self.ordered.insert(self.last_id, fault);
        }
        self.last_id
    }

    pub(crate) fn ordered(&self) -> &BTreeMap<u64, Fault> {
        &self.ordered
    }

    pub(crate) fn cancel(&mut self, id: u64) {
        self.ordered.remove(&id);
    }

    pub(crate) fn clear(&mut self) {
        self.ordered.clear();
    }

    /// Uses the oldest fault of the endpoint that matches one of the keys and whose effect `select`
    /// accepts.
    pub(crate) fn consume<T>(
        &mut self,
        endpoint: Endpoint,
        keys: &[&str],
        select: impl Fn(&Effect) -> Option<T>,
    ) -> Option<T> {
        let (id, found) = self.ordered.iter().find_map(|(id, fault)| {
            let meets = fault.key.as_deref().is_none_or(|key| keys.contains(&key));
            let found = (fault.endpoint == endpoint && meets).then(|| select(&fault.effect))?;
            found.map(|found| (*id, found))
        })?;
        let fault = self.ordered.get_mut(&id)?;
        fault.times = fault.times.map(|times| times - 1);
        if fault.times == Some(0) {
            self.ordered.remove(&id);
        }
        Some(found)
    }

    /// Uses the faults for each record of a batch.
    pub(crate) fn consume_batch_faults(
        &mut self,
        endpoint: Endpoint,
        keys: &[&str],
    ) -> Vec<Option<RecordFault>> {
        let too_many = self.consume(endpoint, keys, |effect| match effect {
            Effect::TooMany {
                most,
                code,
                message,
            } if keys.len() > *most => Some(RecordFault::Error {
                code: code.clone(),
                message: message.clone(),
            }),
            _ => None,
        });
        if too_many.is_some() {
            return vec![too_many; keys.len()];
        }
        keys.iter()
            .map(|key| self.consume_record_fault(endpoint, key))
            .collect()
    }

    /// Uses the fault for one record of a batch.
    pub(crate) fn consume_record_fault(
        &mut self,
        endpoint: Endpoint,
        key: &str,
    ) -> Option<RecordFault> {
        self.consume(endpoint, &[key], |effect| match effect {
            Effect::RecordError { code, message } => Some(RecordFault::Error {
                code: code.clone(),
                message: message.clone(),
            }),
            Effect::UntracedError => Some(RecordFault::Untraced),
            Effect::Omitted => Some(RecordFault::Omitted),
            _ => None,
        })
    }

    /// Uses a fault of a late application; returns the delay in milliseconds.
    pub(crate) fn consume_delay(&mut self, endpoint: Endpoint, keys: &[&str]) -> Option<u64> {
        self.consume(endpoint, keys, |effect| match effect {
            Effect::AppliedLate { ms } => Some(*ms),
            _ => None,
        })
    }
}

/// The fault of one record of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RecordFault {
    Error {
        code: String,
        message: Option<String>,
    },
    Untraced,
    Omitted,
}

#[cfg(test)]
mod tests {
    use super::{Effect, Endpoint, Fault, Faults, RecordFault};

    fn any(effect: &Effect) -> Option<Effect> {
        Some(effect.clone())
    }

    #[test]
    fn a_fault_is_used_up_after_its_times() {
        let mut faults = Faults::default();
        faults.order(Fault::status(Endpoint::HubspotUpsert, 500).times(2));
        assert!(
            faults
                .consume(Endpoint::HubspotContact, &["1"], any)
                .is_none()
        );
        assert!(
            faults
                .consume(Endpoint::HubspotUpsert, &["1"], any)
                .is_some()
        );
        assert!(faults.consume(Endpoint::HubspotUpsert, &[], any).is_some());
        assert!(
            faults
                .consume(Endpoint::HubspotUpsert, &["1"], any)
                .is_none()
        );
    }

    #[test]
    fn a_fault_with_a_key_meets_requests_that_hold_it() {
        let mut faults = Faults::default();
        faults.order(Fault::timeout(Endpoint::SalesforceUpsert).for_key("b"));
        assert!(
            faults
                .consume(Endpoint::SalesforceUpsert, &["a", "c"], any)
                .is_none()
        );
        assert!(
            faults
                .consume(Endpoint::SalesforceUpsert, &["a", "b"], any)
                .is_some()
        );
    }

    #[test]
    fn a_request_with_too_many_records_fails_with_each_of_them() {
        let mut faults = Faults::default();
        let endpoint = Endpoint::SalesforceUpsert;
        faults.order(Fault::too_many(endpoint, 1, "CODE").saying("limit"));
        let failed = RecordFault::Error {
            code: "CODE".to_owned(),
            message: Some("limit".to_owned()),
        };
        for _ in 0..2 {
            let found = faults.consume_batch_faults(endpoint, &["a", "b"]);
            assert_eq!(found, vec![Some(failed.clone()); 2]);
            assert_eq!(faults.consume_batch_faults(endpoint, &["a"]), [None]);
        }
    }

    #[test]
    fn record_errors_stay_until_cleared_and_leave_other_faults_alone() {
        let mut faults = Faults::default();
        let endpoint = Endpoint::SalesforceUpsert;
        faults.order(Fault::status(endpoint, 503));
        faults.order(Fault::record_error(endpoint, "b", "ENTITY_IS_LOCKED"));
        let locked = RecordFault::Error {
            code: "ENTITY_IS_LOCKED".to_owned(),
            message: None,
        };
        for _ in 0..3 {
            let found = faults.consume_record_fault(endpoint, "b");
            assert_eq!(found.as_ref(), Some(&locked));
        }
        assert_eq!(faults.consume_record_fault(endpoint, "a"), None);
        assert_eq!(faults.ordered().len(), 2);
        faults.clear();
        assert_eq!(faults.consume_record_fault(endpoint, "b"), None);
    }
}
