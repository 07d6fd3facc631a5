//! Serves batch upsert and update of contacts: accepts inputs, and reports the errors of the
//! others.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{correlation_id, not_unique, refusal};
use super::iso;
use super::property::{Problem, lifecycle_goes_back, problems_message};
use crate::config::HubspotConfig;
use crate::endpoint::Endpoint;
use crate::ordered_faults::RecordFault;
use crate::received::ReceivedRecord;
use crate::state::{Change, Crm, State};
use crate::table::{CrmRecord, Values, Write};
use crate::vendor_response::VendorResponse;

const BATCH_LIMIT: usize = 100;
pub(super) const FIRST_ID: usize = 100_000;

/// One input of a batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    pub(super) id: String,
    #[serde(default)]
    id_property: Option<String>,
    properties: BTreeMap<String, Option<String>>,
    #[serde(default)]
    object_write_trace_id: Option<String>,
}

impl Input {
    /// Returns the input of a request about one contact.
    pub(super) fn of_one(id: String, properties: BTreeMap<String, Option<String>>) -> Self {
        Self {
            id,
            id_property: None,
            properties,
            object_write_trace_id: None,
        }
    }

    /// Returns what the input writes to a property.
    pub(super) fn written(&self, name: &str) -> Option<String> {
        self.properties.get(name)?.clone()
    }

    /// Returns the record for the log of upserts.
    pub(super) fn received(&self, revision: Option<&str>) -> ReceivedRecord {
        let text = revision.and_then(|name| self.properties.get(name)?.as_deref());
        ReceivedRecord {
            key: self.id.clone(),
            revision: text.and_then(|text| text.parse().ok()),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Batch {
    inputs: Vec<Input>,
}

/// Returns the inputs of a body, or the error: every value must be a string or null.
pub(super) fn parse(body: &[u8]) -> Result<Vec<Input>, String> {
    let batch: Result<Batch, _> = serde_json::from_slice(body);
    batch
        .map(|batch| batch.inputs)
        .map_err(|error| format!("Invalid input JSON: {error}"))
}

/// The kind of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Creates missing contacts; identifies them by a unique property.
    Upsert,
    /// Identifies contacts by HubSpot's own id.
    Update,
    /// Creates contacts.
    Create,
}

impl Mode {
    pub(super) const fn endpoint(self) -> Endpoint {
        match self {
            Self::Upsert => Endpoint::HubspotUpsert,
            Self::Update => Endpoint::HubspotUpdate,
            Self::Create => Endpoint::HubspotContact,
        }
    }
}

/// The result of a batch.
#[derive(Debug)]
pub(super) struct Decision {
    /// Some inputs failed.
    pub(super) partial: bool,
    pub(super) body: Value,
    pub(super) changes: Vec<Change>,
}

/// Decides a batch. `ordered` holds the fault ordered for each input, if any. A bad input with a
/// trace id fails alone; one without fails the batch.
///
/// # Errors
/// Returns the response that refuses the whole batch.
pub(super) fn decide(
    state: &State,
    config: &HubspotConfig,
    mode: Mode,
    inputs: &[Input],
    ordered: &[Option<RecordFault>],
    now: DateTime<Utc>,
) -> Result<Decision, VendorResponse> {
    check_batch(state, config, mode, inputs)?;
    let mut problems: Vec<(&Input, Vec<Problem>)> = Vec::new();
    let mut good: Vec<&Input> = Vec::new();
    for (input, ordered) in inputs.iter().zip(ordered) {
        if ordered == &Some(RecordFault::Omitted) {
            continue;
        }
        let mut found = find_problems(state, input, ordered.as_ref());
        if mode == Mode::Update && state.contacts.surviving(&input.id).is_none() {
            found.push(Problem {
                code: "OBJECT_NOT_FOUND".to_owned(),
                message: "Could not get some CONTACT objects".to_owned(),
                name: "id".to_owned(),
            });
        }
        if found.is_empty() {
            good.push(input);
        } else {
            problems.push((input, found));
        }
    }
    if problems
        .iter()
        .any(|(input, _)| input.object_write_trace_id.is_none())
    {
        return Err(refuse_batch(config, &problems));
    }
    let mut changes = Vec::with_capacity(good.len());
    let mut results = Vec::with_capacity(good.len());
    let mut claimed = HashMap::new();
    let mut last_id = FIRST_ID + state.contacts.made();
    for input in good {
        let existing = existing_contact(state, mode, input);
        let id = existing.map_or_else(
            || {
                last_id += 1;
                last_id.to_string()
            },
            |contact| contact.id.clone(),
        );
        let write = prepare(input, existing, id, now);
        check_conflicts(state, &write, &mut claimed)?;
        results.push(result(input, existing, &write));
        changes.push(Change::Write(Crm::Hubspot, write));
    }
    let untraced = |input: &Input| {
        let position = inputs.iter().position(|other| std::ptr::eq(other, input));
        position.is_some_and(|position| ordered.get(position) == Some(&Some(RecordFault::Untraced)))
    };
    let errors: Vec<Value> = problems
        .iter()
        .map(|(input, problems)| record_error(config, input, problems, !untraced(input)))
        .collect();
    Ok(Decision {
        partial: !errors.is_empty(),
        body: complete(&results, &errors, now),
        changes,
    })
}

/// Refuses a batch for reasons that HubSpot checks before any value.
fn check_batch(
    state: &State,
    config: &HubspotConfig,
    mode: Mode,
    inputs: &[Input],
) -> Result<(), VendorResponse> {
    let invalid = |message: &str| Err(refusal(400, "VALIDATION_ERROR", message));
    if inputs.is_empty() {
        return invalid("Invalid input: inputs must not be empty");
    }
    if inputs.len() > BATCH_LIMIT {
        let message = format!(
            "The batch holds {} inputs; the maximum is {BATCH_LIMIT}",
            inputs.len()
        );
        return invalid(&message);
    }
    let mut seen = HashSet::new();
    if let Some(twice) = inputs.iter().find(|input| !seen.insert(&input.id)) {
        let id = &twice.id;
        return invalid(&format!(
            "Duplicate IDs found in batch input: [{id}]. IDs must be unique"
        ));
    }
    for input in inputs.iter().filter(|_| mode == Mode::Upsert) {
        match input.id_property.as_deref() {
            None => return invalid("idProperty is required for upsert"),
            Some(name) if !state.contacts.is_unique(name) => {
                return Err(not_unique(config.portal_id, name));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn find_problems(state: &State, input: &Input, ordered: Option<&RecordFault>) -> Vec<Problem> {
    const ORDERED: &str = "ordered of the sandbox";
    let problem = |(code, message, field): (&str, &str, Option<&String>)| Problem {
        code: code.to_owned(),
        message: message.to_owned(),
        name: field
            .or(input.id_property.as_ref())
            .cloned()
            .unwrap_or_default(),
    };
    let ordered = match ordered {
        Some(RecordFault::Error {
            code,
            message,
            field,
        }) => Some((
            code.as_str(),
            message.as_deref().unwrap_or(ORDERED),
            field.as_ref(),
        )),
        Some(RecordFault::Untraced) => Some(("INVALID_VALUE", ORDERED, None)),
        Some(RecordFault::Omitted) | None => None,
    };
    let mut problems: Vec<Problem> = ordered.map(problem).into_iter().collect();
    for (name, value) in &input.properties {
        let verdict = match state.properties.get(name) {
            None => Err((
                "PROPERTY_DOESNT_EXIST",
                format!("Property \"{name}\" does not exist"),
            )),
            Some(property) => property.check(value.as_deref().unwrap_or_default()),
        };
        if let Err((code, message)) = verdict {
            problems.push(Problem {
                code: code.to_owned(),
                message,
                name: name.clone(),
            });
        }
    }
    problems
}

fn existing_contact<'a>(state: &'a State, mode: Mode, input: &Input) -> Option<&'a CrmRecord> {
    match mode {
        Mode::Update => return state.contacts.surviving(&input.id),
        Mode::Create => return None,
        Mode::Upsert => {}
    }
    state
        .contacts
        .by_unique(input.id_property.as_deref()?, &input.id)
}

/// Returns the write of an input: null does nothing, the identifying value is always included.
fn prepare(input: &Input, existing: Option<&CrmRecord>, id: String, now: DateTime<Utc>) -> Write {
    let mut values: Values = input
        .properties
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), Value::String(value.clone()?))))
        .collect();
    if let Some(name) = &input.id_property {
        values
            .entry(name.clone())
            .or_insert_with(|| json!(input.id));
    }
    let old_stage = existing.and_then(|contact| contact.text("lifecyclestage"));
    let ignored = values
        .get("lifecyclestage")
        .and_then(Value::as_str)
        .filter(|new| lifecycle_goes_back(old_stage, new))
        .map(|_| "lifecyclestage".to_owned())
        .into_iter()
        .collect();
    Write {
        id,
        at: now,
        values,
        ignored,
        assigned: false,
        late: false,
    }
}

/// Fails the whole batch if another contact holds a unique value, or another input claims it.
fn check_conflicts(
    state: &State,
    write: &Write,
    claimed: &mut HashMap<(String, String), String>,
) -> Result<(), VendorResponse> {
    for name in state.contacts.unique_names() {
        let Some(value) = write.values.get(name).and_then(Value::as_str) else {
            continue;
        };
        if value.is_empty() {
            continue;
        }
        let held = state
            .contacts
            .by_unique(name, value)
            .map(|contact| contact.id.clone());
        let key = (name.to_owned(), value.to_owned());
        let owner = held.or_else(|| claimed.get(&key).cloned());
        if let Some(owner) = owner.filter(|owner| *owner != write.id) {
            let message = format!("Contact already exists. Existing ID: {owner}");
            return Err(refusal(409, "CONFLICT", &message));
        }
        claimed.insert(key, write.id.clone());
    }
    Ok(())
}

fn result(input: &Input, existing: Option<&CrmRecord>, write: &Write) -> Value {
    let created_at = iso(existing.map_or(write.at, |contact| contact.created_at));
    let mut properties: serde_json::Map<String, Value> = write
        .values
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    properties.insert("hs_object_id".to_owned(), json!(write.id));
    properties.insert("createdate".to_owned(), json!(created_at));
    properties.insert("lastmodifieddate".to_owned(), json!(iso(write.at)));
    for name in &write.ignored {
        let kept = existing
            .and_then(|contact| contact.values.get(name))
            .cloned();
        match kept {
            Some(kept) => drop(properties.insert(name.clone(), kept)),
            None => drop(properties.remove(name)),
        }
    }
    let mut result = json!({
        "id": write.id,
        "properties": properties,
        "createdAt": created_at,
        "updatedAt": iso(write.at),
        "archived": false,
        "new": existing.is_none(),
    });
    if let Some(trace_id) = &input.object_write_trace_id {
        result["objectWriteTraceId"] = json!(trace_id);
    }
    result
}

fn record_error(
    config: &HubspotConfig,
    input: &Input,
    problems: &[Problem],
    traced: bool,
) -> Value {
    let context = if traced {
        json!({ "objectWriteTraceId": [input.object_write_trace_id] })
    } else {
        json!({})
    };
    json!({
        "status": "error",
        "category": "VALIDATION_ERROR",
        "message": problems_message(problems, config.portal_id),
        "context": context,
        "errors": [],
        "links": {},
    })
}

fn refuse_batch(config: &HubspotConfig, problems: &[(&Input, Vec<Problem>)]) -> VendorResponse {
    let all: Vec<Problem> = problems
        .iter()
        .flat_map(|(_, found)| found.clone())
        .collect();
    let error = |problem: &Problem| {
        json!({
            "message": problem.message,
            "code": problem.code,
            "context": { "propertyName": [problem.name] },
        })
    };
    let body = json!({
        "status": "error",
        "message": problems_message(&all, config.portal_id),
        "correlationId": correlation_id(),
        "errors": all.iter().map(error).collect::<Vec<_>>(),
        "category": "VALIDATION_ERROR",
    });
    VendorResponse::json(400, body)
}

/// Returns the body of a processed batch, with or without errors.
pub(super) fn complete(results: &[Value], errors: &[Value], started: DateTime<Utc>) -> Value {
    let mut body = json!({
        "status": "COMPLETE",
        "results": results,
        "startedAt": iso(started),
        "completedAt": iso(Utc::now()),
    });
    if !errors.is_empty() {
        body["numErrors"] = json!(errors.len());
        body["errors"] = json!(errors);
    }
    body
}
