//! Checks and compiles working hours.

use chrono::{Datelike, NaiveDate};
use serde_saphyr::Spanned;

use crate::flow::document::{HoursDocument, OneOrMany, Time, Times};
use crate::flow::loader::{Fault, ensure, fault};
use crate::flow::schedule::{Holiday, Hours, Span};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MAX_TIMES: usize = 10;
const MAX_HOLIDAYS: usize = 500;
const MINUTES_OF_DAY: u16 = 24 * 60;

pub(super) fn hours(written: &Spanned<HoursDocument>) -> Result<Hours, Fault> {
    let document = &written.value;
    let mut hours = Hours::default();
    for (days, times) in &document.days {
        let (first, last) = range(days)?;
        let spans = spans(times)?;
        for (day, name) in (first..=last).zip(DAYS.iter().skip(first)) {
            if let Some(of_day) = hours.days.get_mut(day) {
                ensure(of_day.is_empty(), days, || {
                    format!(
                        "`{name}` is there twice; write all its times in one place, as in `{name}: [09:00-12:00, 13:00-18:00]`"
                    )
                })?;
                of_day.clone_from(&spans);
            }
        }
    }
    ensure(!document.days.is_empty(), written, || {
        "no day has working hours; add some, such as `mon-fri: 09:00-18:00`".into()
    })?;
    if let Some(beyond) = document.holidays.get(MAX_HOLIDAYS) {
        return Err(fault(
            beyond,
            format!("at most {MAX_HOLIDAYS} holidays are allowed; remove past ones"),
        ));
    }
    hours.holidays = document
        .holidays
        .iter()
        .map(holiday)
        .collect::<Result<_, _>>()?;
    Ok(hours)
}

/// Returns the first and the last day of `mon-fri` or `sat`, from 0 for Monday.
fn range(days: &Spanned<String>) -> Result<(usize, usize), Fault> {
    let (first, last) = days
        .value
        .split_once('-')
        .unwrap_or((&days.value, &days.value));
    let position = |name: &str| DAYS.iter().position(|day| *day == name);
    let range = position(first)
        .zip(position(last))
        .filter(|(first, last)| first <= last);
    range.ok_or_else(|| {
        fault(
            days,
            format!(
                "`{}` names no days; write one of {}, or two in this order, as in `mon-fri`; free days are in `holidays`",
                days.value,
                DAYS.join(", ")
            ),
        )
    })
}

fn spans(times: &Spanned<Times>) -> Result<Vec<Span>, Fault> {
    let spans = match &times.value {
        OneOrMany::One(text) => vec![span(times, text)?],
        OneOrMany::Many(all) => {
            ensure((1..=MAX_TIMES).contains(&all.len()), times, || {
                format!("a day has from 1 to {MAX_TIMES} times; leave out a day that is closed")
            })?;
            let are_ends = all.iter().all(|Time(it)| minutes(&it.value).is_some());
            if let ([Time(from), Time(to)], true) = (all.as_slice(), are_ends) {
                return Err(fault(
                    times,
                    format!(
                        "these are no times of a day; write `{}-{}`",
                        from.value, to.value
                    ),
                ));
            }
            all.iter()
                .map(|Time(it)| span(it, &it.value))
                .collect::<Result<Vec<_>, _>>()?
        }
    };
    let is_ordered = spans.is_sorted_by(|earlier, later| earlier.to <= later.from);
    ensure(is_ordered, times, || {
        "the times overlap, or are not in order; write the earlier one first, and let it end before the next".into()
    })?;
    Ok(spans)
}

/// Returns the minutes of a day up to `09:30`.
fn minutes(time: &str) -> Option<u16> {
    let (hour, minute) = time.split_once(':')?;
    let is_plain = |part: &str| part.len() == 2 && part.chars().all(|c| c.is_ascii_digit());
    let (hour, minute): (u16, u16) = if is_plain(hour) && is_plain(minute) {
        (hour.parse().ok()?, minute.parse().ok()?)
    } else {
        return None;
    };
    let total = hour * 60 + minute;
    (minute < 60 && total <= MINUTES_OF_DAY).then_some(total)
}

fn span<T>(at: &Spanned<T>, text: &str) -> Result<Span, Fault> {
    let span = text.split_once('-').and_then(|(from, to)| {
        let (from, to) = (minutes(from)?, minutes(to)?);
        (from < to).then_some(Span { from, to })
    });
    span.ok_or_else(|| {
        fault(
            at,
            format!(
                "`{text}` is no time of a day; write one such as 09:00-18:00, up to 24:00, a night as the end of one day and the beginning of the next; leave out a day that is closed"
            ),
        )
    })
}

fn holiday(written: &Spanned<String>) -> Result<Holiday, Fault> {
    let text = written.value.as_str();
    let on = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    // A leap year has every day.
    let yearly = |date: NaiveDate| Holiday::Yearly {
        month: date.month(),
        day: date.day(),
    };
    let holiday = on(text)
        .map(Holiday::On)
        .or_else(|| on(&format!("2024-{text}")).map(yearly));
    holiday.ok_or_else(|| {
        fault(
            written,
            format!("`{text}` is no date; write one such as 2026-12-25, or 12-25 for every year"),
        )
    })
}
