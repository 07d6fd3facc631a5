//! Faults on order: what goes wrong, where, for whom and how often.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A vendor that the sandbox stands in for.
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

/// What a request asks for; faults and counts are by endpoint.
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
    /// Whose endpoint it is.
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
    /// As the vendor words it.
    #[default]
    Vendor,
    /// A page of HTML, as a proxy before the vendor answers.
    Html,
    /// Exactly this.
    Json(Value),
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Effect {
    /// An answer with this status; nothing is applied.
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
    /// The request is read, then the connection stays open without an answer.
    Hold {
        /// Whether the request is applied first.
        applied: bool,
        /// When the connection closes, milliseconds; `None`: when faults are cleared, or the
        /// client gives up.
        #[serde(default)]
        for_ms: Option<u64>,
    },
    /// The request is read, then the connection closes without an answer.
    Close {
        /// Whether the request is applied first.
        applied: bool,
    },
    /// The answer comes late; nothing is applied if the client gives up before.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// The access token is no longer valid: 401. Salesforce and HubSpot's
    /// OAuth give a new one on request; static tokens are valid again with the next request.
    TokenExpired,
    /// The request is read and never answered, and it is applied only after a while: over what
    /// was written meanwhile (HubSpot's and Salesforce's upserts).
    AppliedLate {
        /// Milliseconds.
        ms: u64,
    },
    /// The request is applied, half of the answer comes, then nothing more on an open connection.
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
    /// The records of the fault's key fail, and the error does not say that it is theirs: it has no
    /// trace id (HubSpot).
    UntracedError,
    /// The records of the fault's key are not applied, and the answer says nothing of them
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

/// A fault on order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Where it happens.
    pub endpoint: Endpoint,
    /// The record or recipient that it is for; `None`: anyone. A request with several keys meets
    /// it when one of them matches.
    #[serde(default)]
    pub key: Option<String>,
    /// How often it happens; `None`: until faults are cleared.
    #[serde(default)]
    pub times: Option<u32>,
    /// What goes wrong.
    pub effect: Effect,
}

impl Fault {
    /// A fault that happens once, to anyone.
    pub fn once(endpoint: Endpoint, effect: Effect) -> Self {
        Self {
            endpoint,
            key: None,
            times: Some(1),
            effect,
        }
    }

    /// An error answer, once, in the vendor's words.
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

    /// A send refused with a Graph error code and the status that usually goes with it, once.
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

    /// No answer, nothing applied, once; the connection stays open until the client gives up.
    pub fn timeout(endpoint: Endpoint) -> Self {
        Self::once(
            endpoint,
            Effect::Hold {
                applied: false,
                for_ms: None,
            },
        )
    }

    /// No answer although the request is applied, once.
    pub fn applied_timeout(endpoint: Endpoint) -> Self {
        Self::once(
            endpoint,
            Effect::Hold {
                applied: true,
                for_ms: None,
            },
        )
    }

    /// The records of `key` fail with the vendor's `code` until faults are cleared.
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

    /// Each record of a request with more than `most` fails with the vendor's `code`, until faults
    /// are cleared.
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

    /// The same with the sentence that comes with a code.
    #[must_use]
    pub fn saying(mut self, sentence: &str) -> Self {
        if let Effect::RecordError { message, .. } | Effect::TooMany { message, .. } =
            &mut self.effect
        {
            *message = Some(sentence.to_owned());
        }
        self
    }

    /// The same for one record or recipient.
    #[must_use]
    pub fn for_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The same so many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The same until faults are cleared.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }
}

/// The faults that have been ordered and not yet used up, in the order of their ids.
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

    /// Uses the oldest fault of the endpoint that one of the keys meets and whose effect
    /// `select` takes.
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

    /// What was ordered for each record of a batch.
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

    /// What was ordered for one record of a batch.
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

    /// After how many milliseconds a request is to be applied that is to be applied late.
    pub(crate) fn consume_delay(&mut self, endpoint: Endpoint, keys: &[&str]) -> Option<u64> {
        self.consume(endpoint, keys, |effect| match effect {
            Effect::AppliedLate { ms } => Some(*ms),
            _ => None,
        })
    }
}

/// What goes wrong with one record of a batch.
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
