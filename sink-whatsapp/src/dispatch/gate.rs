//! Decides whether a business number may send now. Pure.
//!
//! A throttled number waits. A paused number sends nothing: calls for its health, which reach no
//! person, find out whether it works again. Then one reply goes alone before the others.

use std::time::Duration;

use leadstream_kafka::dead_letter::{PoisonCount, PoisonLimit};
use leadstream_schemas::Timestamp;
use leadstream_service::RetryPolicy;

use crate::health::Health;
use crate::number_state::{Cause, NumberState, Pause};
use crate::send_result::{Class, ContentKind, classify};
use crate::time::after;

/// The time before the first probe of what is stopped. It doubles with each probe.
pub const PROBE: Duration = Duration::from_secs(30);
/// The longest time between probes.
pub const LONGEST_PROBE: Duration = Duration::from_secs(30 * 60);
/// The time between two health calls of a number that works.
const HEARTBEAT: Duration = Duration::from_secs(3600);
/// Refusals in a row with unknown codes that pause a number.
const UNKNOWN_CODE_RUN: u32 = 5;
/// Unknown outcomes in a row that pause a number.
const UNKNOWN_RUN: usize = 3;
/// The shortest wait of a throttled number.
const LEAST_WAIT: Duration = Duration::from_secs(1);
const THROTTLE: RetryPolicy = RetryPolicy::new(Duration::from_secs(2), Duration::from_secs(60));

/// What a number may send now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    All,
    /// One reply, with no other request in flight.
    Alone,
    /// Nothing before this time.
    NotBefore(Timestamp),
    /// Nothing before a health call succeeds.
    Paused,
}

/// The state of one number.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    number_state: NumberState,
    /// Whether the state has to be stored.
    changed: bool,
    /// Whether one reply may go alone: the first after a resume, or the probe of a number whose
    /// health cannot be read.
    alone: bool,
    /// The time of the next health call while the number works.
    heartbeat_at: Timestamp,
    /// No reply goes before this time.
    throttled_until: Timestamp,
    throttles: u32,
    refusals: PoisonCount,
    /// Refusals in a row with codes that are unknown.
    unknown_codes: u32,
    /// Unknown outcomes in a row.
    unknown: usize,
    last_accepted: Option<Timestamp>,
}

impl Gate {
    /// Continues where the number's former owner stopped. Its health is read at once.
    #[must_use]
    pub fn new(mut number_state: NumberState, now: Timestamp) -> Self {
        if let Some(pause) = &mut number_state.pause {
            pause.probe_at = now;
        }
        Self {
            alone: number_state.pause.is_none() && resumed_recently(&number_state, now),
            number_state,
            heartbeat_at: now,
            ..Self::default()
        }
    }

    /// Returns what the number may send now.
    #[must_use]
    pub fn admission(&self, now: Timestamp) -> Admission {
        if self.throttled_until > now {
            Admission::NotBefore(self.throttled_until)
        } else if self.alone {
            Admission::Alone
        } else if self.number_state.pause.is_some() {
            Admission::Paused
        } else {
            Admission::All
        }
    }

    /// Returns the time of the next health call.
    #[must_use]
    pub const fn check_at(&self) -> Timestamp {
        match &self.number_state.pause {
            Some(pause) => pause.probe_at,
            None => self.heartbeat_at,
        }
    }

    /// Records that a health call goes out.
    pub fn checks(&mut self, now: Timestamp) {
        self.heartbeat_at = after(now, HEARTBEAT);
        if let Some(pause) = &mut self.number_state.pause {
            self.number_state.probes = self.number_state.probes.saturating_add(1);
            pause.probe_at = after(now, interval(self.number_state.probes));
            self.changed = true;
        }
    }

    /// Asks for a health call at once.
    pub fn check(&mut self, now: Timestamp) {
        self.heartbeat_at = self.heartbeat_at.min(now);
        if let Some(pause) = &mut self.number_state.pause {
            pause.probe_at = pause.probe_at.min(now);
        }
    }

    /// Records that a reply goes out. A paused number sends no second one before the next probe.
    pub const fn sends(&mut self) {
        if self.number_state.pause.is_some() {
            self.alone = false;
        }
    }

    /// Returns whether the number is paused because answers are missing.
    fn is_unanswered(&self) -> bool {
        let pause = self.number_state.pause.as_ref();
        pause.is_some_and(|pause| pause.cause == Cause::Unanswered)
    }

    /// Applies the answer to a health call.
    pub fn checked(&mut self, health: &Health, now: Timestamp) {
        let paused = self.number_state.pause.as_ref().map(|pause| pause.cause);
        match (health, paused) {
            (Health::Available, Some(Cause::Unanswered)) => self.probe(),
            (Health::Available, Some(Cause::Refused)) => self.resume(now),
            (Health::Blocked { code, reason }, _) => {
                self.pause(Cause::Refused, *code, reason.clone(), now);
            }
            (Health::Refused(error), _) => {
                match (classify(error, ContentKind::Other), paused) {
                    (Class::PauseNumber, _) => {
                        let reason =
                            "the health call was refused; check the token or key of the number";
                        self.pause(Cause::Refused, error.code, reason.to_owned(), now);
                    }
                    // It answers.
                    (_, Some(Cause::Unanswered)) => self.probe(),
                    _ => {}
                }
            }
            (Health::Unreadable, Some(_)) => self.probe(),
            (Health::Available | Health::Unreadable, None) | (Health::NoAnswer, _) => {}
        }
    }

    /// Closes the number, because the provider wants fewer messages; `unit` is drawn uniformly from
    /// 0..1.
    pub fn throttle(&mut self, retry_after: Option<Duration>, unit: f64, now: Timestamp) {
        self.throttles += 1;
        let wait = THROTTLE
            .delay(self.throttles, unit)
            .max(LEAST_WAIT)
            .max(retry_after.unwrap_or_default());
        self.throttled_until = self.throttled_until.max(after(now, wait));
    }

    /// Closes the number for a time, because the provider's limit is used up.
    pub fn hold(&mut self, wait: Duration, now: Timestamp) {
        self.throttled_until = self.throttled_until.max(after(now, wait));
    }

    /// Pauses a number that can send nothing before its health is good.
    pub fn pause(&mut self, cause: Cause, code: Option<i64>, reason: String, now: Timestamp) {
        self.alone = false;
        let Some(pause) = &mut self.number_state.pause else {
            if !resumed_recently(&self.number_state, now) {
                self.number_state.probes = 0;
            }
            self.number_state.pause = Some(Pause {
                since: now,
                cause,
                code,
                reason,
                probe_at: after(now, interval(self.number_state.probes)),
            });
            self.changed = true;
            return;
        };
        if (pause.cause, pause.code) != (cause, code) {
            (pause.cause, pause.code, pause.reason) = (cause, code, reason);
            self.changed = true;
        }
    }

    /// Records an unknown outcome; several in a row pause the number, at most as many as its
    /// `concurrency`.
    pub fn unknown(&mut self, concurrency: usize, now: Timestamp) {
        self.unknown = self.unknown.saturating_add(1);
        let run = UNKNOWN_RUN.min(concurrency.max(1));
        if self.unknown >= run || self.alone {
            let reason = format!(
                "{} in a row got no answer, so they may have reached their people; check the way to WhatsApp and SINK_WHATSAPP_REQUEST_TIMEOUT",
                leadstream_service::counted(self.unknown, "request")
            );
            self.pause(Cause::Unanswered, None, reason, now);
        }
    }

    /// Returns how many requests in a row got no answer. They take the place of requests in flight, so
    /// that no more than those are unknown when the number pauses.
    #[must_use]
    pub const fn unanswered(&self) -> usize {
        self.unknown
    }

    /// Records an answer of the provider itself, whatever it says.
    pub fn answered(&mut self, now: Timestamp) {
        self.unknown = 0;
        if self.is_unanswered() {
            self.resume(now);
        }
    }

    /// Records an accepted message.
    pub fn accepted(&mut self, now: Timestamp) {
        self.refusals = PoisonCount::default();
        self.last_accepted = Some(now);
        self.works(now);
    }

    /// Records that the provider processed a message, even by refusing it, so the number works.
    pub fn works(&mut self, now: Timestamp) {
        if self.number_state.pause.is_some() {
            self.resume(now);
        }
        self.alone = false;
        self.unknown_codes = 0;
        if self.throttled_until <= now {
            self.throttles = 0;
        }
    }

    /// Records a message that was refused as wrong. Returns false when so many were refused in a
    /// row that the messages are not the cause.
    pub fn refused(&mut self, limit: PoisonLimit) -> bool {
        self.refusals.observe(true, limit)
    }

    /// Records a message that was refused with an unknown code. Returns false when so many were
    /// refused in a row that the messages are not the cause.
    pub const fn unknown_code(&mut self) -> bool {
        self.unknown_codes = self.unknown_codes.saturating_add(1);
        self.unknown_codes < UNKNOWN_CODE_RUN
    }

    /// Returns whether a message was accepted after `since`.
    #[must_use]
    pub fn accepted_since(&self, since: Timestamp) -> bool {
        self.last_accepted.is_some_and(|at| at > since)
    }

    /// Returns why the number is paused.
    #[must_use]
    pub const fn paused(&self) -> Option<&Pause> {
        self.number_state.pause.as_ref()
    }

    /// Returns the state to store, if it changed.
    pub fn take_change(&mut self) -> Option<NumberState> {
        std::mem::take(&mut self.changed).then(|| self.number_state.clone())
    }

    /// Lets one reply of a paused number go. The number stays paused until it is answered.
    const fn probe(&mut self) {
        self.alone = true;
        self.unknown = 0;
    }

    /// Lets the number send again, one reply first.
    fn resume(&mut self, now: Timestamp) {
        self.number_state.pause = None;
        self.number_state.resumed_at = Some(now);
        self.changed = true;
        self.alone = true;
        self.unknown = 0;
        self.heartbeat_at = after(now, HEARTBEAT);
    }
}

/// Returns whether the number resumed so recently that a new pause continues the last one, and the
/// first reply goes alone.
fn resumed_recently(number_state: &NumberState, now: Timestamp) -> bool {
    let resumed_at = number_state.resumed_at;
    resumed_at.is_some_and(|at| after(at, LONGEST_PROBE) > now)
}

fn interval(probes: u32) -> Duration {
    PROBE
        .saturating_mul(2_u32.saturating_pow(probes))
        .min(LONGEST_PROBE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::send_result::GraphError;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn refused(code: i64) -> Health {
        Health::Refused(GraphError {
            status: Some(401),
            code: Some(code),
            ..GraphError::default()
        })
    }

    fn closed_for(gate: &Gate, now: Timestamp) -> i64 {
        match gate.admission(now) {
            Admission::NotBefore(until) => (until.millis() - now.millis()) / 1000,
            _ => 0,
        }
    }

    fn until_check(gate: &Gate, now: Timestamp) -> i64 {
        (gate.check_at().millis() - now.millis()) / 1000
    }

    fn paused(cause: Cause) -> Gate {
        let mut gate = Gate::default();
        gate.pause(cause, Some(190), "why".into(), NOW);
        gate
    }

    #[test]
    fn a_throttled_number_waits_as_long_as_it_is_asked_to() {
        let mut gate = Gate::default();
        gate.throttle(Some(Duration::from_secs(7)), 0.0, NOW);
        assert_eq!(closed_for(&gate, NOW), 7);
        let end = after(NOW, Duration::from_secs(7));
        assert_eq!(gate.admission(end), Admission::All);
        assert_eq!(gate.paused(), None);
    }

    #[test]
    fn the_wait_of_a_number_grows_while_it_stays_throttled() {
        let mut gate = Gate::default();
        let mut now = NOW;
        let mut waits = Vec::new();
        for _ in 0..8 {
            gate.throttle(None, 1.0, now);
            let wait = closed_for(&gate, now);
            waits.push(wait);
            now = after(now, Duration::from_secs(wait.unsigned_abs()));
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60, 60]);
        gate.accepted(now);
        gate.throttle(None, 1.0, now);
        assert_eq!(closed_for(&gate, now), 2);
    }

    #[test]
    fn health_calls_probe_a_paused_number_ever_more_rarely() {
        let mut gate = paused(Cause::Refused);
        assert_eq!(gate.admission(NOW), Admission::Paused);
        let (mut now, mut waits) = (NOW, Vec::new());
        for health in [
            refused(190),
            Health::NoAnswer,
            Health::Blocked {
                code: Some(141_006),
                reason: "no payment method".into(),
            },
            refused(4),
            refused(190),
            refused(190),
            refused(190),
            refused(190),
        ] {
            let wait = until_check(&gate, now);
            waits.push(wait);
            now = after(now, Duration::from_secs(wait.unsigned_abs()));
            gate.checks(now);
            gate.checked(&health, now);
            assert_eq!(gate.admission(now), Admission::Paused, "{health:?}");
        }
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1800, 1800]);
        assert_eq!(gate.paused().unwrap().since, NOW);
        gate.checked(&Health::Available, now);
        assert_eq!(gate.paused(), None);
        assert_eq!(gate.admission(now), Admission::Alone);
        gate.sends();
        gate.accepted(now);
        assert_eq!(gate.admission(now), Admission::All);
    }

    #[test]
    fn a_pause_soon_after_a_resume_continues_the_last_one() {
        let mut gate = paused(Cause::Refused);
        for _ in 0..3 {
            gate.checks(NOW);
        }
        gate.checked(&Health::Available, NOW);
        gate.accepted(NOW);
        gate.pause(Cause::Refused, Some(131_042), "why".into(), NOW);
        assert_eq!(until_check(&gate, NOW), 240);
        gate.checked(&Health::Available, NOW);
        let later = after(NOW, LONGEST_PROBE);
        gate.pause(Cause::Refused, Some(131_042), "why".into(), later);
        assert_eq!(until_check(&gate, later), 30);
    }

    #[test]
    fn one_reply_probes_a_number_without_answers_once_a_health_call_answers() {
        for (health, probes) in [
            (Health::Available, true),
            (refused(4), true),
            (refused(190), false),
            (Health::NoAnswer, false),
        ] {
            let mut gate = Gate::default();
            for _ in 0..2 {
                gate.unknown(8, NOW);
                assert_eq!(gate.admission(NOW), Admission::All);
            }
            gate.unknown(8, NOW);
            assert!(gate.is_unanswered());
            gate.checked(&health, NOW);
            let expected = if probes {
                Admission::Alone
            } else {
                Admission::Paused
            };
            assert_eq!(gate.admission(NOW), expected, "{health:?}");
            assert!(
                gate.paused().is_some(),
                "the pause shows until a reply is answered"
            );
            if !probes {
                continue;
            }
            assert_eq!(gate.unanswered(), 0);
            let since = gate.paused().unwrap().since;
            gate.sends();
            gate.unknown(8, NOW);
            assert_eq!(gate.admission(NOW), Admission::Paused, "at the first one");
            assert_eq!(gate.paused().unwrap().since, since, "it is the same pause");
            gate.checked(&health, NOW);
            gate.sends();
            gate.answered(NOW);
            assert_eq!(gate.paused(), None);
        }
    }

    #[test]
    fn one_reply_probes_a_number_whose_health_cannot_be_read() {
        let mut gate = paused(Cause::Refused);
        gate.checked(&Health::Unreadable, NOW);
        assert_eq!(gate.admission(NOW), Admission::Alone);
        gate.sends();
        assert_eq!(gate.admission(NOW), Admission::Paused);
        gate.works(NOW);
        assert_eq!(gate.admission(NOW), Admission::All);
    }

    #[test]
    fn the_heartbeat_pauses_a_number_only_for_what_it_knows() {
        for (health, pauses) in [
            (Health::Available, false),
            (Health::Unreadable, false),
            (Health::NoAnswer, false),
            (refused(4), false),
            (refused(190), true),
        ] {
            let mut gate = Gate::new(NumberState::default(), NOW);
            assert_eq!(gate.check_at(), NOW);
            gate.checks(NOW);
            assert_eq!(until_check(&gate, NOW), 3600);
            gate.checked(&health, NOW);
            assert_eq!(gate.paused().is_some(), pauses, "{health:?}");
        }
    }

    #[test]
    fn a_new_owner_knows_the_pause_and_asks_for_the_health_at_once() {
        let mut gate = paused(Cause::Refused);
        let number_state = gate.take_change().unwrap();
        assert_eq!(gate.take_change(), None);
        let later = after(NOW, Duration::from_secs(5));
        let mut next = Gate::new(number_state, later);
        assert_eq!(next.admission(later), Admission::Paused);
        assert_eq!(next.check_at(), later);
        next.checked(&Health::Available, later);
        let number_state = next.take_change().unwrap();
        let last = Gate::new(number_state, later);
        assert_eq!(last.admission(later), Admission::Alone);
    }

    #[test]
    fn a_run_of_refusals_is_not_the_messages_fault() {
        let limit = PoisonLimit {
            run: 2,
            ..PoisonLimit::default()
        };
        let mut gate = Gate::default();
        assert!(gate.refused(limit));
        gate.accepted(NOW);
        assert!(gate.refused(limit));
        assert!(gate.refused(limit));
        assert!(!gate.refused(limit));
        gate.works(NOW);
        assert!(!gate.refused(limit), "only an accepted one ends it");
    }
}
