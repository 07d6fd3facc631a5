//! Writes expected results into the text of a file, and leaves the rest as it is.

use std::ops::Range;

use serde_json::Value as Json;

use super::document::{ANY, Expected, Turn};
use super::{Played, difference};
use crate::yaml::{Node, Value};

/// A part of a text with what replaces it.
pub(super) type Edit = (Range<usize>, String);

/// Returns the edits that make a turn expect what it led to.
pub(super) fn edits(text: &str, node: &Node, turn: &Turn, played: &Played) -> Vec<Edit> {
    let mut edits = Vec::new();
    if let Some(conversation) = &played.conversation {
        for (member, expected) in difference::expected_members(turn) {
            let got = difference::value(member, conversation);
            if expected == got {
                continue;
            }
            let got = match member {
                "data" => json(&Json::Object(conversation.data.clone())),
                "state" | "assignee" => scalar(&got),
                _ => got,
            };
            edits.extend(replacement(text, node, member, got));
        }
    }
    if !turn.expects(&played.replies) {
        edits.extend(replies(text, node, turn, &played.replies));
    }
    edits
}

/// Returns the text with its edits.
pub(super) fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(range, _)| range.start);
    let mut text = text.to_owned();
    for (range, replaced) in edits.into_iter().rev() {
        if text.get(range.clone()).is_some() {
            text.replace_range(range, &replaced);
        }
    }
    text
}

fn replies(text: &str, node: &Node, turn: &Turn, replies: &[String]) -> Option<Edit> {
    let is_block = matches!(&node.value, Value::Map { is_flow: false, .. });
    let indent = node.place.column.try_into().unwrap_or(1_usize) - 1;
    // A text that may be any stays so.
    let expected = turn.expected_replies();
    let is_any = |index: usize| match &expected {
        Expected::Any => true,
        Expected::Each(texts) => texts.get(index).is_some_and(|text| *text == ANY),
    };
    let written: Vec<String> = replies
        .iter()
        .enumerate()
        .map(|(index, reply)| {
            if is_any(index) {
                ANY.to_owned()
            } else {
                scalar(reply)
            }
        })
        .collect();
    let value = match (replies, written.as_slice()) {
        ([], _) => return removal(text, node, "bot"),
        ([one], [written]) if is_block && one.contains('\n') && written != ANY => {
            block(one, indent + 2)
        }
        (_, [written]) => written.clone(),
        _ => format!("[{}]", written.join(", ")),
    };
    if node.get("bot").is_some() {
        return replacement(text, node, "bot", value);
    }
    let (_, last) = node.entries().last()?;
    let end = end(text, last);
    let lead = if is_block {
        format!("\n{}", " ".repeat(indent))
    } else {
        ", ".to_owned()
    };
    Some((end..end, format!("{lead}bot: {value}")))
}

fn replacement(text: &str, node: &Node, member: &str, value: String) -> Option<Edit> {
    let old = node.get(member)?;
    Some((old.range.start..end(text, old), value))
}

/// Removes a member with what parts it from the one before it.
fn removal(text: &str, node: &Node, member: &str) -> Option<Edit> {
    let entries = node.entries();
    let index = entries
        .iter()
        .position(|(key, _)| key.scalar() == Some(member))?;
    let (key, value) = entries.get(index)?;
    match index.checked_sub(1).and_then(|before| entries.get(before)) {
        Some((_, before)) => Some((end(text, before)..end(text, value), String::new())),
        None => {
            let (next, _) = entries.get(index + 1)?;
            Some((key.range.start..next.range.start, String::new()))
        }
    }
}

/// Returns the end of a node, without the line ends of a block.
fn end(text: &str, node: &Node) -> usize {
    let last = node.parts().map(|part| end(text, part)).max();
    let is_block = !matches!(
        &node.value,
        Value::List { is_flow: true, .. } | Value::Map { is_flow: true, .. }
    );
    if let (Some(last), true) = (last, is_block) {
        return last;
    }
    let written = text.get(node.range.clone()).unwrap_or_default();
    node.range.start + written.trim_end().len()
}

fn block(text: &str, indent: usize) -> String {
    let mut block = "|-".to_owned();
    for line in text.lines() {
        block.push('\n');
        if !line.is_empty() {
            block.push_str(&" ".repeat(indent));
            block.push_str(line);
        }
    }
    block
}

/// Writes a value in one line.
pub(super) fn json(value: &Json) -> String {
    match value {
        Json::String(text) => scalar(text),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(json).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(members) if members.is_empty() => "{}".to_owned(),
        Json::Object(members) => {
            let members = members.iter();
            let members: Vec<String> = members
                .map(|(name, value)| format!("{}: {}", scalar(name), json(value)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        other => other.to_string(),
    }
}

/// Writes a text in one line, in quotes where it needs them.
pub(super) fn scalar(text: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '.' | '!' | '_' | '?');
    let lower = text.to_lowercase();
    if text.starts_with(char::is_alphabetic)
        && text.chars().all(is_plain)
        && text.trim() == text
        && text != ANY
        && !WORDS.contains(&lower.as_str())
    {
        text.to_owned()
    } else {
        Json::String(text.to_owned()).to_string()
    }
}
