//! HubSpot's answers, classified. An answer is judged by its body: errors come with 207 as well
//! as with 200.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::crm::{Alone, Class, Failure, Outcome, Verdict, identifier};

/// HubSpot names the daily quota's end elsewhere; until then it is asked now and then.
const DAILY_WAIT: Duration = Duration::from_secs(300);
const DAILY: &str = "DAILY";
const LOCKED_WAIT: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Batch {
    #[serde(default)]
    results: Vec<Contact>,
    #[serde(default)]
    errors: Vec<RecordError>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Contact {
    id: Option<String>,
    #[serde(default)]
    properties: Map<String, Value>,
    object_write_trace_id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RecordError {
    category: String,
    message: String,
    context: Context,
    errors: Vec<Detail>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Context {
    object_write_trace_id: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail {
    code: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Refusal {
    category: String,
    message: String,
    correlation_id: String,
    policy_name: String,
    errors: Vec<Detail>,
}

/// One problem of a value, as HubSpot writes it into its message.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    error: String,
    name: String,
}

/// The verdict on an upsert of `ids`, whose trace ids are their positions.
pub(super) fn classify(
    status: u16,
    body: &[u8],
    retry_after: Option<Duration>,
    ids: &[&str],
    id_property: &str,
) -> Verdict {
    if !(200..300).contains(&status) {
        return Err(refused(status, body, retry_after));
    }
    match serde_json::from_slice(body) {
        Ok(batch) => Ok(outcomes(&batch, ids, id_property)),
        Err(_) => Err(Failure::new(
            Class::Retry,
            format!("HubSpot answered {status} with a body that is not a batch's"),
        )),
    }
}

/// One outcome per id. Results and errors have to add up to the inputs; what is left over has
/// happened in silence, or not at all.
fn outcomes(batch: &Batch, ids: &[&str], id_property: &str) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = vec![None; ids.len()];
    let mut settle = |position: Option<usize>, outcome: Outcome| {
        match position.and_then(|position| outcomes.get_mut(position)) {
            Some(slot @ None) => *slot = Some(outcome),
            // An error beside a result counts: nothing is taken for done in doubt.
            Some(Some(_)) => {}
            None => return false,
        }
        true
    };
    let mut untraced = None;
    for error in &batch.errors {
        let outcome = judge(error);
        if error.context.object_write_trace_id.is_empty() {
            untraced = Some(describe(error));
        }
        for trace in &error.context.object_write_trace_id {
            settle(trace.parse().ok(), outcome.clone());
        }
    }
    let mut unmatched = 0;
    for contact in &batch.results {
        let outcome = Outcome::Done {
            record_id: contact.id.clone(),
        };
        if !settle(position(contact, ids, id_property), outcome) {
            unmatched += 1;
        }
    }
    let open = outcomes.iter().filter(|outcome| outcome.is_none()).count();
    let rest = rest(untraced, unmatched == open, ids.len());
    outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap_or_else(|| rest.clone()))
        .collect()
}

/// What is said of inputs that neither a result nor an error names.
fn rest(untraced: Option<String>, results_add_up: bool, inputs: usize) -> Outcome {
    match untraced {
        None if results_add_up => Outcome::Done { record_id: None },
        None if inputs == 1 => {
            Outcome::Retry("HubSpot answered with neither a result nor an error".into())
        }
        None => Outcome::Split("HubSpot's results and errors are fewer than the inputs".into()),
        Some(reason) if inputs == 1 => Outcome::DeadLetter(reason),
        Some(reason) => Outcome::Split(reason),
    }
}

fn position(contact: &Contact, ids: &[&str], id_property: &str) -> Option<usize> {
    match &contact.object_write_trace_id {
        Some(trace) => trace.parse().ok(),
        None => {
            let id = contact.properties.get(id_property)?.as_str()?;
            ids.iter().position(|candidate| *candidate == id)
        }
    }
}

/// The properties that are written do not depend on the record, so a missing one never is the
/// record's fault.
fn judge(error: &RecordError) -> Outcome {
    let codes: Vec<String> = error
        .errors
        .iter()
        .map(|detail| detail.code.clone())
        .collect();
    if lacks_property(&codes, &problems(&error.message)) {
        Outcome::Halt(format!("{}; create the contact property", describe(error)))
    } else {
        Outcome::DeadLetter(describe(error))
    }
}

fn describe(error: &RecordError) -> String {
    format!(
        "HubSpot refused the record: {}{}",
        identifier(&error.category),
        list(&problems(&error.message))
    )
}

fn refused(status: u16, body: &[u8], retry_after: Option<Duration>) -> Failure {
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    let problems = problems(&refusal.message);
    let codes: Vec<String> = refusal
        .errors
        .iter()
        .map(|error| error.code.clone())
        .collect();
    let class = match status {
        400 | 409 if lacks_property(&codes, &problems) => Class::Halt,
        400 | 409 | 413 => Class::Split(Alone::DeadLetter),
        401 => Class::Auth,
        423 | 429 | 477 => Class::Throttle,
        408 | 500..=599 => Class::Retry,
        _ => Class::Halt,
    };
    let after = match status {
        423 => Some(retry_after.unwrap_or_default().max(LOCKED_WAIT)),
        429 if refusal.policy_name == DAILY => Some(retry_after.unwrap_or(DAILY_WAIT)),
        _ => retry_after,
    };
    let mut reason = format!("HubSpot answered {status}");
    for part in [&refusal.category, &refusal.policy_name] {
        if !part.is_empty() {
            reason.push(' ');
            reason.push_str(identifier(part));
        }
    }
    reason.push_str(&list(&problems));
    reason.push_str(advice(status));
    if is_correlation_id(&refusal.correlation_id) {
        reason.push_str(" (correlation id ");
        reason.push_str(&refusal.correlation_id);
        reason.push(')');
    }
    Failure::new(class, reason).after(after)
}

/// The failure of a request for a token. Wrong credentials halt: no record is to blame.
pub(super) fn login_refused(status: u16, body: &[u8]) -> Failure {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct OAuthError {
        status: String,
        error: String,
    }
    let told: OAuthError = serde_json::from_slice(body).unwrap_or_default();
    let class = match status {
        408 | 423 | 429 | 477 | 500..=599 => Class::Retry,
        _ => Class::Halt,
    };
    let codes = [told.status, told.error];
    let codes: Vec<&str> = codes
        .iter()
        .filter(|code| !code.is_empty())
        .map(|code| identifier(code))
        .collect();
    let reason = format!(
        "HubSpot answered {status} {} to the request for a token: check HUBSPOT_CLIENT_ID, HUBSPOT_CLIENT_SECRET and HUBSPOT_REFRESH_TOKEN, and that the app is installed in the portal",
        codes.join(" ")
    );
    Failure::new(class, reason)
}

/// Whether a 429 speaks of the daily pool.
pub(super) fn is_daily(body: &[u8]) -> bool {
    serde_json::from_slice::<Refusal>(body).is_ok_and(|refusal| refusal.policy_name == DAILY)
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

/// `8a3f6c3a-8296-4002-b0a6-2a06fecf7c0c`: what HubSpot's support asks for.
fn is_correlation_id(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok()
}

fn lacks_property(codes: &[String], problems: &[Problem]) -> bool {
    const CODE: &str = "PROPERTY_DOESNT_EXIST";
    codes.iter().any(|code| code == CODE) || problems.iter().any(|problem| problem.error == CODE)
}

/// The problems that a message of the form `Property values were not valid: [{…}]` holds.
fn problems(message: &str) -> Vec<Problem> {
    message
        .find('[')
        .and_then(|start| serde_json::from_str(&message[start..]).ok())
        .unwrap_or_default()
}

fn list(problems: &[Problem]) -> String {
    if problems.is_empty() {
        return String::new();
    }
    let problems: Vec<String> = problems
        .iter()
        .take(5)
        .map(|problem| {
            format!(
                "{} {}",
                identifier(&problem.error),
                identifier(&problem.name)
            )
        })
        .collect();
    format!(" ({})", problems.join(", "))
}

#[cfg(test)]
mod tests;
