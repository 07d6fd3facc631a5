//! Words what a document should have, what it has, and the remedy.

use serde_json::Value as Json;
use serde_saphyr::{Error, MessageFormatter, UserMessageFormatter};

use super::tree::{Kind, Node, Value};

/// The most characters of the document in a message.
const MAX_QUOTE: usize = 40;
/// The most members that a message lists.
const MAX_LISTED: usize = 30;
/// The member of an object that is an address.
const ADDRESS: &str = "url";

/// Words that only programmers of the parser know.
const FOREIGN: &[&str] = &[
    "invalid",
    "struct",
    "variant",
    "enum",
    "unit",
    "sequence",
    "scalar",
    "deserialize",
    "u32",
    "i32",
    "u64",
    "i64",
    "f64",
    "usize",
];

/// Returns the reason of a type that refuses a value: its own words, or plain ones instead of Serde's.
pub(super) fn refused(error: &Error) -> String {
    let error = error.without_snippet();
    if matches!(error, Error::Message { .. } | Error::ExternalMessage { .. }) {
        let reason = UserMessageFormatter.format_message(error);
        let is_foreign = |word: &str| FOREIGN.contains(&word.to_lowercase().as_str());
        let mut words = reason.split(|c: char| !c.is_alphanumeric());
        if !words.any(is_foreign) {
            return reason.into_owned();
        }
    }
    "this does not fit here; compare it with the examples in the guide, and check its indentation"
        .to_owned()
}

/// Returns a part of the document for a message.
pub(super) fn quote(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let short: String = line.chars().take(MAX_QUOTE).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("`{short}{dots}`")
}

/// Returns names in a row for a message.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names = names.into_iter().take(MAX_LISTED);
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Words what a node is.
pub(super) fn found(node: &Node) -> String {
    let text = quote(node.scalar().unwrap_or_default());
    match node.kind() {
        Kind::Nothing => "nothing".to_owned(),
        Kind::Truth => text,
        Kind::Number => format!("the number {text}"),
        Kind::Text => format!("the text {text}"),
        Kind::List => "a list".to_owned(),
        Kind::Map => "a mapping".to_owned(),
    }
}

/// Words what any of `leaves` takes.
pub(super) fn expected(leaves: &[&Json]) -> String {
    let mut alternatives: Vec<String> = Vec::new();
    for leaf in leaves {
        let words = match leaf {
            _ if leaf.get("enum").is_some() || leaf.get("const").is_some() => {
                let values: Vec<&str> = values(leaf).collect();
                format!("one of {}", listed(values))
            }
            _ if takes(leaf, "array") => "a list".to_owned(),
            _ if takes(leaf, "object") => members(leaf),
            _ if takes(leaf, "string") => "a text".to_owned(),
            _ if takes(leaf, "boolean") => "`true` or `false`".to_owned(),
            _ if takes(leaf, "integer") => "a whole number".to_owned(),
            _ if takes(leaf, "number") => "a number".to_owned(),
            _ => continue,
        };
        if !alternatives.contains(&words) {
            alternatives.push(words);
        }
    }
    let with_settings: Vec<&str> = leaves
        .iter()
        .filter_map(|leaf| only_property(leaf))
        .collect();
    if with_settings.len() > 1 {
        alternatives.retain(|words| !words.starts_with("a mapping with"));
        alternatives.push(format!("a mapping with one of {}", listed(with_settings)));
    }
    alternatives.join(", or ")
}

/// Returns the one member of an object that has no other.
fn only_property(leaf: &Json) -> Option<&str> {
    let mut members = properties(leaf);
    let (name, _) = members.next().filter(|_| takes(leaf, "object"))?;
    members.next().is_none().then_some(name)
}

fn members(leaf: &Json) -> String {
    let names: Vec<&str> = properties(leaf).map(|(name, _)| name).collect();
    if names.is_empty() {
        "a mapping".to_owned()
    } else {
        format!("a mapping with {}", listed(names))
    }
}

/// Returns what to do about a node that none of `leaves` takes.
pub(super) fn remedy(node: &Node, leaves: &[&Json]) -> String {
    let takes = |kind: &str| leaves.iter().any(|leaf| takes(leaf, kind));
    let takes_any_text = leaves
        .iter()
        .any(|leaf| self::takes(leaf, "string") && leaf.get("enum").is_none());
    let text = node.scalar().unwrap_or_default();
    match (&node.value, node.kind()) {
        (Value::Map { is_flow: true, .. }, _) if takes("array") => {
            "put brackets around it, as in `[{ … }]`, so that it is an item of a list".into()
        }
        (Value::Map { .. }, _) if takes("array") => {
            "put `- ` before its first member, so that it is an item of a list".into()
        }
        (Value::Map { is_flow: true, .. }, _) if takes_any_text => {
            "put a text that begins with `{` in quotes".into()
        }
        (Value::Map { .. }, _) if takes_any_text => {
            "put a text with `: ` in it in quotes, and write it in one line".into()
        }
        (Value::List { is_flow, items }, _) if takes_any_text && are_texts(items) => {
            if *is_flow {
                "write one text; if it begins with `[`, put the whole text in quotes".into()
            } else {
                "write one text, without `- `".into()
            }
        }
        (Value::List { is_flow: true, .. }, _) if takes_any_text => {
            "put a text that begins with `[` in quotes".into()
        }
        (
            Value::List {
                is_flow: true,
                items,
            },
            _,
        ) => {
            let texts: Vec<&str> = items.iter().filter_map(Node::scalar).collect();
            let member = member_for(leaves, Kind::List).filter(|_| texts.len() == items.len());
            member.map_or_else(
                || "remove the brackets, and write one of them".into(),
                |member| {
                    format!(
                        "write {}",
                        quote(&format!("{{ {member}: [{}] }}", texts.join(", ")))
                    )
                },
            )
        }
        (Value::List { .. }, _) => "remove `- ` before its parts".into(),
        (_, Kind::Nothing) => "write it, or check the indentation of the lines below it".into(),
        _ if takes("boolean") => "write `true` or `false`".into(),
        _ if takes("array") => format!("write a list, as in `[{text}]`"),
        (_, kind) if takes("object") => in_object(leaves, kind, text).unwrap_or_else(|| {
            "write its members below it, each as `member: value`, and indent them".into()
        }),
        _ => "correct it".into(),
    }
}

/// Returns whether a list has several texts.
fn are_texts(items: &[Node]) -> bool {
    items.len() > 1 && items.iter().all(|item| item.scalar().is_some())
}

/// Words how `text` stands as a member of the object that is due.
fn in_object(leaves: &[&Json], kind: Kind, text: &str) -> Option<String> {
    let needed = needed(leaves);
    let address = needed.iter().find(|it| **it == ADDRESS).copied();
    let address = address.filter(|_| text.contains("://"));
    let member = address.or_else(|| member_for(leaves, kind))?;
    let others = needed.into_iter().filter(|other| *other != member);
    let others: String = others.map(|other| format!(", {other}: …")).collect();
    let whole = format!("{{ {member}: {text}{others} }}");
    // A remedy that is cut off is none.
    let is_short = whole.chars().count() <= MAX_QUOTE;
    let shown = format!("{{ {member}: …{others} }}");
    Some(format!(
        "write {}",
        quote(if is_short { &whole } else { &shown })
    ))
}

/// Returns the members that an object needs, if there is no other alternative.
fn needed<'a>(leaves: &[&'a Json]) -> Vec<&'a str> {
    let mut objects = leaves.iter().filter(|leaf| takes(leaf, "object"));
    let (Some(object), None) = (objects.next(), objects.next()) else {
        return Vec::new();
    };
    let names = object.get("required").and_then(Json::as_array);
    names
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect()
}

/// Returns the member for which a value of `kind` may stand alone.
fn member_for<'a>(leaves: &[&'a Json], kind: Kind) -> Option<&'a str> {
    let mut objects = leaves.iter().filter(|leaf| takes(leaf, "object"));
    let (Some(object), None) = (objects.next(), objects.next()) else {
        return None;
    };
    let due = match kind {
        Kind::Number => "integer",
        Kind::List => "array",
        _ => "string",
    };
    let fitting = properties(object).filter(|(_, schema)| takes(schema, due));
    let mut fitting = fitting.map(|(member, _)| member);
    let needed = needed(leaves);
    if kind == Kind::Text {
        return fitting
            .find(|it| needed.contains(it))
            .or_else(|| needed.first().copied());
    }
    fitting.next().filter(|_| fitting.next().is_none())
}

/// Returns whether a schema without alternatives takes a type of JSON.
pub(super) fn takes(leaf: &Json, kind: &str) -> bool {
    match leaf.get("type") {
        Some(Json::String(one)) => one == kind,
        Some(Json::Array(several)) => several.iter().any(|it| it == kind),
        _ => kind == "string" && values(leaf).next().is_some(),
    }
}

/// Returns the values of an enumeration.
pub(super) fn values(leaf: &Json) -> impl Iterator<Item = &str> {
    let several = leaf.get("enum").and_then(Json::as_array);
    let one = leaf.get("const");
    several
        .into_iter()
        .flatten()
        .chain(one)
        .filter_map(Json::as_str)
}

/// Returns the members of an object.
pub(super) fn properties(leaf: &Json) -> impl Iterator<Item = (&str, &Json)> {
    let members = leaf.get("properties").and_then(Json::as_object);
    members
        .into_iter()
        .flatten()
        .map(|(name, schema)| (name.as_str(), schema))
}
