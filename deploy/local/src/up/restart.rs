//! Decides whether a service that ended runs again, and when. Pure.

use std::time::Duration;

/// A service that ran for this long counts as healthy again.
const HEALTHY: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_RESTARTS: u32 = 5;

/// The ends of one service in a row, without a healthy run between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Restarts {
    in_a_row: u32,
}

impl Restarts {
    /// Counts an end after `uptime`. Returns the pause before the next start, or `None` to give up.
    pub(super) fn ended(&mut self, uptime: Duration) -> Option<Duration> {
        if uptime >= HEALTHY {
            self.in_a_row = 0;
        }
        if self.in_a_row == MAX_RESTARTS {
            return None;
        }
        self.in_a_row += 1;
        Some(FIRST_PAUSE * 2_u32.pow(self.in_a_row - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_a_service_that_never_stays_up_is_given_up() {
        let mut restarts = Restarts::default();
        let pauses: Vec<_> = std::iter::from_fn(|| restarts.ended(Duration::ZERO))
            .map(|pause| pause.as_secs())
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16]);
        assert_eq!(restarts.ended(HEALTHY - Duration::from_millis(1)), None);
    }

    #[test]
    fn a_healthy_run_forgets_earlier_ends() {
        let mut restarts = Restarts::default();
        for _ in 0..100 {
            assert_eq!(restarts.ended(HEALTHY), Some(FIRST_PAUSE));
        }
        assert_eq!(restarts.ended(Duration::ZERO), Some(FIRST_PAUSE * 2));
    }
}
