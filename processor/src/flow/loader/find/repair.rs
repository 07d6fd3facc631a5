//! Proposes what may stand in the place of a faulty part.

use crate::yaml::{Node, NodeId, Value, meant};

/// What nothing can be concluded about with something else in the place of a part.
#[derive(Clone, Copy, Debug)]
pub(super) enum Doubt {
    Nothing,
    /// How the steps lead to each other.
    Ways,
    /// The fields of the step, too.
    Fields,
}

/// Returns documents without the node `id` as it is, the best first, and the doubt about the rest that
/// each leaves.
pub(super) fn candidates(tree: &Node, id: NodeId) -> impl Iterator<Item = (Node, Doubt)> {
    let values = part(tree, id).map_or_else(Vec::new, |node| values(tree, node));
    let replaced = values.into_iter().filter_map(move |(value, doubt)| {
        let mut tree = tree.clone();
        tree.find_mut(id)?.value = value;
        Some((tree, doubt))
    });
    let removed = std::iter::once_with(move || {
        let mut tree = tree.clone();
        remove(&mut tree, id).then_some((tree, Doubt::Fields))
    });
    replaced.chain(removed.flatten())
}

fn values(tree: &Node, replaced: &Node) -> Vec<(Value, Doubt)> {
    let text = replaced.scalar().unwrap_or_default();
    let names = |node: &Node| -> Vec<String> {
        let keys = node.entries().iter().filter_map(|(key, _)| key.scalar());
        keys.map(str::to_owned).collect()
    };
    let steps = tree.get("steps").map(names).unwrap_or_default();
    let known: Vec<&str> = steps.iter().map(String::as_str).collect();
    let nearest = meant(text, &known).map(|name| (Value::text(name), Doubt::Nothing));
    let first = steps
        .first()
        .map(|name| (Value::text(name.as_str()), Doubt::Ways));
    // A condition or a text, a number or a score, an address.
    let sure =
        ["1 == 1", "1", "https://example.com/"].map(|text| (Value::text(text), Doubt::Nothing));
    let other = ["x", "text", "1h", "2026-01-01"].map(|text| (Value::text(text), Doubt::Fields));
    let sure = nearest.into_iter().chain(sure);
    let languages = in_all_languages(tree, replaced).map(|value| (value, Doubt::Nothing));
    sure.chain(languages).chain(first).chain(other).collect()
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
