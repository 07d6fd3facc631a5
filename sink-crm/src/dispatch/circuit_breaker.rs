//! Decides how long a worker waits after it stopped, and when so many records are refused that the
//! records are not at fault. Pure.

use std::time::Duration;

use leadstream_kafka::dead_letter::{PoisonCount, PoisonLimit};

use super::batch::{Stop, StopKind};
use crate::config::Timing;
use crate::outcome::RecordOutcome;

/// The longest pause that the worker accepts from a CRM.
pub(super) const LONGEST: Duration = Duration::from_secs(3600);

/// Failed requests in a row before the breaker opens: one may be chance.
const FAULTS: u32 = 3;

/// The circuit breaker: open while the worker waits, then half open until a probe of one record
/// succeeds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CircuitBreaker {
    stops: u32,
    faults: u32,
}

impl CircuitBreaker {
    /// Closes the breaker after a batch that succeeded.
    pub(super) const fn on_success(&mut self) {
        self.stops = 0;
        self.faults = 0;
    }

    /// Returns whether only a probe may go out.
    pub(super) const fn is_half_open(&self) -> bool {
        self.stops > 0
    }

    /// Returns whether a batch whose requests succeeded leaves the breaker open: a probe of which the
    /// CRM `judged` no record shows nothing. The next probe is of another record.
    pub(super) const fn remains_open(&self, judged: bool) -> bool {
        self.is_half_open() && !judged
    }

    /// Counts a failed request. Returns whether the breaker opens.
    pub(super) fn on_failure(&mut self, stop: &Stop) -> bool {
        self.faults = self.faults.saturating_add(1);
        stop.kind != StopKind::Fault || self.is_half_open() || self.faults >= FAULTS
    }

    /// Returns how long the breaker stays open after `stop`, with `unit` drawn from 0..1.
    pub(super) fn open_for(&mut self, stop: &Stop, timing: &Timing, unit: f64) -> Duration {
        self.stops = self.stops.saturating_add(1);
        let ceiling = timing.retry.ceiling(self.stops);
        let jitter = ceiling.mul_f64(unit.clamp(0.0, 1.0));
        match stop.kind {
            StopKind::Halt | StopKind::Gone => timing
                .probe
                .max(stop.after.unwrap_or_default().min(LONGEST)),
            // At least what the CRM asked for, with jitter so that processes do not return at once.
            StopKind::Throttle | StopKind::Fault => match stop.after {
                Some(after) => after.min(LONGEST) + jitter,
                None => (ceiling + jitter) / 2,
            },
        }
    }
}

/// Counts refused records. Past the limit the organisation is at fault, not the records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RefusalLimit {
    count: PoisonCount,
    /// Records that were accepted since the limit was exceeded. It bounds the next run of dead
    /// letters, because an accepted probe proves little about the records behind it.
    accepted: Option<u32>,
}

impl RefusalLimit {
    /// Counts the permanently refused records of a batch against `limit`. Past the limit no more
    /// records are given up: they are released, and the reason to halt is returned.
    pub(super) fn enforce(
        &mut self,
        outcomes: &mut [RecordOutcome],
        limit: PoisonLimit,
    ) -> Option<Stop> {
        let mut stop = None;
        for outcome in outcomes {
            let is_refused = match outcome {
                RecordOutcome::DeadLetter(_) => true,
                RecordOutcome::Synced { .. }
                | RecordOutcome::Recreated { .. }
                | RecordOutcome::Stale => {
                    self.accepted = self.accepted.map(|accepted| accepted.saturating_add(1));
                    false
                }
                RecordOutcome::Parked(_) | RecordOutcome::Refused { .. } => false,
                RecordOutcome::Retry(_)
                | RecordOutcome::RetryOnce(_)
                | RecordOutcome::Deferred(_)
                | RecordOutcome::Uncertain(_)
                | RecordOutcome::Split(_)
                | RecordOutcome::Throttle(_)
                | RecordOutcome::Halt(_)
                | RecordOutcome::Released
                | RecordOutcome::Unchanged
                | RecordOutcome::Filtered => continue,
            };
            let run = self
                .accepted
                .map_or(limit.run, |accepted| accepted.min(limit.run));
            if !self.count.observe(is_refused, PoisonLimit { run, ..limit })
                && let RecordOutcome::DeadLetter(reason) =
                    std::mem::replace(outcome, RecordOutcome::Released)
            {
                self.accepted = Some(0);
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

    use super::{CircuitBreaker, LONGEST, RecordOutcome, RefusalLimit, Stop, StopKind};
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
    fn waits_grow_and_start_over_after_a_success() {
        let mut breaker = CircuitBreaker::default();
        let fault = stop(StopKind::Fault, None);
        assert_eq!(
            breaker.open_for(&fault, &TIMING, 0.0),
            Duration::from_millis(250)
        );
        assert_eq!(
            breaker.open_for(&fault, &TIMING, 1.0),
            Duration::from_secs(1)
        );
        breaker.on_success();
        assert_eq!(
            breaker.open_for(&fault, &TIMING, 1.0),
            Duration::from_millis(500)
        );
    }

    #[test]
    fn a_few_faults_in_a_row_open_the_breaker_and_a_failed_probe_does_at_once() {
        let fault = stop(StopKind::Fault, None);
        let mut breaker = CircuitBreaker::default();
        assert_eq!(
            [(); 3].map(|()| breaker.on_failure(&fault)),
            [false, false, true]
        );
        assert!(!breaker.remains_open(false), "it is closed");
        breaker.open_for(&fault, &TIMING, 0.5);
        assert!(breaker.is_half_open() && breaker.on_failure(&fault));
        assert!(breaker.remains_open(false) && !breaker.remains_open(true));
        breaker.on_success();
        assert!(!breaker.is_half_open() && !breaker.on_failure(&fault));
        assert!(breaker.on_failure(&stop(StopKind::Throttle, None)));
    }

    #[test]
    fn a_halted_crm_is_probed_at_its_interval() {
        let halt = Stop::halt("");
        assert_eq!(
            CircuitBreaker::default().open_for(&halt, &TIMING, 0.7),
            TIMING.probe
        );
        for (asked, seconds) in [(1, 60), (61, 61), (1_000_000, 3600)] {
            let halt = stop(StopKind::Halt, Some(asked));
            let wait = CircuitBreaker::default().open_for(&halt, &TIMING, 0.7);
            assert_eq!(wait, Duration::from_secs(seconds), "asked for {asked} s");
        }
    }

    #[test]
    fn refusals_past_the_limit_are_not_the_records_fault() {
        let limit = PoisonLimit {
            run: 2,
            ..PoisonLimit::default()
        };
        let mut refusals = RefusalLimit::default();
        let dead = || RecordOutcome::DeadLetter("code".into());
        let done = || RecordOutcome::Synced {
            crm_record_id: None,
        };
        let mut outcomes = [dead(), dead(), done(), dead(), dead()];
        assert_eq!(refusals.enforce(&mut outcomes, limit), None);
        let mut more = [RecordOutcome::Retry(String::new()), dead(), dead()];
        let stop = refusals.enforce(&mut more, limit).unwrap();
        assert!(stop.reason.contains("code"), "{}", stop.reason);
        assert_eq!(
            more[1..],
            [RecordOutcome::Released, RecordOutcome::Released]
        );
        let mut good = [done(), dead()];
        assert_eq!(refusals.enforce(&mut good, limit), None);
    }

    #[test]
    fn an_accepted_probe_allows_no_further_run_of_dead_letters() {
        let limit = PoisonLimit::default();
        let mut refusals = RefusalLimit::default();
        let dead = |count| vec![RecordOutcome::DeadLetter("code".into()); count];
        let done = |count| {
            vec![
                RecordOutcome::Synced {
                    crm_record_id: None
                };
                count
            ]
        };
        let died = |outcomes: &[RecordOutcome]| {
            let dead = |outcome: &&RecordOutcome| matches!(outcome, RecordOutcome::DeadLetter(_));
            outcomes.iter().filter(dead).count()
        };
        let mut first = dead(200);
        assert!(refusals.enforce(&mut first, limit).is_some());
        assert_eq!(died(&first), 100);
        for accepted in [1, 3] {
            assert_eq!(refusals.enforce(&mut done(accepted), limit), None);
            let mut next = dead(200);
            assert!(refusals.enforce(&mut next, limit).is_some());
            assert_eq!(died(&next), accepted);
        }
        // As many accepted records restore the limit.
        assert_eq!(refusals.enforce(&mut done(100), limit), None);
        assert_eq!(refusals.enforce(&mut dead(100), limit), None);
    }

    proptest! {
        #[test]
        fn what_the_crm_asked_for_is_kept_within_bounds(
            after in 0u64..100_000, stops in 0u32..100, unit in 0.0f64..1.0
        ) {
            let mut breaker = CircuitBreaker { stops, faults: 0 };
            let wait = breaker.open_for(&stop(StopKind::Throttle, Some(after)), &TIMING, unit);
            prop_assert!(wait >= Duration::from_secs(after).min(LONGEST));
            prop_assert!(wait <= LONGEST + TIMING.retry.cap);
        }
    }
}
