//! Salesforce's answers, classified by code: a request's errors carry `errorCode`, a record's
//! `statusCode`; messages are relied on only where a code holds another error.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::crm::{Alone, Class, Failure, Outcome, Verdict, identifier};

/// What the validation rule says that refuses an older revision.
pub(super) const STALE: &str = "STALE_VERSION";
const LOCK: &str = "UNABLE_TO_LOCK_ROW";
/// What messages say of a governor limit of the whole transaction, under any code: Apex and flows
/// name it with and without the name of the exception.
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

/// The verdict on a collections upsert of `records` records over `key`.
pub(super) fn classify(
    status: u16,
    body: &[u8],
    retry_after: Option<Duration>,
    records: usize,
    key: &str,
) -> Verdict {
    if status != 200 {
        return Err(refused(status, body).after(retry_after));
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
            "Salesforce answered 200 with a body that is not a list of results",
        )),
    }
}

fn outcome(result: SaveResult, key: &str) -> Outcome {
    if result.success {
        return Outcome::Done {
            record_id: result.id,
        };
    }
    result
        .errors
        .iter()
        .map(|error| judge(error, key))
        .min_by_key(precedence)
        .unwrap_or_else(|| Outcome::Retry("Salesforce refused the record without a code".into()))
}

/// Of several errors the one that says most about the others: a lock hides what comes after it.
const fn precedence(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Halt(_) => 0,
        Outcome::Stale => 1,
        Outcome::Retry(_) | Outcome::Split(_) => 2,
        Outcome::RetryOnce(_) => 3,
        Outcome::Park(_) => 4,
        Outcome::DeadLetter(_) | Outcome::Done { .. } => 5,
    }
}

fn judge(error: &RecordError, key: &str) -> Outcome {
    let reason = describe(error);
    let says = |text: &str| error.message.contains(text);
    match error.status_code.as_str() {
        _ if says(LOCK) => Outcome::Retry(reason),
        "FIELD_CUSTOM_VALIDATION_EXCEPTION" if says(STALE) => Outcome::Stale,
        _ if LIMITS.iter().any(|limit| says(limit)) => Outcome::Split(
            reason + ": a trigger or flow exceeds a limit of the transaction; let it do less",
        ),
        // The exception of a trigger or flow fails every record of its transaction.
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" | "CANNOT_EXECUTE_FLOW_TRIGGER" => {
            Outcome::Split(reason + ": a trigger or flow fails")
        }
        LOCK
        | "QUERY_TIMEOUT"
        | "REQUEST_RUNNING_TOO_LONG"
        | "ALL_OR_NONE_OPERATION_ROLLED_BACK" => Outcome::Retry(reason),
        "DUPLICATE_VALUE" if says(key) || names(error, key) => Outcome::RetryOnce(reason),
        "CANNOT_UPDATE_CONVERTED_LEAD"
        | "DUPLICATES_DETECTED"
        | "ENTITY_IS_LOCKED"
        | "ENTITY_IS_DELETED" => Outcome::Park(reason),
        "INVALID_FIELD_FOR_INSERT_UPDATE" => {
            Outcome::Halt(reason + ": let the app's user edit these fields")
        }
        "STORAGE_LIMIT_EXCEEDED" | "LICENSE_LIMIT_EXCEEDED" => {
            Outcome::Halt(reason + ": free or buy room in the organisation")
        }
        _ => Outcome::DeadLetter(reason),
    }
}

fn names(error: &RecordError, key: &str) -> bool {
    error.fields.iter().any(|field| field == key)
}

fn describe(error: &RecordError) -> String {
    let mut reason = format!(
        "Salesforce refused the record: {}",
        identifier(&error.status_code)
    );
    if !error.fields.is_empty() {
        let fields: Vec<&str> = error
            .fields
            .iter()
            .take(10)
            .map(|f| identifier(f))
            .collect();
        reason.push_str(&format!(" ({})", fields.join(", ")));
    }
    reason
}

/// The failure of a request that was not answered 200.
pub(super) fn refused(status: u16, body: &[u8]) -> Failure {
    let codes = codes(body);
    let has = |code: &str| codes.iter().any(|found| found == code);
    let class = match status {
        401 => Class::Auth,
        _ if has("REQUEST_LIMIT_EXCEEDED") => Class::Throttle,
        _ if has(LOCK) || has("QUERY_TIMEOUT") || has("REQUEST_RUNNING_TOO_LONG") => Class::Retry,
        408 | 420 | 429 | 500..=599 => Class::Retry,
        400..=499 => Class::Split(Alone::Suspect),
        _ => Class::Halt,
    };
    let mut reason = format!("Salesforce answered {status}");
    for code in codes.iter().take(5) {
        reason.push(' ');
        reason.push_str(identifier(code));
    }
    reason.push_str(advice(status));
    Failure::new(class, reason)
}

const fn advice(status: u16) -> &'static str {
    match status {
        200..=399 => ": redirects are refused; check SALESFORCE_LOGIN_URL",
        400 => ": check that the fields that are written exist and the user may edit them",
        401 | 403 => ": check the permissions of the connected app's user",
        404 => ": check SALESFORCE_API_VERSION and SALESFORCE_EXTERNAL_ID_FIELD",
        _ => "",
    }
}

/// The failure of a request for a token. Wrong credentials halt: no record is to blame.
pub(super) fn login_refused(status: u16, body: &[u8]) -> Failure {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct OAuthError {
        error: String,
        error_description: String,
    }
    let error: OAuthError = serde_json::from_slice(body).unwrap_or_default();
    let busy = error.error_description == "token request is already being processed";
    let class = match status {
        _ if busy => Class::Retry,
        408 | 420 | 429 | 500..=599 => Class::Retry,
        _ => Class::Halt,
    };
    let code = identifier(&error.error);
    let reason = format!(
        "Salesforce answered {status} {code} to the login: check SALESFORCE_LOGIN_URL (the My Domain URL), SALESFORCE_CLIENT_ID, SALESFORCE_CLIENT_SECRET (or SALESFORCE_JWT_KEY, SALESFORCE_USERNAME and SALESFORCE_JWT_AUDIENCE), and that the app allows the flow and its user"
    );
    Failure::new(class, reason)
}

/// Codes in a body, which may be an array, an object, or HTML.
fn codes(body: &[u8]) -> Vec<String> {
    let code = |value: &Value| Some(value.get("errorCode")?.as_str()?.to_owned());
    match serde_json::from_slice(body) {
        Ok(Value::Array(errors)) => errors.iter().filter_map(code).collect(),
        Ok(error) => code(&error).into_iter().collect(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
