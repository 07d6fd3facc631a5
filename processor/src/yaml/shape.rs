//! Compares a tree with the JSON Schema of its type, and puts stand-ins where it is wrong, so that the
//! rest can still be checked.

mod fit;
mod members;
mod schema;

use serde_json::Value as Json;

use super::tree::{Kind, Node, Value};
use super::words::{expected, found, properties, remedy, takes, values};
use super::{Faults, Place};
use fit::{fitting, is_any_text, is_text_in_braces, no_alternative};
use schema::{leaves, required};

pub(crate) use schema::meant;

/// The first id of a stand-in, above those of a document's nodes.
const FIRST_STAND_IN: usize = 1_000_000;

/// Compares `tree`, which was read from `text`, with `schema`.
pub(super) fn check(tree: &mut Node, schema: &Json, text: &str, faults: &mut Faults) {
    let mut shape = Shape {
        root: schema,
        text,
        faults,
        next_id: FIRST_STAND_IN,
    };
    shape.visit(tree, schema, "the document");
}

struct Shape<'a> {
    root: &'a Json,
    text: &'a str,
    faults: &'a mut Faults,
    next_id: usize,
}

impl<'a> Shape<'a> {
    /// Compares a node, which `label` names in messages.
    fn visit(&mut self, node: &mut Node, schema: &'a Json, label: &str) {
        let leaves = leaves(self.root, schema);
        if is_text_in_braces(node) && leaves.iter().any(|leaf| is_any_text(leaf)) {
            let reason = format!(
                "{label} has a member without a value here; put a text that begins with `{{` in quotes"
            );
            self.replace(node, &leaves, reason);
            return;
        }
        let Some(leaf) = fitting(&leaves, node) else {
            self.wrong(node, &leaves, label);
            return;
        };
        if let Some(reason) = no_alternative(&leaves, leaf, node, label) {
            self.replace(node, &leaves, reason);
            return;
        }
        self.correct_scalar(node, leaf, label);
        if is_prose(leaf) {
            self.warn_of_comment(node);
        }
        self.put_together(node, leaf, label);
        match &mut node.value {
            Value::List { items, .. } => {
                let label = format!("an item of {label}");
                for item in items {
                    if let Some(schema) = leaf.get("items") {
                        self.visit(item, schema, &label);
                    }
                }
            }
            Value::Map { .. } => self.members(node, leaf, &leaves, label),
            Value::Scalar { .. } => {}
        }
    }

    /// Warns of quotes that are missing or too much, and reads the value as it is meant.
    fn correct_scalar(&mut self, node: &mut Node, leaf: &Json, label: &str) {
        let (kind, place, words) = (node.kind(), node.place, found(node));
        let Value::Scalar { is_plain, .. } = &mut node.value else {
            return;
        };
        let is_text = takes(leaf, "string");
        let is_number = takes(leaf, "integer") || takes(leaf, "number");
        let is_odd = match kind {
            Kind::Number => is_text && !is_number,
            Kind::Truth => is_text && !takes(leaf, "boolean"),
            Kind::Text => is_number && !is_text,
            _ => false,
        };
        if is_text && matches!(kind, Kind::Number | Kind::Truth) {
            // The text as it is written.
            *is_plain = false;
        }
        if !is_odd {
            return;
        }
        *is_plain = is_number;
        let (takes, remedy) = if is_text {
            ("a text", "put it in quotes")
        } else {
            ("a number", "remove the quotes")
        };
        let reason = format!("{label} takes {takes}, and this is {words}; {remedy}");
        self.faults.warn(place, reason);
    }

    /// Warns of a comment that cuts a text without quotes.
    fn warn_of_comment(&mut self, node: &Node) {
        let Value::Scalar {
            text,
            is_plain: true,
        } = &node.value
        else {
            return;
        };
        let behind = self.text.get(node.range.end..).unwrap_or_default();
        let line = behind.lines().next().unwrap_or_default();
        let blanks = line.len() - line.trim_start().len();
        // An address has no blanks, so that a comment behind it is one.
        let is_cut =
            line.trim_start().starts_with('#') && !text.is_empty() && !text.contains("://");
        let at = node.range.end + blanks;
        let before = self.text.get(..at).unwrap_or_default();
        if is_cut && before.ends_with([' ', '\t']) {
            let place = place_in(self.text, at);
            self.faults.warn(
                place,
                "`#` begins a comment, which cuts the text; put the whole text in quotes, or only what stands before the comment",
            );
        }
    }

    /// Reads `[ana, ben]` as one item with both, where an item takes a list of texts.
    fn put_together(&mut self, node: &mut Node, leaf: &'a Json, label: &str) {
        let (id, place) = (self.id(), node.place);
        let Value::List { items, .. } = &mut node.value else {
            return;
        };
        let schemas = leaf.get("items").map(|item| leaves(self.root, item));
        let schemas = schemas.unwrap_or_default();
        let are_texts = items.len() > 1 && items.iter().all(|item| item.kind() == Kind::Text);
        let Some(member) = several_of(self.root, &schemas).filter(|_| are_texts) else {
            return;
        };
        let texts: Vec<&str> = items.iter().filter_map(Node::scalar).collect();
        let reason = format!(
            "{label} takes a list of mappings, and these are texts; write `[{{ {member}: [{}] }}]`, so that they take turns",
            texts.join(", ")
        );
        self.faults.error(place, reason);
        let list = Value::List {
            items: std::mem::take(items),
            is_flow: true,
        };
        let node = |id, value| Node {
            id,
            place,
            range: 0..0,
            value,
        };
        let entries = vec![(Node::text(id, place, member), node(id + 1, list))];
        let is_flow = true;
        items.push(node(id + 2, Value::Map { entries, is_flow }));
        self.next_id = id + 3;
    }

    /// Puts the members of a list of mappings together, where one mapping is due. Returns whether it is
    /// such a list.
    fn merged(node: &mut Node) -> bool {
        let Value::List { items, .. } = &mut node.value else {
            return false;
        };
        if items.is_empty() || !items.iter().all(|item| item.kind() == Kind::Map) {
            return false;
        }
        let mut all: Vec<(Node, Node)> = Vec::new();
        for item in items {
            if let Value::Map { entries, .. } = &mut item.value {
                all.append(entries);
            }
        }
        node.value = Value::Map {
            entries: all,
            is_flow: false,
        };
        true
    }

    fn wrong(&mut self, node: &mut Node, leaves: &[&'a Json], label: &str) {
        let names: Vec<&str> = leaves.iter().flat_map(|leaf| values(leaf)).collect();
        let names_of_objects = leaves.iter().flat_map(|leaf| properties(leaf));
        let text = node.scalar().unwrap_or_default();
        let mut known: Vec<&str> = names.clone();
        known.extend(names_of_objects.map(|(name, _)| name));
        let reason = match meant(text, &known) {
            Some(meant) if meant == text => {
                format!("{label} needs the value of `{text}`; write `{{ {text}: … }}`")
            }
            Some(meant) if !names.is_empty() => {
                format!("{label} cannot be `{text}`; did you mean `{meant}`?")
            }
            _ => format!(
                "{label} takes {}, and this is {}; {}",
                expected(leaves),
                found(node),
                remedy(node, leaves)
            ),
        };
        if let Some(meant) = meant(text, &names) {
            self.faults.error(node.place, reason);
            node.value = Value::text(meant);
            return;
        }
        let is_object = leaves.iter().any(|leaf| takes(leaf, "object"));
        if is_object && Self::merged(node) {
            self.faults.error(node.place, reason);
            self.visit_again(node, leaves, label);
            return;
        }
        let array = leaves.iter().copied().find(|leaf| takes(leaf, "array"));
        let item = array.and_then(|leaf| leaf.get("items"));
        let Some(item) = item.filter(|_| !matches!(node.kind(), Kind::List | Kind::Nothing)) else {
            self.replace(node, leaves, reason);
            return;
        };
        let is_item = {
            let schemas = self::leaves(self.root, item);
            let known = |name: &str| {
                schemas
                    .iter()
                    .flat_map(|it| properties(it))
                    .any(|(it, _)| it == name)
            };
            let mut names = node.entries().iter().filter_map(|(key, _)| key.scalar());
            node.kind() != Kind::Map || names.any(known)
        };
        if !is_item {
            self.replace(node, leaves, reason);
            return;
        }
        // The one item of a list without its `-`.
        self.faults.error(node.place, reason);
        let list = Value::List {
            items: Vec::new(),
            is_flow: false,
        };
        let only = Node {
            id: self.id(),
            place: node.place,
            range: node.range.clone(),
            value: std::mem::replace(&mut node.value, list),
        };
        if let Value::List { items, .. } = &mut node.value {
            items.push(only);
            for it in items {
                self.visit(it, item, &format!("an item of {label}"));
            }
        }
    }

    fn visit_again(&mut self, node: &mut Node, leaves: &[&'a Json], label: &str) {
        if let Some(leaf) = fitting(leaves, node) {
            self.members(node, leaf, leaves, label);
        }
    }

    /// Reports `node`, and puts a stand-in in its place.
    fn replace(&mut self, node: &mut Node, leaves: &[&'a Json], reason: String) {
        self.faults.error(node.place, reason);
        self.faults.doubtful.push(node.place);
        let id = node.id;
        *node = self.stand_in(node.place, leaves, 0);
        node.id = id;
    }

    /// Returns a value that one of `leaves` takes.
    fn stand_in(&mut self, place: Place, leaves: &[&'a Json], depth: usize) -> Node {
        let plain = |text: &str| Value::Scalar {
            text: text.to_owned(),
            is_plain: true,
        };
        let has = |kind: &str| leaves.iter().any(|leaf| takes(leaf, kind));
        let mut names = leaves.iter().flat_map(|leaf| values(leaf));
        let first = names.next();
        let object = leaves.iter().copied().find(|leaf| takes(leaf, "object"));
        let value = match (first, object) {
            (Some(first), _) => {
                let text = names.find(|name| *name == "text").unwrap_or(first);
                Value::text(text)
            }
            _ if has("string") => Value::text("1 == 1"),
            _ if has("integer") || has("number") => plain("1"),
            _ if has("boolean") => plain("false"),
            (None, Some(object)) if depth < 8 => {
                let needed = required(object);
                let members: Vec<(&str, &Json)> = properties(object)
                    .filter(|(name, _)| needed.clone().any(|it| it == *name))
                    .collect();
                let mut entries = Vec::new();
                for (name, schema) in members {
                    let leaves = schema::leaves(self.root, schema);
                    let key = Node::text(self.id(), place, name);
                    entries.push((key, self.stand_in(place, &leaves, depth + 1)));
                }
                Value::Map {
                    entries,
                    is_flow: true,
                }
            }
            _ => Value::List {
                items: Vec::new(),
                is_flow: true,
            },
        };
        Node {
            id: self.id(),
            place,
            range: 0..0,
            value,
        }
    }

    const fn id(&mut self) -> usize {
        self.next_id += 1;
        self.next_id
    }
}

/// Returns whether a schema takes texts that people read.
fn is_prose(leaf: &Json) -> bool {
    leaf.get("contentMediaType").is_some()
}

/// Returns the one member that every item needs, if it takes several texts.
fn several_of<'a>(root: &'a Json, items: &[&'a Json]) -> Option<&'a str> {
    let [item] = items else {
        return None;
    };
    let mut needed = required(item);
    let (Some(member), None) = (needed.next(), needed.next()) else {
        return None;
    };
    let (_, schema) = properties(item).find(|(name, _)| *name == member)?;
    let leaves = leaves(root, schema);
    leaves
        .iter()
        .any(|leaf| takes(leaf, "array"))
        .then_some(member)
}

/// Returns the place of a byte of a text.
fn place_in(text: &str, at: usize) -> Place {
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default();
    super::tree::at(line, column.chars().count())
}
