//! Which business numbers may send now. Pure.
//!
//! A number that is throttled waits; one that is stopped lets one reply through from time to time,
//! to see whether its operator has mended it. Replies that may not go are parked here.

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

use leadstream_schemas::Timestamp;
use leadstream_stream::RetryPolicy;
use leadstream_stream::dead_letter::{PoisonCount, PoisonLimit};

use crate::partition::Ticket;

/// Between the replies that probe a stopped number.
pub const PROBE: Duration = Duration::from_secs(30);
/// The least that a throttled number waits.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
const THROTTLE: RetryPolicy =
    RetryPolicy::unlimited(Duration::from_secs(2), Duration::from_secs(60));

#[derive(Debug, Default)]
struct Gate {
    /// Nothing goes before this.
    closed_until: Timestamp,
    /// Why it is stopped, if it is.
    stopped: Option<String>,
    throttles: u32,
    refusals: PoisonCount,
    parked: BTreeSet<Ticket>,
}

/// The gates of all numbers, by phone number id.
#[derive(Debug, Default)]
pub struct Gates(HashMap<String, Gate>);

impl Gates {
    /// Whether a reply of `number` may go now; else it is parked until [`Self::unpark`].
    pub fn admit(&mut self, number: &str, ticket: Ticket, now: Timestamp) -> bool {
        let gate = self.gate(number);
        if gate.closed_until > now {
            gate.parked.insert(ticket);
            return false;
        }
        if gate.stopped.is_some() {
            // This one is the probe; the next goes when it has not come back by then.
            gate.closed_until = after(now, PROBE);
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
                tickets.extend(gate.parked.pop_first());
            } else {
                tickets.extend(std::mem::take(&mut gate.parked));
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
        let gate = self.gate(number);
        gate.closed_until = after(now, PROBE);
        gate.stopped = Some(reason);
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
        std::mem::take(&mut gate.parked).into_iter().collect()
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
            .filter_map(|(number, gate)| Some((number.as_str(), gate.stopped.as_deref()?)))
    }

    fn gate(&mut self, number: &str) -> &mut Gate {
        self.0.entry(number.to_owned()).or_default()
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

    use leadstream_schemas::Timestamp;
    use leadstream_stream::dead_letter::PoisonLimit;

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
        assert!(!gates.admit("501", ticket(1), NOW));
        assert!(!gates.admit("501", ticket(2), NOW));
        assert!(gates.admit("502", ticket(3), NOW));
        let end = after(NOW, Duration::from_secs(7));
        assert_eq!(gates.next(), Some(end));
        assert!(gates.unpark(after(NOW, Duration::from_secs(6))).is_empty());
        assert_eq!(gates.unpark(end), [ticket(1), ticket(2)]);
        assert!(gates.admit("501", ticket(1), end));
        assert_eq!(gates.stopped().count(), 0);
    }

    #[test]
    fn the_pause_of_a_number_grows_while_it_stays_throttled() {
        let mut gates = Gates::default();
        let mut now = NOW;
        let mut pauses = Vec::new();
        for _ in 0..8 {
            gates.throttle("501", None, 1.0, now);
            assert!(!gates.admit("501", ticket(1), now));
            let next = gates.next().unwrap();
            pauses.push((next.millis() - now.millis()) / 1000);
            now = next;
            assert_eq!(gates.unpark(now), [ticket(1)]);
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
        gates.accepted("501", now);
        gates.throttle("501", None, 1.0, now);
        assert!(!gates.admit("501", ticket(1), now));
        assert_eq!(gates.next(), Some(after(now, Duration::from_secs(2))));
    }

    #[test]
    fn a_stopped_number_is_probed_by_one_reply_at_a_time_until_one_is_taken() {
        let mut gates = Gates::default();
        gates.stop("501", "code 190".into(), NOW);
        for offset in 1..=3 {
            assert!(!gates.admit("501", ticket(offset), NOW));
        }
        assert_eq!(gates.stopped().collect::<Vec<_>>(), [("501", "code 190")]);
        let probe = after(NOW, PROBE);
        assert_eq!(gates.unpark(probe), [ticket(1)]);
        assert!(gates.admit("501", ticket(1), probe));
        assert!(gates.unpark(probe).is_empty(), "one at a time");
        assert!(!gates.admit("501", ticket(4), probe));
        assert_eq!(
            gates.accepted("501", probe),
            [ticket(2), ticket(3), ticket(4)]
        );
        assert_eq!(gates.stopped().count(), 0);
        assert!(gates.admit("501", ticket(2), probe));
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
