//! The interface of a CRM to the rest of the service: a check of its schema, and a batch upsert. An
//! upsert returns one outcome per record, or one failure of the whole request.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use leadstream_schemas::LeadEvent;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::compare::Held;
use crate::mapping::{Rendered, Several, Target};
use crate::matching::{Candidate, Newcomer};

/// A CRM. Its text is its name in the ledger, metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CrmName {
    Hubspot,
    Salesforce,
    Webhook,
}

impl CrmName {
    pub(crate) const ALL: [Self; 3] = [Self::Hubspot, Self::Salesforce, Self::Webhook];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Hubspot => "hubspot",
            Self::Salesforce => "salesforce",
            Self::Webhook => "webhook",
        }
    }
}

impl CrmName {
    pub(crate) const fn keeps(self) -> Keeps {
        match self {
            Self::Hubspot | Self::Salesforce => Keeps::Newest,
            Self::Webhook => Keeps::Every,
        }
    }
}

impl Keeps {
    /// Returns the statement for what is kept.
    pub(crate) const fn pick(self, newest: &'static str, every: &'static str) -> &'static str {
        match self {
            Self::Newest => newest,
            Self::Every => every,
        }
    }
}

impl fmt::Display for CrmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The data that is sent of a lead, in a CRM's own terms.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prepared {
    pub(crate) lead_id: String,
    /// The lead's part of a request.
    pub(crate) body: Value,
    /// The hash of everything that is sent except the revision: equal payloads need not be sent
    /// twice.
    pub(crate) hash: Vec<u8>,
    /// The number of texts that were cut because they were too long.
    pub(crate) cut: u32,
}

impl Prepared {
    /// Hashes `content`, which is `body` without the revision.
    pub(crate) fn new(lead_id: &str, body: Value, content: &Value, cut: u32) -> Self {
        Self {
            lead_id: lead_id.to_owned(),
            body,
            hash: Sha256::digest(content.to_string()).to_vec(),
            cut,
        }
    }
}

/// The revisions of a lead that are kept until the CRM has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// The newest revision: the CRM shall have the lead's present state.
    Newest,
    /// Every event, in order: each transition counts.
    Every,
}

/// A CRM that leads are sent to.
pub(crate) trait Crm: Send + Sync + 'static {
    const NAME: CrmName;
    /// The most records that one request may hold.
    const BATCH: usize;
    /// The most leads whose records one request searches for.
    const LOOKUP: usize = 1;

    /// Checks that the credentials work and that every field that we write exists.
    fn check(&self) -> impl Future<Output = Result<Quota, Failure>> + Send;

    /// Returns whether the CRM shall get a lead that it does not have yet; pure.
    fn wants(&self, event: &LeadEvent) -> bool;

    /// Returns the data that is sent of a lead; pure.
    fn prepare(&self, event: &LeadEvent) -> Prepared;

    /// Returns the body of the request that carries `leads`; pure.
    fn body(&self, leads: &[&Prepared]) -> Value;

    /// Creates or updates the records of `leads`, which are distinct and at most
    /// [`Self::BATCH`].
    fn upsert(&self, leads: &[&Prepared]) -> impl Future<Output = Reply> + Send;

    /// Returns what is done when several sales records match a new lead; `None` where no search is
    /// made.
    fn matches(&self) -> Option<Several> {
        None
    }

    /// Returns sales records that may belong to `newcomers`, the oldest first. `newcomers` holds at
    /// most [`Self::LOOKUP`] leads.
    fn candidates(
        &self,
        _newcomers: &[Newcomer],
    ) -> impl Future<Output = Result<Vec<Candidate>, Failure>> + Send {
        std::future::ready(Ok(Vec::new()))
    }

    /// Writes the key of its lead into each record, so that later requests find the record by the
    /// key.
    fn adopt(&self, adoptions: &[Adoption<'_>]) -> impl Future<Output = Reply> + Send {
        std::future::ready(Reply {
            verdict: Ok(vec![Outcome::Done { record_id: None }; adoptions.len()]),
            quota: Quota::default(),
        })
    }

    /// Returns the time until the daily pool of requests is filled again, if the CRM reports it.
    fn daily_reset(&self) -> impl Future<Output = Option<Duration>> + Send {
        std::future::ready(None)
    }
}

/// A CRM whose records can be read back.
pub(crate) trait Records: Crm {
    /// The most records that are read at once.
    const READ: usize;

    fn target(&self) -> &Target;

    /// Returns the fields that a lead's record should have; pure.
    fn render(&self, event: &LeadEvent) -> Rendered;

    /// Returns the records of leads, by lead id; a lead without a record is left out.
    fn read(
        &self,
        lead_ids: &[&str],
    ) -> impl Future<Output = Result<(BTreeMap<String, Held>, Quota), Failure>> + Send;
}

/// A record of the CRM that becomes a lead's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adoption<'a> {
    pub(crate) record_id: &'a str,
    pub(crate) lead_id: &'a str,
}

/// The result of a request.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) verdict: Verdict,
    pub(crate) quota: Quota,
}

/// The requests that the CRM still accepts, as an answer reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quota {
    pub(crate) window: Option<Window>,
    pub(crate) daily: Option<Daily>,
}

/// Requests within a rolling window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) max: u32,
    pub(crate) remaining: u32,
    pub(crate) interval: Duration,
}

/// The organisation's pool of requests for a day, shared by all of its apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Daily {
    pub(crate) max: u64,
    pub(crate) remaining: u64,
}

/// One outcome per lead, in the order of the request, or a failure of the request as a whole.
pub(crate) type Verdict = Result<Vec<Outcome>, Failure>;

/// The outcome of one record. Reasons name codes and fields, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The CRM has the record; `record_id` is the CRM's own id where the answer holds it.
    Done { record_id: Option<String> },
    /// The CRM already has a newer revision.
    Stale,
    /// The same record is tried again later.
    Retry(String),
    /// The same record is tried again; it is given up when it was tried before.
    RetryOnce(String),
    /// The answer does not report the outcome, or the request as a whole is at fault. The record is
    /// tried again in a smaller request. Alone it is tried a few times, then parked.
    Split(String),
    /// This record only is given up.
    DeadLetter(String),
    /// A business state in the CRM keeps the record from being written.
    Park(String),
    /// The fault is the organisation's, not the record's.
    Halt(String),
}

/// The reason why a whole request failed, and the reaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) class: Class,
    /// Says what happened and how to fix it; without personal data and secrets.
    pub(crate) reason: String,
    /// The pause that the CRM asks for before the next request.
    pub(crate) after: Option<Duration>,
}

impl Failure {
    pub(crate) fn new(class: Class, reason: impl Into<String>) -> Self {
        Self {
            class,
            reason: reason.into(),
            after: None,
        }
    }

    pub(crate) fn after(self, after: Option<Duration>) -> Self {
        Self { after, ..self }
    }
}

/// The classes of failure of a request; each has one reaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The same records are tried again later; the outcome may be unknown.
    Retry,
    /// The whole CRM waits; no attempt is counted.
    Throttle,
    /// The request is halved, down to single records.
    Split(Alone),
    /// The request is tried once more with fresh credentials; then the lane halts.
    Auth,
    /// The lane stops and is probed now and then.
    Halt,
}

/// What a failure that splits means for a single record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alone {
    /// The record is at fault.
    DeadLetter,
    /// The record is at fault when others pass, else the organisation.
    Suspect,
}

/// Returns `text` when it is a code or the name of a field, else a placeholder. A CRM's text may
/// hold personal data, and a run of digits may be a phone number.
pub(crate) fn identifier(text: &str) -> &str {
    let is_identifier = text.len() <= 80
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if is_identifier { text } else { "(withheld)" }
}

#[cfg(test)]
mod tests {
    use super::identifier;

    #[test]
    fn only_codes_and_names_of_fields_are_repeated() {
        assert_eq!(identifier("UNABLE_TO_LOCK_ROW"), "UNABLE_TO_LOCK_ROW");
        assert_eq!(identifier("WA_Id__c"), "WA_Id__c");
        for text in ["5511999990000", "+5511999990000", "John Doe", ""] {
            assert_eq!(identifier(text), "(withheld)");
        }
    }
}
