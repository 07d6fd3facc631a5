//! Decides what becomes of a claimed reply: a request goes out, its answer or a late failure counts,
//! or the reply ends without a request.

use leadstream_kafka::dead_letter::{self, Reason};
use leadstream_schemas::{Platform, Reply, ReplyTemplate, Timestamp, codec};
use uuid::Uuid;

use super::contents::{Content, Stop};
use super::gate::Admission;
use super::marketing;
use super::outcome::{self, Answer, Next};
use super::unknown::{self, Resolution};
use super::{Count, Dispatcher, Effect, Outcome};
use crate::number_state::Cause;
use crate::reply_row::{Attempts, ClaimedReply, NO_CODE, ReplyState};
use crate::request::{self, RequestError};
use crate::send_result::{Class, GraphError, SendResult};

impl Dispatcher {
    /// Sends a claimed reply, or decides what becomes of it instead.
    pub(super) fn begin(&mut self, claimed: ClaimedReply, now: Timestamp) {
        if let Some(code) = claimed.late_failure {
            self.fail_late(claimed, code, now);
            return;
        }
        if let Some(state) = claimed.ends_as {
            self.outcomes.push(unsent(&claimed, state, now));
            return;
        }
        if claimed.state == ReplyState::Unknown {
            self.resolve(claimed, now);
            return;
        }
        let request = codec::decode::<Reply>(&claimed.record.value)
            .map_err(|error| (Class::Undecodable, error.to_string()))
            .and_then(|reply| {
                let is_closed = claimed.attempts.window_refusals > outcome::WINDOW_REFUSALS;
                let request = request::build(&reply, is_closed, now).map_err(|error| {
                    let class = match error {
                        RequestError::WindowClosed => Class::WindowClosed,
                        _ => Class::Unsendable,
                    };
                    (class, error.to_string())
                })?;
                let template = request::template(&reply, is_closed, now);
                if let Some(template) = template {
                    marketing::check(template, &reply.recipient, claimed.refuses_marketing)
                        .map_err(|class| (class, format!("template {}", template.name)))?;
                }
                Ok((request, content(&reply, template)))
            });
        let is_late = claimed
            .expires_at
            .is_some_and(|expires_at| expires_at <= now);
        // The flow hears of a closed window, so that comes before the lateness that follows from it.
        let is_closed = matches!(&request, Err((Class::WindowClosed, _)));
        match request {
            _ if is_late && !is_closed => {
                self.effects.push(Effect::Count(Count::Expired));
                self.outcomes
                    .push(unsent(&claimed, ReplyState::Expired, now));
            }
            Ok((request, content)) => {
                if let Err((at, class, code)) = self.admit(&claimed, content, now) {
                    self.outcomes.push(Outcome {
                        due_at: until(at, claimed.expires_at),
                        class: Some(class),
                        code,
                        reason: Some(class.advice().to_owned()),
                        ..unsent(&claimed, claimed.state, now)
                    });
                    return;
                }
                self.pairs.count(&claimed.lead_id, now);
                self.throughput.take(now);
                self.gate.sends();
                self.sending += 1;
                self.effects.push(Effect::Send(claimed.token, request));
                self.under_way.insert(claimed.token, claimed);
            }
            Err((class, problem)) => {
                let outcome = unsent(&claimed, ReplyState::Failed, now);
                self.fail(claimed, outcome, class, &problem);
            }
        }
    }

    /// Checks whether a claimed reply may go now.
    ///
    /// # Errors
    /// Returns until when it waits, and why.
    fn admit(
        &mut self,
        claimed: &ClaimedReply,
        content: Content,
        now: Timestamp,
    ) -> Result<(), (Timestamp, Class, Option<i64>)> {
        // The number may have paused since the claim.
        match self.gate.admission(now) {
            Admission::All => {}
            Admission::Alone if self.sending == 0 => {}
            Admission::NotBefore(at) => return Err((at, Class::ThrottleNumber, None)),
            Admission::Alone | Admission::Paused => {
                let code = self.gate.paused().and_then(|pause| pause.code);
                return Err((now, Class::PauseNumber, code));
            }
        }
        let throttled = |at| (at, Class::ThrottlePair, None);
        self.pairs.check(&claimed.lead_id, now).map_err(throttled)?;
        let stopped = |stop: Stop| (stop.until, stop.class, stop.code);
        self.contents
            .admit(claimed.token, content, now)
            .map_err(stopped)
    }

    /// Decides what becomes of a reply of which neither an answer nor a status came.
    fn resolve(&mut self, claimed: ClaimedReply, now: Timestamp) {
        let policy = self.settings.policy;
        let class = Class::UnknownOutcome;
        let problem = format!(
            "neither an answer nor a status came; policy {}",
            policy.as_str()
        );
        let outcome = |state| Outcome {
            class: Some(class),
            reason: Some(format!("{} ({problem})", class.as_str())),
            ..unsent(&claimed, state, now)
        };
        // Nobody repeats a webhook of WASenderApi, so a missing one proves nothing.
        let is_disproved = claimed.is_disproved && !is_of_session(&claimed);
        match unknown::resolve(policy, claimed.attempts.unknown, is_disproved) {
            Resolution::SendAgain => {
                self.effects.push(Effect::Count(Count::SentAgain(policy)));
                self.outcomes.push(outcome(ReplyState::Waiting));
            }
            Resolution::HandOff => {
                self.effects.push(Effect::Count(Count::HandedOff));
                self.outcomes.push(outcome(ReplyState::HandedOff));
            }
            Resolution::GiveUp => {
                let outcome = outcome(ReplyState::Failed);
                self.fail(claimed, outcome, class, &problem);
            }
        }
    }

    /// Applies a status `failed` of a message that WhatsApp had accepted. It has the classes of an
    /// answer; but the result of an earlier message says nothing about the number, except its fault.
    fn fail_late(&mut self, claimed: ClaimedReply, code: i64, now: Timestamp) {
        let result = SendResult::Refused(GraphError {
            code: (code != NO_CODE).then_some(code),
            ..GraphError::default()
        });
        let reply = codec::decode::<Reply>(&claimed.record.value);
        let content = reply.map_or(Content::Other, |reply| {
            let is_closed = claimed.attempts.window_refusals > outcome::WINDOW_REFUSALS;
            let template = request::template(&reply, is_closed, claimed.claimed_at);
            content(&reply, template)
        });
        let answer = self.answer(&result, &content, &claimed, now);
        let mut attempts = claimed.attempts;
        let next = match answer.class {
            Some(Class::PauseNumber) => {
                let reason = outcome::pause_reason("a message that WhatsApp had accepted failed");
                self.gate.pause(Cause::Refused, result.code(), reason, now);
                Next::Attempt(now)
            }
            Some(Class::ThrottleNumber) => {
                self.throughput.throttle(now);
                self.gate.throttle(None, answer.unit, now);
                Next::Attempt(now)
            }
            _ => {
                let mut gate = self.gate.clone();
                outcome::apply(answer, &mut attempts, &mut gate, self.settings.limits)
            }
        };
        let outcome = Outcome {
            attempts,
            class: answer.class,
            code: result.code(),
            reason: Some(outcome::describe(&result)),
            ..unsent(&claimed, ReplyState::Waiting, now)
        };
        self.settle(claimed, content, outcome, next, now);
    }

    fn answer<'a>(
        &self,
        result: &'a SendResult,
        content: &Content,
        claimed: &ClaimedReply,
        now: Timestamp,
    ) -> Answer<'a> {
        let class = result.class(content.kind());
        Answer {
            result,
            class,
            has_fallback: class == Some(Class::WindowClosed) && has_fallback(claimed),
            unit: (self.settings.draw)(),
            now,
        }
    }

    /// Applies the answer of a request.
    pub(super) fn finish(&mut self, token: Uuid, result: &SendResult, now: Timestamp) {
        let Some(claimed) = self.under_way.remove(&token) else {
            return;
        };
        self.sending -= 1;
        let content = self.contents.finish(&token);
        let answer = self.answer(result, &content, &claimed, now);
        let mut attempts = claimed.attempts;
        if matches!(result, SendResult::Unconfigured(_)) {
            // No request went out.
            attempts.made = attempts.made.saturating_sub(1);
        }
        let next = outcome::apply(answer, &mut attempts, &mut self.gate, self.settings.limits);
        if answer.class == Some(Class::ThrottleNumber) {
            self.throughput.throttle(now);
        }
        if answer.class == Some(Class::UnknownOutcome) {
            self.effects.push(Effect::Count(Count::Unknown));
        }
        let state = match result {
            SendResult::Held(_) => ReplyState::Held,
            _ => ReplyState::Accepted,
        };
        let outcome = Outcome {
            token,
            state,
            due_at: now,
            attempts,
            unknown_since: claimed.unknown_since,
            provider_id: result.provider_id().map(str::to_owned),
            class: answer.class,
            code: result.code(),
            reason: Some(outcome::describe(result)),
        };
        self.settle(claimed, content, outcome, next, now);
    }

    /// Completes the outcome of an attempt: `next` says what becomes of the reply.
    fn settle(
        &mut self,
        claimed: ClaimedReply,
        content: Content,
        mut outcome: Outcome,
        next: Next,
        now: Timestamp,
    ) {
        match next {
            Next::Accepted => {
                self.contents.accepted(&content);
                self.effects.push(Effect::Count(Count::Accepted));
                outcome.reason = None;
                self.outcomes.push(outcome);
            }
            Next::Attempt(at) => self.try_again(outcome, at, claimed.expires_at),
            Next::AttemptOfContent(class) => {
                let at = self.contents.stop(content, class, outcome.code, now);
                self.try_again(outcome, at, claimed.expires_at);
            }
            Next::Unknown(until) => {
                outcome.state = ReplyState::Unknown;
                outcome.due_at = until;
                outcome.unknown_since = Some(now);
                self.outcomes.push(outcome);
            }
            Next::Fail(class) => {
                outcome.state = ReplyState::Failed;
                let problem = outcome.reason.take().unwrap_or_default();
                self.fail(claimed, outcome, class, &problem);
            }
        }
    }

    /// Lets a reply wait for another attempt at `at`.
    fn try_again(&mut self, outcome: Outcome, at: Timestamp, expires_at: Option<Timestamp>) {
        let class = outcome.class;
        let count = class.map(|class| Effect::Count(Count::Retried(class)));
        self.effects.extend(count);
        self.outcomes.push(Outcome {
            state: ReplyState::Waiting,
            due_at: until(at, expires_at),
            ..outcome
        });
    }

    /// Ends a reply as failed. The ledger records a dead letter once Kafka acknowledged it.
    fn fail(&mut self, claimed: ClaimedReply, mut outcome: Outcome, class: Class, problem: &str) {
        outcome.class = Some(class);
        outcome.reason = Some(format!("{} ({problem})", class.as_str()));
        self.effects.push(Effect::Count(Count::Failed(class)));
        if !class.is_dead_letter() {
            self.outcomes.push(outcome);
            return;
        }
        let message = format!("{} ({problem})", class.advice());
        let reason = Reason {
            service: "sink-whatsapp",
            class: class.as_str(),
            message: &message,
            attempts: outcome.attempts.made.max(1),
        };
        let letter = dead_letter::of_record(
            &self.settings.dead_letters,
            &self.settings.topic,
            &claimed.record,
            &reason,
        );
        self.effects.push(Effect::DeadLetter(claimed.token, letter));
        self.given_up.insert(claimed.token, outcome);
        self.under_way.insert(claimed.token, claimed);
    }
}

/// Returns `at`, or the time at which the reply expires if that is earlier.
fn until(at: Timestamp, expires_at: Option<Timestamp>) -> Timestamp {
    expires_at.map_or(at, |end| at.min(end))
}

/// Returns the outcome of a reply of which no request went out.
fn unsent(claimed: &ClaimedReply, state: ReplyState, now: Timestamp) -> Outcome {
    let claims = u32::from(!claimed.is_unresolved());
    Outcome {
        token: claimed.token,
        state,
        due_at: now,
        attempts: Attempts {
            made: claimed.attempts.made.saturating_sub(claims),
            ..claimed.attempts
        },
        unknown_since: claimed.unknown_since,
        provider_id: None,
        class: None,
        code: None,
        reason: None,
    }
}

/// Returns what a reply is made of, as far as WhatsApp can refuse it for everybody.
fn content(reply: &Reply, template: Option<&ReplyTemplate>) -> Content {
    template.map_or_else(|| Content::of(&reply.content), Content::of_template)
}

/// Returns whether the reply goes through a session of WASenderApi.
fn is_of_session(claimed: &ClaimedReply) -> bool {
    let reply = codec::decode::<Reply>(&claimed.record.value);
    reply.is_ok_and(|reply| reply.platform == Platform::Wasender)
}

/// Returns whether a template replaces the reply outside WhatsApp's window.
fn has_fallback(claimed: &ClaimedReply) -> bool {
    let reply = codec::decode::<Reply>(&claimed.record.value);
    reply.is_ok_and(|reply| reply.fallback.is_some())
}
