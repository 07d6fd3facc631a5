//! Plans the time of each request of an open loop. Pure.

use std::time::Duration;

/// Some seconds of one rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    /// Requests a second.
    pub(crate) rate: usize,
    pub(crate) seconds: usize,
}

impl Phase {
    pub(crate) const fn requests(self) -> usize {
        self.rate * self.seconds
    }
}

/// Phases one after another, requests evenly within each.
#[derive(Clone, Debug)]
pub(crate) struct Plan(Vec<Phase>);

impl Plan {
    pub(crate) fn new(phases: impl Into<Vec<Phase>>) -> Self {
        Self(phases.into())
    }

    pub(crate) fn requests(&self) -> usize {
        self.0.iter().map(|phase| phase.requests()).sum()
    }

    pub(crate) fn length(&self) -> Duration {
        seconds(self.0.iter().map(|phase| phase.seconds).sum())
    }

    /// Returns the time of request `index`, counted from the start. Requests beyond the last are
    /// sent at the end.
    pub(crate) fn at(&self, index: usize) -> Duration {
        let mut begun = Duration::ZERO;
        let mut left = index;
        for phase in &self.0 {
            if left < phase.requests() {
                let within = u64::try_from(left % phase.rate).unwrap_or_default() * 1_000_000_000;
                let rate = u64::try_from(phase.rate).unwrap_or(u64::MAX);
                return begun + seconds(left / phase.rate) + Duration::from_nanos(within / rate);
            }
            left -= phase.requests();
            begun += seconds(phase.seconds);
        }
        begun
    }
}

fn seconds(count: usize) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Phase, Plan};

    #[test]
    fn requests_are_even_within_a_phase_and_phases_follow_each_other() {
        let plan = Plan::new([
            Phase {
                rate: 4,
                seconds: 2,
            },
            Phase {
                rate: 1,
                seconds: 3,
            },
        ]);
        let planned: Vec<f64> = (0..=plan.requests())
            .map(|index| plan.at(index).as_secs_f64())
            .collect();
        assert_eq!(
            planned,
            [
                0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 3.0, 4.0, 5.0
            ]
        );
        assert_eq!(plan.length(), Duration::from_secs(5));
    }
}
