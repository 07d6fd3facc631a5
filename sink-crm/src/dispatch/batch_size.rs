//! Limits the records of a request: fewer after the CRM refused requests because of their size, then
//! more, step by step. Pure.

/// Full batches, at most, that pass before a larger size is tried.
const LONGEST: u32 = 64;

/// Sizes of requests that accepted and that were refused as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    /// The largest request of which the CRM took a record.
    accepted: usize,
    /// The smallest request of which it took none and had to be split.
    refused: Option<usize>,
}

impl Sizes {
    pub(super) fn accept(&mut self, records: usize) {
        self.accepted = self.accepted.max(records);
    }

    pub(super) fn refuse(&mut self, records: usize) {
        self.refused = Some(self.refused.map_or(records, |known| known.min(records)));
    }

    /// Returns the largest accepted and the smallest refused size, if size is the difference. A bad
    /// record is refused at a size at which others are accepted.
    fn limit(self) -> Option<(usize, usize)> {
        let refused = self.refused?;
        (self.accepted > 0 && refused > self.accepted).then_some((self.accepted, refused))
    }
}

/// The most records of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchSize {
    limit: usize,
    max: usize,
    /// The largest size that accepted and was not refused later.
    accepted_max: usize,
    /// Full batches that accepted since the limit changed.
    full: u32,
    /// Full batches that have to pass before the limit grows.
    batches_to_grow: u32,
}

impl BatchSize {
    /// Starts with `max` records, which it never exceeds.
    pub(super) fn new(max: usize) -> Self {
        Self {
            limit: max.max(1),
            max: max.max(1),
            accepted_max: 0,
            full: 0,
            batches_to_grow: 1,
        }
    }

    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// Learns from the requests of a batch.
    pub(super) fn learn(&mut self, sizes: Sizes) {
        if let Some((accepted, refused)) = sizes.limit() {
            self.accepted_max = if self.accepted_max < refused {
                self.accepted_max.max(accepted)
            } else {
                accepted
            };
            self.limit = self.accepted_max;
            self.full = 0;
            self.batches_to_grow = (self.batches_to_grow * 4).min(LONGEST);
        } else if sizes.accepted >= self.limit {
            if sizes.accepted > self.accepted_max {
                self.accepted_max = sizes.accepted;
                self.batches_to_grow = 1;
            }
            self.full += 1;
            if self.full >= self.batches_to_grow {
                self.limit = (self.limit + self.limit / 4 + 1).min(self.max);
                self.full = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BatchSize, Sizes};

    fn sizes(accepted: &[usize], refused: &[usize]) -> Sizes {
        let mut sizes = Sizes::default();
        accepted.iter().for_each(|records| sizes.accept(*records));
        refused.iter().for_each(|records| sizes.refuse(*records));
        sizes
    }

    #[test]
    fn the_size_that_passed_is_kept_and_grows_slowly() {
        let mut size = BatchSize::new(200);
        size.learn(sizes(&[50, 50, 50, 50], &[200, 100, 100]));
        assert_eq!(size.limit(), 50);
        let full = sizes(&[50], &[]);
        (0..3).for_each(|_| size.learn(full));
        assert_eq!(size.limit(), 50);
        size.learn(full);
        assert_eq!(size.limit(), 63);
        // The larger size fails: the one that is known to pass holds, for longer.
        size.learn(sizes(&[32, 31], &[63]));
        assert_eq!(size.limit(), 50);
        (0..15).for_each(|_| size.learn(full));
        assert_eq!(size.limit(), 50);
        size.learn(full);
        assert_eq!(size.limit(), 63);
    }

    #[test]
    fn a_size_that_passed_before_and_is_refused_now_is_given_up() {
        let mut size = BatchSize::new(200);
        size.learn(sizes(&[50], &[100]));
        size.learn(sizes(&[25], &[50]));
        assert_eq!(size.limit(), 25);
    }

    #[test]
    fn a_bad_record_and_a_broken_crm_leave_the_size() {
        for (accepted, refused) in [
            (&[100, 50, 25, 1][..], &[200, 100, 50, 2, 1][..]),
            (&[], &[200, 100, 1]),
            (&[1], &[2, 1]),
        ] {
            let mut size = BatchSize::new(200);
            size.learn(sizes(accepted, refused));
            assert_eq!(size.limit(), 200, "{accepted:?} {refused:?}");
        }
    }

    #[test]
    fn a_fault_that_passes_is_made_up_for() {
        let mut size = BatchSize::new(200);
        size.learn(sizes(&[1], &[2]));
        assert_eq!(size.limit(), 1);
        let batches = (0..200).take_while(|_| {
            size.learn(sizes(&[size.limit()], &[]));
            size.limit() < 200
        });
        assert!(batches.count() < 30);
    }

    proptest! {
        #[test]
        fn it_stays_between_one_and_its_maximum(
            max in 1usize..300,
            rounds in prop::collection::vec((0usize..300, prop::option::of(1usize..300)), 0..100),
        ) {
            let mut size = BatchSize::new(max);
            for (accepted, refused) in rounds {
                size.learn(Sizes { accepted: accepted.min(max), refused });
                prop_assert!((1..=max).contains(&size.limit()));
            }
        }
    }
}
