//! Decides how long a lane waits after it stopped, and when too many records are refused for the
//! records to be at fault. Pure.

use std::time::Duration;

use leadstream_kafka::dead_letter::{PoisonCount, PoisonLimit};

use super::batch::{Fate, Stop, StopKind};
use crate::config::Timing;

/// A CRM that asks for less is believed for an hour at most.
const LONGEST: Duration = Duration::from_secs(3600);

/// Failed requests in a row before the breaker opens: one may be chance.
const FAULTS: u32 = 3;

/// The circuit breaker: open while the lane waits, then half open until a probe of one record went
/// through.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Brake {
    stops: u32,
    faults: u32,
}

impl Brake {
    /// Closes the breaker after a batch that passed.
    pub(super) const fn release(&mut self) {
        self.stops = 0;
        self.faults = 0;
    }

    /// Returns whether only a probe may go out.
    pub(super) const fn is_half_open(&self) -> bool {
        self.stops > 0
    }

    /// Records a failed request. Returns whether the lane has to stop.
    pub(super) fn opens(&mut self, stop: &Stop) -> bool {
        self.faults = self.faults.saturating_add(1);
        stop.kind != StopKind::Fault || self.is_half_open() || self.faults >= FAULTS
    }

    /// Returns how long the lane waits after `stop`, with `unit` drawn from 0..1.
    pub(super) fn wait(&mut self, stop: &Stop, timing: &Timing, unit: f64) -> Duration {
        self.stops = self.stops.saturating_add(1);
        let ceiling = timing.retry.ceiling(self.stops);
        let jitter = ceiling.mul_f64(unit.clamp(0.0, 1.0));
        match stop.kind {
            StopKind::Halt => timing.probe,
            // What the CRM asked for is the least; never twice at once.
            StopKind::Throttle | StopKind::Fault => match stop.after {
                Some(after) => after.min(LONGEST) + jitter,
                None => (ceiling + jitter) / 2,
            },
        }
    }
}

/// Counts refused records, and decides when too many are refused for the records to be at fault.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Poison {
    count: PoisonCount,
    /// Records that passed since the limit was exceeded. No longer run is given up than that:
    /// a probe that passes shows little of the records behind it.
    passed: Option<u32>,
}

impl Poison {
    /// Counts the permanently refused records of a batch against `limit`. Past the limit no more
    /// records are given up: they are released, and the reason to halt is returned.
    pub(super) fn judge(&mut self, fates: &mut [Fate], limit: PoisonLimit) -> Option<Stop> {
        let mut stop = None;
        for fate in fates {
            let poison = match fate {
                Fate::DeadLetter(_) => true,
                Fate::Done { .. } | Fate::Stale => {
                    self.passed = self.passed.map(|passed| passed.saturating_add(1));
                    false
                }
                Fate::Park(_) => false,
                Fate::Retry(_)
                | Fate::RetryOnce(_)
                | Fate::RetryFew(_)
                | Fate::Release
                | Fate::Equal
                | Fate::Filtered => continue,
            };
            let run = self
                .passed
                .map_or(limit.run, |passed| passed.min(limit.run));
            if !self.count.observe(poison, PoisonLimit { run, ..limit })
                && let Fate::DeadLetter(reason) = std::mem::replace(fate, Fate::Release)
            {
                self.passed = Some(0);
                stop = Some(Stop::halt(format!(
                    "too many records in a row were refused for each to be at fault; the last: {reason}"
                )));
            }
        }
        stop
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use leadstream_kafka::dead_letter::PoisonLimit;
    use leadstream_service::RetryPolicy;
    use proptest::prelude::*;

    use super::{Brake, Fate, LONGEST, Poison, Stop, StopKind};
    use crate::config::Timing;

    const TIMING: Timing = Timing {
        request: Duration::from_secs(20),
        retry: RetryPolicy::new(Duration::from_millis(500), Duration::from_secs(60)),
        probe: Duration::from_secs(60),
        linger: Duration::ZERO,
        daily_share: 100,
        concurrency: 4,
    };

    fn stop(kind: StopKind, after: Option<u64>) -> Stop {
        Stop {
            kind,
            reason: String::new(),
            after: after.map(Duration::from_secs),
        }
    }

    #[test]
    fn waits_grow_and_begin_anew_after_a_success() {
        let mut brake = Brake::default();
        let fault = stop(StopKind::Fault, None);
        assert_eq!(brake.wait(&fault, &TIMING, 0.0), Duration::from_millis(250));
        assert_eq!(brake.wait(&fault, &TIMING, 1.0), Duration::from_secs(1));
        brake.release();
        assert_eq!(brake.wait(&fault, &TIMING, 1.0), Duration::from_millis(500));
    }

    #[test]
    fn a_few_faults_in_a_row_open_the_breaker_and_a_failed_probe_does_at_once() {
        let fault = stop(StopKind::Fault, None);
        let mut brake = Brake::default();
        assert_eq!([(); 3].map(|()| brake.opens(&fault)), [false, false, true]);
        brake.wait(&fault, &TIMING, 0.5);
        assert!(brake.is_half_open() && brake.opens(&fault));
        brake.release();
        assert!(!brake.is_half_open() && !brake.opens(&fault));
        assert!(brake.opens(&stop(StopKind::Throttle, None)));
    }

    #[test]
    fn a_halted_lane_is_probed_at_its_interval() {
        let halt = Stop::halt("");
        assert_eq!(Brake::default().wait(&halt, &TIMING, 0.7), TIMING.probe);
    }

    #[test]
    fn refusals_past_the_limit_are_not_the_records_fault() {
        let limit = PoisonLimit {
            run: 2,
            ..PoisonLimit::default()
        };
        let mut poison = Poison::default();
        let dead = || Fate::DeadLetter("code".into());
        let done = || Fate::Done { record_id: None };
        let mut fates = [dead(), dead(), done(), dead(), dead()];
        assert_eq!(poison.judge(&mut fates, limit), None);
        let mut more = [Fate::Retry(String::new()), dead(), dead()];
        let stop = poison.judge(&mut more, limit).unwrap();
        assert!(stop.reason.contains("code"), "{}", stop.reason);
        assert_eq!(more[1..], [Fate::Release, Fate::Release]);
        let mut good = [done(), dead()];
        assert_eq!(poison.judge(&mut good, limit), None);
    }

    #[test]
    fn a_probe_that_passes_lets_no_further_run_of_records_die() {
        let limit = PoisonLimit::default();
        let mut poison = Poison::default();
        let dead = |count| vec![Fate::DeadLetter("code".into()); count];
        let done = |count| vec![Fate::Done { record_id: None }; count];
        let died = |fates: &[Fate]| {
            let dead = |fate: &&Fate| matches!(fate, Fate::DeadLetter(_));
            fates.iter().filter(dead).count()
        };
        let mut first = dead(200);
        assert!(poison.judge(&mut first, limit).is_some());
        assert_eq!(died(&first), 100);
        for passed in [1, 3] {
            assert_eq!(poison.judge(&mut done(passed), limit), None);
            let mut next = dead(200);
            assert!(poison.judge(&mut next, limit).is_some());
            assert_eq!(died(&next), passed);
        }
        // Trust is earned again.
        assert_eq!(poison.judge(&mut done(100), limit), None);
        assert_eq!(poison.judge(&mut dead(100), limit), None);
    }

    proptest! {
        #[test]
        fn what_the_crm_asked_for_is_kept_within_bounds(
            after in 0u64..100_000, stops in 0u32..100, unit in 0.0f64..1.0
        ) {
            let mut brake = Brake { stops, faults: 0 };
            let wait = brake.wait(&stop(StopKind::Throttle, Some(after)), &TIMING, unit);
            prop_assert!(wait >= Duration::from_secs(after).min(LONGEST));
            prop_assert!(wait <= LONGEST + TIMING.retry.cap);
        }
    }
}
