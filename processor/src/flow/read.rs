//! Reads answers as the types that questions expect.

mod calendar;
mod choice;
mod date;
mod day_bound;
mod email;
mod known;
mod media;
mod name;
mod phone;
mod plain;
mod time_of_day;

use std::sync::Arc;

use chrono::{DateTime, NaiveDate};
use leadstream_schemas::Timestamp;
use regex::Regex;
use serde_json::{Map, Number, Value, json};

use super::TurnInput;
use super::amount::{self, Terms};
use super::field::Kind;
use super::schedule::Schedule;
use super::turn_input::{MAX_CHARS, Place, clean};
pub(super) use choice::{Choice, by_text, key, written};
pub(super) use day_bound::DayBound;
pub(super) use media::MediaKind;
pub(super) use name::read as read_name;

/// The type of a question's answer.
#[derive(Debug)]
pub(super) enum Expected {
    Scalar(Scalar),
    Choice(Vec<Choice>),
    Location,
    /// A file of one of these kinds.
    Media(Vec<MediaKind>),
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
        terms: Terms,
    },
    Email,
    /// A person's name.
    Name,
    /// The default country code.
    Phone {
        country: Option<String>,
    },
    Date {
        is_month_first: bool,
        least: Option<DayBound>,
        most: Option<DayBound>,
        /// True if only days with working hours are answers.
        is_open: bool,
    },
    /// A time of day.
    Time {
        /// The field of the day in whose working hours the time is; none for any time.
        of: Option<String>,
    },
}

#[derive(Debug)]
pub(super) struct FormField {
    /// The member in the form's answer.
    pub(super) member: String,
    pub(super) fill: String,
    pub(super) scalar: Scalar,
    pub(super) is_required: bool,
}

/// The circumstances of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    /// The flow's languages, and the index of the conversation's one.
    pub(super) languages: &'a [String],
    pub(super) language: usize,
    /// The time of the message.
    pub(super) at: Timestamp,
    pub(super) schedule: &'a Schedule,
    /// The answers so far.
    pub(super) data: &'a Map<String, Value>,
}

/// An answer that was read.
#[derive(Debug, PartialEq)]
pub(super) enum Reading {
    Value(Value),
    /// A number, and the code of its currency.
    Amount(Value, Option<String>),
    /// Several fields at once.
    Fields(Map<String, Value>),
    /// The question was skipped, so its fields have no value.
    Skipped,
}

impl Expected {
    /// Reads an answer; none if the input is no answer of this type.
    pub(super) fn read(&self, answer: &TurnInput, context: Context<'_>) -> Option<Reading> {
        match (self, answer) {
            // A tap on a button of an earlier message is no free text.
            (Self::Scalar(Scalar::Text { .. } | Scalar::Name), TurnInput::Choice { .. }) => None,
            (Self::Scalar(scalar), answer) => scalar.reading(&answer.text()?, context),
            (Self::Choice(choices), answer) => {
                let chosen = choose(choices, answer, context)?;
                Some(Reading::Value(Value::String(chosen.value.clone())))
            }
            (Self::Location, TurnInput::Place(place)) => Some(Reading::Value(located(place))),
            (Self::Media(kinds), TurnInput::Media(media)) => {
                media::read(kinds, media).map(Reading::Value)
            }
            (Self::Form(fields), TurnInput::Form(response)) => {
                filled(fields, response, context).map(Reading::Fields)
            }
            (Self::Location | Self::Media(_) | Self::Form(_), _) => None,
        }
    }

    /// Returns the type of the filled field; none for a form, which fills several.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Scalar(scalar) => Some(scalar.kind()),
            Self::Choice(choices) => {
                let longest = choices.iter().map(|choice| choice.value.chars().count());
                Some(Kind::Choice {
                    most: longest.max().unwrap_or_default(),
                    values: Arc::default(),
                })
            }
            Self::Location => Some(Kind::Place),
            Self::Media(_) => Some(Kind::Media),
            Self::Form(_) => None,
        }
    }
}

impl Scalar {
    /// Returns the type of phone numbers, and decodes the numbering plans before the first answer.
    pub(super) fn phone(country: Option<String>) -> Self {
        phone::prepare();
        Self::Phone { country }
    }

    pub(super) fn read(&self, text: &str, context: Context<'_>) -> Option<Value> {
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
            Self::Number { terms, .. } => {
                self.number(&amount::read(text, terms, context.tag())?.amount.to_number())
            }
            Self::Email => email::read(text).map(Value::String),
            Self::Name => name::read(text, context.tag()).map(Value::String),
            Self::Phone { country } => phone::read(text, country.as_deref()).map(Value::String),
            Self::Date {
                is_month_first,
                least,
                most,
                is_open,
            } => {
                let of_date = context.of_date(*is_month_first, *least, *most)?;
                let date = date::read(text, &of_date)?;
                if *is_open && !context.schedule.is_open_on(date, context.at) {
                    return None;
                }
                Some(Value::String(date.format("%Y-%m-%d").to_string()))
            }
            Self::Time { of } => context.time(text, of.as_deref()),
        }
    }

    /// Reads an answer, with its currency where that matters.
    fn reading(&self, text: &str, context: Context<'_>) -> Option<Reading> {
        match self {
            Self::Number { terms, .. } if let Some(currency) = &terms.currency => {
                let quantity = amount::read(text, terms, context.tag())?;
                let value = self.number(&quantity.amount.to_number())?;
                let code = currency.code(quantity.currencies.as_deref());
                (code.is_some() || !currency.is_certain()).then_some(Reading::Amount(value, code))
            }
            _ => self.read(text, context).map(Reading::Value),
        }
    }

    /// Returns `number` if it is within the bounds.
    fn number(&self, number: &Number) -> Option<Value> {
        let Self::Number {
            least,
            most,
            is_whole,
            ..
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
            // A second message may add to a name.
            Self::Name => Kind::Text { most: MAX_CHARS },
            Self::Number { least, most, .. } => Kind::Number {
                least: *least,
                most: *most,
            },
            Self::Email => Kind::Text {
                most: email::MAX_BYTES,
            },
            Self::Phone { .. } => Kind::Text { most: 16 },
            Self::Date { .. } => Kind::Date,
            Self::Time { .. } => Kind::Time,
        }
    }
}

impl<'a> Context<'a> {
    /// Returns the tag of the conversation's language.
    fn tag(self) -> &'a str {
        self.languages.get(self.language).map_or("", String::as_str)
    }

    /// Reads a time of day, within the working hours of the day in the field `of`.
    fn time(self, text: &str, of: Option<&str>) -> Option<Value> {
        let own = self.languages.get(self.language);
        let languages: Vec<&str> = own
            .into_iter()
            .chain(self.languages)
            .map(String::as_str)
            .collect();
        let said = time_of_day::read(text, &languages)?;
        let day = match of {
            Some(field) => Some(self.data.get(field)?.as_str()?.parse::<NaiveDate>().ok()?),
            None => None,
        };
        let time =
            said.time(|time| day.is_none_or(|day| self.schedule.is_open_then(day, time, self.at)))?;
        Some(Value::String(time_of_day::shown(time)))
    }

    fn of_date(
        self,
        is_month_first: bool,
        least: Option<DayBound>,
        most: Option<DayBound>,
    ) -> Option<date::Context<'a>> {
        let today = self.schedule.today(self.at)?;
        // A bound beyond the calendar is no bound.
        let day = |bound: Option<DayBound>| bound.and_then(|bound| bound.day(today));
        Some(date::Context {
            is_month_first,
            languages: self.languages,
            language: self.language,
            today,
            least: day(least),
            most: day(most),
        })
    }
}

/// Finds the chosen option by the button's id, by a name of it, or by its place in the list.
fn choose<'a>(
    choices: &'a [Choice],
    answer: &TurnInput,
    context: Context<'_>,
) -> Option<&'a Choice> {
    if let TurnInput::Choice { id: Some(id), .. } = answer
        && let Some(chosen) = choices.iter().find(|choice| choice.value == *id)
    {
        return Some(chosen);
    }
    choice::by_text(choices, &answer.text()?, context.languages)
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

/// Returns the fields of a form; none if a required field is missing or invalid. An optional field
/// that is invalid is left out.
fn filled(
    fields: &[FormField],
    response: &str,
    context: Context<'_>,
) -> Option<Map<String, Value>> {
    let response: Map<String, Value> = serde_json::from_str(response).ok()?;
    let mut values = Map::new();
    for field in fields {
        let given = response.get(&field.member).unwrap_or(&Value::Null);
        match field.scalar.read_member(given, context) {
            Some(value) => {
                values.insert(field.fill.clone(), value);
            }
            None if field.is_required => return None,
            None => {}
        }
    }
    Some(values)
}

impl Scalar {
    /// Reads a member of a form's answer.
    fn read_member(&self, given: &Value, context: Context<'_>) -> Option<Value> {
        match (self, given) {
            (Self::Number { .. }, Value::Number(number)) => self.number(number),
            // A date picker of older forms sends the milliseconds of a day's beginning in UTC.
            (Self::Date { .. }, given) if let Some(date) = day_of_millis(given) => {
                self.read(&date.to_string(), context)
            }
            _ => {
                let text = clean(&texts(given).join(", "));
                (!text.is_empty()).then(|| self.read(&text, context))?
            }
        }
    }
}

/// Returns the day of milliseconds since 1970. Smaller numbers may be seconds, or digits of a date.
fn day_of_millis(given: &Value) -> Option<NaiveDate> {
    const LEAST: u64 = 10_000_000_000;
    let millis = match given {
        Value::Number(number) => number.as_i64()?,
        Value::String(text) => text.parse::<i64>().ok()?,
        _ => return None,
    };
    if millis.unsigned_abs() < LEAST {
        return None;
    }
    Some(DateTime::from_timestamp_millis(millis)?.date_naive())
}

/// Returns the texts in a member: of check boxes one each, of a range of dates both.
fn texts(given: &Value) -> Vec<String> {
    match given {
        Value::Null => Vec::new(),
        Value::Bool(given) => vec![given.to_string()],
        Value::Number(number) => vec![number.to_string()],
        Value::String(text) => vec![text.clone()],
        Value::Array(all) => all.iter().flat_map(texts).collect(),
        Value::Object(all) => {
            let mut texts: Vec<String> = all.values().flat_map(texts).collect();
            // A range's beginning comes first: days sort as texts.
            texts.sort();
            texts
        }
    }
}

#[cfg(test)]
mod tests;
