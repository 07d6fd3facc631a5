//! Decides whether a business number may send now. Pure.
//!
//! A throttled number waits. A stopped number lets one reply through from time to time, to probe
//! whether it works again. While answers are missing, each probe may reach its person twice, so
//! probes become rarer.

use std::time::Duration;

use leadstream_kafka::dead_letter::{PoisonCount, PoisonLimit};
use leadstream_schemas::Timestamp;
use leadstream_service::RetryPolicy;

use crate::time::after;

/// The pause between the replies that probe a stopped number.
pub const PROBE: Duration = Duration::from_secs(30);
/// The longest pause between probes. While answers are missing the pause doubles up to here, which
/// makes about 50 probes a day.
pub const LONGEST_PROBE: Duration = Duration::from_secs(30 * 60);
/// Refusals in a row with unknown codes that stop a number.
const UNKNOWN_CODE_RUN: u32 = 5;
/// Unknown outcomes in a row that stop a number.
const UNKNOWN_RUN: usize = 3;
/// The shortest pause of a throttled number.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
const THROTTLE: RetryPolicy = RetryPolicy::new(Duration::from_secs(2), Duration::from_secs(60));

/// What a number may send now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    All,
    /// One reply, with no other request in flight.
    Probe,
    /// Nothing before this time.
    None(Timestamp),
}

/// The state of one number.
#[derive(Debug, Default)]
pub struct Gate {
    /// No reply goes before this time.
    closed_until: Timestamp,
    stopped: Option<Stop>,
    throttles: u32,
    refusals: PoisonCount,
    /// Refusals in a row with codes that are unknown.
    unknown_codes: u32,
    /// Unknown outcomes in a row.
    unknown: usize,
    last_accepted: Option<Timestamp>,
}

/// The reason why a number sends nothing.
#[derive(Debug)]
struct Stop {
    reason: String,
    cause: Cause,
    /// The number of replies that probed it.
    probes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The provider refuses: a probe reaches no person.
    Refused,
    /// Answers are missing: a probe may reach its person.
    Unanswered,
}

impl Stop {
    fn interval(&self) -> Duration {
        match self.cause {
            Cause::Refused => PROBE,
            Cause::Unanswered => PROBE
                .saturating_mul(2_u32.saturating_pow(self.probes))
                .min(LONGEST_PROBE),
        }
    }
}

impl Gate {
    /// Returns what the number may send now.
    #[must_use]
    pub fn admission(&self, now: Timestamp) -> Admission {
        if self.closed_until > now {
            Admission::None(self.closed_until)
        } else if self.stopped.is_some() {
            Admission::Probe
        } else {
            Admission::All
        }
    }

    /// Records that a reply probes the number. The next probe goes when no answer came by then.
    pub fn probe(&mut self, now: Timestamp) {
        if let Some(stop) = &mut self.stopped {
            stop.probes += 1;
            self.closed_until = after(now, stop.interval());
        }
    }

    /// Returns whether probes may reach their person twice: then they use replies that may have been
    /// sent already.
    #[must_use]
    pub fn prefers_unknown(&self) -> bool {
        let stopped = self.stopped.as_ref();
        stopped.is_some_and(|stop| stop.cause == Cause::Unanswered)
    }

    /// Closes the number, because the provider wants fewer messages; `unit` is drawn uniformly from
    /// 0..1.
    pub fn throttle(&mut self, retry_after: Option<Duration>, unit: f64, now: Timestamp) {
        self.throttles += 1;
        let pause = THROTTLE
            .delay(self.throttles, unit)
            .max(LEAST_PAUSE)
            .max(retry_after.unwrap_or_default());
        self.closed_until = self.closed_until.max(after(now, pause));
    }

    /// Stops a number that can send nothing before an operator fixes the cause.
    pub fn stop(&mut self, reason: String, now: Timestamp) {
        self.stop_for(Cause::Refused, reason, now);
    }

    /// Records an unknown outcome; several in a row stop the number, at most as many as its
    /// `concurrency`.
    pub fn unknown(&mut self, concurrency: usize, now: Timestamp) {
        self.unknown = self.unknown.saturating_add(1);
        let run = UNKNOWN_RUN.min(concurrency.max(1));
        if self.unknown >= run && !self.prefers_unknown() {
            let reason = format!(
                "{run} requests in a row got no answer, so they may have reached their people; check the way to META_GRAPH_URL and SINK_WHATSAPP_REQUEST_TIMEOUT. It is tried again ever more rarely, at least every {} minutes",
                LONGEST_PROBE.as_secs() / 60
            );
            self.stop_for(Cause::Unanswered, reason, now);
        }
    }

    /// Returns how many requests in a row got no answer. They take the place of requests in flight, so
    /// that no more than those are unknown when the number stops.
    #[must_use]
    pub const fn unanswered(&self) -> usize {
        self.unknown
    }

    /// Records an answer of the provider itself, whatever it says.
    pub fn answered(&mut self, now: Timestamp) {
        self.unknown = 0;
        if self.prefers_unknown() {
            self.stopped = None;
            self.closed_until = now;
        }
    }

    /// Records an accepted message.
    pub fn accepted(&mut self, now: Timestamp) {
        self.refusals = PoisonCount::default();
        self.last_accepted = Some(now);
        self.works(now);
    }

    /// Records that the provider processed a message, even by refusing it, so the number is not
    /// stopped.
    pub fn works(&mut self, now: Timestamp) {
        if self.stopped.take().is_some() {
            self.closed_until = now;
        }
        self.unknown_codes = 0;
        if self.closed_until <= now {
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

    /// Returns the reason why the number is stopped.
    #[must_use]
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_ref().map(|stop| &*stop.reason)
    }

    fn stop_for(&mut self, cause: Cause, reason: String, now: Timestamp) {
        let stop = Stop {
            reason,
            cause,
            probes: self.stopped.take().map_or(0, |before| before.probes),
        };
        self.closed_until = after(now, stop.interval());
        self.stopped = Some(stop);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use leadstream_kafka::dead_letter::PoisonLimit;
    use leadstream_schemas::Timestamp;

    use super::{Admission, Gate, PROBE};
    use crate::time::after;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn closed_for(gate: &Gate, now: Timestamp) -> i64 {
        match gate.admission(now) {
            Admission::None(until) => (until.millis() - now.millis()) / 1000,
            _ => 0,
        }
    }

    #[test]
    fn a_throttled_number_waits_as_long_as_it_is_asked_to() {
        let mut gate = Gate::default();
        gate.throttle(Some(Duration::from_secs(7)), 0.0, NOW);
        assert_eq!(closed_for(&gate, NOW), 7);
        let end = after(NOW, Duration::from_secs(7));
        assert_eq!(gate.admission(end), Admission::All);
        assert_eq!(gate.stopped(), None);
    }

    #[test]
    fn the_pause_of_a_number_grows_while_it_stays_throttled() {
        let mut gate = Gate::default();
        let mut now = NOW;
        let mut pauses = Vec::new();
        for _ in 0..8 {
            gate.throttle(None, 1.0, now);
            let pause = closed_for(&gate, now);
            pauses.push(pause);
            now = after(now, Duration::from_secs(pause.unsigned_abs()));
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
        gate.accepted(now);
        gate.throttle(None, 1.0, now);
        assert_eq!(closed_for(&gate, now), 2);
    }

    #[test]
    fn a_stopped_number_is_probed_from_time_to_time_until_a_reply_is_taken() {
        let mut gate = Gate::default();
        gate.stop("code 190".into(), NOW);
        assert_eq!(gate.stopped(), Some("code 190"));
        assert_eq!(closed_for(&gate, NOW), 30);
        let probe = after(NOW, PROBE);
        assert_eq!(gate.admission(probe), Admission::Probe);
        gate.probe(probe);
        assert_eq!(closed_for(&gate, probe), 30);
        gate.accepted(probe);
        assert_eq!(gate.admission(probe), Admission::All);
        assert_eq!(gate.stopped(), None);
    }

    #[test]
    fn probes_become_rarer_while_answers_are_missing() {
        let mut gate = Gate::default();
        gate.unknown(8, NOW);
        gate.unknown(8, NOW);
        assert_eq!(gate.admission(NOW), Admission::All);
        gate.unknown(8, NOW);
        assert!(gate.prefers_unknown());
        let (mut now, mut pauses) = (NOW, vec![closed_for(&gate, NOW)]);
        for _ in 0..7 {
            let pause = Duration::from_secs(closed_for(&gate, now).unsigned_abs());
            now = after(now, pause);
            gate.probe(now);
            gate.unknown(8, now);
            pauses.push(closed_for(&gate, now));
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1800, 1800]);
        gate.answered(now);
        assert_eq!(gate.admission(now), Admission::All);
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
