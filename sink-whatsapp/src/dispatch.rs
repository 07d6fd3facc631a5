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

mod claimed;
pub mod contents;
pub mod gate;
mod marketing;
pub mod outcome;
#[cfg(test)]
mod tests;
pub mod unknown;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use leadstream_kafka::Outgoing;
use leadstream_schemas::Timestamp;
use uuid::Uuid;

use crate::health::HealthReport;
use crate::number_state::{NumberState, Pause};
use crate::pacing::{Pairs, PastAttempts, Throughput};
use crate::reply_row::{Attempts, ClaimedReply, ReplyState};
use crate::request::Request;
use crate::send_result::{Class, SendResult};
use crate::time::after;
use contents::{Content, Contents, Stop};
use gate::{Admission, Gate};
use outcome::Limits;
use unknown::UnknownPolicy;

/// The longest pause between two claims: another process may have written replies or statuses.
const POLL: Duration = Duration::from_millis(250);
/// The longest pause while the number sends nothing.
const POLL_WHILE_CLOSED: Duration = Duration::from_secs(1);

/// How long a claim that failed may still be committed: PostgreSQL may carry it out although its answer
/// is lost.
const LOST_CLAIM: Duration = Duration::from_secs(60);
/// How often what such a claim leased is looked for.
const RELEASE: Duration = Duration::from_secs(5);

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
    /// Answers [`Effect::Claim`] after a pause: PostgreSQL is unavailable, and may have leased replies.
    ClaimFailed,
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
    /// Another process reported that the number's health is in doubt.
    Reported,
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
    /// becomes. At most one claim is under way. `held` asks to release first what this process leased,
    /// but for these replies.
    Claim {
        limit: usize,
        held: Option<Vec<Uuid>>,
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
    /// When replies of a failed claim are released next, and until when.
    release: Option<(Timestamp, Timestamp)>,
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
            release: None,
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
            Event::ClaimFailed => {
                self.claiming = false;
                self.claim_at = now;
                self.release = Some((now, after(now, LOST_CLAIM)));
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
            Event::Reported | Event::CredentialChanged => self.gate.check(now),
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
            let held = self.held(now);
            self.effects.push(Effect::Claim { limit, held });
        }
    }

    /// Returns the replies of this process if others that it leased are to be released.
    fn held(&mut self, now: Timestamp) -> Option<Vec<Uuid>> {
        let (at, until) = self.release.filter(|(at, _)| *at <= now)?;
        self.release = (at < until).then(|| (after(now, RELEASE), until));
        Some(self.under_way.keys().copied().collect())
    }

    fn record(&mut self) {
        if !self.recording && !self.outcomes.is_empty() {
            self.recording = true;
            let outcomes = std::mem::take(&mut self.outcomes);
            self.effects.push(Effect::Record(outcomes));
        }
    }
}
