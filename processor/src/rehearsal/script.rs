//! Golden transcripts: conversations written down beside a flow, with what has to come of them.

mod document;

use std::time::Duration;

use leadstream_schemas::Content;
use serde_json::{Map, Value};

use super::{Rehearsal, spoken};
use crate::flows::Flows;
use crate::lead::FoldError;
use document::{Document, Sent, Transcript, Turn};

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
                    rehearsal.advance(turn.wait.map_or(Duration::ZERO, |wait| wait.0))?;
                    String::new()
                }
            };
            ids.push(id);
            let differs = turn.expects_after(&rehearsal);
            // Until the next turn begins.
            match self.turns.get(index + 1).map(|next| &next.value) {
                Some(next) if next.wait.is_none() => {
                    rehearsal.advance(next.after.map_or(PAUSE, |after| after.0))?;
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
