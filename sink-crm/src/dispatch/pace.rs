//! When the next request may go out: a token bucket as wide as the CRM's headers say, our share of
//! its daily pool, and a pause after a batch that was not full, so that the day's requests last.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, RateLimiter};

use crate::crm::{Daily, Quota, Window};

/// Requests that may go out at once; the rest of a window's are spread over it, so that a lead
/// never waits for a whole window.
const BURST: u32 = 4;
/// Part of a window that is left unused: the CRM counts at arrival, we at departure.
const HEADROOM: f64 = 0.01;
const DAY: Duration = Duration::from_secs(86_400);
/// A slower trickle than this would be felt as an outage.
const LONGEST_LINGER: Duration = Duration::from_secs(5);

/// The pace of one CRM in this process.
pub(crate) struct Pace {
    /// How long a batch that is not full waits for more after the last one.
    linger: Duration,
    /// Percents of the daily pool past which the rest is left to the other apps.
    share: u8,
    bucket: Option<(u32, Duration, DefaultDirectRateLimiter)>,
    daily: Option<Daily>,
    not_before: Instant,
}

impl Pace {
    pub(crate) fn new(linger: Duration, share: u8, now: Instant) -> Self {
        Self {
            linger,
            share,
            bucket: None,
            daily: None,
            not_before: now,
        }
    }

    /// Takes note of what an answer says.
    pub(crate) fn note(&mut self, quota: Quota, now: Instant) {
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

    /// Takes the right to one request, or tells how long to wait for it.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
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

    /// A batch was not full: there is no hurry.
    pub(crate) fn trickled(&mut self, now: Instant) {
        let even = self.daily.map_or(Duration::ZERO, |daily| {
            DAY.div_f64((daily.max as f64 * f64::from(self.share) / 100.0).max(1.0))
        });
        let linger = self.linger.max(even.min(LONGEST_LINGER));
        self.not_before = self.not_before.max(now + linger);
    }

    /// Whether our share of the daily pool is used up. Asked once: the next answer tells anew.
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

/// Requests that may go out at once, and the time after which each further one may.
fn spread(window: Window) -> (u32, Duration) {
    let burst = BURST.min(window.max).max(1);
    let usable = (f64::from(window.max) * (1.0 - HEADROOM)).floor() - f64::from(burst);
    (burst, window.interval.div_f64(usable.max(1.0)))
}

fn bucket(window: Window) -> Option<DefaultDirectRateLimiter> {
    let (burst, period) = spread(window);
    let quota = governor::Quota::with_period(period)?.allow_burst(NonZeroU32::new(burst)?);
    Some(RateLimiter::direct(quota))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::{Daily, Pace, Quota, Window, spread};

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
        let mut pace = Pace::new(Duration::ZERO, 100, now);
        assert_eq!(pace.take(now), Ok(()), "nothing is known yet");
        pace.note(window(190, 189), now);
        let taken = (0..50).take_while(|_| pace.take(now).is_ok()).count();
        assert!((4..=6).contains(&taken), "{taken} at once");
        let wait = pace.take(now).unwrap_err();
        assert!(wait <= Duration::from_millis(56), "{wait:?}");
        pace.note(window(190, 180), now);
        assert!(pace.take(now).is_err(), "the same window keeps its bucket");
        pace.note(window(190, 0), now);
        assert!(pace.take(now).unwrap_err() >= Duration::from_millis(900));
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
        let mut pace = Pace::new(Duration::from_millis(50), 100, now);
        pace.trickled(now);
        assert_eq!(pace.take(now), Err(Duration::from_millis(50)));
        pace.note(daily(86_400, 80_000), now);
        pace.trickled(now);
        assert_eq!(pace.take(now), Err(Duration::from_secs(1)));
        assert_eq!(pace.take(now + Duration::from_secs(1)), Ok(()));
    }

    #[test]
    fn what_is_beyond_our_share_of_the_day_is_left_to_others() {
        let now = Instant::now();
        let mut pace = Pace::new(Duration::ZERO, 80, now);
        pace.note(daily(1000, 201), now);
        assert!(!pace.daily_is_spent());
        pace.note(daily(1000, 200), now);
        assert!(pace.daily_is_spent());
        assert!(!pace.daily_is_spent(), "the next answer tells anew");
    }
}
