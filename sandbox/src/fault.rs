//! Defines faults that a test orders: effect, endpoint, key and count.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::graph;
use crate::status_script::Stage;

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
    /// Exactly this text, such as half of a JSON document, or nothing.
    Text(String),
    /// So many bytes of no meaning.
    Filler(usize),
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
    /// Something in front of the vendor answers, whether or not it passed the request on.
    Intercepted {
        /// The request is applied first.
        applied: bool,
        /// HTTP status, 100 to 999. A redirect leads to another host.
        status: u16,
        /// Value of `Retry-After`: seconds, a date, or anything else.
        #[serde(default)]
        retry_after: Option<String>,
        /// The body.
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
        /// The field that the error names. Only a record that writes the field fails.
        #[serde(default)]
        field: Option<String>,
    },
    /// The pick list has lost an option: records that write it fail, and the description of the field
    /// lacks it (HubSpot, Salesforce).
    OptionGone {
        /// The pick list.
        field: String,
        /// The option.
        value: String,
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
    /// The template is accepted, and Meta holds it to judge its quality.
    Held,
    /// The send is accepted, and gets these statuses instead of the usual ones.
    Statuses {
        /// In the order of their posts; none: nothing is ever heard of it.
        stages: Vec<Stage>,
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
    /// The share of requests that it affects, from 0 to 1; `None`: all.
    #[serde(default)]
    pub share: Option<f64>,
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
            share: None,
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
                status: graph::error::usual_status(code),
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
                field: None,
            },
        )
        .for_key(key)
        .always()
    }

    /// Returns the loss of an option of a pick list, until faults are cleared.
    pub fn option_gone(endpoint: Endpoint, field: &str, value: &str) -> Self {
        let (field, value) = (field.to_owned(), value.to_owned());
        Self::once(endpoint, Effect::OptionGone { field, value }).always()
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

    /// Sets the field that a record's error names.
    #[must_use]
    pub fn of_field(mut self, name: &str) -> Self {
        if let Effect::RecordError { field, .. } = &mut self.effect {
            *field = Some(name.to_owned());
        }
        self
    }

    /// Returns an accepted send that gets these statuses only, once.
    pub fn statuses(endpoint: Endpoint, stages: &[Stage]) -> Self {
        let stages = stages.to_vec();
        Self::once(endpoint, Effect::Statuses { stages })
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

    /// Keeps the fault until faults are cleared, for a share of the requests.
    #[must_use]
    pub fn share(mut self, share: f64) -> Self {
        self.share = Some(share);
        self.always()
    }

    /// Returns an answer of something in front of the vendor, once.
    pub fn intercepted(endpoint: Endpoint, applied: bool, status: u16, body: ErrorBody) -> Self {
        Self::once(
            endpoint,
            Effect::Intercepted {
                applied,
                status,
                retry_after: None,
                body,
            },
        )
    }

    /// Keeps the fault until faults are cleared.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }
}
