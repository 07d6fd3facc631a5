//! Holds the sessions: their keys, their connections, and what is left of their limits.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::limit::WasenderLimit;
use crate::config::WasenderConfig;
use crate::secret::Secret;

/// The connection of a session to WhatsApp.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// It sends and receives.
    #[default]
    Connected,
    /// It is on its way to WhatsApp's servers.
    Connecting,
    /// Nobody has connected it yet.
    Disconnected,
    /// A person has to scan the QR code.
    NeedScan,
    /// A person logged it out.
    LoggedOut,
    /// WhatsApp ended it.
    Expired,
}

/// The state of a session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) name: String,
    pub(crate) api_key: Secret,
    pub(crate) status: SessionStatus,
    pub(crate) window: Window,
}

/// The sessions of the account, by their names.
pub(crate) type Sessions = BTreeMap<String, Session>;

pub(crate) fn sessions(config: &WasenderConfig) -> Sessions {
    let session = |(name, api_key): (&String, &Secret)| {
        let session = Session {
            name: name.clone(),
            api_key: api_key.clone(),
            status: SessionStatus::default(),
            window: Window::default(),
        };
        (name.clone(), session)
    };
    config.sessions.iter().map(session).collect()
}

/// The current window of a session's limit.
#[derive(Debug, Default)]
pub(crate) struct Window {
    pub(super) ends: DateTime<Utc>,
    pub(super) sends: u32,
}

impl Window {
    /// Begins another window if this one has ended.
    pub(super) fn turn(&mut self, limit: &WasenderLimit, now: DateTime<Utc>) {
        if self.ends <= now {
            self.ends = now + Duration::from_secs(limit.window_s.into());
            self.sends = 0;
        }
    }

    /// Counts a send. Returns the seconds until the next window, if this one has no send left.
    pub(super) fn take(&mut self, limit: &WasenderLimit, now: DateTime<Utc>) -> Option<u64> {
        self.turn(limit, now);
        if self.sends < limit.sends {
            self.sends += 1;
            return None;
        }
        Some(self.seconds_left(now))
    }

    pub(super) fn seconds_left(&self, now: DateTime<Utc>) -> u64 {
        let left = (self.ends - now).num_milliseconds();
        u64::try_from(left).unwrap_or_default().div_ceil(1_000)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::{WasenderLimit, Window};

    #[test]
    fn a_window_takes_its_sends_and_says_when_the_next_one_begins() {
        let limit = WasenderLimit {
            sends: 2,
            window_s: 60,
            reset_in_seconds: false,
        };
        let at = |seconds: i64| DateTime::<Utc>::from_timestamp(1_000 + seconds, 0).unwrap();
        let mut window = Window::default();
        let taken = [0, 10, 20, 59, 60].map(|seconds| window.take(&limit, at(seconds)));
        assert_eq!(taken, [None, None, Some(40), Some(1), None]);
    }
}
