//! Proposes what may stand in the place of a faulty part.

use std::collections::BTreeSet;

use crate::flow::HUMAN_HANDOFF;
use crate::flow::prompt::is_field_name;
use crate::yaml::{Node, NodeId, Place, Value, meant};

/// What nothing can be concluded about with something else in the place of a part.
#[derive(Clone, Copy, Debug)]
pub(super) enum Doubt {
    Nothing,
    /// How the steps lead to each other.
    Ways,
    /// The languages of the texts.
    Languages,
    /// The fields of the step, too.
    Fields,
}

/// Values that need no other part: a condition, a number or a score, an address, and settings.
const SURE: [&str; 10] = [
    "1 == 1",
    "1",
    "https://example.com/",
    "1h",
    "2d",
    "UTC",
    "EUR",
    "today",
    "09:00-18:00",
    "12-25",
];

/// Returns documents without the node `id` as it is, the best first, and the doubt about the rest that
/// each leaves.
pub(super) fn candidates(tree: &Node, id: NodeId) -> Box<dyn Iterator<Item = (Node, Doubt)> + '_> {
    let removed = std::iter::once_with(move || {
        let mut tree = tree.clone();
        remove(&mut tree, id).then_some((tree, Doubt::Fields))
    });
    if let Some((state, _)) = steps(tree).iter().find(|(state, _)| state.id == id) {
        let renamed = renamed(tree, state);
        return Box::new(
            renamed
                .chain(other_steps(tree, id))
                .chain(removed.flatten()),
        );
    }
    if lacks_field(tree, id) {
        return Box::new(filled(tree, id).chain(removed.flatten()));
    }
    let values = part(tree, id).map_or_else(Vec::new, |node| values(tree, node));
    let replaced = values.into_iter().filter_map(move |(value, doubt)| {
        let mut tree = tree.clone();
        tree.find_mut(id)?.value = value;
        Some((tree, doubt))
    });
    Box::new(replaced.chain(removed.flatten()))
}

fn values(tree: &Node, replaced: &Node) -> Vec<(Value, Doubt)> {
    let text = replaced.scalar().unwrap_or_default();
    let as_text = |texts: &[&str], doubt| -> Vec<(Value, Doubt)> {
        let text = |text: &&str| (Value::text(*text), doubt);
        texts.iter().map(text).collect()
    };
    let mut all = Vec::new();
    let is_within = |name: &str| {
        tree.get(name)
            .is_some_and(|it| part(it, replaced.id).is_some())
    };
    if is_within("language") {
        return as_text(&["en", "es", "fr", "de", "pt"], Doubt::Languages);
    }
    if is_field(tree, replaced.id) {
        let unfilled = unfilled(tree, replaced.id);
        let names: Vec<&str> = unfilled.iter().map(String::as_str).collect();
        all.extend(as_text(&names, Doubt::Nothing));
        all.extend(as_text(&["x"], Doubt::Fields));
        return all;
    }
    if is_key(tree, replaced.id) {
        let tags = tree.get("language").into_iter().flat_map(Node::parts);
        let tags: Vec<&str> = tags.filter_map(Node::scalar).collect();
        all.extend(as_text(&tags, Doubt::Nothing));
    }
    let states: Vec<&str> = steps(tree)
        .iter()
        .filter_map(|(it, _)| it.scalar())
        .collect();
    let mut known = states.clone();
    known.push(HUMAN_HANDOFF);
    all.extend(as_text(meant(text, &known).as_slice(), Doubt::Nothing));
    if member_of(tree, replaced.id) == Some("of") {
        all.extend(as_text(&dates(tree), Doubt::Nothing));
    }
    all.extend(as_text(&SURE, Doubt::Nothing));
    all.extend(in_all_languages(tree, replaced).map(|value| (value, Doubt::Nothing)));
    all.extend(as_text(&[HUMAN_HANDOFF], Doubt::Ways));
    all.extend(as_text(states.first().copied().as_slice(), Doubt::Ways));
    all.extend(as_text(&["x", "text", "2026-01-01"], Doubt::Fields));
    all
}

pub(super) fn steps(tree: &Node) -> &[(Node, Node)] {
    tree.get("steps").map(Node::entries).unwrap_or_default()
}

/// Returns whether the node is a member that needs a field, of a step that fills none.
pub(super) fn lacks_field(tree: &Node, id: NodeId) -> bool {
    let needs_field = |(key, value): &(Node, Node)| {
        value.id == id && matches!(key.scalar(), Some("change" | "ask"))
    };
    steps(tree)
        .iter()
        .any(|(_, step)| step.get("fill").is_none() && step.entries().iter().any(needs_field))
}

/// Returns documents in which the step with the member `id` fills a field that others read.
fn filled(tree: &Node, id: NodeId) -> impl Iterator<Item = (Node, Doubt)> + '_ {
    let place = part(tree, id).map_or(Place::BEGIN, |it| it.place);
    let mut with_it = steps(tree)
        .iter()
        .filter(move |(_, step)| step.entries().iter().any(|(_, value)| value.id == id));
    let state = with_it.next().map(|(state, _)| state.id);
    read_names(tree, id).into_iter().filter_map(move |name| {
        let mut tree = tree.clone();
        if let Some(Value::Map { entries, .. }) = step_mut(&mut tree, state?) {
            entries.push((Node::text(id, place, "fill"), Node::text(id, place, name)));
        }
        Some((tree, Doubt::Nothing))
    })
}

/// Returns the entries of the mapping that has the node `id` as a value.
pub(super) fn beside(tree: &Node, id: NodeId) -> &[(Node, Node)] {
    if tree.entries().iter().any(|(_, value)| value.id == id) {
        return tree.entries();
    }
    let mut found = tree.parts().map(|it| beside(it, id));
    found.find(|it| !it.is_empty()).unwrap_or_default()
}

/// Returns documents in which the step `id`, whose name was there twice, has a name to which others
/// lead, or the step before it that had the name first.
pub(super) fn other_names(tree: &Node, id: NodeId) -> Vec<Node> {
    let named = |names: &[(NodeId, &str)]| {
        let mut tree = tree.clone();
        for (id, name) in names {
            tree.find_mut(*id)?.value = Value::text(*name);
        }
        Some(tree)
    };
    let mut states = steps(tree).iter().map(|(state, _)| state);
    let second = states.clone().find(|state| state.id == id);
    let written = second.and_then(|state| state.scalar()?.rsplit_once('_'));
    let first = written.and_then(|(name, _)| states.find(|it| it.scalar() == Some(name)));
    let mut all = Vec::new();
    for lost in lost_targets(tree) {
        all.extend(named(&[(id, lost)]));
        if let (Some(first), Some((name, _))) = (first, written) {
            all.extend(named(&[(first.id, lost), (id, name)]));
        }
    }
    all
}

/// Returns the names of steps that others lead to, and that are not there.
fn lost_targets(tree: &Node) -> BTreeSet<&str> {
    let states: Vec<&str> = steps(tree)
        .iter()
        .filter_map(|(it, _)| it.scalar())
        .collect();
    let mut targets = Vec::new();
    collect(tree, &["start", "next", "to", "then"], &mut targets);
    let is_lost = |it: &&str| !states.contains(it) && *it != HUMAN_HANDOFF;
    targets.into_iter().filter(is_lost).collect()
}

/// Returns documents in which the step has another name, also where others lead to it.
fn renamed<'a>(tree: &'a Node, state: &'a Node) -> impl Iterator<Item = (Node, Doubt)> + 'a {
    let old = state.scalar().unwrap_or_default();
    let lost = lost_targets(tree).into_iter();
    let plain: String = old.chars().filter(char::is_ascii_alphanumeric).collect();
    let names = lost.map(str::to_owned).chain([format!("{plain}_1")]);
    names.map(move |new| {
        let mut tree = tree.clone();
        rename(&mut tree, old, &new);
        (tree, Doubt::Nothing)
    })
}

fn rename(node: &mut Node, old: &str, new: &str) {
    match &mut node.value {
        Value::Scalar { text, .. } if text == old => new.clone_into(text),
        Value::Scalar { .. } => {}
        Value::List { items, .. } => items.iter_mut().for_each(|it| rename(it, old, new)),
        Value::Map { entries, .. } => entries.iter_mut().for_each(|(key, value)| {
            rename(key, old, new);
            rename(value, old, new);
        }),
    }
}

/// Returns documents in which the step leads on to the next one, or is without one of its members.
fn other_steps(tree: &Node, id: NodeId) -> impl Iterator<Item = (Node, Doubt)> + '_ {
    let steps = steps(tree);
    let at = steps.iter().position(|(state, _)| state.id == id);
    let step = at.and_then(|at| steps.get(at));
    let following = at.and_then(|at| steps.get(at + 1));
    let following = following.and_then(|(state, _)| state.scalar());
    let onward = step.map(move |(state, _)| {
        let name = Node::text(id, state.place, "next");
        let value = Node::text(id, state.place, following.unwrap_or(HUMAN_HANDOFF));
        let mut tree = tree.clone();
        if let Some(Value::Map { entries, .. }) = step_mut(&mut tree, id) {
            entries.retain(|(key, _)| key.scalar() != Some("next"));
            entries.push((name, value));
        }
        (tree, Doubt::Ways)
    });
    let members = step.map(|(_, step)| step.entries()).unwrap_or_default();
    let without = members.iter().filter_map(move |(member, _)| {
        let mut tree = tree.clone();
        let is_needed = matches!(member.scalar(), Some("prompt" | "expect" | "fill"));
        (!is_needed && remove(&mut tree, member.id)).then_some((tree, Doubt::Ways))
    });
    onward.into_iter().chain(without)
}

fn step_mut(tree: &mut Node, id: NodeId) -> Option<&mut Value> {
    let Value::Map { entries, .. } = &mut tree.value else {
        return None;
    };
    let (_, steps) = entries
        .iter_mut()
        .find(|(key, _)| key.scalar() == Some("steps"))?;
    let Value::Map { entries, .. } = &mut steps.value else {
        return None;
    };
    let (_, step) = entries.iter_mut().find(|(state, _)| state.id == id)?;
    Some(&mut step.value)
}

/// Returns the name of the member whose value is the node `id`.
pub(super) fn member_of(tree: &Node, id: NodeId) -> Option<&str> {
    let mut own = tree.entries().iter().filter(|(_, value)| value.id == id);
    if let Some((key, _)) = own.next() {
        return key.scalar();
    }
    tree.parts().find_map(|it| member_of(it, id))
}

/// Returns the name of the field that the expression `id` computes.
pub(super) fn computed_by(tree: &Node, id: NodeId) -> Option<&str> {
    let computed = steps(tree)
        .iter()
        .filter_map(|(_, step)| step.get("compute"));
    computed.into_iter().find_map(|compute| {
        let mut entries = compute.entries().iter();
        let (name, _) = entries.find(|(_, source)| source.id == id)?;
        name.scalar()
    })
}

/// Returns whether the node names a field that a step fills or computes.
pub(super) fn is_field(tree: &Node, id: NodeId) -> bool {
    let mut computed = steps(tree)
        .iter()
        .filter_map(|(_, step)| step.get("compute"));
    matches!(member_of(tree, id), Some("fill" | "member"))
        || computed.any(|it| it.entries().iter().any(|(name, _)| name.id == id))
}

fn is_key(tree: &Node, id: NodeId) -> bool {
    tree.entries().iter().any(|(key, _)| key.id == id) || tree.parts().any(|it| is_key(it, id))
}

/// Returns the names that texts and expressions read, and that no step fills, without the node `id`.
fn unfilled(tree: &Node, id: NodeId) -> BTreeSet<String> {
    let filled = names_filled(tree, id);
    let mut read: BTreeSet<String> = read_names(tree, id).into_iter().collect();
    read.retain(|name| meant(name, &filled.iter().copied().collect::<Vec<_>>()).is_none());
    read
}

/// Returns the names of fields that steps fill, without the node `id`.
fn names_filled(tree: &Node, id: NodeId) -> BTreeSet<&str> {
    let mut filled = Vec::new();
    for (_, step) in steps(tree) {
        super::fills(step, &mut filled);
    }
    let others = filled.iter().filter(|it| it.id != id);
    others.filter_map(|it| it.scalar()).collect()
}

/// Returns the names that are read and that no step fills, those first that are no slips of others.
fn read_names(tree: &Node, id: NodeId) -> Vec<String> {
    let filled = names_filled(tree, id);
    let mut read = BTreeSet::new();
    reads(tree, &mut read);
    let mut expressions = Vec::new();
    collect(tree, &["of", "when", "score", "valid"], &mut expressions);
    for expression in expressions {
        // Every other part is a text in quotes.
        for outside in expression.split(['\'', '"']).step_by(2) {
            read.extend(words(outside).map(str::to_owned));
        }
    }
    let known = [
        "has", "size", "int", "double", "string", "in", "true", "false", "value", "score",
    ];
    read.retain(|name| {
        is_field_name(name) && !known.contains(&name.as_str()) && !filled.contains(name.as_str())
    });
    let filled: Vec<&str> = filled.into_iter().collect();
    let mut read: Vec<String> = read.into_iter().collect();
    read.sort_by_key(|name| meant(name, &filled).is_some());
    read
}

/// Collects the names of placeholders.
fn reads(node: &Node, names: &mut BTreeSet<String>) {
    for part in node.scalar().unwrap_or_default().split('{').skip(1) {
        names.extend(words(part).next().map(str::to_owned));
    }
    node.parts().for_each(|part| reads(part, names));
}

pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| !word.is_empty())
}

/// Collects the texts of members with one of these names.
fn collect<'a>(node: &'a Node, names: &[&str], texts: &mut Vec<&'a str>) {
    for (key, value) in node.entries() {
        if key.scalar().is_some_and(|key| names.contains(&key)) {
            texts.extend(value.scalar());
        }
    }
    node.parts().for_each(|part| collect(part, names, texts));
}

/// Returns the fields that questions for a date fill.
fn dates(tree: &Node) -> Vec<&str> {
    let is_date = |step: &&(Node, Node)| {
        let expect = step.1.get("expect");
        expect.is_some_and(|it| it.scalar() == Some("date") || it.get("date").is_some())
    };
    let dates = steps(tree).iter().filter(is_date);
    dates
        .filter_map(|(_, step)| step.get("fill")?.scalar())
        .collect()
}

/// Returns a text in all languages of the document, each part in the place of `replaced`.
fn in_all_languages(tree: &Node, replaced: &Node) -> Option<Value> {
    let language = tree.get("language")?;
    let tags = language.parts().filter_map(Node::scalar);
    let entry = |tag: &str| {
        let node = |text: &str| Node::text(replaced.id, replaced.place, text);
        (node(tag), node("x"))
    };
    let entries: Vec<(Node, Node)> = tags.map(entry).collect();
    (!entries.is_empty()).then_some(Value::Map {
        entries,
        is_flow: true,
    })
}

/// Returns the node `id`.
pub(super) fn part(tree: &Node, id: NodeId) -> Option<&Node> {
    if tree.id == id {
        return Some(tree);
    }
    tree.parts().find_map(|it| part(it, id))
}

/// Removes the node `id`, or the member with this name or value.
fn remove(node: &mut Node, id: NodeId) -> bool {
    match &mut node.value {
        Value::Scalar { .. } => false,
        Value::List { items, .. } => {
            let before = items.len();
            items.retain(|item| item.id != id);
            items.len() < before || items.iter_mut().any(|item| remove(item, id))
        }
        Value::Map { entries, .. } => {
            let before = entries.len();
            entries.retain(|(key, value)| key.id != id && value.id != id);
            entries.len() < before || entries.iter_mut().any(|(_, value)| remove(value, id))
        }
    }
}
