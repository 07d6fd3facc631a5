//! Finds the alternative of a schema that a node is meant for.

use serde_json::Value as Json;

use super::schema::meant;
use crate::yaml::tree::{Kind, Node, Value, is_number};
use crate::yaml::words::{listed, properties, quote, takes, values};

/// Returns the schema that takes the node; of several objects the one that knows most of its members.
pub(super) fn fitting<'a>(leaves: &[&'a Json], node: &Node) -> Option<&'a Json> {
    let kind = node.kind();
    let text = node.scalar().unwrap_or_default();
    let is_whole = text.parse::<i128>().is_ok();
    let is_numeric = is_number(text);
    let takes_as_written = |leaf: &Json| {
        let Some(_) = leaf.get("type").or(leaf.get("enum")).or(leaf.get("const")) else {
            // A schema without a type takes everything.
            return true;
        };
        match kind {
            Kind::Nothing => takes(leaf, "null"),
            Kind::Truth => takes(leaf, "boolean"),
            Kind::Number => takes(leaf, "number") || takes(leaf, "integer") && is_whole,
            Kind::Text => takes(leaf, "string") && is_value(leaf, text),
            Kind::List => takes(leaf, "array"),
            Kind::Map => takes(leaf, "object"),
        }
    };
    let takes_as_meant = |leaf: &Json| match kind {
        Kind::Number | Kind::Truth => takes(leaf, "string") && is_value(leaf, text),
        Kind::Text => is_numeric && (takes(leaf, "number") || takes(leaf, "integer") && is_whole),
        _ => false,
    };
    // The loader says what the settings of a type are that needs them, and what types there are.
    let is_named =
        kind == Kind::Text && (is_alternative(leaves, text) || is_unlike_all(leaves, text));
    let known = |leaf: &&&Json| {
        let names = node.entries().iter().filter_map(|(key, _)| key.scalar());
        names
            .filter(|name| properties(leaf).any(|(known, _)| known == *name))
            .count()
    };
    let mut written = leaves.iter().filter(|leaf| takes_as_written(leaf));
    if kind == Kind::Map {
        let most = leaves
            .iter()
            .filter(|leaf| takes_as_written(leaf))
            .map(|leaf| known(&leaf))
            .max();
        return written.find(|leaf| Some(known(leaf)) == most).copied();
    }
    let taken = written.next().copied();
    let taken = taken.or_else(|| leaves.iter().find(|leaf| takes_as_meant(leaf)).copied());
    let by_name = || leaves.iter().find(|leaf| is_named && takes(leaf, "string"));
    taken.or_else(|| by_name().copied())
}

/// Returns why a mapping is none of several kinds of mapping, which have no member in common.
pub(super) fn no_alternative(
    leaves: &[&Json],
    leaf: &Json,
    node: &Node,
    label: &str,
) -> Option<String> {
    let mut names = node.entries().iter().filter_map(|(key, _)| key.scalar());
    let has_alternatives = leaves.iter().filter(|leaf| takes(leaf, "object")).count() > 1;
    let is_known = |name: &str| {
        properties(leaf).any(|(known, _)| known == name) || is_alternative(leaves, name)
    };
    if !has_alternatives || node.kind() != Kind::Map || names.clone().any(is_known) {
        return None;
    }
    let mut all: Vec<&str> = leaves
        .iter()
        .flat_map(|leaf| properties(leaf).map(|(name, _)| name).chain(values(leaf)))
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|name| seen.insert(*name));
    let name = names.next().unwrap_or_default();
    let value = node.get(name).and_then(Node::scalar);
    if let Some(value) = value.filter(|value| all.contains(value)) {
        let member = label.trim_matches('`');
        return Some(format!(
            "{label} has no member {}; write `{member}: {value}`",
            quote(name)
        ));
    }
    Some(match meant(name, &all) {
        Some(meant) => format!("{label} cannot be `{name}`; did you mean `{meant}`?"),
        None => format!(
            "{label} cannot be {}; it is one of {}",
            quote(name),
            listed(all)
        ),
    })
}

/// Returns whether a schema with alternatives has none with a name like `name`.
fn is_unlike_all(leaves: &[&Json], name: &str) -> bool {
    let has_alternatives = leaves.iter().filter(|leaf| takes(leaf, "object")).count() > 1;
    let names = leaves.iter().flat_map(|leaf| values(leaf));
    has_alternatives && meant(name, &names.collect::<Vec<_>>()).is_none()
}

/// Returns whether a schema with alternatives names `name` as one of them.
pub(super) fn is_alternative(leaves: &[&Json], name: &str) -> bool {
    let has_alternatives = leaves.iter().filter(|leaf| takes(leaf, "object")).count() > 1;
    has_alternatives
        && leaves.iter().any(|leaf| {
            values(leaf).any(|value| value == name)
                || properties(leaf).any(|(known, _)| known == name)
        })
}

fn is_value(leaf: &Json, text: &str) -> bool {
    let mut values = values(leaf).peekable();
    values.peek().is_none() || values.any(|value| value == text)
}

pub(super) fn is_any_text(leaf: &Json) -> bool {
    takes(leaf, "string") && values(leaf).next().is_none()
}

/// Returns whether the node is a text such as `{name}`, which YAML reads as a mapping.
pub(super) fn is_text_in_braces(node: &Node) -> bool {
    let Value::Map { entries, is_flow } = &node.value else {
        return false;
    };
    let is_nothing = |(_, value): &(Node, Node)| value.kind() == Kind::Nothing;
    *is_flow && (entries.is_empty() || entries.iter().any(is_nothing))
}
