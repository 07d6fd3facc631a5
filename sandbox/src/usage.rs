//! Counts the requests of a day, which all apps of an organisation share.

use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::lock::lock;

/// The used part of a day's pool; each day begins with a full pool.
#[derive(Debug)]
pub(crate) struct Usage {
    day: Duration,
    present: Mutex<Day>,
}

#[derive(Debug)]
struct Day {
    ends: DateTime<Utc>,
    used: u64,
}

impl Usage {
    /// Starts the first day now.
    pub(crate) fn new(day: Duration) -> Self {
        let first = Day {
            ends: Utc::now() + day,
            used: 0,
        };
        Self {
            day,
            present: Mutex::new(first),
        }
    }

    pub(crate) fn used(&self) -> u64 {
        self.at(Utc::now(), |day| day.used)
    }

    /// Counts requests of this app, or of another one.
    pub(crate) fn spend(&self, requests: u64) {
        self.at(Utc::now(), |day| {
            day.used = day.used.saturating_add(requests);
        });
    }

    /// Returns the time at which the pool is full again.
    pub(crate) fn resets_at(&self) -> DateTime<Utc> {
        self.at(Utc::now(), |day| day.ends)
    }

    fn at<T>(&self, now: DateTime<Utc>, look: impl FnOnce(&mut Day) -> T) -> T {
        let mut present = lock(&self.present);
        if present.ends <= now {
            *present = Day {
                ends: now + self.day,
                used: 0,
            };
        }
        look(&mut present)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Usage;

    #[test]
    fn a_new_day_begins_with_a_full_pool() {
        let usage = Usage::new(Duration::from_secs(60));
        usage.spend(3);
        usage.spend(4);
        let ends = usage.resets_at();
        assert_eq!(usage.used(), 7);
        assert_eq!(usage.at(ends, |day| (day.used, day.ends > ends)), (0, true));
    }
}
