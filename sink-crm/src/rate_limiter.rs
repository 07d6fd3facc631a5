//! Limits the requests to a CRM, so that the day's requests last. It combines a token bucket as the
//! CRM's headers report it, our share of the daily pool, and a pause after a partial batch.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::DefaultDirectRateLimiter;
use governor::clock::{Clock as _, DefaultClock};

use crate::crm::{Daily, Quota, Window};

/// Requests that may go out at once. The rest of a window's are spread over it, so that no lead
/// waits for a whole window.
const BURST: u32 = 4;
/// Part of a window that is left unused: the CRM counts at arrival, we at departure.
const HEADROOM: f64 = 0.01;
const DAY: Duration = Duration::from_secs(86_400);
/// The longest pause after a partial batch; a longer one would look like an outage.
const LONGEST_LINGER: Duration = Duration::from_secs(5);

/// The rate limiter of one CRM in this process.
pub(crate) struct RateLimiter {
    /// The pause after a batch that was not full.
    linger: Duration,
    /// Percents of the daily pool that are ours; the rest is for other apps.
    share: u8,
    bucket: Option<(u32, Duration, DefaultDirectRateLimiter)>,
    daily: Option<Daily>,
    not_before: Instant,
}

impl RateLimiter {
    pub(crate) fn new(linger: Duration, share: u8, now: Instant) -> Self {
        Self {
            linger,
            share,
            bucket: None,
            daily: None,
            not_before: now,
        }
    }

    /// Applies the limits that a response reports.
    pub(crate) fn update_quota(&mut self, quota: Quota, now: Instant) {
        if let Some(window) = quota.window {
            let known = self
                .bucket
                .as_ref()
                .map(|(max, interval, _)| (*max, *interval));
            if known != Some((window.max, window.interval)) {
                self.bucket = bucket(window).map(|made| (window.max, window.interval, made));
            }
            if window.remaining == 0 {
                self.not_before = self.not_before.max(now + window.interval / 10);
            }
        }
        self.daily = quota.daily.or(self.daily);
    }

    /// Acquires the right to one request, or returns how long to wait for it.
    pub(crate) fn try_acquire(&mut self, now: Instant) -> Result<(), Duration> {
        if let Some(wait) = self
            .not_before
            .checked_duration_since(now)
            .filter(|w| !w.is_zero())
        {
            return Err(wait);
        }
        match &self.bucket {
            None => Ok(()),
            Some((_, _, bucket)) => bucket
                .check()
                .map_err(|not_until| not_until.wait_time_from(DefaultClock::default().now())),
        }
    }

    /// Delays the next batch after one that was not full.
    pub(crate) fn on_partial_batch(&mut self, now: Instant) {
        let even = self.daily.map_or(Duration::ZERO, |daily| {
            DAY.div_f64((daily.max as f64 * f64::from(self.share) / 100.0).max(1.0))
        });
        let linger = self.linger.max(even.min(LONGEST_LINGER));
        self.not_before = self.not_before.max(now + linger);
    }

    /// Returns whether our share of the daily pool is used up. Clears what is known of the pool: the
    /// next response reports it again.
    pub(crate) fn daily_is_spent(&mut self) -> bool {
        let spent = self.daily.is_some_and(|daily| {
            daily.remaining.saturating_mul(100)
                <= daily
                    .max
                    .saturating_mul(u64::from(100 - self.share.min(100)))
        });
        if spent {
            self.daily = None;
        }
        spent
    }
}

/// Returns the requests that may go out at once, and the time after which each further one may.
fn spread(window: Window) -> (u32, Duration) {
    let burst = BURST.min(window.max).max(1);
    let usable = (f64::from(window.max) * (1.0 - HEADROOM)).floor() - f64::from(burst);
    (burst, window.interval.div_f64(usable.max(1.0)))
}

fn bucket(window: Window) -> Option<DefaultDirectRateLimiter> {
    let (burst, period) = spread(window);
    let quota = governor::Quota::with_period(period)?.allow_burst(NonZeroU32::new(burst)?);
    Some(governor::RateLimiter::direct(quota))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::{Daily, Quota, RateLimiter, Window, spread};

    fn window(max: u32, remaining: u32) -> Quota {
        Quota {
            window: Some(Window {
                max,
                remaining,
                interval: Duration::from_secs(10),
            }),
            daily: None,
        }
    }

    fn daily(max: u64, remaining: u64) -> Quota {
        Quota {
            window: None,
            daily: Some(Daily { max, remaining }),
        }
    }

    #[test]
    fn the_headers_window_sets_the_rate() {
        let now = Instant::now();
        let mut limiter = RateLimiter::new(Duration::ZERO, 100, now);
        assert_eq!(limiter.try_acquire(now), Ok(()), "no limit is known yet");
        limiter.update_quota(window(190, 189), now);
        let taken = (0..50)
            .take_while(|_| limiter.try_acquire(now).is_ok())
            .count();
        assert!((4..=6).contains(&taken), "{taken} at once");
        let wait = limiter.try_acquire(now).unwrap_err();
        assert!(wait <= Duration::from_millis(56), "{wait:?}");
        limiter.update_quota(window(190, 180), now);
        assert!(
            limiter.try_acquire(now).is_err(),
            "the same window keeps its bucket"
        );
        limiter.update_quota(window(190, 0), now);
        assert!(limiter.try_acquire(now).unwrap_err() >= Duration::from_millis(900));
    }

    #[test]
    fn a_thousand_requests_need_little_more_than_the_window_allows() {
        let window = window(190, 190).window.unwrap();
        let (burst, period) = spread(window);
        let took = period * (1000 - burst);
        // At the limit itself they would take 52.6 s.
        assert!(took < Duration::from_millis(54_200), "{took:?}");
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_the_crm_takes(max in 5u32..2_000, seconds in 1u64..60) {
            let interval = Duration::from_secs(seconds);
            let (burst, period) = spread(Window { max, remaining: max, interval });
            let most = f64::from(burst) + interval.as_secs_f64() / period.as_secs_f64();
            prop_assert!(most <= f64::from(max) + 1e-6, "{most} of {max}");
        }
    }

    #[test]
    fn a_batch_that_is_not_full_waits_so_that_the_day_lasts() {
        let now = Instant::now();
        let mut limiter = RateLimiter::new(Duration::from_millis(50), 100, now);
        limiter.on_partial_batch(now);
        assert_eq!(limiter.try_acquire(now), Err(Duration::from_millis(50)));
        limiter.update_quota(daily(86_400, 80_000), now);
        limiter.on_partial_batch(now);
        assert_eq!(limiter.try_acquire(now), Err(Duration::from_secs(1)));
        assert_eq!(limiter.try_acquire(now + Duration::from_secs(1)), Ok(()));
    }

    #[test]
    fn requests_beyond_our_share_of_the_day_are_for_other_apps() {
        let now = Instant::now();
        let mut limiter = RateLimiter::new(Duration::ZERO, 80, now);
        limiter.update_quota(daily(1000, 201), now);
        assert!(!limiter.daily_is_spent());
        limiter.update_quota(daily(1000, 200), now);
        assert!(limiter.daily_is_spent());
        assert!(
            !limiter.daily_is_spent(),
            "the next response reports it again"
        );
    }
}
