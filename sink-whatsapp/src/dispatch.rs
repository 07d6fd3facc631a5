//! Decides which replies of one business number are sent, and when. Pure: events and the time come
//! in, effects go out, and the sender carries them out.
//!
//! A reply is claimed in the ledger before its request goes out. A failure of one reply delays that
//! reply only; a failure of the number delays the number ([`gate`]), and a failure of a template or form
//! what is made of it ([`contents`]).

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod contents;
pub mod gate;
pub mod outcome;
#[cfg(test)]
mod tests;
pub mod unknown;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use leadstream_kafka::Outgoing;
use leadstream_kafka::dead_letter::{self, Reason};
use leadstream_schemas::{Reply, Timestamp, codec};
use uuid::Uuid;

use crate::health::HealthReport;
use crate::number_state::{Cause, NumberState, Pause, Report};
use crate::pacing::{Pairs, PastAttempts, Throughput};
use crate::reply_row::{Attempts, ClaimedReply, NO_CODE, ReplyState};
use crate::request::{self, Request, RequestError};
use crate::send_result::{Class, GraphError, SendResult};
use crate::time::after;
use contents::{Content, Contents, Stop};
use gate::{Admission, Gate};
use outcome::{Answer, Limits, Next};
use unknown::{Resolution, UnknownPolicy};

/// The longest pause between two claims: another process may have written replies or statuses.
const POLL: Duration = Duration::from_millis(250);
/// The longest pause while the number sends nothing.
const POLL_WHILE_CLOSED: Duration = Duration::from_secs(1);

/// Settings that do not change while the service runs.
#[derive(Clone, Debug)]
pub struct Settings {
    pub topic: Arc<str>,
    pub dead_letters: Arc<str>,
    pub limits: Limits,
    /// Ends the wait of replies whose outcome is unknown.
    pub policy: UnknownPolicy,
    /// Draws uniformly from 0..1, for the jitter of retries.
    pub draw: fn() -> f64,
}

/// What the former owner of a number left.
#[derive(Debug, Default)]
pub struct Inherited {
    pub number_state: NumberState,
    /// The attempts of the last [`PAIR_WINDOW`](crate::pacing::PAIR_WINDOW).
    pub attempts: Vec<PastAttempts>,
}

/// An event that the dispatcher handles.
#[derive(Debug)]
pub enum Event {
    /// Replies were written to the ledger, or may have been.
    Written,
    /// Answers [`Effect::Claim`], with the time at which the next reply is due.
    Claimed(Vec<ClaimedReply>, Option<Timestamp>),
    /// Answers [`Effect::Send`].
    SendFinished(Uuid, SendResult),
    /// Answers [`Effect::DeadLetter`]: Kafka acknowledged it.
    DeadLettered(Uuid),
    /// Answers [`Effect::Record`].
    Recorded,
    /// Answers [`Effect::CheckHealth`].
    HealthChecked(HealthReport),
    /// Answers [`Effect::Store`].
    Stored,
    /// Another process found something out about the number.
    Reported(Report),
    /// The number has another credential.
    CredentialChanged,
    /// The time that [`Dispatcher::next`] returned has come.
    Tick,
    /// Nothing more is claimed. The dispatcher [`is_done`](Dispatcher::is_done) after the last
    /// outcome.
    Stop,
}

/// An action that the sender carries out.
#[derive(Debug)]
pub enum Effect {
    /// Claim up to so many replies to send, and those of which it is decided without a request what
    /// becomes. At most one claim is under way.
    Claim {
        limit: usize,
    },
    Send(Uuid, Request),
    DeadLetter(Uuid, Outgoing),
    /// Write outcomes to the ledger. At most one such write is under way.
    Record(Vec<Outcome>),
    /// Ask the provider whether the number can send. At most one such call is under way.
    CheckHealth,
    /// Store the state of the number. At most one such write is under way.
    Store(NumberState),
    Count(Count),
}

/// What the ledger records of a reply after an attempt, or instead of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub token: Uuid,
    pub state: ReplyState,
    pub due_at: Timestamp,
    pub attempts: Attempts,
    pub unknown_since: Option<Timestamp>,
    pub provider_id: Option<String>,
    /// The class of the last failure.
    pub class: Option<Class>,
    pub code: Option<i64>,
    pub reason: Option<String>,
}

/// The outcome of a reply, or of an attempt to send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Accepted,
    /// It is too late.
    Expired,
    /// It failed, and is not tried again.
    Failed(Class),
    /// A person decides, because the outcome stayed unknown.
    HandedOff,
    /// The outcome stayed unknown, and the reply is sent once more by this policy.
    SentAgain(UnknownPolicy),
    /// An attempt that failed and is made again.
    Retried(Class),
    /// An attempt with an unknown outcome: the person may get the message twice.
    Unknown,
}

/// The state of one number's replies.
#[derive(Debug)]
pub struct Dispatcher {
    settings: Settings,
    gate: Gate,
    contents: Contents,
    pairs: Pairs,
    throughput: Throughput,
    /// The replies with a request or a dead letter under way.
    under_way: HashMap<Uuid, ClaimedReply>,
    /// The number of requests in flight.
    sending: usize,
    /// Outcomes that are not yet being written.
    outcomes: Vec<Outcome>,
    /// Outcomes of replies that wait for the acknowledgement of their dead letter.
    given_up: HashMap<Uuid, Outcome>,
    claiming: bool,
    recording: bool,
    checking: bool,
    storing: bool,
    stopping: bool,
    /// The time of the last event.
    now: Timestamp,
    /// The time of the next claim.
    claim_at: Timestamp,
    effects: Vec<Effect>,
}

impl Dispatcher {
    #[must_use]
    pub fn new(settings: Settings, inherited: Inherited, now: Timestamp) -> Self {
        Self {
            gate: Gate::new(inherited.number_state, now),
            contents: Contents::default(),
            pairs: Pairs::new(inherited.attempts, now),
            throughput: Throughput::new(settings.limits.throughput),
            settings,
            under_way: HashMap::new(),
            sending: 0,
            outcomes: Vec::new(),
            given_up: HashMap::new(),
            claiming: false,
            recording: false,
            checking: false,
            storing: false,
            stopping: false,
            now,
            claim_at: Timestamp::default(),
            effects: Vec::new(),
        }
    }

    /// Handles `event` and returns the effects to carry out.
    pub fn handle(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        self.now = now;
        match event {
            Event::Written => self.claim_at = now,
            Event::Claimed(replies, next_due) => {
                self.claiming = false;
                // After a full claim there may be more.
                self.claim_at = if replies.is_empty() {
                    let poll = match self.gate.admission(now) {
                        Admission::NotBefore(until) => after(now, POLL_WHILE_CLOSED).min(until),
                        Admission::Paused => after(now, POLL_WHILE_CLOSED),
                        Admission::All | Admission::Alone => after(now, POLL),
                    };
                    next_due.map_or(poll, |due| due.max(now).min(poll))
                } else {
                    now
                };
                for reply in replies {
                    self.begin(reply, now);
                }
            }
            Event::SendFinished(token, result) => self.finish(token, &result, now),
            Event::DeadLettered(token) => {
                self.under_way.remove(&token);
                self.outcomes.extend(self.given_up.remove(&token));
            }
            Event::Recorded => {
                self.recording = false;
                // The lead's next reply may go now.
                self.claim_at = now;
            }
            Event::HealthChecked(report) => {
                self.checking = false;
                if let Some(throughput) = report.throughput {
                    self.throughput.allow(throughput);
                }
                self.gate.checked(&report.health, now);
                self.claim_at = self.claim_at.min(now);
            }
            Event::Stored => self.storing = false,
            Event::Reported(report) => self.reported(report, now),
            Event::CredentialChanged => self.gate.check(now),
            Event::Tick => {}
            Event::Stop => self.stopping = true,
        }
        self.record();
        self.check(now);
        self.store();
        self.claim(now);
        std::mem::take(&mut self.effects)
    }

    /// Returns the next time at which there is something to do without an event.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        if self.stopping {
            return None;
        }
        let check_at = (!self.checking).then(|| self.gate.check_at());
        check_at.into_iter().chain(self.next_claim()).min()
    }

    fn next_claim(&self) -> Option<Timestamp> {
        if self.claiming || self.recording {
            return None;
        }
        let at = self.claim_at.max(self.now);
        // Otherwise the answer of a request comes first.
        let is_free = self.slots() > 0;
        match self.gate.admission(at) {
            Admission::All => is_free.then(|| at.max(self.throughput.next(at))),
            Admission::Alone => (is_free && self.sending == 0).then_some(at),
            // Then it is decided without a request what becomes of some replies.
            Admission::NotBefore(_) | Admission::Paused => Some(at),
        }
    }

    /// Sets the most requests in flight at once.
    pub const fn limit(&mut self, concurrency: usize) {
        self.settings.limits.concurrency = concurrency;
    }

    /// Returns why the number is paused.
    #[must_use]
    pub const fn paused(&self) -> Option<&Pause> {
        self.gate.paused()
    }

    /// Returns the templates and forms that are stopped.
    #[must_use]
    pub const fn stopped_contents(&self) -> &BTreeMap<Content, Stop> {
        self.contents.stopped()
    }

    /// Returns the number of requests in flight.
    #[must_use]
    pub const fn sending(&self) -> usize {
        self.sending
    }

    /// Returns whether nothing is under way after [`Event::Stop`].
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.stopping
            && !self.claiming
            && !self.recording
            && !self.storing
            && self.under_way.is_empty()
            && self.outcomes.is_empty()
    }

    /// Returns how many requests may start, as far as their number is concerned.
    fn slots(&self) -> usize {
        let in_flight = self.sending + self.gate.unanswered();
        self.settings.limits.concurrency.saturating_sub(in_flight)
    }

    /// Returns how many replies may be claimed.
    fn free(&self, now: Timestamp) -> usize {
        match self.gate.admission(now) {
            Admission::All => self.slots().min(self.throughput.available(now)),
            Admission::Alone if self.sending == 0 => 1,
            Admission::Alone | Admission::NotBefore(_) | Admission::Paused => 0,
        }
    }

    /// Asks for the number's health when it is time.
    fn check(&mut self, now: Timestamp) {
        if !self.stopping && !self.checking && self.gate.check_at() <= now {
            self.checking = true;
            self.gate.checks(now);
            self.effects.push(Effect::CheckHealth);
        }
    }

    fn store(&mut self) {
        if !self.storing
            && let Some(number_state) = self.gate.take_change()
        {
            self.storing = true;
            self.effects.push(Effect::Store(number_state));
        }
    }

    /// Applies what another process found out: a status that came later, or a notice.
    fn reported(&mut self, report: Report, now: Timestamp) {
        match report.class {
            Some(Class::PauseNumber) => {
                let reason = outcome::pause_reason("a message that WhatsApp had accepted failed");
                self.gate.pause(Cause::Refused, report.code, reason, now);
            }
            Some(Class::ThrottleNumber) => {
                self.throughput.throttle(now);
                self.gate.throttle(None, (self.settings.draw)(), now);
            }
            _ => self.gate.check(now),
        }
    }

    fn claim(&mut self, now: Timestamp) {
        // A claim waits for the outcomes before it: they may free the leads' next replies.
        if self.stopping || self.claiming || self.recording || self.claim_at > now {
            return;
        }
        let limit = self.free(now);
        let is_closed = matches!(
            self.gate.admission(now),
            Admission::NotBefore(_) | Admission::Paused
        );
        if limit > 0 || is_closed {
            self.claiming = true;
            self.effects.push(Effect::Claim { limit });
        }
    }

    fn record(&mut self) {
        if !self.recording && !self.outcomes.is_empty() {
            self.recording = true;
            let outcomes = std::mem::take(&mut self.outcomes);
            self.effects.push(Effect::Record(outcomes));
        }
    }

    /// Sends a claimed reply, or decides what becomes of it instead.
    fn begin(&mut self, claimed: ClaimedReply, now: Timestamp) {
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
                let content = match &reply.fallback {
                    Some(fallback) if request.is_template() => Content::of_template(fallback),
                    _ => Content::of(&reply.content),
                };
                Ok((request, content))
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
        match unknown::resolve(policy, claimed.attempts.unknown, claimed.is_disproved) {
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
        let content = reply.map_or(Content::Other, |reply| Content::of(&reply.content));
        let answer = self.answer(&result, &content, &claimed, now);
        let mut attempts = claimed.attempts;
        let next = match answer.class {
            Some(class @ (Class::PauseNumber | Class::ThrottleNumber)) => {
                self.reported(
                    Report {
                        at: now,
                        class: Some(class),
                        code: result.code(),
                    },
                    now,
                );
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
            expires_at: claimed.expires_at,
            unit: (self.settings.draw)(),
            now,
        }
    }

    /// Applies the answer of a request.
    fn finish(&mut self, token: Uuid, result: &SendResult, now: Timestamp) {
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

/// Returns whether a template replaces the reply outside WhatsApp's window.
fn has_fallback(claimed: &ClaimedReply) -> bool {
    let reply = codec::decode::<Reply>(&claimed.record.value);
    reply.is_ok_and(|reply| reply.fallback.is_some())
}
