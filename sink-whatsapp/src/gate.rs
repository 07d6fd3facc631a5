//! Decides which business numbers may send now. Pure.
//!
//! A throttled number waits. A stopped number lets one reply through from time to time, to probe
//! whether it works again. While answers are missing, each probe may reach its person twice. So
//! probes become rarer, and replies that may have reached somebody go first. Replies that may not
//! go are parked here.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use leadstream_kafka::dead_letter::{PoisonCount, PoisonLimit};
use leadstream_schemas::Timestamp;
use leadstream_service::RetryPolicy;

use crate::ticket::Ticket;
use crate::time::after;

/// The pause between the replies that probe a stopped number.
pub const PROBE: Duration = Duration::from_secs(30);
/// The longest pause between probes. While answers are missing the pause doubles up to here, which
/// makes about 50 probes a day.
const LONGEST_PROBE: Duration = Duration::from_secs(30 * 60);
/// Unknown outcomes in a row that stop a number.
const UNKNOWN_RUN: u32 = 3;
/// The shortest pause of a throttled number.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
const THROTTLE: RetryPolicy = RetryPolicy::new(Duration::from_secs(2), Duration::from_secs(60));

#[derive(Debug, Default)]
struct Gate {
    /// No reply goes before this time.
    closed_until: Timestamp,
    stopped: Option<Stop>,
    throttles: u32,
    refusals: PoisonCount,
    /// Unknown outcomes in a row.
    unknown: u32,
    parked: BTreeSet<Parked>,
}

/// A waiting ticket, and whether nobody can have received the reply yet. Probes go in this order.
type Parked = (bool, Ticket);

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

/// The gates of all numbers, by phone number id.
#[derive(Debug, Default)]
pub struct Gates(HashMap<String, Gate>);

impl Gates {
    /// Returns whether a reply of `number` may go now; otherwise parks the reply until
    /// [`Self::unpark`]. `fresh` means that nobody can have received the reply yet.
    pub fn admit(&mut self, number: &str, ticket: Ticket, fresh: bool, now: Timestamp) -> bool {
        let gate = self.gate(number);
        if gate.closed_until > now {
            gate.parked.insert((fresh, ticket));
            return false;
        }
        if let Some(stop) = &mut gate.stopped {
            // This reply is the probe. The next probe goes when no answer came by then.
            stop.probes += 1;
            gate.closed_until = after(now, stop.interval());
        }
        true
    }

    /// Returns the parked replies that may be tried now: all of a number that waited, one of a
    /// stopped number.
    pub fn unpark(&mut self, now: Timestamp) -> Vec<Ticket> {
        let mut tickets = Vec::new();
        for gate in self.0.values_mut() {
            if gate.closed_until > now {
                continue;
            }
            if gate.stopped.is_some() {
                tickets.extend(gate.parked.pop_first().map(|(_, ticket)| ticket));
            } else {
                tickets.extend(gate.take_parked());
            }
        }
        tickets
    }

    /// Returns the next time at which [`Self::unpark`] has something to return.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.0
            .values()
            .filter(|gate| !gate.parked.is_empty())
            .map(|gate| gate.closed_until)
            .min()
    }

    /// Closes a number from which the provider wants fewer messages; `unit` is drawn uniformly from
    /// 0..1.
    pub fn throttle(
        &mut self,
        number: &str,
        retry_after: Option<Duration>,
        unit: f64,
        now: Timestamp,
    ) {
        let gate = self.gate(number);
        gate.throttles += 1;
        let pause = THROTTLE
            .delay(gate.throttles, unit)
            .max(LEAST_PAUSE)
            .max(retry_after.unwrap_or_default());
        gate.closed_until = gate.closed_until.max(after(now, pause));
    }

    /// Stops a number that can send nothing before an operator fixes the cause.
    pub fn stop(&mut self, number: &str, reason: String, now: Timestamp) {
        self.gate(number).stop(Cause::Refused, reason, now);
    }

    /// Records an unknown outcome; several in a row stop the number.
    pub fn unknown(&mut self, number: &str, now: Timestamp) {
        let gate = self.gate(number);
        gate.unknown = gate.unknown.saturating_add(1);
        let stopped = gate.stopped.as_ref();
        let is_known = stopped.is_some_and(|stop| stop.cause == Cause::Unanswered);
        if gate.unknown >= UNKNOWN_RUN && !is_known {
            let reason = format!(
                "{UNKNOWN_RUN} requests in a row got no answer, so they may have reached their people; check the way to META_GRAPH_URL and SINK_WHATSAPP_REQUEST_TIMEOUT. It is tried again ever more rarely, at least every {} minutes",
                LONGEST_PROBE.as_secs() / 60
            );
            gate.stop(Cause::Unanswered, reason, now);
        }
    }

    /// Records an answer of the provider itself, whatever it says. Returns the replies that were
    /// parked while answers were missing.
    pub fn answered(&mut self, number: &str, now: Timestamp) -> Vec<Ticket> {
        let gate = self.gate(number);
        gate.unknown = 0;
        let stopped = gate.stopped.take_if(|it| it.cause == Cause::Unanswered);
        if stopped.is_none() {
            return Vec::new();
        }
        gate.closed_until = now;
        gate.take_parked().collect()
    }

    /// Records an accepted message, and returns the parked replies that may go.
    pub fn accepted(&mut self, number: &str, now: Timestamp) -> Vec<Ticket> {
        self.gate(number).refusals = PoisonCount::default();
        self.works(number, now)
    }

    /// Records that the provider processed a message, even by refusing it, so the number is not
    /// stopped. Returns the parked replies that may go.
    pub fn works(&mut self, number: &str, now: Timestamp) -> Vec<Ticket> {
        let gate = self.gate(number);
        if gate.stopped.take().is_some() {
            gate.closed_until = now;
        }
        if gate.closed_until > now {
            return Vec::new();
        }
        gate.throttles = 0;
        gate.take_parked().collect()
    }

    /// Records a message that was refused as wrong. Returns false when so many were refused in a
    /// row that the messages are not the cause.
    pub fn refused(&mut self, number: &str, limit: PoisonLimit) -> bool {
        self.gate(number).refusals.observe(true, limit)
    }

    /// Returns the reasons why numbers are stopped, by number.
    pub fn stopped(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter_map(|(number, gate)| Some((number.as_str(), &*gate.stopped.as_ref()?.reason)))
    }

    /// Returns whether there is a number and all numbers are stopped.
    #[must_use]
    pub fn are_stopped(&self) -> bool {
        !self.0.is_empty() && self.0.values().all(|gate| gate.stopped.is_some())
    }

    fn gate(&mut self, number: &str) -> &mut Gate {
        self.0.entry(number.to_owned()).or_default()
    }
}

impl Gate {
    fn stop(&mut self, cause: Cause, reason: String, now: Timestamp) {
        let stop = Stop {
            reason,
            cause,
            probes: self.stopped.take().map_or(0, |before| before.probes),
        };
        self.closed_until = after(now, stop.interval());
        self.stopped = Some(stop);
    }

    fn take_parked(&mut self) -> impl Iterator<Item = Ticket> + use<> {
        let parked = std::mem::take(&mut self.parked).into_iter();
        parked.map(|(_, ticket)| ticket)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use leadstream_kafka::dead_letter::PoisonLimit;
    use leadstream_schemas::{Offset, Partition, Timestamp};

    use super::{Gates, PROBE};
    use crate::ticket::Ticket;
    use crate::time::after;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn ticket(offset: i64) -> Ticket {
        Ticket {
            partition: Partition(0),
            generation: 1,
            offset: Offset(offset),
        }
    }

    #[test]
    fn a_throttled_number_waits_as_a_whole_and_others_do_not() {
        let mut gates = Gates::default();
        gates.throttle("501", Some(Duration::from_secs(7)), 0.0, NOW);
        assert!(!gates.admit("501", ticket(1), true, NOW));
        assert!(!gates.admit("501", ticket(2), true, NOW));
        assert!(gates.admit("502", ticket(3), true, NOW));
        let end = after(NOW, Duration::from_secs(7));
        assert_eq!(gates.next(), Some(end));
        assert!(gates.unpark(after(NOW, Duration::from_secs(6))).is_empty());
        assert_eq!(gates.unpark(end), [ticket(1), ticket(2)]);
        assert!(gates.admit("501", ticket(1), true, end));
        assert_eq!(gates.stopped().count(), 0);
    }

    #[test]
    fn the_pause_of_a_number_grows_while_it_stays_throttled() {
        let mut gates = Gates::default();
        let mut now = NOW;
        let mut pauses = Vec::new();
        for _ in 0..8 {
            gates.throttle("501", None, 1.0, now);
            assert!(!gates.admit("501", ticket(1), true, now));
            let next = gates.next().unwrap();
            pauses.push((next.millis() - now.millis()) / 1000);
            now = next;
            assert_eq!(gates.unpark(now), [ticket(1)]);
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
        gates.accepted("501", now);
        gates.throttle("501", None, 1.0, now);
        assert!(!gates.admit("501", ticket(1), true, now));
        assert_eq!(gates.next(), Some(after(now, Duration::from_secs(2))));
    }

    #[test]
    fn a_stopped_number_is_probed_by_one_reply_at_a_time_until_one_is_taken() {
        let mut gates = Gates::default();
        gates.stop("501", "code 190".into(), NOW);
        for offset in 1..=3 {
            assert!(!gates.admit("501", ticket(offset), true, NOW));
        }
        assert_eq!(gates.stopped().collect::<Vec<_>>(), [("501", "code 190")]);
        let probe = after(NOW, PROBE);
        assert_eq!(gates.unpark(probe), [ticket(1)]);
        assert!(gates.admit("501", ticket(1), true, probe));
        assert!(gates.unpark(probe).is_empty(), "one at a time");
        assert!(!gates.admit("501", ticket(4), true, probe));
        assert_eq!(
            gates.accepted("501", probe),
            [ticket(2), ticket(3), ticket(4)]
        );
        assert_eq!(gates.stopped().count(), 0);
        assert!(gates.admit("501", ticket(2), true, probe));
    }

    #[test]
    fn a_run_of_refusals_is_not_the_messages_fault() {
        let limit = PoisonLimit {
            run: 2,
            ..PoisonLimit::default()
        };
        let mut gates = Gates::default();
        assert!(gates.refused("501", limit));
        gates.accepted("501", NOW);
        assert!(gates.refused("501", limit));
        assert!(gates.refused("501", limit));
        assert!(!gates.refused("501", limit));
        gates.works("501", NOW);
        assert!(!gates.refused("501", limit), "only an accepted one ends it");
    }
}
