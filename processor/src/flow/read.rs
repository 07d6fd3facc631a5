//! Reads answers as the types that questions expect.

use chrono::{Datelike, NaiveDate};
use regex::Regex;
use serde_json::{Map, Number, Value, json};

use super::field::Kind;
use super::turn_input::{Place, clean};
use super::{TurnInput, amount};

/// The type of a question's answer.
#[derive(Debug)]
pub(super) enum Expected {
    Scalar(Scalar),
    Choice(Vec<Choice>),
    Location,
    Form(Vec<FormField>),
}

/// A type of answer in one text.
#[derive(Debug)]
pub(super) enum Scalar {
    Text {
        least: usize,
        most: usize,
        pattern: Option<Regex>,
    },
    Number {
        least: f64,
        most: f64,
        is_whole: bool,
    },
    Email,
    /// The default country code.
    Phone {
        country: Option<String>,
    },
    Date {
        is_month_first: bool,
        least: Option<NaiveDate>,
        most: Option<NaiveDate>,
    },
}

/// One of the answers to choose from.
#[derive(Debug)]
pub(super) struct Choice {
    /// The field's value, and the id of the button.
    pub(super) value: String,
    /// The titles in each language and other words for the option, in lower case.
    pub(super) words: Vec<String>,
}

#[derive(Debug)]
pub(super) struct FormField {
    /// The member in the form's answer.
    pub(super) member: String,
    pub(super) fill: String,
    pub(super) scalar: Scalar,
    pub(super) is_required: bool,
}

/// An answer that was read.
#[derive(Debug, PartialEq)]
pub(super) enum Reading {
    Value(Value),
    /// Several fields at once.
    Fields(Map<String, Value>),
}

impl Expected {
    /// Reads an answer; none if the input is no answer of this type.
    pub(super) fn read(&self, answer: &TurnInput) -> Option<Reading> {
        match (self, answer) {
            (Self::Scalar(scalar), answer) => scalar.read(&answer.text()?).map(Reading::Value),
            (Self::Choice(choices), answer) => {
                let chosen = choose(choices, answer)?;
                Some(Reading::Value(Value::String(chosen.value.clone())))
            }
            (Self::Location, TurnInput::Place(place)) => Some(Reading::Value(located(place))),
            (Self::Form(fields), TurnInput::Form(response)) => {
                filled(fields, response).map(Reading::Fields)
            }
            (Self::Location | Self::Form(_), _) => None,
        }
    }

    /// Returns the type of the filled field; none for a form, which fills several.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Scalar(scalar) => Some(scalar.kind()),
            Self::Choice(choices) => {
                let longest = choices.iter().map(|choice| choice.value.chars().count());
                Some(Kind::Text {
                    most: longest.max().unwrap_or_default(),
                })
            }
            Self::Location => Some(Kind::Place),
            Self::Form(_) => None,
        }
    }
}

impl Scalar {
    pub(super) fn read(&self, text: &str) -> Option<Value> {
        match self {
            Self::Text {
                least,
                most,
                pattern,
            } => {
                let fits = (*least..=*most).contains(&text.chars().count())
                    && pattern
                        .as_ref()
                        .is_none_or(|pattern| pattern.is_match(text));
                fits.then(|| Value::String(text.to_owned()))
            }
            Self::Number { .. } => self.number(&amount::parse(text)?.to_number()),
            Self::Email => email(text).map(Value::String),
            Self::Phone { country } => phone(text, country.as_deref()).map(Value::String),
            Self::Date {
                is_month_first,
                least,
                most,
            } => {
                let date = date(text, *is_month_first)?;
                let fits =
                    least.is_none_or(|least| least <= date) && most.is_none_or(|most| date <= most);
                fits.then(|| Value::String(date.format("%Y-%m-%d").to_string()))
            }
        }
    }

    /// Returns `number` if it is within the bounds.
    fn number(&self, number: &Number) -> Option<Value> {
        let Self::Number {
            least,
            most,
            is_whole,
        } = self
        else {
            return None;
        };
        let value = number.as_f64()?;
        let fits = (*least..=*most).contains(&value) && (!is_whole || value.fract() == 0.0);
        fits.then(|| Value::Number(number.clone()))
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Text { most, .. } => Kind::Text { most: *most },
            Self::Number { least, most, .. } => Kind::Number {
                least: *least,
                most: *most,
            },
            Self::Email => Kind::Text { most: MAX_EMAIL },
            Self::Phone { .. } => Kind::Text { most: 16 },
            Self::Date { .. } => Kind::Text { most: 10 },
        }
    }
}

/// Finds the chosen option by the button's id, by a word for it, or by its number in the list.
fn choose<'a>(choices: &'a [Choice], answer: &TurnInput) -> Option<&'a Choice> {
    if let TurnInput::Choice { id: Some(id), .. } = answer
        && let Some(chosen) = choices.iter().find(|choice| choice.value == *id)
    {
        return Some(chosen);
    }
    let text = answer.text()?.to_lowercase();
    let named = choices
        .iter()
        .find(|choice| choice.words.contains(&text) || choice.value.to_lowercase() == text);
    named.or_else(|| {
        let number: usize = text.trim_end_matches(['.', ')']).parse().ok()?;
        choices.get(number.checked_sub(1)?)
    })
}

fn located(place: &Place) -> Value {
    let degrees = |units: i32| f64::from(units) / 1e7;
    let mut value = Map::new();
    value.insert("latitude".into(), json!(degrees(place.latitude)));
    value.insert("longitude".into(), json!(degrees(place.longitude)));
    if let Some(name) = &place.name {
        value.insert("name".into(), json!(name));
    }
    if let Some(address) = &place.address {
        value.insert("address".into(), json!(address));
    }
    Value::Object(value)
}

/// Returns the fields of a form; none if a required field is missing or any field is invalid.
fn filled(fields: &[FormField], response: &str) -> Option<Map<String, Value>> {
    let response: Map<String, Value> = serde_json::from_str(response).ok()?;
    let mut values = Map::new();
    for field in fields {
        let given = match response.get(&field.member) {
            Some(Value::Number(number)) if matches!(field.scalar, Scalar::Number { .. }) => {
                values.insert(field.fill.clone(), field.scalar.number(number)?);
                continue;
            }
            Some(Value::String(given)) => clean(given),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Bool(given)) => given.to_string(),
            _ => String::new(),
        };
        if given.is_empty() {
            if field.is_required {
                return None;
            }
            continue;
        }
        values.insert(field.fill.clone(), field.scalar.read(&given)?);
    }
    Some(values)
}

/// The limit of RFC 5321.
const MAX_EMAIL: usize = 254;

/// Returns the address in a text that has exactly one.
fn email(text: &str) -> Option<String> {
    let mut words = text.split_whitespace().filter(|word| word.contains('@'));
    let word = words.next()?;
    if words.next().is_some() {
        return None;
    }
    let address = word.trim_matches(|c: char| {
        matches!(
            c,
            '<' | '>' | '(' | ')' | '"' | '\'' | ',' | ';' | '.' | '!' | '?'
        )
    });
    let address = address.strip_prefix("mailto:").unwrap_or(address);
    let (local, domain) = address.split_once('@')?;
    let is_local = (1..=64).contains(&local.len())
        && !local.contains("..")
        && local
            .chars()
            .all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c));
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let labels: Vec<&str> = domain.split('.').collect();
    let has_end = labels
        .last()
        .is_some_and(|last| last.len() >= 2 && !last.chars().all(|c| c.is_ascii_digit()));
    let is_domain = labels.len() >= 2 && has_end && labels.into_iter().all(is_label);
    let address = format!("{local}@{}", domain.to_lowercase());
    (is_local && is_domain && address.len() <= MAX_EMAIL).then_some(address)
}

/// Returns the number in E.164 form (`+` and 7 to 15 digits). A number without a country code needs
/// the default `country`.
fn phone(text: &str, country: Option<&str>) -> Option<String> {
    // Many people write the trunk zero: "+49 (0) 170 …".
    let text = text.trim().replacen("(0)", "", 1);
    let is_separator = |c: char| matches!(c, ' ' | '-' | '(' | ')' | '.' | '/' | '\u{a0}');
    let written: String = text.chars().filter(|c| !is_separator(*c)).collect();
    let (international, digits) = match written.strip_prefix('+') {
        Some(rest) => (true, rest),
        None => match written.strip_prefix("00") {
            Some(rest) => (true, rest),
            None => (false, written.as_str()),
        },
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let number = if international {
        digits.to_owned()
    } else {
        format!("{}{}", country?, digits.trim_start_matches('0'))
    };
    (7..=15)
        .contains(&number.len())
        .then(|| format!("+{number}"))
}

/// Parses `2026-11-23`, or day, month and year in the flow's order with a year of four digits.
fn date(text: &str, is_month_first: bool) -> Option<NaiveDate> {
    let parts: Vec<&str> = text
        .split(['-', '/', '.', ' '])
        .filter(|part| !part.is_empty())
        .collect();
    let [a, b, c] = parts.as_slice() else {
        return None;
    };
    let is_number = |part: &&&str| part.len() <= 4 && part.chars().all(|c| c.is_ascii_digit());
    if ![a, b, c].iter().all(is_number) {
        return None;
    }
    let (year, month, day) = if a.len() == 4 {
        (a, b, c)
    } else if c.len() == 4 && is_month_first {
        (c, a, b)
    } else if c.len() == 4 {
        (c, b, a)
    } else {
        return None;
    };
    let date = NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)?;
    (1900..=2200).contains(&date.year()).then_some(date)
}

#[cfg(test)]
mod tests;
