//! Reads times of the command line.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use leadstream_schemas::Timestamp;
use leadstream_service::config::duration;

/// A time, or how long ago it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    At(Timestamp),
    Ago(Duration),
}

impl Since {
    /// # Errors
    /// Returns what a time looks like.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let midnight = |day: NaiveDate| Some(day.and_hms_opt(0, 0, 0)?.and_utc());
        let day = text.parse().ok().and_then(midnight);
        let time = day.or_else(|| Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc()));
        if let Some(time) = time {
            return Ok(Self::At(Timestamp::from_millis(time.timestamp_millis())));
        }
        let ago = duration(..)(text.trim_end_matches(" ago"));
        ago.map(Self::Ago).map_err(|_| {
            "use a day such as 2026-11-30, a time such as 2026-11-30T10:00:00Z, or a duration such as 2d".to_owned()
        })
    }

    /// Returns the time, which `now` ends.
    pub(crate) fn before(self, now: DateTime<Utc>) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(ago) => {
                let millis = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
                let since = now.timestamp_millis().saturating_sub(millis);
                Timestamp::from_millis(since.max(0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_day_a_moment_or_a_duration() {
        let now: DateTime<Utc> = "2026-12-03T10:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2026-11-30", "2026-11-30T00:00:00.000Z"),
            ("2026-11-30T10:00:00Z", "2026-11-30T10:00:00.000Z"),
            ("2026-11-30T10:00:00+02:00", "2026-11-30T08:00:00.000Z"),
            ("2d", "2026-12-01T10:00:00.000Z"),
            ("90m ago", "2026-12-03T08:30:00.000Z"),
        ] {
            let since = Since::parse(text).unwrap().before(now);
            assert_eq!(since.to_string(), expected, "{text}");
        }
        for text in ["", "yesterday", "2", "30.11.2026", "2026-11-30 10:00"] {
            assert!(Since::parse(text).is_err(), "{text}");
        }
    }
}
