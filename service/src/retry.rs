//! Retry policy as data: exponential backoff with full jitter.

use std::time::Duration;

/// A policy for retries. The delay before attempt `n + 1` is uniform between zero and `min(cap,
/// base · 2ⁿ)` (full jitter), so that many clients do not return at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    pub base: Duration,
    pub cap: Duration,
    /// The total number of attempts, including the first; `None` for no limit.
    pub max_attempts: Option<u32>,
}

impl RetryPolicy {
    #[must_use]
    pub const fn unlimited(base: Duration, cap: Duration) -> Self {
        Self {
            base,
            cap,
            max_attempts: None,
        }
    }

    /// Returns the longest wait after `attempts` failed attempts; `None` if no attempt is left.
    #[must_use]
    pub fn ceiling(&self, attempts: u32) -> Option<Duration> {
        if self.max_attempts.is_some_and(|max| attempts >= max) {
            return None;
        }
        let doublings = attempts.saturating_sub(1).min(31);
        Some(self.base.saturating_mul(1 << doublings).min(self.cap))
    }

    /// Returns the wait after `attempts` failed attempts, with `unit` drawn uniformly from 0..1.
    #[must_use]
    pub fn delay(&self, attempts: u32, unit: f64) -> Option<Duration> {
        self.ceiling(attempts)
            .map(|ceiling| ceiling.mul_f64(unit.clamp(0.0, 1.0)))
    }

    /// Returns a delay like [`Self::delay`], with a random draw.
    #[must_use]
    pub fn random_delay(&self, attempts: u32) -> Option<Duration> {
        self.delay(attempts, rand::random())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::RetryPolicy;

    proptest! {
        #[test]
        fn a_delay_is_within_its_ceiling_and_the_ceiling_within_the_cap(
            base in 1u64..10_000, cap in 1u64..1_000_000, attempts in 1u32..200, unit in 0.0f64..1.0
        ) {
            let policy = RetryPolicy::unlimited(Duration::from_millis(base), Duration::from_millis(cap));
            let ceiling = policy.ceiling(attempts).unwrap();
            prop_assert!(ceiling <= policy.cap);
            prop_assert!(policy.delay(attempts, unit).unwrap() <= ceiling);
            prop_assert!(policy.ceiling(attempts + 1).unwrap() >= ceiling);
        }
    }

    #[test]
    fn attempts_end_where_the_policy_says() {
        let policy = RetryPolicy {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(60),
            max_attempts: Some(3),
        };
        assert_eq!(policy.ceiling(1), Some(Duration::from_secs(1)));
        assert_eq!(policy.ceiling(2), Some(Duration::from_secs(2)));
        assert_eq!(policy.ceiling(3), None);
    }
}
