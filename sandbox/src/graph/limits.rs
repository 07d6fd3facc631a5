//! Counts the sends of a business number against its limits. Callers pass the current time.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use super::rules::NumberRules;

/// Messages to one person that may be borrowed from the future.
const PAIR_BURST: u32 = 45;
/// The time in which a person may get one more message.
const PAIR_PACE: TimeDelta = TimeDelta::seconds(6);
const DAY: TimeDelta = TimeDelta::hours(24);

/// A send, as the limits see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) to: &'a str,
    pub(crate) is_template: bool,
    /// Whether 24 hours have passed since the person's last message.
    pub(crate) outside_window: bool,
}

/// The counts of a business number.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// The sends of the last second.
    recent: VecDeque<DateTime<Utc>>,
    /// By person: the time at which the last borrowed message is paid back.
    pairs: HashMap<String, DateTime<Utc>>,
    /// By person outside a window: the time of the last template.
    outside: HashMap<String, DateTime<Utc>>,
}

impl Counts {
    /// Counts a send, unless a rule refuses it; returns the code of the refusal.
    pub(crate) fn take(
        &mut self,
        rules: &NumberRules,
        send: Attempt<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), i64> {
        if let Some(code) = rules.stopped {
            return Err(code);
        }
        while self
            .recent
            .front()
            .is_some_and(|at| now - *at >= TimeDelta::seconds(1))
        {
            self.recent.pop_front();
        }
        if rules
            .throughput
            .is_some_and(|most| self.recent.len() >= most as usize)
        {
            return Err(130_429);
        }
        let paid = self.pairs.get(send.to).copied().unwrap_or(now).max(now);
        let paid = paid + PAIR_PACE;
        if rules.pair_limit && paid - now > PAIR_PACE * i32::try_from(PAIR_BURST).unwrap_or(0) {
            return Err(131_056);
        }
        if send.outside_window && !send.is_template {
            return Err(131_047);
        }
        if send.outside_window {
            self.outside.retain(|_, at| now - *at < DAY);
            let is_known = self.outside.contains_key(send.to);
            let most = rules.messaging_limit.unwrap_or(u32::MAX);
            if !is_known && self.outside.len() >= most as usize {
                return Err(131_048);
            }
            self.outside.insert(send.to.to_owned(), now);
        }
        if rules.pair_limit {
            self.pairs.insert(send.to.to_owned(), paid);
        }
        if rules.throughput.is_some() {
            self.recent.push_back(now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::{Attempt, Counts, NumberRules};

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(millis)
    }

    fn to(to: &str) -> Attempt<'_> {
        Attempt {
            to,
            is_template: false,
            outside_window: false,
        }
    }

    #[test]
    fn a_number_without_rules_takes_everything() {
        let mut counts = Counts::default();
        let rules = NumberRules::default();
        for _ in 0..1_000 {
            assert_eq!(counts.take(&rules, to("1"), at(0)), Ok(()));
        }
    }

    #[test]
    fn a_second_has_as_many_sends_as_the_throughput() {
        let mut counts = Counts::default();
        let rules = NumberRules {
            throughput: Some(2),
            ..NumberRules::default()
        };
        let taken = [0, 500, 999, 1_000, 1_001].map(|ms| counts.take(&rules, to("1"), at(ms)));
        let refused = Err(130_429);
        assert_eq!(taken, [Ok(()), Ok(()), refused, Ok(()), refused]);
    }

    #[test]
    fn a_person_gets_forty_five_messages_at_once_and_then_one_in_six_seconds() {
        let mut counts = Counts::default();
        let rules = NumberRules {
            pair_limit: true,
            ..NumberRules::default()
        };
        for _ in 0..45 {
            assert_eq!(counts.take(&rules, to("1"), at(0)), Ok(()));
        }
        assert_eq!(counts.take(&rules, to("1"), at(5_999)), Err(131_056));
        assert_eq!(counts.take(&rules, to("2"), at(5_999)), Ok(()));
        assert_eq!(counts.take(&rules, to("1"), at(6_000)), Ok(()));
        assert_eq!(counts.take(&rules, to("1"), at(6_001)), Err(131_056));
        for _ in 0..45 {
            assert_eq!(counts.take(&rules, to("1"), at(400_000)), Ok(()));
        }
    }

    #[test]
    fn outside_a_window_only_templates_go_and_only_to_so_many_people_a_day() {
        let mut counts = Counts::default();
        let rules = NumberRules {
            messaging_limit: Some(1),
            ..NumberRules::default()
        };
        let outside = |to, is_template| Attempt {
            to,
            is_template,
            outside_window: true,
        };
        let day = 24 * 3_600_000;
        assert_eq!(
            counts.take(&rules, outside("1", false), at(0)),
            Err(131_047)
        );
        assert_eq!(counts.take(&rules, outside("1", true), at(0)), Ok(()));
        assert_eq!(counts.take(&rules, outside("1", true), at(1)), Ok(()));
        assert_eq!(counts.take(&rules, outside("2", true), at(2)), Err(131_048));
        assert_eq!(counts.take(&rules, to("2"), at(2)), Ok(()));
        assert_eq!(counts.take(&rules, outside("2", true), at(day + 1)), Ok(()));
    }

    #[test]
    fn a_stopped_number_refuses_all() {
        let mut counts = Counts::default();
        let rules = NumberRules {
            stopped: Some(131_031),
            ..NumberRules::as_documented()
        };
        assert_eq!(counts.take(&rules, to("1"), at(0)), Err(131_031));
    }
}
