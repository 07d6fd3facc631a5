//! Plays transcripts: conversations in a file beside a flow, with the expected replies and state.

mod document;

use std::time::Duration;

use leadstream_schemas::{Content, InputId};
use serde_json::{Map, Value};

use super::{Simulator, plain_text};
use crate::flows::Flows;
use crate::lead::FoldError;
use document::{Document, Transcript, Turn, UserInput};

/// The time between two turns without `after`.
const DEFAULT_PAUSE: Duration = Duration::from_secs(10);
const MAX_BYTES: usize = 1024 * 1024;

/// A file of transcripts.
#[derive(Debug)]
pub struct TranscriptFile {
    file: String,
    transcripts: Vec<Transcript>,
}

/// The first error in a file of transcripts, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {reason}")]
pub struct TranscriptError {
    pub file: String,
    pub line: u64,
    pub column: u64,
    pub reason: String,
}

/// The result of one played transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptResult {
    pub name: String,
    /// The differences from what the file expects, turn by turn; empty if there is none.
    pub differences: Vec<String>,
}

impl TranscriptFile {
    /// Reads transcripts (YAML). `file` is only named in errors.
    ///
    /// # Errors
    /// Returns [`TranscriptError`], the first error.
    pub fn parse(file: &str, text: &str) -> Result<Self, TranscriptError> {
        let error = |line, column, reason| TranscriptError {
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
            if let Some(reason) = turn.value.error() {
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
    /// Returns [`FoldError`] if a conversation follows a flow that is not published.
    pub fn play(&self, flows: &Flows) -> Result<Vec<TranscriptResult>, FoldError> {
        let play = |transcript: &Transcript| {
            Ok(TranscriptResult {
                name: transcript.name.clone(),
                differences: transcript.play(&self.file, flows)?,
            })
        };
        self.transcripts.iter().map(play).collect()
    }
}

impl Transcript {
    fn play(&self, file: &str, flows: &Flows) -> Result<Vec<String>, FoldError> {
        let mut simulator = Simulator::new(flows);
        let mut differences = Vec::new();
        // The ids of inputs by turn, for edits and deletions.
        let mut ids: Vec<InputId> = Vec::new();
        for (index, turn) in self.turns.iter().enumerate() {
            let at = turn.referenced;
            let turn = &turn.value;
            let id = match (&turn.lead, &turn.person, &turn.agent) {
                (Some(input), ..) => simulator.send(&input.content(&ids))?,
                (None, Some(words), _) => simulator.send(&Content::Takeover {
                    body: Some(words.clone()),
                })?,
                (None, None, Some(action)) => {
                    simulator.command(&action.content())?;
                    InputId::default()
                }
                (None, None, None) => {
                    simulator.advance(turn.wait.map_or(Duration::ZERO, |wait| wait.0))?;
                    InputId::default()
                }
            };
            ids.push(id);
            let mut found = turn.state_differences(&simulator);
            // The time until the next turn belongs to this one.
            match self.turns.get(index + 1).map(|next| &next.value) {
                Some(next) if next.wait.is_none() => {
                    simulator.advance(next.after.map_or(DEFAULT_PAUSE, |after| after.0))?;
                }
                _ => simulator.send_waiting_reply(),
            }
            let replies = simulator.take_sent_replies();
            let replies: Vec<String> = replies.into_iter().map(plain_text).collect();
            let replies: Vec<&str> = replies.iter().map(|it| it.trim()).collect();
            found.extend(reply_difference(&turn.expected_replies(), &replies));
            if !found.is_empty() {
                differences.push(format!(
                    "{file}:{}:{}: {}, turn {} ({})\n{}",
                    at.line(),
                    at.column(),
                    self.name,
                    index + 1,
                    turn.title(),
                    found.join("\n")
                ));
            }
        }
        Ok(differences)
    }
}

impl Turn {
    fn error(&self) -> Option<&'static str> {
        let actions = [
            self.lead.is_some(),
            self.person.is_some(),
            self.agent.is_some(),
            self.wait.is_some(),
        ];
        match actions.into_iter().filter(|it| *it).count() {
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
            (Some(UserInput::Text(text)), _) => format!("lead: {text}"),
            (Some(UserInput::Other(other)), _) => format!("lead: {other:?}"),
            (None, Some(words)) => format!("person: {words}"),
            (None, None) if self.agent.is_some() => "agent".to_owned(),
            (None, None) => "wait".to_owned(),
        }
    }

    /// Returns how the conversation differs from the state that the turn expects.
    fn state_differences(&self, simulator: &Simulator<'_>) -> Vec<String> {
        let mut found = Vec::new();
        let Some(conversation) = simulator.conversation() else {
            return found;
        };
        let mut compare = |member: &str, expected: Option<String>, actual: String| {
            if let Some(expected) = expected.filter(|expected| *expected != actual) {
                found.push(format!("  {member}:\n  - {expected}\n  + {actual}"));
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
        found
    }
}

/// Returns expected lines with `-` and actual ones with `+`; nothing if they are equal.
fn reply_difference(expected: &[&str], actual: &[&str]) -> Vec<String> {
    if expected == actual {
        return Vec::new();
    }
    let mark = |sign: char, texts: &[&str]| -> Vec<String> {
        if texts.is_empty() {
            return vec![format!("  {sign} (nothing)")];
        }
        let lines = texts.iter().flat_map(|text| text.lines());
        lines.map(|line| format!("  {sign} {line}")).collect()
    };
    let mut lines = vec!["  bot:".to_owned()];
    lines.extend(mark('-', expected));
    lines.extend(mark('+', actual));
    lines
}
