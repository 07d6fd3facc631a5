//! Decides what an answer means for its reply and its number. Pure.

use std::time::Duration;

use leadstream_kafka::dead_letter::PoisonLimit;
use leadstream_schemas::Timestamp;
use leadstream_service::RetryPolicy;

use super::gate::Gate;
use crate::reply_row::Attempts;
use crate::send_result::{GiveUpReason, GraphError, Reaction, SendResult};
use crate::time::after;

const RETRY: RetryPolicy = RetryPolicy::new(Duration::from_secs(1), Duration::from_secs(60));
/// Failures after which a reply is given up, provided that other replies of the number were accepted
/// meanwhile. Without those, the reply itself may not be at fault.
const FAILURES: u32 = 12;
/// Unknown outcomes after which a reply is given up: each attempt may have reached its person.
const UNKNOWN_OUTCOMES: u32 = 2;
/// The pause between the two attempts. A person who has the message answers meanwhile, and then
/// gets the next prompt instead of a duplicate.
pub const UNKNOWN_PAUSE: Duration = Duration::from_secs(30);
/// Meta's rule is 4ⁿ seconds, from n = 0: 341 s in all.
const RECIPIENT_THROTTLES: u32 = 5;

/// The limits of a number.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most requests in flight at once.
    pub concurrency: usize,
    pub poison: PoisonLimit,
}

/// What becomes of a reply after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    Accepted,
    /// Another attempt at this time.
    Attempt(Timestamp),
    /// WhatsApp may have accepted it. The wait for proof ends at this time.
    Unknown(Timestamp),
    GiveUp(GiveUpReason),
}

/// Returns what becomes of a reply whose wait for proof ended.
#[must_use]
pub const fn after_unknown(attempts: &Attempts) -> Option<GiveUpReason> {
    if attempts.unknown >= UNKNOWN_OUTCOMES {
        return Some(GiveUpReason::UnknownOutcome);
    }
    None
}

/// Applies an answer to the reply's attempts and to its number. `unit` is drawn uniformly from 0..1.
pub fn apply(
    result: &SendResult,
    attempts: &mut Attempts,
    gate: &mut Gate,
    limits: Limits,
    unit: f64,
    now: Timestamp,
) -> Next {
    if result.is_from_graph_api() {
        gate.answered(now);
    }
    match result.reaction() {
        Reaction::Accepted => {
            gate.accepted(now);
            Next::Accepted
        }
        Reaction::Retry => failed(attempts, gate, unit, now),
        Reaction::Unknown => {
            attempts.unknown += 1;
            gate.unknown(limits.concurrency, now);
            after_unknown(attempts).map_or(Next::Unknown(after(now, UNKNOWN_PAUSE)), Next::GiveUp)
        }
        Reaction::RecipientThrottled => {
            gate.works(now);
            let n = attempts.recipient_throttles;
            attempts.recipient_throttles += 1;
            if n >= RECIPIENT_THROTTLES {
                return Next::GiveUp(GiveUpReason::Exhausted);
            }
            Next::Attempt(after(now, Duration::from_secs(4_u64.pow(n))))
        }
        Reaction::WindowClosed => {
            gate.works(now);
            attempts.window_refusals += 1;
            // The first such answer may be a mistake.
            if attempts.window_refusals > 1 {
                return Next::GiveUp(GiveUpReason::WindowClosed);
            }
            Next::Attempt(after(now, Duration::from_secs(1)))
        }
        Reaction::NumberThrottled => {
            let retry_after = graph_error(result).and_then(|error| error.retry_after);
            gate.throttle(retry_after, unit, now);
            Next::Attempt(now)
        }
        Reaction::NumberStopped => {
            let reason = format!(
                "{}; check META_ACCESS_TOKEN (a new one needs a restart), its permissions and the account in WhatsApp Manager",
                describe(result)
            );
            gate.stop(reason, now);
            Next::Attempt(now)
        }
        Reaction::GiveUp(GiveUpReason::Refused) if !gate.refused(limits.poison) => {
            let reason = format!(
                "more than {} messages in a row were refused as wrong, the last with {}",
                limits.poison.run,
                describe(result)
            );
            gate.stop(reason, now);
            Next::Attempt(now)
        }
        Reaction::GiveUp(reason) => {
            gate.works(now);
            Next::GiveUp(reason)
        }
    }
}

fn failed(attempts: &mut Attempts, gate: &Gate, unit: f64, now: Timestamp) -> Next {
    let since = *attempts.failed_since.get_or_insert(now);
    attempts.failures += 1;
    if attempts.failures >= FAILURES && gate.accepted_since(since) {
        return Next::GiveUp(GiveUpReason::Exhausted);
    }
    Next::Attempt(after(now, RETRY.delay(attempts.failures, unit)))
}

/// Returns the code of the Graph API's error.
#[must_use]
pub const fn code(result: &SendResult) -> Option<i64> {
    match graph_error(result) {
        Some(error) => error.code,
        None => None,
    }
}

const fn graph_error(result: &SendResult) -> Option<&GraphError> {
    match result {
        SendResult::Refused(error) => Some(error),
        SendResult::Accepted(_) | SendResult::Unreachable | SendResult::Unknown => None,
    }
}

/// Describes the answer in words that hold nothing of the message.
#[must_use]
pub fn describe(result: &SendResult) -> String {
    match result {
        SendResult::Accepted(_) => "accepted".to_owned(),
        SendResult::Unreachable => "the Graph API cannot be reached".to_owned(),
        SendResult::Unknown => "no answer came".to_owned(),
        SendResult::Refused(error) => match (error.code, error.subcode) {
            (Some(code), Some(subcode)) => {
                format!("HTTP {}, error {code}/{subcode}", error.status)
            }
            (Some(code), None) => format!("HTTP {}, error {code}", error.status),
            (None, _) => format!(
                "HTTP {} without an error of the Graph API; check META_GRAPH_URL",
                error.status
            ),
        },
    }
}
