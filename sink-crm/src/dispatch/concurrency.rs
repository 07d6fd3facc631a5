//! Limits the requests in flight: one more for every round that succeeds, half as many after a
//! failure. Pure.

/// Additive increase, multiplicative decrease.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aimd {
    limit: f64,
    max: f64,
}

impl Aimd {
    /// Starts with one request at a time, and never goes beyond `max`.
    pub(super) fn new(max: u32) -> Self {
        Self {
            limit: 1.0,
            max: f64::from(max.max(1)),
        }
    }

    /// Returns the number of requests that may be in flight.
    pub(super) fn limit(&self) -> usize {
        // Between 1 and a u32.
        self.limit as usize
    }

    pub(super) fn succeeded(&mut self) {
        self.limit = (self.limit + 1.0 / self.limit).min(self.max);
    }

    pub(super) fn failed(&mut self) {
        self.limit = (self.limit / 2.0).max(1.0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Aimd;

    #[test]
    fn it_grows_by_one_a_round_and_halves_at_once() {
        let mut aimd = Aimd::new(4);
        assert_eq!(aimd.limit(), 1);
        for (successes, limit) in [(1, 2), (3, 3), (10, 4)] {
            (0..successes).for_each(|_| aimd.succeeded());
            assert_eq!(aimd.limit(), limit);
        }
        aimd.failed();
        assert_eq!(aimd.limit(), 2);
    }

    proptest! {
        #[test]
        fn it_stays_between_one_and_its_maximum(
            max in 1u32..64, rounds in prop::collection::vec(any::<bool>(), 0..200)
        ) {
            let mut aimd = Aimd::new(max);
            for succeeded in rounds {
                if succeeded { aimd.succeeded() } else { aimd.failed() }
                prop_assert!(aimd.limit() >= 1 && aimd.limit() <= max as usize);
            }
        }
    }
}
