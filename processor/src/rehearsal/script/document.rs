//! Transcripts as they are written (YAML).

use std::fmt;
use std::time::Duration;

use leadstream_schemas::Content;
use leadstream_schemas::input::MediaType;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use crate::flow::parse_duration;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) transcripts: Vec<Transcript>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Transcript {
    pub(super) name: String,
    pub(super) turns: Vec<Spanned<Turn>>,
}

/// One of `lead`, `person`, `agent` and `wait` happens; the rest says what has to come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Turn {
    /// What the lead sends.
    pub(super) lead: Option<Sent>,
    /// What a person of the business sends.
    pub(super) person: Option<String>,
    /// What an agent does with the bot.
    pub(super) agent: Option<Deed>,
    /// Time that passes.
    pub(super) wait: Option<Span>,
    /// Since the turn before: 10 s when absent.
    pub(super) after: Option<Span>,
    /// What reaches the lead before the next turn; absent: nothing.
    #[serde(default)]
    pub(super) bot: Said,
    pub(super) state: Option<String>,
    pub(super) score: Option<i32>,
    pub(super) completed: Option<bool>,
    pub(super) data: Option<Map<String, Value>>,
    /// Who looks after the lead.
    pub(super) assignee: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Deed {
    Release,
    Restart,
    Assign(String),
}

/// A text, or one of these.
#[derive(Debug)]
pub(super) enum Sent {
    Text(String),
    Other(Other),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Other {
    /// Taps the button or row of this value.
    Choice(String),
    Media(MediaType),
    /// Latitude and longitude.
    Location([f64; 2]),
    /// The answers of a form.
    Form(Map<String, Value>),
    /// An emoji.
    Reaction(String),
    Edit(Edit),
    /// Deletes the message of this turn, from 1.
    Revoke(usize),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edit {
    /// From 1.
    pub(super) turn: usize,
    pub(super) text: String,
}

/// A text or several.
#[derive(Debug, Default)]
pub(super) struct Said(pub(super) Vec<String>);

#[derive(Clone, Copy, Debug)]
pub(super) struct Span(pub(super) Duration);

impl Deed {
    pub(super) fn content(&self) -> Content {
        match self {
            Self::Release => Content::Release,
            Self::Restart => Content::Restart,
            Self::Assign(name) => Content::Assign {
                assignee: Some(name.clone()),
            },
        }
    }
}

impl Sent {
    /// `ids` by turn.
    pub(super) fn content(&self, ids: &[String]) -> Content {
        let id = |turn: usize| {
            let id = turn.checked_sub(1).and_then(|index| ids.get(index));
            id.cloned().unwrap_or_default()
        };
        match self {
            Self::Text(body) => Content::Text { body: body.clone() },
            Self::Other(Other::Choice(value)) => Content::Choice {
                id: Some(value.clone()),
                title: value.clone(),
                description: None,
            },
            Self::Other(Other::Media(media)) => Content::Media {
                media: *media,
                id: None,
                url: None,
                mime_type: None,
                sha256: None,
                caption: None,
                filename: None,
            },
            Self::Other(Other::Location([latitude, longitude])) => Content::Location {
                latitude: *latitude,
                longitude: *longitude,
                name: None,
                address: None,
            },
            Self::Other(Other::Form(answers)) => Content::Form {
                name: None,
                response_json: Value::Object(answers.clone()).to_string(),
            },
            Self::Other(Other::Reaction(emoji)) => Content::Reaction {
                message_id: String::new(),
                emoji: Some(emoji.clone()),
            },
            Self::Other(Other::Edit(edit)) => Content::Edit {
                message_id: id(edit.turn),
                body: edit.text.clone(),
            },
            Self::Other(Other::Revoke(turn)) => Content::Revoke {
                message_id: id(*turn),
            },
        }
    }
}

impl<'de> Deserialize<'de> for Sent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SentVisitor;

        impl<'de> Visitor<'de> for SentVisitor {
            type Value = Sent;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text in quotes, or one of choice, media, location, form, reaction, edit, revoke")
            }

            fn visit_str<E>(self, text: &str) -> Result<Sent, E> {
                Ok(Sent::Text(text.to_owned()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Sent, E> {
                Ok(Sent::Text(number.to_string()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Sent, E> {
                Ok(Sent::Text(number.to_string()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Sent, A::Error> {
                Other::deserialize(MapAccessDeserializer::new(map)).map(Sent::Other)
            }
        }

        deserializer.deserialize_any(SentVisitor)
    }
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SaidVisitor;

        impl<'de> Visitor<'de> for SaidVisitor {
            type Value = Said;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("what the bot says, or a list of it")
            }

            fn visit_str<E>(self, text: &str) -> Result<Said, E> {
                Ok(Said(vec![text.to_owned()]))
            }

            fn visit_unit<E>(self) -> Result<Said, E> {
                Ok(Said::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Said, A::Error> {
                let mut said = Vec::new();
                while let Some(text) = items.next_element()? {
                    said.push(text);
                }
                Ok(Said(said))
            }
        }

        deserializer.deserialize_any(SaidVisitor)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_duration(&text).map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is no time; write one such as 300ms, 10s, 23h or 2d"
            ))
        })
    }
}
