//! Parses how many requests HubSpot still accepts. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use serde::Deserialize;

use crate::crm::{Daily, Quota, Window};

/// Returns the remaining requests of the window and of the day, from the headers of a response.
pub(in crate::hubspot) fn parse_quota(headers: &HeaderMap) -> Quota {
    let number = |name: &str| -> Option<u64> {
        let name = format!("X-HubSpot-RateLimit-{name}");
        headers.get(name)?.to_str().ok()?.trim().parse().ok()
    };
    let window = || {
        Some(Window {
            max: u32::try_from(number("Max")?).ok().filter(|max| *max > 0)?,
            remaining: u32::try_from(number("Remaining")?).ok()?,
            interval: Duration::from_millis(number("Interval-Milliseconds")?.clamp(1, 60_000)),
        })
    };
    let daily = || {
        Some(Daily {
            max: number("Daily")?,
            remaining: number("Daily-Remaining")?,
        })
    };
    Quota {
        window: window(),
        daily: daily(),
    }
}

/// Returns the time until the daily pool is filled again, from the API usage of private apps.
pub(in crate::hubspot) fn parse_daily_reset(body: &[u8], now: DateTime<Utc>) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Usage {
        results: Vec<Pool>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Pool {
        resets_at: DateTime<Utc>,
    }
    let usage: Usage = serde_json::from_slice(body).ok()?;
    let resets_at = usage.results.iter().map(|pool| pool.resets_at).max()?;
    Some((resets_at - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    use serde_json::json;

    use super::{Daily, Quota, Window, parse_daily_reset, parse_quota};

    #[test]
    fn headers_report_the_window_and_the_day() {
        let headers = |pairs: &[(&'static str, u32)]| -> HeaderMap {
            pairs
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from(*value)))
                .collect()
        };
        let quota = parse_quota(&headers(&[
            ("x-hubspot-ratelimit-max", 190),
            ("x-hubspot-ratelimit-remaining", 189),
            ("x-hubspot-ratelimit-interval-milliseconds", 10_000),
            ("x-hubspot-ratelimit-daily", 650_000),
            ("x-hubspot-ratelimit-daily-remaining", 649_999),
        ]));
        let window = Window {
            max: 190,
            remaining: 189,
            interval: Duration::from_secs(10),
        };
        let daily = Daily {
            max: 650_000,
            remaining: 649_999,
        };
        assert_eq!((quota.window, quota.daily), (Some(window), Some(daily)));
        let nothing = parse_quota(&headers(&[("x-hubspot-ratelimit-max", 0)]));
        assert_eq!(nothing, Quota::default());
    }

    #[test]
    fn the_daily_pool_resets_when_the_usage_says() {
        let now = "2026-11-24T10:00:00Z".parse().unwrap();
        let usage = json!({"results": [{"resetsAt": "2026-11-24T10:00:02Z"}]}).to_string();
        assert_eq!(
            parse_daily_reset(usage.as_bytes(), now),
            Some(Duration::from_secs(2))
        );
        assert_eq!(parse_daily_reset(b"{}", now), None);
    }
}
