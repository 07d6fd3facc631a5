//! Serves the upsert of leads by external id: the result of each record, in the order of the
//! records.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::request_error;
use super::field::Field;
use super::object::SObject;
use super::organisation::{Organisation, Rule};
use crate::ordered_faults::RecordFault;
use crate::received::{ReceivedRecord, number};
use crate::state::{Change, Crm};
use crate::table::{CrmRecord, Table, Values, Write};
use crate::vendor_response::VendorResponse;

const BATCH_LIMIT: usize = 200;

/// The body of a collection upsert.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Batch {
    #[serde(default)]
    all_or_none: bool,
    records: Vec<Map<String, Value>>,
}

impl Batch {
    pub(super) fn of_one(record: Map<String, Value>) -> Self {
        Self {
            all_or_none: false,
            records: vec![record],
        }
    }

    /// Returns the external id of each record; empty where it is missing.
    pub(super) fn keys(&self, field: &str) -> Vec<&str> {
        self.records
            .iter()
            .map(|record| key(record, field))
            .collect()
    }

    /// Returns what a record writes to a field, as text.
    pub(super) fn written(&self, position: usize, field: &str) -> Option<String> {
        text(self.records.get(position)?.get(field)?)
    }

    /// Returns the record for the log of upserts.
    pub(super) fn received(&self, field: &str, revision: Option<&str>) -> Vec<ReceivedRecord> {
        self.records
            .iter()
            .map(|record| ReceivedRecord {
                key: key(record, field).to_owned(),
                revision: revision.and_then(|name| number(record.get(name)?)),
            })
            .collect()
    }
}

/// Returns a value as text; null is none.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        value => Some(value.to_string()),
    }
}

fn key<'a>(record: &'a Map<String, Value>, field: &str) -> &'a str {
    record
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Returns the records of a body, or the error.
pub(super) fn parse(body: &[u8]) -> Result<Batch, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

/// The target of a batch.
#[derive(Debug)]
pub(super) struct UpsertTarget<'a> {
    pub(super) leads: &'a Table,
    /// The external id of the path.
    pub(super) field: &'a str,
    /// Assignment rules run.
    pub(super) assigns: bool,
}

/// The result of a batch.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) results: Vec<Value>,
    pub(super) changes: Vec<Change>,
}

#[derive(Debug, Clone)]
pub(super) struct RecordError {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) fields: Vec<String>,
}

/// Decides a batch. `ordered` holds the fault ordered for each record, if any.
///
/// # Errors
/// Returns the response that refuses the whole request.
pub(super) fn decide(
    target: &UpsertTarget<'_>,
    organisation: &Organisation,
    batch: &Batch,
    ordered: &[Option<RecordFault>],
    now: DateTime<Utc>,
) -> Result<Decision, VendorResponse> {
    let fields = organisation.fields.as_slice();
    check_batch(target, fields, batch)?;
    let mut times: HashMap<&str, usize> = HashMap::new();
    for key in batch.keys(target.field) {
        *times.entry(key).or_default() += 1;
    }
    let mut outcomes = Vec::with_capacity(batch.records.len());
    for (record, ordered) in batch.records.iter().zip(ordered) {
        let key = key(record, target.field);
        let existing = target.leads.by_unique(target.field, key);
        let repeated = times.get(key).copied().unwrap_or_default() > 1;
        let error = record_error(target, fields, record, existing, repeated, ordered.as_ref())
            .or_else(|| refused_by_rule(&organisation.rules, record, existing));
        outcomes.push((record, existing, error));
    }
    if batch.all_or_none && outcomes.iter().any(|(_, _, error)| error.is_some()) {
        for (_, _, error) in &mut outcomes {
            error.get_or_insert_with(rolled_back);
        }
    }
    let mut decision = Decision {
        results: Vec::new(),
        changes: Vec::new(),
    };
    let mut next = target.leads.made();
    for (record, existing, error) in outcomes {
        if let Some(error) = error {
            decision.results.push(failure(&error));
            continue;
        }
        let id = existing.map_or_else(
            || {
                next += 1;
                SObject::Lead.id(next)
            },
            |lead| lead.id.clone(),
        );
        let created = existing.is_none();
        decision
            .results
            .push(json!({ "id": id, "success": true, "errors": [], "created": created }));
        let values: Values = written(record)
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        let write = Write {
            id,
            at: now,
            values,
            ignored: Vec::new(),
            assigned: target.assigns,
            late: false,
        };
        decision.changes.push(Change::Write(Crm::Salesforce, write));
    }
    Ok(decision)
}

/// Returns the fields of a record without its description.
pub(super) fn written(record: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    record.iter().filter(|(name, _)| *name != "attributes")
}

/// Returns the error for a field that is no external id.
pub(super) fn no_external_id(field: &str) -> VendorResponse {
    let message =
        format!("Provided external ID field does not exist or is not accessible: {field}");
    request_error(404, "NOT_FOUND", &message)
}

/// Refuses a batch for reasons that Salesforce checks before any record.
fn check_batch(
    target: &UpsertTarget<'_>,
    fields: &[Field],
    batch: &Batch,
) -> Result<(), VendorResponse> {
    if !target.leads.is_unique(target.field) {
        return Err(no_external_id(target.field));
    }
    if batch.records.len() > BATCH_LIMIT {
        let message = format!(
            "record limit reached. cannot submit more than {BATCH_LIMIT} records in this call"
        );
        return Err(request_error(400, "EXCEEDED_ID_LIMIT", &message));
    }
    for record in &batch.records {
        let kind = record
            .get("attributes")
            .map_or(&Value::Null, |attributes| &attributes["type"]);
        if kind != "Lead" {
            let message = "Include a type in the attributes of each record: expected Lead";
            return Err(request_error(400, "INVALID_INPUT", message));
        }
        let unknown = written(record).find(|(name, _)| fields.iter().all(|f| f.name != **name));
        if let Some((name, _)) = unknown {
            let message = format!("No such column '{name}' on sobject of type Lead");
            return Err(request_error(400, "INVALID_FIELD", &message));
        }
    }
    Ok(())
}

fn record_error(
    target: &UpsertTarget<'_>,
    fields: &[Field],
    record: &Map<String, Value>,
    existing: Option<&CrmRecord>,
    repeated: bool,
    ordered: Option<&RecordFault>,
) -> Option<RecordError> {
    let error = |code: &str, message: String, fields: Vec<String>| {
        Some(RecordError {
            code: code.to_owned(),
            message,
            fields,
        })
    };
    let key = key(record, target.field);
    let own = || vec![target.field.to_owned()];
    if key.is_empty() {
        return error(
            "MISSING_ARGUMENT",
            format!("{} not specified", target.field),
            own(),
        );
    }
    if repeated {
        let message = format!("Duplicate external id specified: {key}");
        return error("DUPLICATE_VALUE", message, own());
    }
    if let Some(RecordFault::Error {
        code,
        message,
        field,
    }) = ordered
    {
        let message = message.as_deref().unwrap_or(ordered_message(code));
        return error(code, message.to_owned(), field.iter().cloned().collect());
    }
    if is_converted(existing) {
        let code = "CANNOT_UPDATE_CONVERTED_LEAD";
        return error(code, ordered_message(code).to_owned(), Vec::new());
    }
    let missing = missing_fields(fields, record, existing);
    if !missing.is_empty() {
        let message = format!("Required fields are missing: [{}]", missing.join(", "));
        return error("REQUIRED_FIELD_MISSING", message, missing);
    }
    for (name, value) in written(record) {
        let field = fields.iter().find(|field| field.name == *name)?;
        if let Err((code, message)) = field.check(value) {
            return error(code, message, vec![name.clone()]);
        }
        let owner = value
            .as_str()
            .and_then(|text| target.leads.by_unique(name, text));
        let owner = owner.filter(|owner| existing.is_none_or(|lead| lead.id != owner.id));
        if let Some(owner) = owner {
            let id = &owner.id;
            let message =
                format!("duplicate value found: {name} duplicates value on record with id: {id}");
            return error("DUPLICATE_VALUE", message, Vec::new());
        }
    }
    None
}

/// Checks the validation rules, after the values were found to fit.
fn refused_by_rule(
    rules: &[Rule],
    record: &Map<String, Value>,
    existing: Option<&CrmRecord>,
) -> Option<RecordError> {
    let lead = existing?;
    let rule = rules.iter().find(|rule| {
        let number = |value: Option<&Value>| value.and_then(Value::as_f64);
        let new = number(record.get(&rule.field));
        let old = number(lead.values.get(&rule.field));
        matches!((new, old), (Some(new), Some(old)) if new < old)
    })?;
    Some(RecordError {
        code: "FIELD_CUSTOM_VALIDATION_EXCEPTION".to_owned(),
        message: rule.message.clone(),
        fields: Vec::new(),
    })
}

/// Returns whether the lead is converted: it can never be written again.
pub(super) fn is_converted(lead: Option<&CrmRecord>) -> bool {
    lead.is_some_and(|lead| lead.values.get("IsConverted") == Some(&Value::Bool(true)))
}

/// Returns the required fields that a new lead lacks, or that an update would clear.
pub(super) fn missing_fields(
    fields: &[Field],
    record: &Map<String, Value>,
    existing: Option<&CrmRecord>,
) -> Vec<String> {
    let lacks = |field: &&Field| match record.get(&field.name) {
        None => existing.is_none(),
        Some(value) => value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty()),
    };
    let required = fields.iter().filter(|field| field.required);
    required
        .filter(lacks)
        .map(|field| field.name.clone())
        .collect()
}

fn ordered_message(code: &str) -> &'static str {
    match code {
        "UNABLE_TO_LOCK_ROW" => "unable to obtain exclusive access to this record or 1 records",
        "CANNOT_UPDATE_CONVERTED_LEAD" => "cannot reference converted lead",
        "DUPLICATES_DETECTED" => "Use one of these records?",
        "ENTITY_IS_DELETED" => "entity is deleted",
        "ENTITY_IS_LOCKED" => "the entity is locked for editing",
        "STORAGE_LIMIT_EXCEEDED" => "storage limit exceeded",
        "INACTIVE_OWNER_OR_USER" => "operation performed with inactive user",
        "UNKNOWN_EXCEPTION" => "An unexpected error occurred. Please include this ErrorId",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION" => "refused by a validation rule",
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" => {
            "LeadTrigger: execution of AfterUpdate caused by: System.DmlException: Update failed; \
             first error: UNABLE_TO_LOCK_ROW, unable to obtain exclusive access to this record"
        }
        _ => "ordered of the sandbox",
    }
}

fn rolled_back() -> RecordError {
    RecordError {
        code: "ALL_OR_NONE_OPERATION_ROLLED_BACK".to_owned(),
        message: "Record rolled back because not all records were valid and the request was using \
                  AllOrNone header"
            .to_owned(),
        fields: Vec::new(),
    }
}

pub(super) fn failure(error: &RecordError) -> Value {
    json!({
        "success": false,
        "errors": [{
            "statusCode": error.code,
            "message": error.message,
            "fields": error.fields,
        }],
    })
}
