//! Bounds of dates: fixed ones, and ones that move with the day of the message.

use chrono::{Days, Months, NaiveDate};

/// The greatest distance from the day of the message, in any unit.
const MOST: u32 = 40_000;

/// The first or the last day that is an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::flow) enum DayBound {
    On(NaiveDate),
    /// The day of the message, moved by months or days.
    Today {
        is_after: bool,
        months: u32,
        days: u32,
    },
}

impl DayBound {
    /// Parses `2026-11-23`, `today`, `today+60d`, `today-2w` or `today-18y`.
    pub(in crate::flow) fn parse(text: &str) -> Option<Self> {
        let Some(moved) = text.strip_prefix("today") else {
            return NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .ok()
                .map(Self::On);
        };
        let (is_after, distance) = match moved.strip_prefix('+') {
            Some(distance) => (true, distance),
            None if moved.is_empty() => (true, "0d"),
            None => (false, moved.strip_prefix('-')?),
        };
        let unit = distance.chars().last()?;
        let number: u32 = distance.strip_suffix(unit)?.parse().ok()?;
        let (months, days) = match unit {
            'd' => (0, number),
            'w' => (0, number.checked_mul(7)?),
            'y' => (number.checked_mul(12)?, 0),
            _ => return None,
        };
        let is_plain = !distance.starts_with('+');
        (is_plain && months <= MOST && days <= MOST).then_some(Self::Today {
            is_after,
            months,
            days,
        })
    }

    /// Returns the day for a message of `today`.
    pub(in crate::flow) fn day(self, today: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::On(day) => Some(day),
            Self::Today {
                is_after: true,
                months,
                days,
            } => today
                .checked_add_months(Months::new(months))?
                .checked_add_days(Days::new(days.into())),
            Self::Today {
                is_after: false,
                months,
                days,
            } => today
                .checked_sub_months(Months::new(months))?
                .checked_sub_days(Days::new(days.into())),
        }
    }

    /// Returns whether some message has days from this bound to `most`.
    pub(in crate::flow) fn may_precede(self, most: Self) -> bool {
        if let (Self::On(least), Self::On(most)) = (self, most) {
            return least <= most;
        }
        let is_moving = |bound: Self| matches!(bound, Self::Today { .. });
        if is_moving(self) != is_moving(most) {
            return true;
        }
        let today = NaiveDate::default();
        self.day(today) <= most.day(today)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Option<String> {
        let today = NaiveDate::from_ymd_opt(2028, 2, 29).unwrap();
        DayBound::parse(text).map(|bound| bound.day(today).unwrap().to_string())
    }

    #[test]
    fn a_bound_is_fixed_or_moves_with_the_message() {
        for (text, expected) in [
            ("2026-11-23", Some("2026-11-23")),
            ("today", Some("2028-02-29")),
            ("today+1d", Some("2028-03-01")),
            ("today-2w", Some("2028-02-15")),
            ("today-18y", Some("2010-02-28")),
            ("today+60d", Some("2028-04-29")),
            ("today+60", None),
            ("today+60m", None),
            ("today 60d", None),
            ("today++1d", None),
            ("today+99999999999d", None),
            ("today+4000000000w", None),
            ("tomorrow", None),
            ("2026-02-30", None),
            ("", None),
        ] {
            assert_eq!(day(text).as_deref(), expected, "{text}");
        }
    }
}
