//! Classifies HubSpot's responses. Pure. The body decides, because errors come with 207 as well as
//! with 200.

use std::time::Duration;

use leadstream_schemas::LeadId;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::crm::{BatchResult, Class, Failure, SingleFailure, identifier};
use crate::outcome::{Cause, RecordOutcome, Refusal};

mod login;
mod problems;
mod quota;
mod records;

pub(super) use login::login_refused;
use problems::{ErrorBody, Problem, lacks_property, list, problems, refusals};
pub(super) use quota::{parse_daily_reset, parse_quota};
pub(super) use records::{parse_batch_read, parse_search_page, parse_survivors};

/// The pause after the daily limit, where the end of the day is not known.
const DAILY_WAIT: Duration = Duration::from_secs(300);
const DAILY: &str = "DAILY";
const LOCKED_WAIT: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Batch {
    #[serde(default)]
    results: Vec<Contact>,
    #[serde(default)]
    errors: Vec<ErrorBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Contact {
    id: Option<String>,
    #[serde(default)]
    properties: Map<String, Value>,
    object_write_trace_id: Option<String>,
}

/// Classifies the response to a batch about `lead_ids`, whose trace ids are their positions.
pub(super) fn classify_batch(
    status: u16,
    body: &[u8],
    retry_after: Option<Duration>,
    lead_ids: &[&LeadId],
    id_property: &str,
) -> BatchResult {
    if !(200..300).contains(&status) {
        return Err(classify_failure(status, body, retry_after));
    }
    match serde_json::from_slice(body) {
        Ok(batch) => Ok(outcomes(&batch, lead_ids, id_property)),
        Err(_) => Err(Failure::new(
            Class::Retry,
            format!("HubSpot answered {status} with a body that is not a batch's"),
        )),
    }
}

/// Returns one outcome per id. Results and errors have to add up to the inputs; the outcome of an
/// input that is in neither is unknown.
fn outcomes(batch: &Batch, lead_ids: &[&LeadId], id_property: &str) -> Vec<RecordOutcome> {
    let mut outcomes: Vec<Option<RecordOutcome>> = vec![None; lead_ids.len()];
    let mut set_outcome = |position: Option<usize>, outcome: RecordOutcome| {
        match position.and_then(|position| outcomes.get_mut(position)) {
            Some(slot @ None) => *slot = Some(outcome),
            // An error beside a result counts: in doubt, a record is not synced.
            Some(Some(_)) => {}
            None => return false,
        }
        true
    };
    let mut untraced = None;
    for error in &batch.errors {
        let outcome = classify_record_error(error);
        let traces = error.traces();
        if traces.is_empty() {
            untraced = Some(outcome.clone());
        }
        for trace in traces {
            set_outcome(trace.parse().ok(), outcome.clone());
        }
    }
    let mut unmatched = 0;
    for contact in &batch.results {
        let outcome = RecordOutcome::Synced {
            crm_record_id: contact.id.clone(),
        };
        if !set_outcome(position(contact, lead_ids, id_property), outcome) {
            unmatched += 1;
        }
    }
    let open = outcomes.iter().filter(|outcome| outcome.is_none()).count();
    let rest = unnamed_outcome(untraced, unmatched == open, lead_ids.len());
    outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap_or_else(|| rest.clone()))
        .collect()
}

/// Returns the outcome of inputs that neither a result nor an error names.
fn unnamed_outcome(
    untraced: Option<RecordOutcome>,
    results_add_up: bool,
    inputs: usize,
) -> RecordOutcome {
    match untraced {
        None if results_add_up => RecordOutcome::Synced {
            crm_record_id: None,
        },
        None if inputs == 1 => {
            RecordOutcome::Retry("HubSpot answered with neither a result nor an error".into())
        }
        None => {
            RecordOutcome::Split("HubSpot's results and errors are fewer than the inputs".into())
        }
        Some(outcome) if inputs == 1 => outcome,
        Some(outcome) => RecordOutcome::Split(outcome.reason().unwrap_or_default().to_owned()),
    }
}

fn position(contact: &Contact, lead_ids: &[&LeadId], id_property: &str) -> Option<usize> {
    match &contact.object_write_trace_id {
        Some(trace) => trace.parse().ok(),
        None => {
            let id = contact.properties.get(id_property)?.as_str()?;
            lead_ids.iter().position(|candidate| *candidate == id)
        }
    }
}

/// Classifies the error of one record. Every record writes the same properties, so a missing one is
/// never the record's fault.
fn classify_record_error(error: &ErrorBody) -> RecordOutcome {
    let problems = problems(error);
    let reason = describe(error, &problems);
    if lacks_property(&problems) {
        return RecordOutcome::Halt(format!("{reason}; create the contact property"));
    }
    match error.category.as_str() {
        "RATE_LIMITS" => RecordOutcome::Throttle(reason),
        "INTERNAL_ERROR" | "SERVER_ERROR" | "SERVICE_UNAVAILABLE" | "TIMEOUT" => {
            RecordOutcome::Retry(reason)
        }
        _ if !problems.is_empty() => refused(reason, refusals(error, &problems)),
        "VALIDATION_ERROR" | "CONFLICT" | "OBJECT_NOT_FOUND" | "OBJECT_ALREADY_EXISTS" => {
            RecordOutcome::DeadLetter(reason)
        }
        _ => RecordOutcome::Uncertain(reason),
    }
}

/// Returns the outcome of a record whose properties were refused, with a remedy.
fn refused(reason: String, refusals: Vec<Refusal>) -> RecordOutcome {
    let reason = reason + remedy(&refusals);
    RecordOutcome::Refused { reason, refusals }
}

fn remedy(refusals: &[Refusal]) -> &'static str {
    let is = |cause: Cause| refusals.iter().find(|refusal| refusal.cause == cause);
    match (is(Cause::Setup), is(Cause::Option)) {
        (Some(setup), _) if setup.field.ends_with("owner_id") || setup.code.contains("OWNER") => {
            "; activate the owner, or map another one"
        }
        (Some(setup), _) if setup.code == "READ_ONLY_VALUE" => {
            "; let apps edit the property, or take it out of the mapping"
        }
        (Some(_), _) => "; have the mapping write the property, or let HubSpot not require it",
        (None, Some(_)) => "; add the option to the property, or map another value",
        (None, None) => "",
    }
}

fn describe(error: &ErrorBody, problems: &[Problem]) -> String {
    format!(
        "HubSpot refused the record: {}{}",
        identifier(&error.category),
        list(problems)
    )
}

/// Classifies a request that failed as a whole.
pub(super) fn classify_failure(status: u16, body: &[u8], retry_after: Option<Duration>) -> Failure {
    let error: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let problems = problems(&error);
    let class = match status {
        400 | 409 if lacks_property(&problems) => Class::Halt,
        400 | 409 | 413 => Class::Split(SingleFailure::RecordAtFault),
        401 => Class::Auth,
        423 | 429 | 477 => Class::Throttle,
        408 | 500..=599 => Class::Retry,
        _ => Class::Halt,
    };
    let after = match status {
        423 => Some(retry_after.unwrap_or_default().max(LOCKED_WAIT)),
        429 if error.policy_name == DAILY => Some(retry_after.unwrap_or(DAILY_WAIT)),
        _ => retry_after,
    };
    let mut reason = format!("HubSpot answered {status}");
    for part in [&error.category, &error.policy_name] {
        if !part.is_empty() {
            reason.push(' ');
            reason.push_str(identifier(part));
        }
    }
    reason.push_str(&list(&problems));
    reason.push_str(advice(status));
    if is_correlation_id(&error.correlation_id) {
        reason.push_str(" (correlation id ");
        reason.push_str(&error.correlation_id);
        reason.push(')');
    }
    let refusals = match status {
        400 => refusals(&error, &problems),
        _ => Vec::new(),
    };
    reason.push_str(remedy(&refusals));
    Failure {
        refusals,
        ..Failure::new(class, reason).after(after)
    }
}

/// Returns whether a 429 concerns the daily pool.
pub(super) fn is_daily_limit(body: &[u8]) -> bool {
    serde_json::from_slice::<ErrorBody>(body).is_ok_and(|error| error.policy_name == DAILY)
}

const fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => ": redirects are refused; check HUBSPOT_API_URL",
        401 => ": check HUBSPOT_ACCESS_TOKEN, or HUBSPOT_REFRESH_TOKEN and its app",
        403 => {
            ": the token lacks a scope; it needs crm.objects.contacts.read, crm.objects.contacts.write and crm.schemas.contacts.read"
        }
        404 => ": check HUBSPOT_API_URL and HUBSPOT_API_VERSION",
        _ => "",
    }
}

/// Returns whether `text` is a UUID; HubSpot's support asks for it.
fn is_correlation_id(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests;
