//! The file of transcripts (YAML).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use leadstream_schemas::input::MediaType;
use leadstream_schemas::{Content, InputId, UndeliveredClass};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use super::referral::ReferralDocument;
use crate::flow::{Item, OneOrMany, parse_duration};

/// The reply that accepts any text.
pub(super) const ANY: &str = "any";

/// Conversations with a flow, and what each has to lead to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Leadstream transcripts")]
pub(super) struct Document {
    /// The conversations; `leadstream flow test` plays each.
    pub(super) transcripts: Vec<Transcript>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Transcript {
    /// What the conversation shows.
    pub(super) name: String,
    /// The turns in their order, 10 s apart.
    #[schemars(with = "Vec<Turn>")]
    pub(super) turns: Vec<Spanned<Turn>>,
}

/// One action, of `lead`, `person`, `agent`, `undelivered` or `wait`, and its expected result.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Turn {
    /// An input of the lead.
    pub(super) lead: Option<UserInput>,
    /// The ad or post that leads to the message in `lead`.
    pub(super) referral: Option<ReferralDocument>,
    /// A message of a person of the business.
    pub(super) person: Option<String>,
    /// A command of a person of the business.
    pub(super) agent: Option<AgentAction>,
    /// The reason why the open question did not reach the lead.
    pub(super) undelivered: Option<UndeliveredClass>,
    /// Time that passes, such as `23h`.
    #[schemars(with = "Option<String>")]
    pub(super) wait: Option<HumanDuration>,
    /// The time since the turn before; 10 s by default.
    #[schemars(with = "Option<String>")]
    pub(super) after: Option<HumanDuration>,
    /// The replies before the next turn; none by default. `any` accepts any text.
    bot: Option<OneOrMany<ExpectedReply>>,
    /// The state after the turn.
    pub(super) state: Option<String>,
    /// The score after the turn.
    pub(super) score: Option<i32>,
    /// Whether the qualification is completed after the turn.
    pub(super) completed: Option<bool>,
    /// All answers after the turn.
    #[schemars(with = "Option<BTreeMap<String, Value>>")]
    pub(super) data: Option<Map<String, Value>>,
    /// The assignee after the turn; empty for none.
    pub(super) assignee: Option<String>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum AgentAction {
    Release,
    Restart,
    Assign(String),
}

#[derive(Debug)]
pub(super) enum UserInput {
    Text(String),
    Other(Other),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Other {
    /// A tap on the button or row of this value.
    Choice(String),
    Media(MediaType),
    /// Latitude and longitude.
    Location([f64; 2]),
    /// A submitted form.
    Form(#[schemars(with = "BTreeMap<String, Value>")] Map<String, Value>),
    /// An emoji.
    Reaction(String),
    Edit(Edit),
    /// A deletion of the message of this turn, from 1.
    Revoke(usize),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Edit {
    /// The turn of the message, from 1.
    pub(super) turn: usize,
    /// Its text after the edit.
    pub(super) text: String,
}

/// The text of a reply, as a lead without buttons sees it.
#[derive(Debug, Deserialize)]
struct ExpectedReply(String);

/// A duration such as `10s`.
#[derive(Clone, Copy, Debug)]
pub(super) struct HumanDuration(pub(super) Duration);

/// The replies that a turn expects.
pub(super) enum Expected<'a> {
    /// At least one, with any text.
    Any,
    /// These texts, without blanks around them; [`ANY`] is any text.
    Each(Vec<&'a str>),
}

impl Turn {
    pub(super) fn expected_replies(&self) -> Expected<'_> {
        Expected::Each(match &self.bot {
            None => Vec::new(),
            Some(OneOrMany::One(text)) if text.trim() == ANY => return Expected::Any,
            Some(OneOrMany::One(text)) => vec![text.trim()],
            Some(OneOrMany::Many(replies)) => replies.iter().map(|it| it.0.trim()).collect(),
        })
    }
}

/// Returns the name of a kind of media in a file.
pub(super) const fn name(media: MediaType) -> &'static str {
    match media {
        MediaType::Image => "image",
        MediaType::Video => "video",
        MediaType::Audio => "audio",
        MediaType::Voice => "voice",
        MediaType::Document => "document",
        MediaType::Sticker => "sticker",
    }
}

impl AgentAction {
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

impl UserInput {
    /// Words the input for messages.
    pub(super) fn title(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Other(Other::Choice(value)) => format!("taps {value}"),
            Self::Other(Other::Media(media)) => format!("sends {}", name(*media)),
            Self::Other(Other::Location(_)) => "sends a location".to_owned(),
            Self::Other(Other::Form(_)) => "submits a form".to_owned(),
            Self::Other(Other::Reaction(emoji)) => format!("reacts with {emoji}"),
            Self::Other(Other::Edit(edit)) => format!("edits turn {}", edit.turn),
            Self::Other(Other::Revoke(turn)) => format!("deletes turn {turn}"),
        }
    }

    /// Returns the content of the input. `ids` has the ids of earlier inputs by turn.
    pub(super) fn content(&self, ids: &[InputId]) -> Content {
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
                size: None,
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
                message_id: InputId::default(),
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

impl<'de> Deserialize<'de> for UserInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UserInputVisitor;

        impl<'de> Visitor<'de> for UserInputVisitor {
            type Value = UserInput;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text in quotes, or one of choice, media, location, form, reaction, edit, revoke")
            }

            fn visit_str<E>(self, text: &str) -> Result<UserInput, E> {
                Ok(UserInput::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<UserInput, A::Error> {
                Other::deserialize(MapAccessDeserializer::new(map)).map(UserInput::Other)
            }
        }

        deserializer.deserialize_any(UserInputVisitor)
    }
}

impl JsonSchema for UserInput {
    fn schema_name() -> Cow<'static, str> {
        "UserInput".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [
            { "type": ["string", "number"] },
            generator.subschema_for::<Other>(),
        ] })
    }
}

impl Item for ExpectedReply {
    const NAME: &'static str = "ExpectedReplies";
    const EXPECTED: &'static str = "what the bot says, or a list of it";
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_duration(&text).map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is no time; write one such as 300ms, 10s, 23h or 2d"
            ))
        })
    }
}
