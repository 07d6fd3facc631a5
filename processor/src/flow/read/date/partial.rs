//! Completes a date without a year by the bounds of the answer.

use chrono::{Datelike, NaiveDate};

use super::super::plain::{folded, words};
use super::{Context, Name, Token};

/// Words before a number that make it a day of a month, folded.
const DAY_WORDS: [&str; 11] = [
    "dia",
    "el",
    "le",
    "il",
    "am",
    "den",
    "ngay",
    "tanggal",
    "tgl",
    "วนท",
    "يوم",
];

/// Words after a number that make it a day of a month, folded.
const DAY_ENDINGS: [&str; 6] = ["st", "nd", "rd", "th", "числа", "го"];

/// A date without its year.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Partial {
    /// None if only the day of a month is said.
    month: Option<u32>,
    day: u32,
}

impl Partial {
    /// Returns the partial date of `tokens`, as `text` has them.
    pub(super) fn of(tokens: &[Token], text: &str, is_month_first: bool) -> Option<Self> {
        use Token::{Day, Month, Number};
        let is_weekday = |token: &Token| matches!(token, Token::Name(Name::Weekday(_)));
        let parts: Vec<Token> = tokens
            .iter()
            .copied()
            .filter(|token| !is_weekday(token))
            .collect();
        match *parts.as_slice() {
            [Number(day, 1 | 2), Token::Name(Name::Month(month))]
            | [Token::Name(Name::Month(month)), Number(day, 1 | 2)]
            | [Number(month, 1 | 2), Month, Number(day, 1 | 2)]
            | [Number(month, 1 | 2), Month, Number(day, 1 | 2), Day] => {
                Self::real(Some(month), day)
            }
            [Number(a, 1 | 2), Number(b, 1 | 2)] => {
                let ordered = |first: u32, second: u32| {
                    if is_month_first {
                        Self::real(Some(first), second)
                    } else {
                        Self::real(Some(second), first)
                    }
                };
                match separator(text)? {
                    '/' => ordered(a, b).or_else(|| ordered(b, a)),
                    _ => ordered(a, b),
                }
            }
            [Number(day, 1 | 2), Day] => Self::real(None, day),
            [Number(day, 1 | 2)] if tokens.iter().any(is_weekday) || says_day(text) => {
                Self::real(None, day)
            }
            _ => None,
        }
    }

    /// Returns the partial date if some year has it.
    fn real(month: Option<u32>, day: u32) -> Option<Self> {
        NaiveDate::from_ymd_opt(2024, month.unwrap_or(1), day).map(|_| Self { month, day })
    }

    /// Returns the day that is meant. Where only days from the message on are answers, it is the next
    /// one. Else it is the only one within the bounds.
    pub(super) fn day(self, context: &Context<'_>) -> Option<NaiveDate> {
        let is_such = |day: &NaiveDate| {
            day.day() == self.day && self.month.is_none_or(|month| month == day.month())
        };
        let least = context.least?;
        let mut such = least
            .iter_days()
            .take_while(|day| context.most.is_none_or(|most| *day <= most))
            .filter(is_such);
        let first = such.next()?;
        let is_meant = least >= context.today || (context.most.is_some() && such.next().is_none());
        is_meant.then_some(first)
    }
}

/// Returns the sign between two numbers of a date. Others are ranges ("5-12"), hours ("10 30") and
/// amounts ("5.5").
fn separator(text: &str) -> Option<char> {
    let is_digit = |c: char| c.is_ascii_digit();
    let from = text.trim_start_matches(|c| !is_digit(c));
    let signs = from.trim_start_matches(is_digit);
    let second = signs.trim_start_matches(|c| !is_digit(c));
    let after = second.trim_start_matches(is_digit);
    let digits = |from: &str, to: &str| from.len() - to.len();
    let (first_length, second_length) = (digits(from, signs), digits(second, after));
    match signs.strip_suffix(second)?.trim() {
        "/" => Some('/'),
        "tháng" | "thang" => Some('.'),
        "." if second_length == 2 || after.starts_with('.') => Some('.'),
        "-" if (first_length, second_length) == (2, 2) => Some('-'),
        _ => None,
    }
}

/// Returns whether words say that the only number is a day of a month: "dia 23", "the 23rd".
fn says_day(text: &str) -> bool {
    let words: Vec<String> = words(text).map(|word| folded(&word)).collect();
    let is_number = |word: &String| word.starts_with(|c: char| c.is_ascii_digit());
    let Some(at) = words.iter().position(is_number) else {
        return false;
    };
    let has = |known: &[&str], word: Option<&String>| {
        word.is_some_and(|word| known.contains(&word.as_str()))
    };
    let before = at.checked_sub(1).and_then(|before| words.get(before));
    has(&DAY_WORDS, before) || has(&DAY_ENDINGS, words.get(at + 1))
}
