//! Decides what an answer means for its reply and its number. Pure.

use std::time::Duration;

use leadstream_kafka::dead_letter::PoisonLimit;
use leadstream_schemas::{Platform, Timestamp};
use leadstream_service::RetryPolicy;

use super::gate::Gate;
use crate::number_state::Cause;
use crate::reply_row::Attempts;
use crate::send_result::{Class, SendResult};
use crate::time::after;

const RETRY: RetryPolicy = RetryPolicy::new(Duration::from_secs(1), Duration::from_secs(60));
/// Failures after which a reply is given up, provided that other replies of the number were accepted
/// meanwhile. Without those, the reply itself may not be at fault.
const FAILURES: u32 = 12;
/// The longest of the waits of 4ⁿ seconds that Meta asks for.
const LONGEST_PAIR_WAIT: Duration = Duration::from_secs(3600);

/// Refusals for a closed window that may be WhatsApp's mistake.
pub const WINDOW_REFUSALS: u32 = 1;

/// The limits of a number.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most requests in flight at once.
    pub concurrency: usize,
    pub poison: PoisonLimit,
    /// Messages per second; absent: a share of what the provider allows.
    pub throughput: Option<u32>,
    /// How long a status may still prove an unknown outcome.
    pub resolve_timeout: Duration,
}

/// What is known of an attempt when its answer came.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    pub result: &'a SendResult,
    /// The class of a failure.
    pub class: Option<Class>,
    /// True if a template replaces the reply outside WhatsApp's window.
    pub has_fallback: bool,
    /// Drawn uniformly from 0..1, for the jitter of retries.
    pub unit: f64,
    pub now: Timestamp,
}

/// What becomes of a reply after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Accepted,
    /// Another attempt at this time.
    Attempt(Timestamp),
    /// Another attempt when its template or form works.
    AttemptOfContent(Class),
    /// WhatsApp may have accepted it. The wait for proof ends at this time.
    Unknown(Timestamp),
    Fail(Class),
}

/// Applies an answer to the reply's attempts and to its number.
pub fn apply(answer: Answer<'_>, attempts: &mut Attempts, gate: &mut Gate, limits: Limits) -> Next {
    let Answer { result, now, .. } = answer;
    if result.is_from_provider() {
        gate.answered(now);
    }
    let Some(class) = answer.class else {
        gate.accepted(now);
        if let Some(wait) = result.pause() {
            gate.hold(wait, now);
        }
        return Next::Accepted;
    };
    match class {
        Class::Retry => failed(answer, attempts, gate),
        Class::UnknownOutcome => {
            attempts.unknown += 1;
            gate.unknown(limits.concurrency, now);
            Next::Unknown(after(now, limits.resolve_timeout))
        }
        Class::ThrottleNumber => {
            gate.throttle(result.pause(), answer.unit, now);
            Next::Attempt(now)
        }
        Class::PauseNumber => {
            let reason = format!("{}; {}", describe(result), remedy(result));
            gate.pause(Cause::Refused, result.code(), reason, now);
            Next::Attempt(now)
        }
        Class::UnknownCode if !gate.unknown_code() => {
            let reason = format!(
                "several messages in a row were refused with a code that this version does not know, the last with {}",
                describe(result)
            );
            gate.pause(Cause::Refused, result.code(), reason, now);
            Next::Attempt(now)
        }
        Class::Refused if !gate.refused(limits.poison) => {
            let reason = format!(
                "more than {} messages in a row were refused as wrong, the last with {}",
                limits.poison.run,
                describe(result)
            );
            gate.pause(Cause::Refused, result.code(), reason, now);
            Next::Attempt(now)
        }
        Class::UnknownCode => Next::Fail(class),
        _ => {
            gate.works(now);
            apply_to_reply(class, answer, attempts)
        }
    }
}

/// Applies an answer that concerns the reply alone.
fn apply_to_reply(class: Class, answer: Answer<'_>, attempts: &mut Attempts) -> Next {
    let now = answer.now;
    match class {
        Class::ThrottlePair => {
            // Meta's rule is 4ⁿ seconds, from n = 0.
            let wait = Duration::from_secs(4_u64.saturating_pow(attempts.recipient_throttles));
            attempts.recipient_throttles += 1;
            Next::Attempt(after(now, wait.min(LONGEST_PAIR_WAIT)))
        }
        Class::WindowClosed => {
            attempts.window_refusals += 1;
            // The first such answer may be a mistake. Then the template goes out, which the window does
            // not concern.
            let most = WINDOW_REFUSALS + u32::from(answer.has_fallback);
            if attempts.window_refusals > most {
                return Next::Fail(class);
            }
            Next::Attempt(after(now, Duration::from_secs(1)))
        }
        Class::StopTemplate | Class::StopForm => Next::AttemptOfContent(class),
        _ => Next::Fail(class),
    }
}

fn failed(answer: Answer<'_>, attempts: &mut Attempts, gate: &Gate) -> Next {
    let since = *attempts.failed_since.get_or_insert(answer.now);
    attempts.failures += 1;
    if attempts.failures >= FAILURES && gate.accepted_since(since) {
        return Next::Fail(Class::Exhausted);
    }
    let wait = RETRY.delay(attempts.failures, answer.unit);
    Next::Attempt(after(answer.now, wait))
}

/// What an operator does about a number that Meta refuses.
const CHECK_TOKEN: &str = "check the number's token, its permissions and the account in WhatsApp Manager; a new token in the file of META_ACCESS_TOKEN_FILE or META_ACCESS_TOKENS_FILE is read within seconds";

/// Returns what an operator does about a number that its provider refuses.
const fn remedy(result: &SendResult) -> &'static str {
    match result {
        SendResult::Unconfigured(Platform::WhatsappCloud) => {
            "add its token to META_ACCESS_TOKENS, or set META_ACCESS_TOKEN"
        }
        SendResult::Unconfigured(Platform::Wasender) => {
            "add the session's key to WASENDER_API_KEY, under the name that ingest gives it"
        }
        SendResult::Session(_) => {
            "check the session and its key at WASenderApi; a new key in the file of WASENDER_API_KEY_FILE is read within seconds"
        }
        _ => CHECK_TOKEN,
    }
}

/// Returns why a number is paused, with the remedy.
#[must_use]
pub fn pause_reason(problem: &str) -> String {
    format!("{problem}; {CHECK_TOKEN}")
}

/// Describes the answer in words that hold nothing of the message.
#[must_use]
pub fn describe(result: &SendResult) -> String {
    let error = match result {
        SendResult::Accepted(_) | SendResult::Held(_) => return "accepted".to_owned(),
        SendResult::Unreachable => return "the provider cannot be reached".to_owned(),
        SendResult::Unknown => return "no answer came".to_owned(),
        SendResult::Unconfigured(Platform::WhatsappCloud) => {
            return "no access token of the number is configured".to_owned();
        }
        SendResult::Unconfigured(Platform::Wasender) => {
            return "no API key of the session is configured".to_owned();
        }
        SendResult::Session(answer) => return answer.describe(),
        SendResult::Refused(error) => error,
    };
    let status = error.status.map(|status| format!("HTTP {status}"));
    let status = status.unwrap_or_else(|| "a status of the message".to_owned());
    match (error.code, error.subcode) {
        (Some(code), Some(subcode)) => format!("{status}, error {code}/{subcode}"),
        (Some(code), None) => format!("{status}, error {code}"),
        (None, _) if error.status.is_none() => format!("{status} without a code"),
        (None, _) => {
            format!("{status} without an error of the Graph API; check META_GRAPH_URL")
        }
    }
}
