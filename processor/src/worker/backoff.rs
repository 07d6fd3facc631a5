//! Computes the pause of a worker whose batches fail.

use std::time::{Duration, Instant};

use leadstream_service::RetryPolicy;

/// The failures of a worker and the time of its next attempt.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    /// Consecutive failures.
    failures: u32,
    retry_at: Option<Instant>,
}

impl Backoff {
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    /// Returns the earliest time for work that is due at `at`.
    pub(super) fn earliest(&self, at: Instant) -> Instant {
        self.retry_at.map_or(at, |retry_at| retry_at.max(at))
    }

    /// Counts a failure. Returns the pause after it.
    pub(super) fn on_failure(&mut self, retry: &RetryPolicy) -> Duration {
        self.failures += 1;
        let pause = retry.random_delay(self.failures);
        self.retry_at = Some(Instant::now() + pause);
        pause
    }

    /// Ends the pause and keeps the count, because more urgent work interrupted.
    pub(super) const fn on_interruption(&mut self) {
        self.retry_at = None;
    }

    /// Ends the pause. Returns whether there were failures.
    pub(super) const fn on_success(&mut self) -> bool {
        self.retry_at = None;
        std::mem::replace(&mut self.failures, 0) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: RetryPolicy = RetryPolicy::new(Duration::from_millis(100), Duration::from_secs(5));

    #[test]
    fn work_waits_for_the_pause_after_failures_and_only_for_that() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
        assert_eq!(backoff.earliest(now), now);
        let pause = backoff.on_failure(&RETRY);
        assert!(backoff.earliest(now) >= now + pause);
        let late = now + Duration::from_secs(60);
        assert_eq!(backoff.earliest(late), late);
        backoff.on_interruption();
        assert_eq!((backoff.earliest(now), backoff.failures()), (now, 1));
        assert!(backoff.on_success());
        assert!(!backoff.on_success());
    }
}
