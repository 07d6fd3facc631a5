//! Plays transcripts: conversations in a file beside a flow, with the expected replies and state.

mod difference;
mod document;
mod record;
mod referral;
mod rewrite;

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use leadstream_schemas::{Content, InputId};
use schemars::Schema;
use serde_json::{Map, Value};

use super::{Simulator, can_have_referral, plain_text};
use crate::flows::Flows;
use crate::lead::FoldError;
use crate::yaml::{self, Node, Place, pretty, schema_of};
pub use difference::{Difference, TurnDifference};
use document::{Document, Expected, Transcript, Turn};
pub use record::Recorder;
pub use referral::parse_referral;

/// The time between two turns without `after`.
const DEFAULT_PAUSE: Duration = Duration::from_secs(10);
const MAX_BYTES: usize = 1024 * 1024;

static SCHEMA: LazyLock<Schema> = LazyLock::new(schema_of::<Document>);

/// Returns the JSON Schema of files of transcripts, for editors.
#[must_use]
pub fn transcripts_schema() -> String {
    pretty(&SCHEMA)
}

/// A file of transcripts.
#[derive(Debug)]
pub struct TranscriptFile {
    file: String,
    text: String,
    tree: Node,
    /// The transcripts with the places of their turns.
    transcripts: Vec<(Transcript, Vec<Place>)>,
}

/// What is wrong with a file of transcripts, each with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct TranscriptError {
    pub file: String,
    /// Line, column and reason.
    pub faults: Vec<(u64, u64, String)>,
}

impl fmt::Display for TranscriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (line, column, reason)) in self.faults.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{}:{line}:{column}: {reason}", self.file)?;
        }
        Ok(())
    }
}

/// The reason why transcripts cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    #[error(transparent)]
    Fold(#[from] FoldError),
}

/// The reason why a turn cannot be played.
enum Halt {
    Fold(FoldError),
    /// The index of the turn, and the reason.
    Turn(usize, String),
}

impl From<FoldError> for Halt {
    fn from(error: FoldError) -> Self {
        Self::Fold(error)
    }
}

/// The result of one played transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptResult {
    pub name: String,
    /// The turns that differ from what the file expects; empty if there is none.
    pub differences: Vec<TurnDifference>,
}

/// What a turn led to.
#[derive(Clone, Debug, Default, PartialEq)]
struct Played {
    replies: Vec<String>,
    /// None before the first input.
    conversation: Option<State>,
}

#[derive(Clone, Debug, PartialEq)]
struct State {
    state: String,
    score: i32,
    completed: bool,
    assignee: String,
    data: Map<String, Value>,
}

impl TranscriptFile {
    /// Reads transcripts (YAML). `file` is only named in errors.
    ///
    /// # Errors
    /// Returns [`TranscriptError`] with everything that is wrong.
    pub fn parse(file: &str, text: &str) -> Result<Self, TranscriptError> {
        let refused = |faults: Vec<yaml::Fault>| {
            let mut faults: Vec<_> = faults
                .into_iter()
                .map(|it| (it.place.line, it.place.column, it.reason))
                .collect();
            faults.sort();
            faults.dedup();
            let file = file.to_owned();
            TranscriptError { file, faults }
        };
        let fault = |place, reason: String| yaml::Fault { place, reason };
        if text.len() > MAX_BYTES {
            let reason = format!("the file has over {MAX_BYTES} bytes; split it");
            return Err(refused(vec![fault(Place::BEGIN, reason)]));
        }
        let mut faults = yaml::Faults::default();
        let Some(tree) = yaml::read(text, &SCHEMA, &mut faults) else {
            return Err(refused(faults.errors));
        };
        let document = match yaml::typed::<Document>(&tree) {
            Ok(document) => document,
            // A stand-in may be the reason.
            Err(_) if !faults.errors.is_empty() => return Err(refused(faults.errors)),
            Err(error) => return Err(refused(vec![error])),
        };
        let place = |location| {
            let node = document.node(location);
            node.map_or(Place::BEGIN, |(_, place)| place)
        };
        for turn in document.value.transcripts.iter().flat_map(|it| &it.turns) {
            if let Some(reason) = turn.value.error() {
                let place = place(turn.referenced);
                if !faults.has(place) {
                    faults.errors.push(fault(place, reason));
                }
            }
        }
        if !faults.errors.is_empty() {
            return Err(refused(faults.errors));
        }
        let places = |transcript: &Transcript| {
            let turns = transcript.turns.iter();
            turns.map(|turn| place(turn.referenced)).collect::<Vec<_>>()
        };
        let places: Vec<Vec<Place>> = document.value.transcripts.iter().map(places).collect();
        Ok(Self {
            file: file.to_owned(),
            text: text.to_owned(),
            tree,
            transcripts: document.value.transcripts.into_iter().zip(places).collect(),
        })
    }

    /// Returns the blanks before each `- ` of the transcripts; none if they stand in brackets.
    fn indent(&self) -> Option<usize> {
        let first = self.tree.get("transcripts")?.parts().next()?;
        let at = usize::try_from(first.place.line).ok()?.checked_sub(1)?;
        let line = self.text.lines().nth(at)?;
        let blanks = line.len() - line.trim_start().len();
        line.trim_start().starts_with("- ").then_some(blanks)
    }

    fn refused(&self, line: u64, column: u64, reason: String) -> TranscriptError {
        TranscriptError {
            file: self.file.clone(),
            faults: vec![(line, column, reason)],
        }
    }

    /// Plays a transcript whose turns are at `places`.
    fn played(
        &self,
        transcript: &Transcript,
        places: &[Place],
        flows: &Flows,
    ) -> Result<Vec<Played>, PlayError> {
        transcript
            .play(&mut Simulator::new(flows))
            .map_err(|halt| match halt {
                Halt::Fold(error) => error.into(),
                Halt::Turn(index, reason) => {
                    let place = places.get(index).copied().unwrap_or(Place::BEGIN);
                    self.refused(place.line, place.column, reason).into()
                }
            })
    }

    /// Returns the journal of each transcript, with its name.
    #[cfg(test)]
    pub(super) fn journals(&self, flows: &Flows) -> Vec<(String, crate::lead::Journal)> {
        let played = self.transcripts.iter().map(|(transcript, _)| {
            let mut simulator = Simulator::new(flows);
            assert!(
                transcript.play(&mut simulator).is_ok(),
                "{}",
                transcript.name
            );
            (transcript.name.clone(), simulator.journal)
        });
        played.collect()
    }

    /// Plays every transcript.
    ///
    /// # Errors
    /// Returns [`PlayError`] if a turn taps an option that is not there, or if a conversation follows a
    /// flow that is not published.
    pub fn play(&self, flows: &Flows) -> Result<Vec<TranscriptResult>, PlayError> {
        let play = |(transcript, places): &(Transcript, Vec<Place>)| {
            let played = self.played(transcript, places, flows)?;
            let turns = transcript.turns.iter().zip(places).zip(&played);
            let differences = turns
                .enumerate()
                .filter_map(|(index, ((turn, place), played))| {
                    let members = difference::members(&turn.value, played);
                    (!members.is_empty()).then(|| TurnDifference {
                        place: format!("{}:{}:{}", self.file, place.line, place.column),
                        turn: format!(
                            "{}, turn {} ({})",
                            transcript.name,
                            index + 1,
                            turn.value.title()
                        ),
                        members,
                    })
                });
            Ok(TranscriptResult {
                name: transcript.name.clone(),
                differences: differences.collect(),
            })
        };
        self.transcripts.iter().map(play).collect()
    }

    /// Returns the text of the file with the results that `flows` give, and the number of turns that
    /// change. Comments, order and everything else stay as they are.
    ///
    /// # Errors
    /// Returns [`PlayError`] as [`Self::play`] does.
    pub fn updated(&self, flows: &Flows) -> Result<(String, usize), PlayError> {
        let mut edits = Vec::new();
        let mut changed = 0;
        let nodes = self
            .tree
            .get("transcripts")
            .into_iter()
            .flat_map(Node::parts);
        for ((transcript, places), node) in self.transcripts.iter().zip(nodes) {
            let nodes = node.get("turns").into_iter().flat_map(Node::parts);
            let played = self.played(transcript, places, flows)?;
            for ((turn, played), node) in transcript.turns.iter().zip(&played).zip(nodes) {
                let of_turn = rewrite::edits(&self.text, node, &turn.value, played);
                changed += usize::from(!of_turn.is_empty());
                edits.extend(of_turn);
            }
        }
        Ok((rewrite::apply(&self.text, edits), changed))
    }
}

impl Transcript {
    /// Plays the turns.
    fn play(&self, simulator: &mut Simulator<'_>) -> Result<Vec<Played>, Halt> {
        let mut results = Vec::new();
        // The ids of inputs by turn, for edits and deletions.
        let mut ids: Vec<InputId> = Vec::new();
        for (index, turn) in self.turns.iter().enumerate() {
            let turn = &turn.value;
            if let Some(referral) = &turn.referral {
                simulator.refer(referral.given());
            }
            let id = match (&turn.lead, &turn.person, &turn.agent, &turn.undelivered) {
                (Some(input), ..) => {
                    let content = input.content(&ids);
                    if let Some(reason) = simulator.refused(&content) {
                        return Err(Halt::Turn(index, reason));
                    }
                    simulator.send(&content)?
                }
                (None, Some(words), ..) => simulator.send(&Content::Takeover {
                    body: Some(words.clone()),
                })?,
                (None, None, Some(action), _) => {
                    simulator.command(&action.content())?;
                    InputId::default()
                }
                (None, None, None, Some(class)) => {
                    simulator.fail_to_deliver(*class)?;
                    InputId::default()
                }
                (None, None, None, None) => {
                    simulator.advance(turn.wait.map_or(Duration::ZERO, |wait| wait.0))?;
                    InputId::default()
                }
            };
            ids.push(id);
            let conversation = simulator.conversation().map(|it| State {
                state: it.state.clone(),
                score: it.score,
                completed: it.is_completed,
                assignee: it.assignee.clone().unwrap_or_default(),
                data: it.data.clone(),
            });
            // The time until the next turn belongs to this one.
            match self.turns.get(index + 1).map(|next| &next.value) {
                Some(next) if next.wait.is_none() => {
                    simulator.advance(next.after.map_or(DEFAULT_PAUSE, |after| after.0))?;
                }
                _ => simulator.send_waiting_reply(),
            }
            let replies = simulator.take_sent_replies().into_iter().map(plain_text);
            results.push(Played {
                replies: replies.map(|it| it.trim().to_owned()).collect(),
                conversation,
            });
        }
        Ok(results)
    }
}

impl Turn {
    fn error(&self) -> Option<String> {
        self.error_of_action()
            .map(str::to_owned)
            .or_else(|| self.error_of_referral())
    }

    fn error_of_referral(&self) -> Option<String> {
        let referral = self.referral.as_ref()?;
        let is_message = self
            .lead
            .as_ref()
            .is_some_and(|lead| can_have_referral(&lead.content(&[])));
        if !is_message {
            let reason =
                "`referral` belongs to a new message of the lead; write it beside such a `lead`";
            return Some(reason.to_owned());
        }
        referral.error()
    }

    fn error_of_action(&self) -> Option<&'static str> {
        let actions = [
            self.lead.is_some(),
            self.person.is_some(),
            self.agent.is_some(),
            self.undelivered.is_some(),
            self.wait.is_some(),
        ];
        match actions.into_iter().filter(|it| *it).count() {
            1 if self.wait.is_some() && self.after.is_some() => {
                Some("`wait` says how long it is; remove `after`")
            }
            1 => None,
            _ => Some(
                "a turn has one of `lead`, `person`, `agent`, `undelivered` and `wait`; write each as a turn of its own",
            ),
        }
    }

    fn title(&self) -> String {
        match (&self.lead, &self.person, &self.undelivered) {
            (Some(input), ..) => format!("lead: {}", input.title()),
            (None, Some(words), _) => format!("person: {words}"),
            (None, None, Some(class)) => format!("undelivered: {}", class.as_str()),
            (None, None, None) if self.agent.is_some() => "agent".to_owned(),
            (None, None, None) => "wait".to_owned(),
        }
    }

    /// Returns whether the replies are those that the turn expects.
    fn expects(&self, replies: &[String]) -> bool {
        match self.expected_replies() {
            Expected::Any => !replies.is_empty(),
            Expected::Each(expected) => {
                expected.len() == replies.len()
                    && expected
                        .iter()
                        .zip(replies)
                        .all(|(expected, reply)| *expected == document::ANY || expected == reply)
            }
        }
    }
}
