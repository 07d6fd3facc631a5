//! Classifies Salesforce's responses by code. Pure. A request's errors have `errorCode`, a record's
//! `statusCode`. Messages decide only where a code hides another error.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;

use crate::crm::{BatchResult, Class, Daily, Failure, Quota, SingleFailure, identifier};
use crate::outcome::{Cause, RecordOutcome, Refusal};

mod fields;
mod login;
mod records;

pub(super) use login::login_refused;
pub(super) use records::{
    CONTACT_PHONES, PHONES, QueryPage, parse_candidate, parse_contact, parse_record,
};

/// The message of the validation rule that refuses an older revision.
pub(super) const STALE: &str = "STALE_VERSION";
const LOCK: &str = "UNABLE_TO_LOCK_ROW";
/// The messages of governor limits of the whole transaction, under any code. Apex and flows write
/// them with and without the name of the exception.
const LIMITS: [&str; 12] = [
    "LimitException",
    "CPU time limit",
    "heap size too large",
    "Too many SOQL",
    "Too many SOSL",
    "Too many DML",
    "Too many query rows",
    "Too many future calls",
    "Too many queueable jobs",
    "Too many callouts",
    "Too many Email Invocations",
    "Too many batch retries",
];

/// The codes of faults that pass.
const TRANSIENT: [&str; 12] = [
    LOCK,
    "QUERY_TIMEOUT",
    "REQUEST_RUNNING_TOO_LONG",
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "SERVICE_UNAVAILABLE",
    "SERVER_UNAVAILABLE",
    "API_CURRENTLY_DISABLED",
    "API_TEMPORARILY_UNAVAILABLE",
    "PROCESSING_HALTED",
    "TXN_SECURITY_METERING_ERROR",
    "LIMIT_EXCEEDED",
    "UNKNOWN_EXCEPTION",
];
/// The codes of an owner who may not have the record.
const OWNER: [&str; 4] = [
    "INACTIVE_OWNER_OR_USER",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
    "TRANSFER_REQUIRES_READ",
    "OP_WITH_INVALID_USER_TYPE_EXCEPTION",
];
/// The codes of a value that a field or a validation rule refuses.
const VALUES: [&str; 13] = [
    "STRING_TOO_LONG",
    "INVALID_EMAIL_ADDRESS",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION",
    "NUMBER_OUTSIDE_VALID_RANGE",
    "FIELD_INTEGRITY_EXCEPTION",
    "FIELD_FILTER_VALIDATION_EXCEPTION",
    "DUPLICATE_VALUE",
    "INVALID_CROSS_REFERENCE_KEY",
    "INVALID_TYPE_ON_FIELD_IN_RECORD",
    "INVALID_CURRENCY_ISO",
    "INVALID_MARKUP",
    "MALFORMED_ID",
    "JSON_PARSER_ERROR",
];

#[derive(Deserialize)]
struct SaveResult {
    id: Option<String>,
    #[serde(default)]
    success: bool,
    #[serde(default)]
    errors: Vec<RecordError>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RecordError {
    status_code: String,
    message: String,
    fields: Vec<String>,
}

/// Classifies the response to a collection of `records` records; `key` is the external id.
pub(super) fn classify_collection(
    status: u16,
    body: &[u8],
    retry_after: Option<Duration>,
    records: usize,
    key: &str,
) -> BatchResult {
    if !(200..300).contains(&status) {
        return Err(classify_failure(status, body).after(retry_after));
    }
    match serde_json::from_slice::<Vec<SaveResult>>(body) {
        Ok(results) if results.len() == records => Ok(results
            .into_iter()
            .map(|result| outcome(result, key))
            .collect()),
        Ok(results) => Err(Failure::new(
            Class::Retry,
            format!(
                "Salesforce answered {} results to {records} records",
                results.len()
            ),
        )),
        Err(_) => Err(Failure::new(
            Class::Retry,
            format!("Salesforce answered {status} with a body that is not a list of results"),
        )),
    }
}

fn outcome(result: SaveResult, key: &str) -> RecordOutcome {
    if result.success {
        return RecordOutcome::Synced {
            crm_record_id: result.id,
        };
    }
    let outcomes: Vec<RecordOutcome> = result
        .errors
        .iter()
        .map(|error| classify_record_error(error, key))
        .collect();
    let gravest = outcomes.iter().min_by_key(|outcome| precedence(outcome));
    match gravest {
        None => RecordOutcome::Retry("Salesforce refused the record without a code".into()),
        Some(RecordOutcome::Refused { .. }) => merge_refused(outcomes),
        Some(outcome) => outcome.clone(),
    }
}

/// Orders the errors of one record: a lock hides the errors behind it.
const fn precedence(outcome: &RecordOutcome) -> u8 {
    match outcome {
        RecordOutcome::Halt(_) | RecordOutcome::Throttle(_) => 0,
        RecordOutcome::Stale => 1,
        RecordOutcome::Retry(_) | RecordOutcome::Split(_) => 2,
        RecordOutcome::RetryOnce(_) => 3,
        RecordOutcome::Parked(_) => 4,
        RecordOutcome::Uncertain(_) => 5,
        RecordOutcome::DeadLetter(_) => 6,
        RecordOutcome::Refused { .. }
        | RecordOutcome::Deferred(_)
        | RecordOutcome::Synced { .. }
        | RecordOutcome::Recreated { .. }
        | RecordOutcome::Unchanged
        | RecordOutcome::Filtered
        | RecordOutcome::Released => 7,
    }
}

/// Returns the outcome of a record of which all errors refuse fields.
fn merge_refused(outcomes: Vec<RecordOutcome>) -> RecordOutcome {
    let (mut reasons, mut all) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        if let RecordOutcome::Refused { reason, refusals } = outcome {
            reasons.push(reason);
            all.extend(refusals);
        }
    }
    RecordOutcome::Refused {
        reason: reasons.join("; "),
        refusals: all,
    }
}

fn classify_record_error(error: &RecordError, key: &str) -> RecordOutcome {
    let reason = describe(error);
    let says = |text: &str| error.message.contains(text);
    match error.status_code.as_str() {
        _ if says(LOCK) => RecordOutcome::Retry(reason),
        "FIELD_CUSTOM_VALIDATION_EXCEPTION" if says(STALE) => RecordOutcome::Stale,
        _ if LIMITS.iter().any(|limit| says(limit)) => RecordOutcome::Split(
            reason + ": a trigger or flow exceeds a limit of the transaction; let it do less",
        ),
        // The exception of a trigger or flow fails every record of its transaction.
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" | "CANNOT_EXECUTE_FLOW_TRIGGER" => {
            RecordOutcome::Split(reason + ": a trigger or flow fails")
        }
        code if TRANSIENT.contains(&code) => RecordOutcome::Retry(reason),
        "REQUEST_LIMIT_EXCEEDED" => RecordOutcome::Throttle(reason),
        "DUPLICATE_VALUE" if says(key) || names(error, key) => RecordOutcome::RetryOnce(reason),
        "CANNOT_UPDATE_CONVERTED_LEAD"
        | "DUPLICATES_DETECTED"
        | "ENTITY_IS_LOCKED"
        | "ENTITY_IS_DELETED" => RecordOutcome::Parked(reason),
        "INVALID_FIELD_FOR_INSERT_UPDATE" => {
            RecordOutcome::Halt(reason + ": let the app's user edit these fields")
        }
        "STORAGE_LIMIT_EXCEEDED" | "LICENSE_LIMIT_EXCEEDED" => {
            RecordOutcome::Halt(reason + ": free or buy storage in the organisation")
        }
        "MISSING_ARGUMENT" => RecordOutcome::DeadLetter(reason),
        _ => refused(error, reason),
    }
}

/// Returns the outcome of a record whose fields were refused. It is given up where neither a field nor
/// the set-up is named.
fn refused(error: &RecordError, reason: String) -> RecordOutcome {
    let code = error.status_code.as_str();
    let fields = error.fields.iter().map(String::as_str);
    let mut fields = fields::names(fields, &error.message);
    let (cause, remedy) = match code {
        _ if OWNER.contains(&code) || fields.contains(&"OwnerId") => (
            Cause::Setup,
            ": activate the owner or give them access, or map another owner",
        ),
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST" => (
            Cause::Option,
            ": add the value to the pick list and its record type, or map another value",
        ),
        "REQUIRED_FIELD_MISSING" => (
            Cause::Setup,
            ": have the mapping write the field, or let Salesforce not require it",
        ),
        _ if VALUES.contains(&code) => (Cause::Value, ""),
        _ => return RecordOutcome::Uncertain(reason),
    };
    if fields.is_empty() {
        if cause == Cause::Value {
            return RecordOutcome::DeadLetter(reason);
        }
        fields.push("");
    }
    let refusal = |field: &&str| Refusal {
        field: (*field).to_owned(),
        code: identifier(code).to_owned(),
        cause,
    };
    RecordOutcome::Refused {
        reason: reason + remedy,
        refusals: fields.iter().map(refusal).collect(),
    }
}

fn names(error: &RecordError, key: &str) -> bool {
    error.fields.iter().any(|field| field == key)
}

fn describe(error: &RecordError) -> String {
    format!(
        "Salesforce refused the record: {}{}",
        identifier(&error.status_code),
        fields::list(error.fields.iter().map(String::as_str), &error.message)
    )
}

/// Classifies a request that was not answered 200.
pub(super) fn classify_failure(status: u16, body: &[u8]) -> Failure {
    let codes = codes(body);
    let has = |code: &str| codes.iter().any(|found| found == code);
    let class = match status {
        401 => Class::Auth,
        _ if has("REQUEST_LIMIT_EXCEEDED") => Class::Throttle,
        _ if has(LOCK) || has("QUERY_TIMEOUT") || has("REQUEST_RUNNING_TOO_LONG") => Class::Retry,
        429 => Class::Throttle,
        408 | 420 | 500..=599 => Class::Retry,
        400..=499 => Class::Split(SingleFailure::Unknown),
        _ => Class::Halt,
    };
    let mut reason = format!("Salesforce answered {status}");
    reason.push_str(&fields::describe_request(body));
    reason.push_str(advice(status));
    Failure::new(class, reason)
}

const fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => ": redirects are refused; check SALESFORCE_LOGIN_URL",
        400 => ": check that the fields that are written exist and the user may edit them",
        401 | 403 => ": check the permissions of the connected app's user",
        410 => ": Salesforce has ended this version of its API; raise SALESFORCE_API_VERSION",
        404 => ": check SALESFORCE_API_VERSION and SALESFORCE_EXTERNAL_ID_FIELD",
        _ => "",
    }
}

/// Returns the codes in a body, which may be an array, an object, or HTML.
fn codes(body: &[u8]) -> Vec<String> {
    let code = |value: &Value| Some(value.get("errorCode")?.as_str()?.to_owned());
    match serde_json::from_slice(body) {
        Ok(Value::Array(errors)) => errors.iter().filter_map(code).collect(),
        Ok(error) => code(&error).into_iter().collect(),
        Err(_) => Vec::new(),
    }
}

/// Returns the remaining requests of the day: `Sforce-Limit-Info: api-usage=25/5000` is what was
/// used in the last 24 hours, and the limit.
pub(super) fn parse_quota(headers: &HeaderMap) -> Quota {
    let daily = || {
        let text = headers.get("Sforce-Limit-Info")?.to_str().ok()?;
        let usage = text
            .split(';')
            .find_map(|part| part.trim().strip_prefix("api-usage="))?;
        let (used, max) = usage.split_once('/')?;
        let max: u64 = max.trim().parse().ok()?;
        Some(Daily {
            max,
            remaining: max.saturating_sub(used.trim().parse().ok()?),
        })
    };
    Quota {
        window: None,
        daily: daily(),
    }
}

#[cfg(test)]
mod tests;
