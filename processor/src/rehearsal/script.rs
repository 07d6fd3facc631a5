//! Golden transcripts: conversations written down beside a flow, with what has to come of them.

use std::fmt;
use std::time::Duration;

use leadstream_schemas::Content;
use leadstream_schemas::input::MediaType;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use super::{Rehearsal, spoken};
use crate::flow::parse_duration;
use crate::flows::Flows;
use crate::lead::FoldError;

/// Between two turns that say nothing else.
const PAUSE: Duration = Duration::from_secs(10);
const MAX_BYTES: usize = 1024 * 1024;

/// A file of transcripts.
#[derive(Debug)]
pub struct Script {
    file: String,
    transcripts: Vec<Transcript>,
}

/// A file that holds no transcripts; says where and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {reason}")]
pub struct ScriptError {
    pub file: String,
    pub line: u64,
    pub column: u64,
    pub reason: String,
}

/// What playing a transcript came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub name: String,
    /// How it differs from what was written, turn by turn; empty: it does not.
    pub differences: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    transcripts: Vec<Transcript>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Transcript {
    name: String,
    turns: Vec<Spanned<Turn>>,
}

/// One of `lead`, `person`, `agent` and `wait` happens; the rest says what has to come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    /// What the lead sends.
    lead: Option<Sent>,
    /// What a person of the business sends.
    person: Option<String>,
    /// What an agent does with the bot.
    agent: Option<Deed>,
    /// Time that passes.
    wait: Option<Span>,
    /// Since the turn before: 10 s when absent.
    after: Option<Span>,
    /// What reaches the lead before the next turn; absent: nothing.
    #[serde(default)]
    bot: Said,
    state: Option<String>,
    score: Option<i32>,
    completed: Option<bool>,
    data: Option<Map<String, Value>>,
    /// Who looks after the lead.
    assignee: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Deed {
    Release,
    Restart,
    Assign(String),
}

/// A text, or one of these.
#[derive(Debug)]
enum Sent {
    Text(String),
    Other(Other),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Other {
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
struct Edit {
    /// From 1.
    turn: usize,
    text: String,
}

/// A text or several.
#[derive(Debug, Default)]
struct Said(Vec<String>);

#[derive(Clone, Copy, Debug)]
struct Span(Duration);

impl Script {
    /// Reads transcripts (YAML). `file` is only named in errors.
    ///
    /// # Errors
    /// [`ScriptError`], the first thing that is wrong.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScriptError> {
        let error = |line, column, reason| ScriptError {
            file: file.to_owned(),
            line,
            column,
            reason,
        };
        if text.len() > MAX_BYTES {
            let reason = format!("the file has over {MAX_BYTES} bytes; split it");
            return Err(error(1, 1, reason));
        }
        let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
        let document: Document =
            serde_saphyr::from_str_with_options(text, options).map_err(|source| {
                let at = source.location();
                let (line, column) = at.map_or((1, 1), |at| (at.line(), at.column()));
                error(line, column, source.without_snippet().to_string())
            })?;
        for turn in document.transcripts.iter().flat_map(|it| &it.turns) {
            if let Some(reason) = turn.value.fault() {
                let at = turn.referenced;
                return Err(error(at.line(), at.column(), reason.to_owned()));
            }
        }
        Ok(Self {
            file: file.to_owned(),
            transcripts: document.transcripts,
        })
    }

    /// Plays every transcript.
    ///
    /// # Errors
    /// [`FoldError`] when a conversation follows a flow that is not there.
    pub fn play(&self, flows: &Flows) -> Result<Vec<Outcome>, FoldError> {
        let play = |transcript: &Transcript| {
            Ok(Outcome {
                name: transcript.name.clone(),
                differences: transcript.play(&self.file, flows)?,
            })
        };
        self.transcripts.iter().map(play).collect()
    }
}

impl Transcript {
    fn play(&self, file: &str, flows: &Flows) -> Result<Vec<String>, FoldError> {
        let mut rehearsal = Rehearsal::new(flows);
        let mut differences = Vec::new();
        // Inputs by turn, for edits and deletions.
        let mut ids: Vec<String> = Vec::new();
        for (index, turn) in self.turns.iter().enumerate() {
            let at = turn.referenced;
            let turn = &turn.value;
            let id = match (&turn.lead, &turn.person, &turn.agent) {
                (Some(sent), ..) => rehearsal.send(&sent.content(&ids))?,
                (None, Some(words), _) => rehearsal.send(&Content::Takeover {
                    body: Some(words.clone()),
                })?,
                (None, None, Some(deed)) => {
                    rehearsal.command(&deed.content())?;
                    String::new()
                }
                (None, None, None) => {
                    rehearsal.pass(turn.wait.map_or(Duration::ZERO, |wait| wait.0))?;
                    String::new()
                }
            };
            ids.push(id);
            let differs = turn.expects_after(&rehearsal);
            // Until the next turn begins.
            match self.turns.get(index + 1).map(|next| &next.value) {
                Some(next) if next.wait.is_none() => {
                    rehearsal.pass(next.after.map_or(PAUSE, |after| after.0))?;
                }
                _ => rehearsal.settle(),
            }
            let heard: Vec<String> = rehearsal.heard().into_iter().map(spoken).collect();
            let told = difference(&turn.bot.0, &heard, differs);
            if !told.is_empty() {
                differences.push(format!(
                    "{file}:{}:{}: {}, turn {} ({})\n{}",
                    at.line(),
                    at.column(),
                    self.name,
                    index + 1,
                    turn.title(),
                    told.join("\n")
                ));
            }
        }
        Ok(differences)
    }
}

impl Turn {
    fn fault(&self) -> Option<&'static str> {
        let happens = [
            self.lead.is_some(),
            self.person.is_some(),
            self.agent.is_some(),
            self.wait.is_some(),
        ];
        match happens.into_iter().filter(|it| *it).count() {
            1 if self.wait.is_some() && self.after.is_some() => {
                Some("`wait` says how long it is; remove `after`")
            }
            1 => None,
            _ => Some(
                "a turn has one of `lead`, `person`, `agent` and `wait`; write each as a turn of its own",
            ),
        }
    }

    fn title(&self) -> String {
        match (&self.lead, &self.person) {
            (Some(Sent::Text(text)), _) => format!("lead: {text}"),
            (Some(Sent::Other(other)), _) => format!("lead: {other:?}"),
            (None, Some(words)) => format!("person: {words}"),
            (None, None) if self.agent.is_some() => "agent".to_owned(),
            (None, None) => "wait".to_owned(),
        }
    }

    /// How the conversation differs from what is written.
    fn expects_after(&self, rehearsal: &Rehearsal<'_>) -> Vec<String> {
        let mut told = Vec::new();
        let Some(conversation) = rehearsal.conversation() else {
            return told;
        };
        let mut compare = |what: &str, wanted: Option<String>, found: String| {
            if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
                told.push(format!("  {what}:\n  - {wanted}\n  + {found}"));
            }
        };
        compare("state", self.state.clone(), conversation.state.clone());
        compare(
            "score",
            self.score.map(|it| it.to_string()),
            conversation.score.to_string(),
        );
        compare(
            "completed",
            self.completed.map(|it| it.to_string()),
            conversation.is_completed.to_string(),
        );
        compare(
            "assignee",
            self.assignee.clone(),
            conversation.assignee.clone().unwrap_or_default(),
        );
        let data = |data: &Map<String, Value>| Value::Object(data.clone()).to_string();
        compare(
            "data",
            self.data.as_ref().map(data),
            data(&conversation.data),
        );
        told
    }
}

/// Written lines with `-`, those that were said with `+`.
fn difference(wanted: &[String], heard: &[String], mut told: Vec<String>) -> Vec<String> {
    let trimmed =
        |texts: &[String]| -> Vec<String> { texts.iter().map(|it| it.trim().to_owned()).collect() };
    let (wanted, heard) = (trimmed(wanted), trimmed(heard));
    if wanted == heard {
        return told;
    }
    let mark = |sign: char, texts: &[String]| -> Vec<String> {
        if texts.is_empty() {
            return vec![format!("  {sign} (nothing)")];
        }
        let lines = texts.iter().flat_map(|text| text.lines());
        lines.map(|line| format!("  {sign} {line}")).collect()
    };
    told.push("  bot:".to_owned());
    told.extend(mark('-', &wanted));
    told.extend(mark('+', &heard));
    told
}

impl Deed {
    fn content(&self) -> Content {
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
    fn content(&self, ids: &[String]) -> Content {
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
