//! Reads a date in a text, as people of many languages write it.

mod assemble;
mod partial;
mod relative;
mod weekday;
mod words;

use std::ops::RangeInclusive;

use chrono::{Datelike, NaiveDate, Weekday};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::calendar::{self, Name};
use super::plain::{folded, pieces, plain, words as words_of};
use assemble::{Years, assemble};
use partial::Partial;
pub(super) use words::FILLERS;
pub(super) use words::has_refusal;
use words::{ORDINALS, PORTUGUESE_FILLERS};

/// The years of dates that are read.
const YEARS: RangeInclusive<i32> = 1900..=2200;

/// The limit of a text that can be a date.
const MAX_CHARS: usize = 80;

/// The circumstances in which a date is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) is_month_first: bool,
    /// The flow's languages, and the index of the conversation's one.
    pub(super) languages: &'a [String],
    pub(super) language: usize,
    /// The day of the message where the flow is.
    pub(super) today: NaiveDate,
    /// The first and the last day that are answers.
    pub(super) least: Option<NaiveDate>,
    pub(super) most: Option<NaiveDate>,
}

impl Context<'_> {
    /// Returns the languages, the conversation's first.
    fn tags(&self) -> Vec<&str> {
        let own = self.languages.get(self.language);
        own.into_iter()
            .chain(self.languages)
            .map(String::as_str)
            .collect()
    }

    fn is_within(&self, day: NaiveDate) -> bool {
        self.least.is_none_or(|least| least <= day) && self.most.is_none_or(|most| day <= most)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token {
    /// A number, and how many digits it is written with.
    Number(u32, usize),
    /// The sign after a year: 年.
    Year,
    /// The sign after a month: 月.
    Month,
    /// The sign after a day: 日.
    Day,
    Name(Name),
}

/// Returns the one date in `text` within the bounds. Returns none where it could be another, and where
/// unknown words stand beside it.
pub(super) fn read(text: &str, context: &Context<'_>) -> Option<NaiveDate> {
    // Swedish and Finnish write "den 5:e december".
    let text = plain(text).replace(":e ", " ").replace(":a ", " ");
    let is_sign = |c: char| {
        matches!(c, '?' | '%' | '+' | '~' | '<' | '>' | '=' | '@' | ':')
            || c.general_category() == GeneralCategory::CurrencySymbol
    };
    if text.chars().count() > MAX_CHARS || text.contains(is_sign) {
        return None;
    }
    let languages = context.tags();
    let said: Vec<String> = words_of(&text.to_lowercase()).collect();
    if has_refusal(&said, &languages) {
        return None;
    }
    if let Some(days) = relative::days(&said, &languages, context.today) {
        let mut days = days.into_iter().filter(|day| context.is_within(*day));
        return days.next().filter(|_| days.next().is_none());
    }
    let words: Vec<String> = said.iter().map(|word| folded(word)).collect();
    if let Some(day) = weekday::read(&words, &languages, context.today) {
        return day.filter(|day| context.is_within(*day));
    }
    written(&text, &languages, context).filter(|day| context.is_within(*day))
}

/// Reads a date with its number of the day.
fn written(text: &str, languages: &[&str], context: &Context<'_>) -> Option<NaiveDate> {
    let tokens = tokens(text, languages)?;
    let weekday = tokens.iter().find_map(|token| match token {
        Token::Name(Name::Weekday(day)) => Weekday::try_from(*day).ok(),
        _ => None,
    });
    let is_thai = text.chars().any(|c| ('\u{e00}'..='\u{e7f}').contains(&c))
        || context.languages.iter().any(|tag| tag.starts_with("th"));
    let years = Years {
        now: context.today.year(),
        is_thai,
    };
    let date = assemble(&tokens, years, context.is_month_first)
        .or_else(|| Partial::of(&tokens, text, context.is_month_first)?.day(context))?;
    (YEARS.contains(&date.year()) && weekday.is_none_or(|day| day == date.weekday()))
        .then_some(date)
}

fn has_portuguese(languages: &[&str]) -> bool {
    languages.iter().any(|tag| tag.starts_with("pt"))
}

/// Returns the ranges of `words` without some of those that change nothing at either end, the longest
/// first.
fn trims(words: &[String]) -> impl Iterator<Item = (usize, usize)> {
    let is_kept = |word: &String| !FILLERS.contains(&word.as_str());
    let length = words.len();
    let before = words.iter().position(is_kept).unwrap_or(length);
    let after = words
        .iter()
        .rposition(is_kept)
        .map_or(length, |last| last + 1);
    (0..=before).flat_map(move |from| (after..=length).rev().map(move |to| (from, to)))
}

/// Returns `words` without those that change nothing at either end.
fn bare(words: &[String]) -> &[String] {
    let shortest = trims(words).last();
    shortest
        .and_then(|(from, to)| words.get(from..to))
        .unwrap_or_default()
}

/// Returns the numbers and names of a text; none where a word is unknown.
fn tokens(text: &str, languages: &[&str]) -> Option<Vec<Token>> {
    let pieces: Vec<String> = pieces(text).iter().map(|piece| folded(piece)).collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(piece) = pieces.get(at) {
        let previous = at.checked_sub(1).and_then(|before| pieces.get(before));
        at += 1;
        if piece.starts_with(|c: char| c.is_ascii_digit()) {
            tokens.push(Token::Number(
                piece.parse().ok().filter(|_| piece.len() <= 8)?,
                piece.len(),
            ));
            continue;
        }
        if !piece.chars().any(char::is_alphabetic) {
            continue;
        }
        // Names of two words: "segunda-feira", "تشرين الثاني".
        let two = pieces.get(at + 1).map(|next| format!("{piece} {next}"));
        let name = two.and_then(|two| calendar::meaning(&two, languages));
        if let Some(name @ (Name::Month(_) | Name::Weekday(_))) = name {
            tokens.push(Token::Name(name));
            at += 2;
            continue;
        }
        let follows_number =
            previous.is_some_and(|it| it.ends_with(|c: char| c.is_ascii_digit() || c == '-'));
        let may_be_ordinal =
            follows_number && matches!(tokens.last(), Some(Token::Number(1..=31, _)));
        tokens.extend(word(piece, may_be_ordinal, languages)?);
    }
    Some(tokens)
}

/// Returns the token of a word, if it has one; none where the word is unknown.
fn word(word: &str, may_be_ordinal: bool, languages: &[&str]) -> Option<Option<Token>> {
    let sign = match word {
        "年" | "년" => Some(Token::Year),
        "月" | "월" => Some(Token::Month),
        "日" | "号" | "號" | "일" => Some(Token::Day),
        _ => None,
    };
    if sign.is_some() {
        return Some(sign);
    }
    let is_filler = FILLERS.contains(&word)
        || (may_be_ordinal && ORDINALS.contains(&word))
        || (PORTUGUESE_FILLERS.contains(&word) && has_portuguese(languages));
    let name = calendar::meaning_in(word, languages)
        .or_else(|| calendar::meaning(word, languages).filter(|_| !is_filler));
    match name {
        Some(Name::Particle) => Some(None),
        Some(name) => Some(Some(Token::Name(name))),
        None => is_filler.then_some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_listed_as_it_is_compared() {
        for word in FILLERS.iter().chain(&ORDINALS) {
            let words: Vec<String> = words_of(&plain(word)).map(|word| folded(&word)).collect();
            assert_eq!(words.join(" "), *word);
        }
    }
}
