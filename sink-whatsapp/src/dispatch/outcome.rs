//! Decides what an answer means for its reply and its number.

use std::time::Duration;

use leadstream_schemas::Timestamp;
use leadstream_service::RetryPolicy;

use super::{Count, Dispatcher, Effect, live};
use crate::partition::Tries;
use crate::send_result::{GiveUpReason, GraphError, Reaction, SendResult};
use crate::ticket::Ticket;
use crate::time::after;

const RETRY: RetryPolicy = RetryPolicy::new(Duration::from_secs(1), Duration::from_secs(60));
/// Failures after which a reply is given up, provided that other replies were accepted meanwhile.
/// Without those, the reply itself may not be at fault.
const FAILURES: u32 = 12;
/// Unknown outcomes after which a reply is given up: each attempt may have reached its person.
const UNKNOWN_OUTCOMES: u32 = 2;
/// The pause between the two attempts. A person who has the message answers meanwhile, and then
/// gets the next prompt instead of a duplicate.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(30);
/// Meta's rule is 4ⁿ seconds, from n = 0: 341 s in all.
const RECIPIENT_THROTTLES: u32 = 5;

/// The reaction for one reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextAttempt {
    After(Duration),
    GiveUp(GiveUpReason),
}

/// Records a failed attempt. `accepted` is the number of messages accepted so far, `unit` is drawn
/// uniformly from 0..1.
pub(super) fn failed(tries: &mut Tries, accepted: u64, unit: f64) -> NextAttempt {
    if tries.failed == 0 {
        tries.accepted_before = accepted;
    }
    tries.failed += 1;
    if tries.failed >= FAILURES && accepted > tries.accepted_before {
        return NextAttempt::GiveUp(GiveUpReason::Exhausted);
    }
    NextAttempt::After(RETRY.delay(tries.failed, unit))
}

pub(super) const fn unknown(tries: &mut Tries) -> NextAttempt {
    tries.unknown += 1;
    if tries.unknown >= UNKNOWN_OUTCOMES {
        return NextAttempt::GiveUp(GiveUpReason::UnknownOutcome);
    }
    NextAttempt::After(UNKNOWN_PAUSE)
}

pub(super) fn recipient_throttled(tries: &mut Tries) -> NextAttempt {
    let n = tries.recipient_throttled;
    tries.recipient_throttled += 1;
    if n >= RECIPIENT_THROTTLES {
        return NextAttempt::GiveUp(GiveUpReason::Exhausted);
    }
    NextAttempt::After(Duration::from_secs(4_u64.pow(n)))
}

/// Records that the window was called closed. That may be a mistake, so the first such answer is
/// not believed.
pub(super) const fn window_closed(tries: &mut Tries) -> NextAttempt {
    if tries.window_closed {
        return NextAttempt::GiveUp(GiveUpReason::WindowClosed);
    }
    tries.window_closed = true;
    NextAttempt::After(Duration::from_secs(1))
}

impl Dispatcher {
    pub(super) fn on_send_result(&mut self, ticket: Ticket, result: &SendResult, now: Timestamp) {
        self.sending -= 1;
        let reaction = result.reaction();
        if reaction == Reaction::Unknown {
            self.effects.push(Effect::Count(Count::Unknown));
        }
        if reaction == Reaction::Accepted {
            self.accepted += 1;
            self.effects.push(Effect::Count(Count::Accepted));
        }
        let draw = self.settings.draw;
        let accepted = self.accepted;
        let Some(state) = live(&mut self.partitions, ticket) else {
            return;
        };
        state.in_flight -= 1;
        let Some(entry) = state.window.open_mut(ticket.offset) else {
            return;
        };
        entry.busy = false;
        let Some(number) = entry.reply.as_ref().map(|reply| reply.number.clone()) else {
            return;
        };
        let tries = &mut entry.tries;
        if result.is_from_graph_api() {
            let parked = self.gates.answered(&number, now);
            self.schedule
                .extend(parked.into_iter().map(|ticket| (now, ticket)));
        }
        match reaction {
            Reaction::Accepted => {
                state.window.finish(ticket.offset);
                let parked = self.gates.accepted(&number, now);
                self.resume(parked, now);
            }
            Reaction::Retry => {
                let next = failed(tries, accepted, draw());
                self.schedule_next(ticket, next, result, now);
            }
            Reaction::Unknown => {
                let next = unknown(tries);
                state.record_unknown(ticket.offset);
                self.gates.unknown(&number, now);
                self.schedule_next(ticket, next, result, now);
            }
            Reaction::RecipientThrottled => {
                let next = recipient_throttled(tries);
                self.works(&number, now);
                self.schedule_next(ticket, next, result, now);
            }
            Reaction::WindowClosed => {
                let next = window_closed(tries);
                self.works(&number, now);
                self.schedule_next(ticket, next, result, now);
            }
            Reaction::NumberThrottled => {
                let retry_after = graph_error(result).and_then(|error| error.retry_after);
                self.gates.throttle(&number, retry_after, draw(), now);
                self.schedule_next(ticket, NextAttempt::After(Duration::ZERO), result, now);
            }
            Reaction::NumberStopped => {
                let reason = format!(
                    "{}; check META_ACCESS_TOKEN (a new one needs a restart), its permissions and the account in WhatsApp Manager",
                    describe(result)
                );
                self.gates.stop(&number, reason, now);
                self.schedule_next(ticket, NextAttempt::After(Duration::ZERO), result, now);
            }
            Reaction::GiveUp(GiveUpReason::Refused)
                if !self.gates.refused(&number, self.settings.poison) =>
            {
                let reason = format!(
                    "more than {} messages in a row were refused as wrong, the last with {}",
                    self.settings.poison.run,
                    describe(result)
                );
                self.gates.stop(&number, reason, now);
                self.schedule_next(ticket, NextAttempt::After(Duration::ZERO), result, now);
            }
            Reaction::GiveUp(reason) => {
                self.works(&number, now);
                self.schedule_next(ticket, NextAttempt::GiveUp(reason), result, now);
            }
        }
    }

    fn schedule_next(
        &mut self,
        ticket: Ticket,
        next: NextAttempt,
        result: &SendResult,
        now: Timestamp,
    ) {
        match next {
            NextAttempt::After(_) if self.is_replaced(ticket) => {
                self.effects.push(Effect::Count(Count::Replaced));
                if let Some(state) = live(&mut self.partitions, ticket) {
                    state.window.finish(ticket.offset);
                }
            }
            NextAttempt::After(pause) => {
                self.effects.push(Effect::Count(Count::Retried));
                self.schedule(ticket, after(now, pause));
            }
            NextAttempt::GiveUp(reason) => {
                let problem = format!("{} ({})", reason.advice(), describe(result));
                self.give_up(ticket, reason, &problem);
            }
        }
    }

    fn is_replaced(&mut self, ticket: Ticket) -> bool {
        live(&mut self.partitions, ticket)
            .and_then(|state| state.window.open_mut(ticket.offset))
            .is_some_and(|entry| entry.replaced)
    }

    fn works(&mut self, number: &str, now: Timestamp) {
        let parked = self.gates.works(number, now);
        self.resume(parked, now);
    }

    fn resume(&mut self, parked: Vec<Ticket>, now: Timestamp) {
        self.schedule
            .extend(parked.into_iter().map(|ticket| (now, ticket)));
    }
}

const fn graph_error(result: &SendResult) -> Option<&GraphError> {
    match result {
        SendResult::Refused(error) => Some(error),
        SendResult::Accepted | SendResult::Unreachable | SendResult::Unknown => None,
    }
}

/// Describes the answer in words that hold nothing of the message.
fn describe(result: &SendResult) -> String {
    match result {
        SendResult::Accepted => "accepted".to_owned(),
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
