//! Reads a time of day in a text, as people of many languages say it.

mod words;

use chrono::{NaiveTime, Timelike};

use super::date::has_refusal;
use super::plain::{folded, pieces, plain, words as words_of};
use crate::flow::amount::number_in_words;
use words::{PartOfDay, Word, is_24_hours, word};

/// The limit of a text that can be a time.
const MAX_CHARS: usize = 60;

/// A token of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Token {
    /// A number, whether it is written in two digits, and whether it is a word.
    Number {
        value: u32,
        has_two_digits: bool,
        is_word: bool,
    },
    /// The sign between hours and minutes.
    Colon,
    Word(Word),
}

/// The times that a text can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// The time as a clock of 24 hours shows it.
    literal: NaiveTime,
    /// The time twelve hours later; none where the text or the hour excludes it.
    later: Option<NaiveTime>,
    /// True if the text has the form of a clock of 24 hours.
    is_literal: bool,
}

impl Said {
    /// Returns the one time that `fits`. Of two, it is the one that a clock of 24 hours shows, if the
    /// text is written so.
    pub(super) fn time(self, fits: impl Fn(NaiveTime) -> bool) -> Option<NaiveTime> {
        let literal = Some(self.literal).filter(|time| fits(*time));
        let later = self.later.filter(|time| fits(*time));
        match (literal, later) {
            (Some(_), Some(_)) if !self.is_literal => None,
            (literal, later) => literal.or(later),
        }
    }
}

/// Returns the times that `text` can mean; none for anything else than one time of day.
pub(super) fn read(text: &str, languages: &[&str]) -> Option<Said> {
    let text = plain(text).to_lowercase();
    if text.chars().count() > MAX_CHARS
        || text.contains(['?', '%', '+', '~', '<', '>', '=', '@', '$', '/', '€', '£'])
    {
        return None;
    }
    let all: Vec<String> = words_of(&text).collect();
    if has_refusal(&all, languages) {
        return None;
    }
    let tokens = tokens(&words::separated(&text), languages)?;
    let mut parts = tokens.iter().filter_map(|token| match token {
        Token::Word(Word::Part(part)) => Some(*part),
        _ => None,
    });
    let part = parts.next();
    if parts.next().is_some() {
        return None;
    }
    let tokens: Vec<Token> = tokens
        .into_iter()
        .filter(|token| !matches!(token, Token::Word(Word::Part(_))))
        .collect();
    let clock = clock(&tokens)?;
    said(clock, part, languages)
}

/// A time on a clock: its hour may be of twelve or of 24.
#[derive(Clone, Copy, Debug)]
struct Clock {
    hour: u32,
    minute: u32,
    /// Whether the text is written as on a clock of 24 hours: always ("09:30"), or where people use one
    /// ("9:30", "10 h").
    form: Form,
    /// True if the hour can be no other.
    is_certain: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Always,
    Where24,
    Never,
}

fn said(clock: Clock, part: Option<PartOfDay>, languages: &[&str]) -> Option<Said> {
    let at = |hour: u32| NaiveTime::from_hms_opt(hour, clock.minute, 0);
    let only = |hour: u32| {
        at(hour).map(|literal| Said {
            literal,
            later: None,
            is_literal: true,
        })
    };
    let hour = clock.hour;
    match part {
        Some(part) => only(part.hour(hour)?),
        None if clock.is_certain || hour == 0 || hour > 12 => only(hour),
        None => {
            let is_24 = languages.first().is_some_and(|tag| is_24_hours(tag));
            Some(Said {
                literal: at(hour)?,
                later: if hour == 12 { None } else { at(hour + 12) },
                is_literal: match clock.form {
                    Form::Always => true,
                    Form::Where24 => is_24,
                    Form::Never => false,
                },
            })
        }
    }
}

/// Returns the time that the tokens show.
fn clock(tokens: &[Token]) -> Option<Clock> {
    let count = |word: Word| {
        tokens
            .iter()
            .filter(|token| **token == Token::Word(word))
            .count()
    };
    let (hours, has_and) = (count(Word::Hour), count(Word::And) > 0);
    let tokens: Vec<Token> = tokens
        .iter()
        .copied()
        .filter(|token| !matches!(token, Token::Word(Word::Hour | Word::Minute | Word::And)))
        .collect();
    let exact = |hour: u32, minute: u32| Clock {
        hour,
        minute,
        form: Form::Never,
        is_certain: false,
    };
    // "quarter to three" is a quarter of an hour before three.
    let before = |hour: u32, minutes: u32| {
        let hour = if hour == 1 { 12 } else { hour.checked_sub(1)? };
        Some(exact(hour, 60_u32.checked_sub(minutes)?))
    };
    use Token::{Colon, Number, Word as W};
    let clock = match *tokens.as_slice() {
        [W(Word::Noon)] | [Number { value: 12, .. }, W(Word::Noon)] => Clock {
            is_certain: true,
            ..exact(12, 0)
        },
        // "meio-dia e meia"
        [W(Word::Noon), W(Word::Half)] if has_and => Clock {
            is_certain: true,
            ..exact(12, 30)
        },
        [
            Number {
                value,
                has_two_digits,
                ..
            },
        ] => Clock {
            form: if hours > 0 && has_two_digits {
                Form::Where24
            } else {
                Form::Never
            },
            ..exact(value, 0)
        },
        [
            Number {
                value: hour,
                has_two_digits: is_long,
                is_word: false,
            },
            Colon,
            Number {
                value: minute,
                has_two_digits: true,
                is_word: false,
            },
        ] => Clock {
            form: if is_long { Form::Always } else { Form::Where24 },
            ..exact(hour, minute)
        },
        // "14h30", "duas e quinze". Two hours are no time: "10 e 12", "nine ten".
        [
            Number { value: hour, .. },
            Number {
                value: minute,
                has_two_digits,
                is_word,
            },
        ] if are_minutes(minute, has_two_digits, is_word, has_and, hours) => Clock {
            form: if hours > 0 {
                Form::Where24
            } else {
                Form::Never
            },
            ..exact(hour, minute)
        },
        // "half past two" and "dos y media" are what "halb drei" is.
        [Number { value: hour, .. }, W(Word::Half)]
        | [W(Word::HalfBefore), Number { value: hour, .. }]
        | [W(Word::HalfPast), W(Word::Past), Number { value: hour, .. }] => exact(hour, 30),
        [W(Word::HalfTo), Number { value: hour, .. }] => before(hour, 30)?,
        [Number { value: hour, .. }, W(Word::Quarter)] if has_and => exact(hour, 15),
        [amount, W(Word::Past), Number { value: hour, .. }] => exact(hour, minutes(amount)?),
        // "5 to 6" may be a range.
        [
            amount @ (W(Word::Quarter) | Number { value: 20 | 25, .. }),
            W(Word::To),
            Number { value: hour, .. },
        ]
        | [amount, W(Word::Before), Number { value: hour, .. }]
        | [Number { value: hour, .. }, W(Word::Minus), amount] => before(hour, minutes(amount)?)?,
        _ => return None,
    };
    Some(clock).filter(|clock| clock.hour < 24 && clock.minute < 60 && hours < 2)
}

/// Returns whether a number after an hour is its minutes, and no other hour.
const fn are_minutes(
    minute: u32,
    has_two_digits: bool,
    is_word: bool,
    has_and: bool,
    hours: usize,
) -> bool {
    if is_word {
        return minute.is_multiple_of(5) && (has_and || hours == 1 || minute > 12);
    }
    has_two_digits && (hours == 1 || minute > 24)
}

/// Returns the minutes of "a quarter" or of a number.
const fn minutes(token: Token) -> Option<u32> {
    match token {
        Token::Word(Word::Quarter) => Some(15),
        Token::Number {
            value: value @ (5 | 10 | 15 | 20 | 25),
            ..
        } => Some(value),
        _ => None,
    }
}

/// Returns the tokens of a text; none where a word is unknown.
fn tokens(text: &str, languages: &[&str]) -> Option<Vec<Token>> {
    let pieces = pieces(text);
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    let mut is_inside = false;
    while let Some(piece) = pieces.get(at) {
        at += 1;
        if piece.starts_with(|c: char| c.is_ascii_digit()) {
            if piece.len() > 2 {
                return None;
            }
            tokens.push(Token::Number {
                value: piece.parse().ok()?,
                has_two_digits: piece.len() == 2,
                is_word: false,
            });
            is_inside = true;
        } else if piece.chars().any(char::is_alphabetic) {
            let (token, taken) = named(&pieces, at - 1, is_inside, languages)?;
            at = at - 1 + taken;
            is_inside |= token.is_some_and(|token| !matches!(token, Token::Word(Word::Hour)));
            tokens.extend(token);
        } else if matches!(piece.as_str(), ":" | ".") && is_between_digits(&pieces, at - 1) {
            tokens.push(Token::Colon);
        } else if piece == "-" && is_between_digits(&pieces, at - 1) {
            return None;
        }
    }
    Some(tokens)
}

fn is_between_digits(pieces: &[String], at: usize) -> bool {
    let is_digits = |at: Option<usize>| {
        at.and_then(|at| pieces.get(at))
            .is_some_and(|piece| piece.starts_with(|c: char| c.is_ascii_digit()))
    };
    is_digits(at.checked_sub(1)) && is_digits(at.checked_add(1))
}

/// Returns the token that begins with the word at `at`, and the pieces that it takes. A word without
/// an effect has no token. Returns none where the word is unknown.
fn named(
    pieces: &[String],
    at: usize,
    is_inside: bool,
    languages: &[&str],
) -> Option<(Option<Token>, usize)> {
    // Names of up to three words, with a sign between each two.
    for taken in [5, 3, 1] {
        let Some(run) = pieces.get(at..at + taken) else {
            continue;
        };
        let words: Vec<&str> = run.iter().step_by(2).map(String::as_str).collect();
        let has_spaces = run
            .iter()
            .skip(1)
            .step_by(2)
            .all(|sign| matches!(sign.as_str(), " " | "-" | "'" | "." | "’"));
        if !has_spaces {
            continue;
        }
        let phrase = folded(&words.join(" "));
        if let Some(word) = word(&phrase, is_inside, languages) {
            return Some(match word {
                Word::Number(value) => (Some(in_words(value)), taken),
                Word::Filler => (None, taken),
                word => (Some(Token::Word(word)), taken),
            });
        }
        if let Some(value) = number(&words) {
            return Some((Some(in_words(value)), taken));
        }
    }
    None
}

const fn in_words(value: u32) -> Token {
    Token::Number {
        value,
        has_two_digits: value > 9,
        is_word: true,
    }
}

/// Reads a number in words. Of several words, only tens and units are one number: "vinte e cinco" is,
/// and "dez e cinco" is ten and five.
fn number(words: &[&str]) -> Option<u32> {
    let value = |words: &[&str]| u32::try_from(number_in_words(words)?).ok();
    let all = value(words).filter(|value| *value < 60)?;
    let is_ideograph = |word: &&str| word.chars().count() == 1 && !word.is_ascii();
    if let [first, _, .., last] | [first, last] = words
        && !words.iter().all(is_ideograph)
    {
        let (tens, units) = (value(&[*first])?, value(&[*last])?);
        let is_one = tens % 10 == 0 && (20..60).contains(&tens) && units < 10;
        return (is_one && tens + units == all).then_some(all);
    }
    Some(all)
}

/// Returns a time as the value of a field.
pub(super) fn shown(time: NaiveTime) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}
