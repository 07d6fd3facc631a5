//! The time zone and the working hours of a flow.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use leadstream_schemas::Timestamp;

/// The variable of expressions that is true within the working hours.
pub(super) const IS_OPEN: &str = "is_open";

/// The days on which the next opening is looked for: over a year of holidays.
const MOST_DAYS: u64 = 400;

/// The minutes of the longest gap that a zone's clock has skipped: a whole day.
const MOST_GAP: i64 = 25 * 60;

/// The time zone of a flow, and when people are there.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) zone: Tz,
    pub(super) hours: Option<Hours>,
}

/// The working hours, in local time.
#[derive(Debug, Default)]
pub(super) struct Hours {
    /// Monday first; the spans of a day in order, without overlap.
    pub(super) days: [Vec<Span>; 7],
    pub(super) holidays: Vec<Holiday>,
}

/// A part of a day, in minutes from midnight. The end is no part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: u16,
    pub(super) to: u16,
}

/// A day without working hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holiday {
    On(NaiveDate),
    Yearly { month: u32, day: u32 },
}

impl Hours {
    /// Returns the spans of a day; none on a holiday.
    fn on(&self, day: NaiveDate) -> &[Span] {
        let is_holiday = self.holidays.iter().any(|holiday| match *holiday {
            Holiday::On(date) => date == day,
            Holiday::Yearly { month, day: of } => (month, of) == (day.month(), day.day()),
        });
        let weekday = usize::try_from(day.weekday().num_days_from_monday()).unwrap_or_default();
        let spans = self.days.get(weekday).filter(|_| !is_holiday);
        spans.map_or(&[], Vec::as_slice)
    }
}

impl Schedule {
    /// Returns the local date and time; none for a time beyond the calendar.
    pub(super) fn local(&self, at: Timestamp) -> Option<NaiveDateTime> {
        let utc = DateTime::from_timestamp_millis(at.millis())?;
        Some(utc.with_timezone(&self.zone).naive_local())
    }

    /// Returns the day of a message where the flow is.
    pub(super) fn today(&self, at: Timestamp) -> Option<NaiveDate> {
        Some(self.local(at)?.date())
    }

    /// Returns whether people are there. A flow without working hours is always open.
    pub(super) fn is_open(&self, at: Timestamp) -> bool {
        self.hours.is_none() || self.opens_at(at) == Some(at)
    }

    /// Returns the first time from `at` on that is within the working hours.
    pub(super) fn opens_at(&self, at: Timestamp) -> Option<Timestamp> {
        let today = self.today(at)?;
        let days = today.iter_days().take(usize::try_from(MOST_DAYS).ok()?);
        let mut spans = days.flat_map(|day| self.spans(day));
        let (from, _) = spans.find(|(_, to)| *to > at)?;
        Some(from.max(at))
    }

    /// Returns the end of the working hours before `at`: `at` itself while they last. Looks back for two
    /// days.
    pub(super) fn closed_at(&self, at: Timestamp) -> Option<Timestamp> {
        let today = self.today(at)?;
        (0..=2).find_map(|back| {
            let day = today.checked_sub_days(Days::new(back))?;
            let spans: Vec<(Timestamp, Timestamp)> = self.spans(day).collect();
            let (_, to) = spans.into_iter().rev().find(|(from, _)| *from < at)?;
            Some(to.min(at))
        })
    }

    /// Returns whether people are there on `day` at some time after `now`.
    pub(super) fn is_open_on(&self, day: NaiveDate, now: Timestamp) -> bool {
        self.spans(day).any(|(_, to)| to > now)
    }

    /// Returns whether people are there at a local time, and it is after `now`.
    pub(super) fn is_open_then(&self, day: NaiveDate, time: NaiveTime, now: Timestamp) -> bool {
        let Some(at) = self.instant(day.and_time(time), false) else {
            return false;
        };
        at > now && self.local(at) == Some(day.and_time(time)) && self.is_open(at)
    }

    /// Returns the working hours of a day.
    fn spans(&self, day: NaiveDate) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let spans = self.hours.as_ref().map_or(&[][..], |hours| hours.on(day));
        spans.iter().filter_map(move |span| {
            let midnight = day.and_time(NaiveTime::MIN);
            let at = |minutes: u16, is_end: bool| {
                let local = midnight.checked_add_signed(TimeDelta::minutes(minutes.into()))?;
                self.instant(local, is_end)
            };
            Some((at(span.from, false)?, at(span.to, true)?)).filter(|(from, to)| from < to)
        })
    }

    /// Returns when the clock shows `local`: of two times the later one for an end, else the earlier
    /// one. A time that the clock skips is the end of the gap.
    fn instant(&self, local: NaiveDateTime, is_end: bool) -> Option<Timestamp> {
        (0..=MOST_GAP).find_map(|minutes| {
            let local = local.checked_add_signed(TimeDelta::minutes(minutes))?;
            let found = self.zone.from_local_datetime(&local);
            let at = if is_end {
                found.latest()
            } else {
                found.earliest()
            };
            Some(Timestamp::from_millis(at?.timestamp_millis()))
        })
    }
}

/// A flow's schedule without members of its own.
#[cfg(test)]
pub(super) static UTC: Schedule = Schedule {
    zone: Tz::UTC,
    hours: None,
};

#[cfg(test)]
mod tests;
