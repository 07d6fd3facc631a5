//! Which business numbers may send now. Pure.
//!
//! A number that is throttled waits; one that is stopped lets one reply through from time to time,
//! to see whether it works again. While answers are missing, each such reply may reach its person
//! twice: they become rarer, and those that may have reached somebody go first. Replies that may not
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

use crate::partition::Ticket;

/// Between the replies that probe a stopped number.
pub const PROBE: Duration = Duration::from_secs(30);
/// The longest between them: while answers are missing it doubles up to here, which makes about 50
/// a day.
const LONGEST_PROBE: Duration = Duration::from_secs(30 * 60);
/// Unknown outcomes in a row that stop a number.
const UNKNOWN_RUN: u32 = 3;
/// The least that a throttled number waits.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
const THROTTLE: RetryPolicy =
    RetryPolicy::unlimited(Duration::from_secs(2), Duration::from_secs(60));

#[derive(Debug, Default)]
struct Gate {
    /// Nothing goes before this.
    closed_until: Timestamp,
    stopped: Option<Stop>,
    throttles: u32,
    refusals: PoisonCount,
    /// Unknown outcomes in a row.
    unknown: u32,
    parked: BTreeSet<Parked>,
}

/// Whether nobody can have received the reply yet, and which it is: the order of probes.
type Parked = (bool, Ticket);

/// Why nothing is sent from a number.
#[derive(Debug)]
struct Stop {
    reason: String,
    cause: Cause,
    /// Replies that probed it.
    probes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The provider refuses: a probe reaches nobody.
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
    /// Whether a reply of `number` may go now; else it is parked until [`Self::unpark`]. `fresh`:
    /// nobody can have received it yet.
    pub fn admit(&mut self, number: &str, ticket: Ticket, fresh: bool, now: Timestamp) -> bool {
        let gate = self.gate(number);
        if gate.closed_until > now {
            gate.parked.insert((fresh, ticket));
            return false;
        }
        if let Some(stop) = &mut gate.stopped {
            // This one is the probe; the next goes when it has not come back by then.
            stop.probes += 1;
            gate.closed_until = after(now, stop.interval());
        }
        true
    }

    /// Parked replies that may be tried now: all of a number that waited, one of a stopped one.
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

    /// When [`Self::unpark`] has something next.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.0
            .values()
            .filter(|gate| !gate.parked.is_empty())
            .map(|gate| gate.closed_until)
            .min()
    }

    /// The provider wants fewer messages of this number; `unit` is drawn uniformly from 0..1.
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
            .unwrap_or(THROTTLE.cap)
            .max(LEAST_PAUSE)
            .max(retry_after.unwrap_or_default());
        gate.closed_until = gate.closed_until.max(after(now, pause));
    }

    /// Nothing can be sent from this number before an operator mends something.
    pub fn stop(&mut self, number: &str, reason: String, now: Timestamp) {
        self.gate(number).stop(Cause::Refused, reason, now);
    }

    /// Nobody knows whether the provider took a message; several in a row stop the number.
    pub fn unknown(&mut self, number: &str, now: Timestamp) {
        let gate = self.gate(number);
        gate.unknown = gate.unknown.saturating_add(1);
        let stopped = gate.stopped.as_ref();
        let is_known = stopped.is_some_and(|stop| stop.cause == Cause::Unanswered);
        if gate.unknown >= UNKNOWN_RUN && !is_known {
            let reason = format!(
                "{UNKNOWN_RUN} requests in a row got no answer, so they may have reached their people; check the way to META_GRAPH_URL and META_REQUEST_TIMEOUT_SECONDS. It is tried again ever more rarely, at least every {} minutes",
                LONGEST_PROBE.as_secs() / 60
            );
            gate.stop(Cause::Unanswered, reason, now);
        }
    }

    /// The provider's own answer came, whatever it says. Gives back what was parked for want of it.
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

    /// The provider took a message.
    pub fn accepted(&mut self, number: &str, now: Timestamp) -> Vec<Ticket> {
        self.gate(number).refusals = PoisonCount::default();
        self.works(number, now)
    }

    /// The provider dealt with a message, be it by refusing it: the number is not stopped. Gives
    /// back what was parked for that.
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

    /// A message was refused as wrong; false when so many were in a row that the fault is not
    /// theirs.
    pub fn refused(&mut self, number: &str, limit: PoisonLimit) -> bool {
        self.gate(number).refusals.observe(true, limit)
    }

    /// Why numbers are stopped, by number.
    pub fn stopped(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter_map(|(number, gate)| Some((number.as_str(), &*gate.stopped.as_ref()?.reason)))
    }

    /// Whether all numbers are stopped, of one at least.
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

/// `from` and a while.
#[must_use]
pub fn after(from: Timestamp, pause: Duration) -> Timestamp {
    let millis = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(from.millis().saturating_add(millis))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use leadstream_kafka::dead_letter::PoisonLimit;
    use leadstream_schemas::Timestamp;

    use super::{Gates, PROBE, after};
    use crate::partition::Ticket;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn ticket(offset: i64) -> Ticket {
        Ticket {
            partition: 0,
            generation: 1,
            offset,
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
