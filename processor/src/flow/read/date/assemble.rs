//! Puts a date together from its numbers and the name or sign of its month.

use chrono::NaiveDate;

use super::{Name, Token, YEARS};

/// The Buddhist era began 543 years earlier.
const BUDDHIST: i32 = 543;

/// Two digits may stand for a year up to this many years ahead.
const MOST_AHEAD: i32 = 10;

/// Two digits that say a year further ahead than this stand for the century before.
const LEAST_FOR_CENTURY_BEFORE: i32 = 30;

/// What the digits of a year are read with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Years {
    /// The year of the message.
    pub(super) now: i32,
    /// True if years may be of the Buddhist era.
    pub(super) is_thai: bool,
}

impl Years {
    /// Returns the year that digits stand for. Two digits are of the century around the message,
    /// where that leaves no doubt.
    fn full(self, digits: u32, length: usize) -> Option<i32> {
        let year = i32::try_from(digits).ok()?;
        match length {
            4 if self.is_thai && year > *YEARS.end() => Some(year - BUDDHIST),
            4 => Some(year),
            2 => {
                let this = self.now - self.now.rem_euclid(100) + year;
                match this - self.now {
                    ..=MOST_AHEAD => Some(this),
                    LEAST_FOR_CENTURY_BEFORE.. => Some(this - 100),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// Returns the date of `tokens`; none where they say no whole date, or more than one.
pub(super) fn assemble(tokens: &[Token], years: Years, is_month_first: bool) -> Option<NaiveDate> {
    use Token::{Day, Month, Number, Year};
    let is_part = |token: &Token| !matches!(token, Token::Name(Name::Weekday(_) | Name::Particle));
    let tokens: Vec<Token> = tokens.iter().copied().filter(is_part).collect();
    match *tokens.as_slice() {
        [Number(y, l), Year, Number(m, _), Month, Number(d, _)]
        | [Number(y, l), Year, Number(m, _), Month, Number(d, _), Day] => {
            on(years.full(y, l), m, d)
        }
        [Number(d, 1 | 2), Token::Name(Name::Month(m)), Number(y, l)]
        | [
            Number(y, l @ 4),
            Token::Name(Name::Month(m)),
            Number(d, 1 | 2),
        ]
        | [
            Token::Name(Name::Month(m)),
            Number(d, 1 | 2),
            Number(y, l @ (2 | 4)),
        ] => on(years.full(y, l), m, d),
        [Number(a, l @ 4), Number(b, 1 | 2), Number(c, 1 | 2)] => {
            let year = years.full(a, l);
            on(year, b, c).or_else(|| on(year, c, b))
        }
        [Number(a, 1 | 2), Number(b, 1 | 2), Number(c, l @ (2 | 4))] => {
            let year = years.full(c, l);
            in_order(year, a, b, is_month_first).or_else(|| in_order(year, b, a, is_month_first))
        }
        [Number(digits, 8)] => unseparated(digits, is_month_first),
        _ => None,
    }
}

/// Returns the date of eight digits, if they are one in only one order.
fn unseparated(digits: u32, is_month_first: bool) -> Option<NaiveDate> {
    let year = |digits: u32| {
        let year = i32::try_from(digits).ok();
        year.filter(|year| YEARS.contains(year))
    };
    let year_first = on(year(digits / 10_000), digits / 100 % 100, digits % 100);
    let (first, second) = (digits / 1_000_000, digits / 10_000 % 100);
    let year_last = in_order(year(digits % 10_000), first, second, is_month_first);
    year_first.xor(year_last)
}

fn in_order(year: Option<i32>, first: u32, second: u32, is_month_first: bool) -> Option<NaiveDate> {
    if is_month_first {
        on(year, first, second)
    } else {
        on(year, second, first)
    }
}

fn on(year: Option<i32>, month: u32, day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(year?, month, day)
}
