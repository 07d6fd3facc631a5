//! What a turn leads to, beside what the file expects.

use std::fmt;

use super::document::{ANY, Expected, Turn};
use super::{Played, State};

/// The widest column of expected lines; longer ones stand above what came.
const WIDEST: usize = 60;

/// A turn that differs from what the file expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnDifference {
    /// File, line and column.
    pub place: String,
    /// The transcript and the turn.
    pub turn: String,
    pub members: Vec<Difference>,
}

/// A member of a turn that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub member: &'static str,
    pub expected: String,
    pub got: String,
}

impl fmt::Display for TurnDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.turn)?;
        for member in &self.members {
            write!(f, "\n{member}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut expected: Vec<&str> = vec!["expected"];
        expected.extend(self.expected.lines());
        let mut got: Vec<&str> = vec!["got"];
        got.extend(self.got.lines());
        let length = |line: &&str| line.chars().count();
        let width = expected.iter().map(length).max().unwrap_or_default();
        write!(f, "  {}:", self.member)?;
        if width > WIDEST {
            for line in expected.iter().chain(&got) {
                write!(f, "\n    {line}")?;
            }
            return Ok(());
        }
        for row in 0..expected.len().max(got.len()) {
            let line = |lines: &[&str]| lines.get(row).copied().unwrap_or_default().to_owned();
            let text = format!("    {:<width$}   {}", line(&expected), line(&got));
            write!(f, "\n{}", text.trim_end())?;
        }
        Ok(())
    }
}

/// Returns the members that differ.
pub(super) fn members(turn: &Turn, played: &Played) -> Vec<Difference> {
    let mut found = Vec::new();
    if let Some(conversation) = &played.conversation {
        for (member, expected) in expected_members(turn) {
            let got = value(member, conversation);
            if expected != got {
                found.push(Difference {
                    member,
                    expected,
                    got,
                });
            }
        }
    }
    if !turn.expects(&played.replies) {
        let expected = match turn.expected_replies() {
            Expected::Any => "(any text)".to_owned(),
            Expected::Each(texts) => shown(texts.iter().map(|text| match *text {
                ANY => "(any text)",
                text => text,
            })),
        };
        found.push(Difference {
            member: "bot",
            expected,
            got: shown(played.replies.iter().map(String::as_str)),
        });
    }
    found
}

/// Returns the members about the conversation that the turn expects, as text.
pub(super) fn expected_members(turn: &Turn) -> Vec<(&'static str, String)> {
    let data = turn.data.as_ref().map(|data| {
        let data = serde_json::Value::Object(data.clone());
        data.to_string()
    });
    let members = [
        ("state", turn.state.clone()),
        ("score", turn.score.map(|it| it.to_string())),
        ("completed", turn.completed.map(|it| it.to_string())),
        ("assignee", turn.assignee.clone()),
        ("data", data),
    ];
    let written = members.into_iter();
    written
        .filter_map(|(member, expected)| Some((member, expected?)))
        .collect()
}

/// Returns a member of the conversation as text.
pub(super) fn value(member: &str, conversation: &State) -> String {
    match member {
        "state" => conversation.state.clone(),
        "score" => conversation.score.to_string(),
        "completed" => conversation.completed.to_string(),
        "assignee" => conversation.assignee.clone(),
        _ => serde_json::Value::Object(conversation.data.clone()).to_string(),
    }
}

fn shown<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let texts: Vec<&str> = texts.collect();
    if texts.is_empty() {
        "(nothing)".to_owned()
    } else {
        texts.join("\n")
    }
}
