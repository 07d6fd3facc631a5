//! Retries: a policy as data (exponential backoff with full jitter), and the loops that follow it.
//!
//! A crate such as `backon` would replace one loop of ten lines. Its jitter only lengthens a delay,
//! so full jitter would stay own code. The health of a waiting service would stay own code, too.

use std::fmt::Display;
use std::time::{Duration, Instant, SystemTime};

use tokio_util::sync::CancellationToken;

use crate::lifecycle::Context;
use crate::telemetry::LogLimiter;

/// A policy for retries. The delay before attempt `n + 1` is uniform between zero and `min(cap,
/// base · 2ⁿ)`. This full jitter keeps many clients from returning at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    pub base: Duration,
    pub cap: Duration,
}

impl RetryPolicy {
    #[must_use]
    pub const fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap }
    }

    /// Returns the longest delay after `attempts` failed attempts.
    #[must_use]
    pub fn ceiling(&self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(31);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }

    /// Returns the delay after `attempts` failed attempts, with `unit` drawn uniformly from 0..1.
    #[must_use]
    pub fn delay(&self, attempts: u32, unit: f64) -> Duration {
        self.ceiling(attempts).mul_f64(unit.clamp(0.0, 1.0))
    }

    /// Returns a delay like [`Self::delay`], with a random draw.
    #[must_use]
    pub fn random_delay(&self, attempts: u32) -> Duration {
        self.delay(attempts, rand::random())
    }

    /// Repeats `operation` until it succeeds, or fails with an error that is not transient. Calls
    /// `notify` before each pause, with the error and the number of failed attempts.
    ///
    /// # Errors
    /// Returns the first error that is not transient.
    pub async fn retry<T, E, F>(
        &self,
        mut operation: impl FnMut() -> F,
        is_transient: impl Fn(&E) -> bool,
        mut notify: impl FnMut(&E, u32),
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut attempts = 0;
        loop {
            match operation().await {
                Err(error) if is_transient(&error) => {
                    attempts += 1;
                    notify(&error, attempts);
                }
                outcome => return outcome,
            }
            tokio::time::sleep(self.random_delay(attempts)).await;
        }
    }

    /// Repeats `job` until `stop`. A job that succeeds returns the pause before its next run. After
    /// failures, which `on_error` receives, the policy determines the pause.
    pub async fn repeat<E, F>(
        &self,
        stop: &CancellationToken,
        mut job: impl FnMut() -> F,
        mut on_error: impl FnMut(&E),
    ) where
        F: Future<Output = Result<Duration, E>>,
    {
        let mut failures = 0;
        loop {
            let pause = match job().await {
                Ok(pause) => {
                    failures = 0;
                    pause
                }
                Err(error) => {
                    failures += 1;
                    on_error(&error);
                    self.random_delay(failures)
                }
            };
            let pause = tokio::time::sleep(pause);
            if stop.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }
}

/// Seconds of the longest pause that `Retry-After` can demand; callers accept less.
const LONGEST_PAUSE: f64 = 1e9;

/// Returns the pause that `Retry-After` asks for, given as seconds or as a date.
#[must_use]
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>()
        && seconds >= 0.0
    {
        return Some(Duration::from_secs_f64(seconds.min(LONGEST_PAUSE)));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

/// The policy of a service that waits to start.
const STARTUP: RetryPolicy = RetryPolicy::new(Duration::from_millis(100), Duration::from_secs(5));

/// Repeats a start-up `operation` while a system that it needs is unavailable. Meanwhile the
/// service's `part` is not ready, and the reason is logged. Returns `None` if the service shuts
/// down first, which cancels the operation.
///
/// # Errors
/// Returns the first error that is not transient.
pub async fn wait_until_available<T, E, F>(
    context: &Context,
    part: &'static str,
    operation: impl FnMut() -> F,
    is_transient: impl Fn(&E) -> bool,
) -> Result<Option<T>, E>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let log = LogLimiter::default();
    let notify = |error: &E, attempts| {
        let reason = error.to_string();
        if log.allows(&reason, Instant::now()) {
            tracing::warn!(part, attempts, error = reason, "waiting to start");
        }
        context.health.unready(part, reason);
    };
    // Boxed: the future of a start-up is large.
    let available = Box::pin(STARTUP.retry(operation, is_transient, notify));
    let available = context.shutdown.run_until_cancelled(available).await;
    available.transpose()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use proptest::prelude::*;

    use tokio_util::sync::CancellationToken;

    use super::{RetryPolicy, retry_after, wait_until_available};
    use crate::lifecycle::Context;
    use crate::ops::Health;

    proptest! {
        #[test]
        fn a_delay_is_within_its_ceiling_and_the_ceiling_within_the_cap(
            base in 1u64..10_000, cap in 1u64..1_000_000, attempts in 1u32..200, unit in 0.0f64..1.0
        ) {
            let policy = RetryPolicy::new(Duration::from_millis(base), Duration::from_millis(cap));
            let ceiling = policy.ceiling(attempts);
            prop_assert!(ceiling <= policy.cap);
            prop_assert!(policy.delay(attempts, unit) <= ceiling);
            prop_assert!(policy.ceiling(attempts + 1) >= ceiling);
        }
    }

    #[test]
    fn a_delay_doubles_up_to_the_cap() {
        let policy = RetryPolicy::new(Duration::from_secs(1), Duration::from_secs(60));
        assert_eq!(policy.ceiling(1), Duration::from_secs(1));
        assert_eq!(policy.ceiling(2), Duration::from_secs(2));
        assert_eq!(policy.ceiling(200), Duration::from_secs(60));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        // 24 November 2026, 10:00:00.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_514_400);
        let read = |value| retry_after(value, now);
        for (text, seconds) in [
            ("120", 120),
            (" 5 ", 5),
            ("0", 0),
            ("2.0", 2),
            ("1e300", 1_000_000_000),
        ] {
            assert_eq!(read(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(
            read("Tue, 24 Nov 2026 10:00:07 GMT"),
            Some(Duration::from_secs(7))
        );
        assert_eq!(
            read("Tue, 24 Nov 2026 09:00:00 GMT"),
            Some(Duration::ZERO),
            "a date that has passed"
        );
        for text in ["soon", "-1", "NaN", ""] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    fn context() -> Context {
        Context {
            shutdown: CancellationToken::new(),
            health: Health::default(),
            metrics_interval: Duration::from_secs(30),
        }
    }

    #[tokio::test]
    async fn a_service_waits_for_transient_errors_and_for_no_others() {
        let context = context();
        let mut answers = vec![
            Ok(7),
            Err("later"),
            Err("later"),
            Err("never"),
            Err("later"),
        ];
        let mut wait = async || {
            let operation = || std::future::ready(answers.pop().unwrap());
            wait_until_available(&context, "start", operation, |error| *error == "later").await
        };
        assert_eq!(wait().await, Err("never"));
        assert_eq!(wait().await, Ok(Some(7)));
        assert_eq!(context.health.problems()["start"], "later");
    }

    #[tokio::test]
    async fn a_shutdown_ends_the_wait() {
        let context = context();
        let operation = || {
            context.shutdown.cancel();
            std::future::pending::<Result<(), String>>()
        };
        let ended = wait_until_available(&context, "start", operation, |_| true).await;
        assert_eq!(ended, Ok(None));
    }

    #[tokio::test]
    async fn a_job_repeats_until_it_is_stopped() {
        let policy = RetryPolicy::new(Duration::ZERO, Duration::ZERO);
        let stop = CancellationToken::new();
        let (mut runs, mut errors) = (0, Vec::new());
        let job = || {
            runs += 1;
            if runs == 5 {
                stop.cancel();
            }
            std::future::ready(if runs % 2 == 0 {
                Err(runs)
            } else {
                Ok(Duration::ZERO)
            })
        };
        policy.repeat(&stop, job, |run| errors.push(*run)).await;
        assert_eq!((runs, errors), (5, vec![2, 4]));
    }
}
