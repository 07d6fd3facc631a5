//! Decides how fast a number, and the messages to one lead, may go. Pure.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

use std::collections::HashMap;
use std::time::Duration;

use leadstream_schemas::{LeadId, Timestamp};

use crate::time::after;

/// Messages to one lead within [`PAIR_WINDOW`]. Meta allows one per 6 s, and as many as these at once,
/// borrowed from the time after them.
const PAIR_LIMIT: usize = 45;
/// The time within which attempts to one lead count.
pub const PAIR_WINDOW: Duration = Duration::from_secs(270);
/// The share of a number's throughput that is used. Inbound messages take from it as well.
const SHARE: f64 = 0.8;
/// Messages per second of a number that nothing is known of.
const DEFAULT_THROUGHPUT: u32 = 80;
/// The part of a second whose messages may go at once.
const BURST: f64 = 0.25;
/// How long a throttled number has half its rate.
const HALVED: Duration = Duration::from_secs(10);
/// Refusals within this time of a throttling belong to it: they were in flight.
const ONE_THROTTLING: Duration = Duration::from_secs(2);
/// What it regains per minute then, as part of the whole.
const REGAINED: f64 = 0.1;
/// The lowest part of the rate.
const LOWEST: f64 = 0.01;

/// How fast a bucket fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Microseconds per token.
    interval: i64,
    /// Tokens of a full bucket.
    burst: u32,
}

/// A token bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// The time at which it is full, in microseconds.
    full_at: i64,
}

impl Bucket {
    /// Returns how many tokens it has.
    fn available(self, rate: Rate, now: Timestamp) -> usize {
        let missing = (self.full_at - micros(now)).max(0).cast_unsigned();
        let missing = missing.div_ceil(rate.interval.max(1).cast_unsigned());
        let burst = u64::from(rate.burst);
        usize::try_from(burst.saturating_sub(missing)).unwrap_or(usize::MAX)
    }

    /// Returns the first time at which it has a token.
    fn next(self, rate: Rate) -> Timestamp {
        let at = self.full_at - rate.interval * i64::from(rate.burst.saturating_sub(1));
        Timestamp::from_millis(at.max(0).cast_unsigned().div_ceil(1_000).cast_signed())
    }

    /// Takes `tokens`, whether it has them or not.
    fn take(&mut self, tokens: u32, rate: Rate, now: Timestamp) {
        self.full_at = self.full_at.max(micros(now)) + rate.interval * i64::from(tokens);
    }
}

/// The attempts of the last [`PAIR_WINDOW`], by lead.
#[derive(Debug, Default)]
pub struct Pairs {
    attempts: HashMap<LeadId, Vec<Timestamp>>,
    /// When old attempts were last forgotten.
    reduced_at: Timestamp,
}

/// Attempts of a former owner to one lead, and the time of the last of them.
pub type PastAttempts = (LeadId, Timestamp, u32);

impl Pairs {
    /// Counts the attempts of a former owner, as if all had been made at the time of the last.
    #[must_use]
    pub fn new(past: Vec<PastAttempts>, now: Timestamp) -> Self {
        let mut attempts: HashMap<LeadId, Vec<Timestamp>> = HashMap::new();
        for (lead, at, count) in past {
            let count = PAIR_LIMIT.min(usize::try_from(count).unwrap_or(PAIR_LIMIT));
            let of_lead = attempts.entry(lead).or_default();
            of_lead.extend(std::iter::repeat_n(at, count));
        }
        for of_lead in attempts.values_mut() {
            of_lead.sort_unstable();
        }
        Self {
            attempts,
            reduced_at: now,
        }
    }

    /// Checks whether an attempt to `lead` may be made now.
    ///
    /// # Errors
    /// Returns the time of the attempt if it is too early now.
    pub fn check(&mut self, lead: &LeadId, now: Timestamp) -> Result<(), Timestamp> {
        let counts = |at: &Timestamp| after(*at, PAIR_WINDOW) > now;
        if after(self.reduced_at, PAIR_WINDOW) <= now {
            self.reduced_at = now;
            self.attempts.retain(|_, it| it.last().is_some_and(counts));
        }
        let Some(attempts) = self.attempts.get_mut(lead) else {
            return Ok(());
        };
        attempts.retain(counts);
        if let Some(over) = attempts.len().checked_sub(PAIR_LIMIT)
            && let Some(oldest) = attempts.get(over)
        {
            return Err(after(*oldest, PAIR_WINDOW));
        }
        Ok(())
    }

    /// Counts an attempt to `lead`.
    pub fn count(&mut self, lead: &LeadId, now: Timestamp) {
        self.attempts.entry(lead.clone()).or_default().push(now);
    }
}

/// The rate of one number.
#[derive(Clone, Copy, Debug)]
pub struct Throughput {
    /// Messages per second that the provider allows.
    allowed: f64,
    /// Whether an operator set the rate: then the provider's is not used.
    is_set: bool,
    /// The part of the rate that was left by the last throttling, and its time.
    throttled: Option<(f64, Timestamp)>,
    bucket: Bucket,
}

impl Throughput {
    /// `set` is the rate of an operator, in messages per second.
    #[must_use]
    pub fn new(set: Option<u32>) -> Self {
        let allowed = set.map_or(f64::from(DEFAULT_THROUGHPUT) * SHARE, f64::from);
        Self {
            allowed,
            is_set: set.is_some(),
            throttled: None,
            bucket: Bucket::default(),
        }
    }

    /// Applies what the provider allows per second.
    pub fn allow(&mut self, throughput: u32) {
        if !self.is_set {
            self.allowed = f64::from(throughput.max(1)) * SHARE;
        }
    }

    /// Halves the rate for a while.
    pub fn throttle(&mut self, now: Timestamp) {
        let last = self.throttled.map(|(_, since)| since);
        if last.is_some_and(|since| after(since, ONE_THROTTLING) > now) {
            return;
        }
        let left = (self.part(now) / 2.0).max(LOWEST);
        self.throttled = Some((left, now));
    }

    /// Returns how many messages may go now.
    #[must_use]
    pub fn available(&self, now: Timestamp) -> usize {
        self.bucket.available(self.rate(now), now)
    }

    /// Returns the first time at which a message may go.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Timestamp {
        self.bucket.next(self.rate(now))
    }

    /// Counts a message that goes now.
    pub fn take(&mut self, now: Timestamp) {
        let rate = self.rate(now);
        self.bucket.take(1, rate, now);
    }

    fn rate(&self, now: Timestamp) -> Rate {
        let per_second = (self.allowed * self.part(now)).max(f64::MIN_POSITIVE);
        Rate {
            interval: (1e6 / per_second) as i64,
            burst: ((per_second * BURST) as u32).max(1),
        }
    }

    /// Returns the part of the rate that throttling leaves.
    fn part(&self, now: Timestamp) -> f64 {
        let Some((left, since)) = self.throttled else {
            return 1.0;
        };
        let passed = now.millis() - after(since, HALVED).millis();
        let minutes = passed.max(0) as f64 / 60_000.0;
        minutes.mul_add(REGAINED, left).min(1.0)
    }
}

fn micros(time: Timestamp) -> i64 {
    time.millis().saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    impl Pairs {
        fn admit(&mut self, lead: &LeadId, now: Timestamp) -> Result<(), Timestamp> {
            self.check(lead, now)?;
            self.count(lead, now);
            Ok(())
        }
    }

    fn sent(throughput: &mut Throughput, from: Timestamp, seconds: i64) -> i64 {
        let (mut now, mut sent) = (from, 0);
        let end = Timestamp::from_millis(from.millis() + seconds * 1_000);
        while now < end {
            while throughput.available(now) > 0 {
                throughput.take(now);
                sent += 1;
            }
            let next = throughput.next(now);
            assert!(next > now, "no progress");
            now = next;
        }
        sent
    }

    #[test]
    fn a_number_uses_four_fifths_of_what_meta_allows() {
        let mut throughput = Throughput::new(None);
        let first = sent(&mut throughput, NOW, 1);
        assert!((64..=80).contains(&first), "{first}");
        throughput.allow(1_000);
        let later = after(NOW, Duration::from_secs(10));
        let second = sent(&mut throughput, later, 10);
        assert!((8_000..=8_200).contains(&second), "{second}");
        let mut set = Throughput::new(Some(10));
        set.allow(1_000);
        let sent = sent(&mut set, NOW, 10);
        assert!((100..=102).contains(&sent), "{sent}");
    }

    #[test]
    fn a_throttled_number_has_half_its_rate_and_regains_a_tenth_per_minute() {
        let mut throughput = Throughput::new(Some(100));
        throughput.throttle(NOW);
        let at = |seconds| after(NOW, Duration::from_secs(seconds));
        let part = |throughput: &Throughput, seconds| {
            (throughput.part(at(seconds)) * 100.0).round() as i64
        };
        throughput.throttle(at(1));
        assert_eq!(part(&throughput, 1), 50, "another answer in flight");
        assert_eq!(part(&throughput, 10), 50);
        assert_eq!(part(&throughput, 70), 60);
        assert_eq!(part(&throughput, 310), 100);
        assert_eq!(part(&throughput, 9_000), 100);
        throughput.throttle(at(70));
        assert_eq!(part(&throughput, 70), 30);
    }

    #[test]
    fn a_lead_gets_45_at_once_and_the_next_after_270_seconds() {
        let mut pairs = Pairs::default();
        let (ann, bea) = (LeadId::from("ann"), LeadId::from("bea"));
        let second = after(NOW, Duration::from_secs(1));
        assert_eq!(pairs.admit(&ann, NOW), Ok(()));
        for _ in 1..45 {
            assert_eq!(pairs.admit(&ann, second), Ok(()));
        }
        let next = after(NOW, PAIR_WINDOW);
        assert_eq!(pairs.admit(&ann, second), Err(next));
        assert_eq!(pairs.admit(&bea, second), Ok(()));
        assert_eq!(pairs.admit(&ann, next), Ok(()));
        assert_eq!(pairs.admit(&ann, next), Err(after(second, PAIR_WINDOW)));
    }

    #[test]
    fn attempts_of_a_former_owner_count_and_old_ones_are_forgotten() {
        let ann = LeadId::from("ann");
        let earlier = Timestamp::from_millis(NOW.millis() - 100_000);
        let past = vec![(ann.clone(), NOW, 20), (ann.clone(), earlier, 24)];
        let mut pairs = Pairs::new(past, NOW);
        assert_eq!(pairs.admit(&ann, NOW), Ok(()));
        assert_eq!(pairs.admit(&ann, NOW), Err(after(earlier, PAIR_WINDOW)));
        let later = after(NOW, PAIR_WINDOW);
        assert_eq!(pairs.admit(&"bea".into(), later), Ok(()));
        assert_eq!(pairs.attempts.len(), 1);
    }

    proptest! {
        #[test]
        fn no_window_has_more_attempts_than_meta_allows(
            steps in prop::collection::vec(0u64..20_000, 1..400), restart in 0usize..400
        ) {
            let (mut pairs, mut now, mut admitted) = (Pairs::default(), NOW, Vec::new());
            let lead = LeadId::from("ann");
            for (number, step) in steps.into_iter().enumerate() {
                now = after(now, Duration::from_millis(step));
                if number == restart {
                    let past = admitted.iter().map(|at| (lead.clone(), *at, 1));
                    pairs = Pairs::new(past.collect(), now);
                }
                match pairs.admit(&lead, now) {
                    Ok(()) => admitted.push(now),
                    Err(at) => prop_assert!(at > now),
                }
            }
            for run in admitted.windows(PAIR_LIMIT + 1) {
                prop_assert!(after(run[0], PAIR_WINDOW) <= run[PAIR_LIMIT]);
            }
        }
    }
}
