//! Evaluates the outcomes of an overload. Pure.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::generator::{Outcome, Phase};
use crate::scenario::{micros, millis, per_second, share};

/// An answer that takes longer is not what ingest gives at its usual rate.
const USUAL: Duration = Duration::from_millis(50);

/// Shares are per cent of the burst's webhooks, times are milliseconds from the write to the
/// answer.
#[derive(Debug, PartialEq)]
pub(super) struct Evaluation {
    /// 200s a second while the burst lasted.
    pub(super) goodput: f64,
    /// Share answered 200, however late.
    pub(super) accepted: f64,
    /// Share answered 503.
    pub(super) refused: f64,
    /// Share answered otherwise, or not at all.
    pub(super) failed: f64,
    pub(super) accepted_p99: Option<f64>,
    pub(super) refused_p99: Option<f64>,
    pub(super) refused_max: Option<f64>,
    /// Whole seconds after the burst until a second of usual answers. In it 99 % of the answers are
    /// 200s within [`USUAL`] of the planned time. `watched` when there was none.
    pub(super) recovery: f64,
    /// Whole seconds after the burst.
    pub(super) watched: f64,
}

/// Evaluates a `burst` followed by a time `after` it.
pub(super) fn evaluate(
    outcomes: &[Outcome],
    burst: Phase,
    after: Phase,
) -> anyhow::Result<Evaluation> {
    let of_burst = outcomes
        .iter()
        .filter(|outcome| outcome.index < burst.requests());
    let end = Duration::from_secs(u64::try_from(burst.seconds)?);
    let mut accepted = Histogram::<u64>::new(3)?;
    let mut refused = Histogram::<u64>::new(3)?;
    let mut slowest = Duration::ZERO;
    let mut in_time = 0;
    for outcome in of_burst {
        let waited = outcome.at.saturating_sub(outcome.written);
        match outcome.status {
            Some(200) => {
                accepted.record(micros(waited))?;
                in_time += usize::from(outcome.at <= end);
            }
            Some(503) => {
                refused.record(micros(waited))?;
                slowest = slowest.max(waited);
            }
            _ => {}
        }
    }
    let count = |answers: &Histogram<u64>| usize::try_from(answers.len()).unwrap_or(usize::MAX);
    let p99 = |answers: &Histogram<u64>| {
        (!answers.is_empty()).then(|| millis(answers.value_at_quantile(0.99)))
    };
    let failed = burst
        .requests()
        .saturating_sub(count(&accepted) + count(&refused));
    let (recovery, watched) = recovery(outcomes, end, after.seconds);
    Ok(Evaluation {
        goodput: per_second(in_time, end.as_secs_f64()),
        accepted: share(count(&accepted), burst.requests()),
        refused: share(count(&refused), burst.requests()),
        failed: share(failed, burst.requests()),
        accepted_p99: p99(&accepted),
        refused_p99: p99(&refused),
        refused_max: (!refused.is_empty()).then(|| millis(micros(slowest))),
        recovery,
        watched,
    })
}

/// Returns the recovery, and the watched time: the planned one, longer when answers came later.
#[expect(clippy::cast_precision_loss, reason = "seconds are few")]
fn recovery(outcomes: &[Outcome], end: Duration, planned: usize) -> (f64, f64) {
    let after = |outcome: &Outcome| outcome.at.checked_sub(end);
    let second = |time: Duration| usize::try_from(time.as_secs()).unwrap_or(usize::MAX);
    let last = outcomes.iter().filter_map(after).max().unwrap_or_default();
    // Answers of each whole second, and how many of them were not as usual.
    let mut seconds = vec![(0_usize, 0_usize); planned.max(second(last))];
    for outcome in outcomes {
        let slot = after(outcome).and_then(|time| seconds.get_mut(second(time)));
        if let Some((answers, unusual)) = slot {
            let usual = outcome.status == Some(200) && outcome.at - outcome.planned < USUAL;
            *answers += 1;
            *unusual += usize::from(!usual);
        }
    }
    let first = seconds
        .iter()
        .position(|(answers, unusual)| *answers > 0 && unusual * 100 <= *answers);
    let watched = seconds.len();
    (first.unwrap_or(watched) as f64, watched as f64)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const BURST: Phase = Phase {
        rate: 10,
        seconds: 1,
    };
    const AFTER: Phase = Phase {
        rate: 2,
        seconds: 4,
    };

    /// Returns an outcome planned, written and answered at these milliseconds.
    fn outcome(index: usize, [planned, written, at]: [u64; 3], status: Option<u16>) -> Outcome {
        Outcome {
            index,
            start: Instant::now(),
            planned: Duration::from_millis(planned),
            written: Duration::from_millis(written),
            at: Duration::from_millis(at),
            status,
        }
    }

    #[test]
    fn shares_are_of_the_burst_and_times_count_from_the_write() {
        let mut outcomes = vec![
            outcome(0, [0, 0, 100], Some(200)),
            outcome(1, [100, 100, 104], Some(503)),
            // Waited for a connection first; answered after the burst.
            outcome(2, [200, 900, 1400], Some(200)),
            outcome(3, [300, 900, 908], Some(503)),
            outcome(4, [400, 400, 500], None),
            outcome(5, [500, 500, 510], Some(500)),
        ];
        outcomes.extend((6..8).map(|index| outcome(index, [600, 600, 700], Some(200))));
        outcomes.push(outcome(10, [1000, 1000, 9000], Some(503)));
        let evaluation = evaluate(&outcomes, BURST, AFTER).unwrap();
        let rounded = |value: Option<f64>| value.map(f64::round);
        assert_eq!(
            (evaluation.goodput, evaluation.accepted, evaluation.refused),
            (3.0, 40.0, 20.0)
        );
        // Two were never answered.
        assert!((evaluation.failed - 40.0).abs() < f64::EPSILON);
        assert_eq!(rounded(evaluation.accepted_p99), Some(500.0));
        assert_eq!(rounded(evaluation.refused_p99), Some(8.0));
        assert_eq!(rounded(evaluation.refused_max), Some(8.0));
    }

    #[test]
    fn a_second_of_usual_answers_is_the_recovery() {
        let late = outcome(1, [100, 100, 1200], Some(200));
        let refused = outcome(2, [2000, 2000, 2001], Some(503));
        // Nothing was answered in the third second after the burst.
        let usual = outcome(3, [4000, 4000, 4049], Some(200));
        let end = Duration::from_secs(1);
        let after = |outcomes: &[Outcome]| recovery(outcomes, end, AFTER.seconds);
        assert_eq!(after(&[late, refused, usual]), (3.0, 4.0));
        let slow = outcome(3, [4000, 4000, 4050], Some(200));
        assert_eq!(after(&[late, refused, slow]), (4.0, 4.0));
        // A second that was watched in part tells nothing.
        let part = outcome(4, [7190, 7190, 7200], Some(200));
        assert_eq!(after(&[late, part]), (6.0, 6.0));
    }
}
