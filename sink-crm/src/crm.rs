//! The interface between a CRM and the rest of the service: a check of its schema, and a batch
//! upsert. An upsert returns one outcome per record, or one failure of the whole request.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use leadstream_schemas::{LeadEvent, LeadId};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::compare::RemoteRecord;
use crate::crm_name::CrmName;
use crate::ledger::Delivery;
use crate::mapping::{FieldRole, Guarded, OnMultipleMatches, Rendered, Target};
use crate::matching::{Candidate, UnmatchedLead};
use crate::outcome::{RecordOutcome, Refusal};

/// The payload of a lead, in a CRM's own terms.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prepared {
    pub(crate) lead_id: LeadId,
    /// The lead's part of a request.
    pub(crate) body: Value,
    /// The hash of everything that is sent except the revision: equal payloads need not be sent
    /// twice.
    pub(crate) hash: Vec<u8>,
    /// The number of texts that were truncated because they were too long.
    pub(crate) truncated: u32,
    /// The fields that are not written whatever the CRM has.
    pub(crate) guarded: Vec<Guarded>,
    /// The record that the lead is written to by the CRM's own id, instead of by the key.
    pub(crate) record_id: Option<String>,
    /// Whether the CRM is not known to have a record of the lead.
    pub(crate) is_new: bool,
}

impl Prepared {
    /// Hashes `content`, which is `body` without the revision.
    pub(crate) fn new(lead_id: &LeadId, body: Value, content: &Value, truncated: u32) -> Self {
        Self {
            lead_id: lead_id.clone(),
            body,
            hash: Sha256::digest(content.to_string()).to_vec(),
            truncated,
            guarded: Vec::new(),
            record_id: None,
            is_new: false,
        }
    }

    pub(crate) fn guarding(self, guarded: Vec<Guarded>) -> Self {
        Self { guarded, ..self }
    }
}

/// The fingerprints of a CRM's fields, by name: each changes when the CRM describes the field in
/// another way. That of the empty name changes with any field.
pub(crate) type Fingerprints = Arc<BTreeMap<String, String>>;

/// Returns the fingerprints of fields, from their descriptions by name.
pub(crate) fn fingerprints<'f>(
    fields: impl Iterator<Item = (&'f str, &'f Value)>,
) -> BTreeMap<String, String> {
    let fingerprint = |text: &str| {
        let digest = Sha256::digest(text);
        digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let mut found: BTreeMap<String, String> = fields
        .map(|(name, field)| (name.to_owned(), fingerprint(&field.to_string())))
        .collect();
    let all: String = found
        .iter()
        .map(|(name, print)| format!("{name} {print} "))
        .collect();
    found.insert(String::new(), fingerprint(&all));
    found
}

/// A CRM that leads are sent to.
pub(crate) trait Crm: Send + Sync + 'static {
    /// What the CRM gets: the latest state of each lead, or every event.
    type Delivery: Delivery;
    const NAME: CrmName;
    /// The most records that one request may hold.
    const BATCH: usize;
    /// The most leads whose records one request searches for.
    const LOOKUP: usize = 1;
    /// The most records that are read at once.
    const READ: usize = 1;

    /// Checks that the credentials work and that every field that we write exists.
    fn check(&self) -> impl Future<Output = Result<Quota, Failure>> + Send;

    /// Returns whether the CRM shall get a lead that it does not have yet; pure.
    fn wants(&self, event: &LeadEvent) -> bool;

    /// Returns the payload of a lead; pure.
    fn prepare(&self, event: &LeadEvent) -> Prepared;

    /// Returns what a field is to a lead's record; pure.
    fn role(&self, _field: &str) -> FieldRole {
        FieldRole::Unwritten
    }

    /// Returns a lead's part of a request without `fields`; pure.
    fn leave_out(&self, lead: &Prepared, _fields: &[&str]) -> Prepared {
        lead.clone()
    }

    /// Returns the fingerprints of the CRM's fields, as the last [`Self::check`] found them.
    fn fingerprints(&self) -> Fingerprints {
        Fingerprints::default()
    }

    /// Returns the body of the request that carries `leads`; pure.
    fn upsert_body(&self, leads: &[&Prepared]) -> Value;

    /// Creates or updates the records of `leads`, which are distinct and at most
    /// [`Self::BATCH`].
    fn upsert(&self, leads: &[&Prepared]) -> impl Future<Output = BatchResponse> + Send;

    /// Returns what an operator should know of the settings.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns the fields of the CRM's records; `None` where whole events are sent.
    fn target(&self) -> Option<&Target> {
        None
    }

    /// Returns the records of leads, by lead id; a lead without a record is left out.
    fn read(
        &self,
        _lead_ids: &[&LeadId],
    ) -> impl Future<Output = Result<(BTreeMap<LeadId, RemoteRecord>, Quota), Failure>> + Send {
        std::future::ready(Ok(Default::default()))
    }

    /// Returns what to do when several existing records match a new lead; `None` where no search is
    /// made.
    fn on_multiple_matches(&self) -> Option<OnMultipleMatches> {
        None
    }

    /// Returns existing records that may belong to `leads`, the oldest first. There are at most
    /// [`Self::LOOKUP`] leads.
    fn find_candidates(
        &self,
        _leads: &[UnmatchedLead],
    ) -> impl Future<Output = Result<Vec<Candidate>, Failure>> + Send {
        std::future::ready(Ok(Vec::new()))
    }

    /// Returns the e-mail address of a lead, if existing records are matched by it; pure.
    fn email<'p>(&self, _lead: &'p Prepared) -> Option<&'p str> {
        None
    }

    /// Returns whether a record has no key, and is written by the CRM's own id; pure.
    fn writes_by_id(&self, _record_id: &str) -> bool {
        false
    }

    /// Returns the leads of `known` whose records do not have their key any more: sales merged or
    /// deleted them. There are at most [`Self::READ`] leads.
    fn find_lost(
        &self,
        _known: &[Known<'_>],
    ) -> impl Future<Output = Result<Vec<Lost>, Failure>> + Send {
        std::future::ready(Ok(Vec::new()))
    }

    /// Writes the key of its lead into each record, so that later requests find the record by the
    /// key.
    fn adopt(&self, adoptions: &[Adoption<'_>]) -> impl Future<Output = BatchResponse> + Send {
        std::future::ready(BatchResponse {
            result: Ok(vec![
                RecordOutcome::Synced {
                    crm_record_id: None
                };
                adoptions.len()
            ]),
            after: None,
            quota: Quota::default(),
        })
    }

    /// Returns the time until the daily pool of requests is filled again, if the CRM reports it.
    fn daily_reset(&self) -> impl Future<Output = Option<Duration>> + Send {
        std::future::ready(None)
    }
}

/// A CRM whose records can be compared with the ledger.
pub(crate) trait Records: Crm {
    /// Returns the fields that a lead's record should have; pure.
    fn render(&self, event: &LeadEvent) -> Rendered;
}

/// A CRM whose records can be deleted for privacy.
pub(crate) trait EraseRecords: Crm {
    /// Returns the name in a record; `None` if there is no such record.
    fn name(&self, record_id: &str)
    -> impl Future<Output = Result<Option<String>, Failure>> + Send;

    /// Deletes a record. Returns whether it was there.
    fn erase(&self, record_id: &str) -> impl Future<Output = Result<bool, Failure>> + Send;
}

/// A lead, and the record that the CRM was known to have of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) lead_id: &'a LeadId,
    pub(crate) record_id: &'a str,
}

/// A lead whose record does not have its key any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) lead_id: LeadId,
    /// The record itself, without the key, or the one that it was merged into.
    pub(crate) survivor: Option<Candidate>,
}

/// An existing record of the CRM that becomes a lead's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adoption<'a> {
    pub(crate) record_id: &'a str,
    pub(crate) lead_id: &'a LeadId,
}

/// The result of a request.
#[derive(Debug)]
pub(crate) struct BatchResponse {
    pub(crate) result: BatchResult,
    /// The pause that the CRM asks for before it gets again what it did not take.
    pub(crate) after: Option<Duration>,
    pub(crate) quota: Quota,
}

impl From<Failure> for BatchResponse {
    /// Returns the response of a request that failed before it was classified.
    fn from(failure: Failure) -> Self {
        Self {
            after: failure.after,
            result: Err(failure),
            quota: Quota::default(),
        }
    }
}

/// The requests that the CRM still accepts, as a response reports them.
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
pub(crate) type BatchResult = Result<Vec<RecordOutcome>, Failure>;

/// The reason why a whole request failed, and the reaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) class: Class,
    /// Says what happened and how to fix it; without personal data and secrets.
    pub(crate) reason: String,
    /// The pause that the CRM asks for before the next request.
    pub(crate) after: Option<Duration>,
    /// The fields that it refused, if the request held a single record.
    pub(crate) refusals: Vec<Refusal>,
}

impl Failure {
    pub(crate) fn new(class: Class, reason: impl Into<String>) -> Self {
        Self {
            class,
            reason: reason.into(),
            after: None,
            refusals: Vec::new(),
        }
    }

    /// Returns the failure of a request that concerns no record: a refusal halts.
    pub(crate) fn without_records(self) -> Self {
        match self.class {
            Class::Split(_) => Self {
                class: Class::Halt,
                ..self
            },
            _ => self,
        }
    }

    pub(crate) fn after(self, after: Option<Duration>) -> Self {
        Self { after, ..self }
    }
}

/// The classes of failure of a request; each has one reaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The same records are retried later; the outcome may be unknown.
    Retry,
    /// The whole CRM waits; no attempt is counted.
    Throttle,
    /// The request is halved, down to single records.
    Split(SingleFailure),
    /// The request is retried once with fresh credentials; then the worker halts.
    Auth,
    /// The worker stops, and probes the CRM now and then.
    Halt,
    /// The receiver wants no more events. The worker stops until an operator resumes it.
    Gone,
}

/// What a failure that splits means when the request held a single record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SingleFailure {
    /// The record is at fault.
    RecordAtFault,
    /// The record is at fault if the CRM accepts others, else the organisation.
    Unknown,
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
    use serde_json::{Value, json};

    use super::{fingerprints, identifier};

    #[test]
    fn a_fingerprint_changes_with_its_field_and_that_of_all_with_any() {
        let prints = |options: &[&str]| {
            let (status, email) = (json!({"options": options}), json!({"type": "string"}));
            let fields: [(&str, &Value); 2] = [("status", &status), ("email", &email)];
            fingerprints(fields.into_iter())
        };
        let (before, after) = (prints(&["A"]), prints(&["A", "B"]));
        assert_eq!(before, prints(&["A"]));
        assert_eq!(before["email"], after["email"]);
        assert_ne!(before["status"], after["status"]);
        assert_ne!(before[""], after[""]);
        assert_eq!(before.len(), 3);
    }

    #[test]
    fn only_codes_and_names_of_fields_are_repeated() {
        assert_eq!(identifier("UNABLE_TO_LOCK_ROW"), "UNABLE_TO_LOCK_ROW");
        assert_eq!(identifier("WA_Id__c"), "WA_Id__c");
        for text in ["5511999990000", "+5511999990000", "John Doe", ""] {
            assert_eq!(identifier(text), "(withheld)");
        }
    }
}
