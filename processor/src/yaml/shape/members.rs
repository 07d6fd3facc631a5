//! Compares the members of a mapping with those of its schema.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::Shape;
use super::fit::is_alternative;
use super::schema::{leaves, meant, owners, required};
use crate::yaml::tree::{Kind, Node, Value};
use crate::yaml::words::{listed, properties, quote, takes};

/// What to do with a member.
enum Member<'a> {
    /// Compare its value with this schema.
    Known(&'a Json),
    /// Leave it to the loader.
    Any,
    /// Leave it out, because it is reported.
    Refused,
}

impl<'a> Shape<'a> {
    /// Compares the members of a mapping with `leaf`, one of `alternatives`.
    pub(super) fn members(
        &mut self,
        node: &mut Node,
        leaf: &'a Json,
        alternatives: &[&'a Json],
        label: &str,
    ) {
        let objects = alternatives.iter().filter(|leaf| takes(leaf, "object"));
        // Of alternatives, the loader says what is wrong with another one.
        let is_meant =
            objects.count() == 1 || properties(leaf).any(|(known, _)| node.get(known).is_some());
        let written: Vec<String> = node
            .entries()
            .iter()
            .filter_map(|(key, _)| key.scalar().map(str::to_owned))
            .collect();
        let Value::Map { entries, .. } = &mut node.value else {
            return;
        };
        let mut kept: Vec<(Node, Node)> = Vec::new();
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let entries_before = std::mem::take(entries);
        let entries_before = self.indent_below(entries_before, leaf);
        for (mut key, mut value) in entries_before {
            let mut name = key.scalar().unwrap_or_default().to_owned();
            if !seen.insert(name.clone()) {
                // It is reported. An entry with a name of its own, such as a step, is still checked.
                let Some(free) = self.free_name(leaf, &name, |it| {
                    seen.contains(it) || written.iter().any(|other| other == it)
                }) else {
                    continue;
                };
                key.value = Value::text(&free);
                seen.insert(free.clone());
                name = free;
            }
            let member = if is_alternative(alternatives, &name) && !has(leaf, &name) {
                Member::Any
            } else {
                self.member(&mut key, &value, leaf, &written, label)
            };
            match member {
                Member::Refused => continue,
                Member::Any => {}
                Member::Known(schema) => {
                    let name = key.scalar().unwrap_or_default().to_owned();
                    if self.is_empty(&key, &value, leaf) {
                        continue;
                    }
                    self.visit(&mut value, schema, &format!("`{name}`"));
                }
            }
            kept.push((key, value));
        }
        *entries = kept;
        if is_meant {
            self.add_missing(node, leaf, label);
        }
    }

    /// Returns another name for an entry whose name is there twice, if entries have names of their own.
    fn free_name(
        &self,
        leaf: &'a Json,
        name: &str,
        is_taken: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let others = leaf.get("additionalProperties")?;
        let is_free = leaves(self.root, others)
            .iter()
            .any(|leaf| takes(leaf, "object"));
        if !is_free || has(leaf, name) {
            return None;
        }
        let mut names = (2..).map(|number| format!("{name}_{number}"));
        names.find(|free| !is_taken(free))
    }

    /// Moves members that stand beside an empty one, and belong below it.
    fn indent_below(&mut self, entries: Vec<(Node, Node)>, leaf: &'a Json) -> Vec<(Node, Node)> {
        let mut all: Vec<(Node, Node)> = Vec::new();
        for (key, value) in entries {
            let name = key.scalar().unwrap_or_default();
            let is_unknown = !has(leaf, name) && by_pattern(leaf, name).is_none();
            let above = all.last_mut().filter(|_| is_unknown);
            let takes_it = |above: &(Node, Node)| {
                let name = above.0.scalar().unwrap_or_default();
                let schema = properties(leaf).find(|(known, _)| *known == name);
                let leaves = schema.map(|(_, schema)| leaves(self.root, schema));
                let is_map = above.1.kind() == Kind::Map && above.1.range.is_empty();
                let is_free = |leaf: &&Json| {
                    let others = leaf.get("additionalProperties");
                    takes(leaf, "object") && others.is_some_and(Json::is_object)
                };
                (above.1.kind() == Kind::Nothing || is_map)
                    && leaves.is_some_and(|it| it.iter().any(is_free))
            };
            let Some(above) = above.filter(|above| takes_it(above)) else {
                all.push((key, value));
                continue;
            };
            if let Value::Map { entries, .. } = &mut above.1.value {
                entries.push((key, value));
                continue;
            }
            let reason = format!(
                "`{name}` stands beside `{}`, which has no value; indent the lines below it further",
                above.0.scalar().unwrap_or_default()
            );
            self.faults.error(key.place, reason);
            above.1.place = key.place;
            above.1.range = 0..0;
            above.1.value = Value::Map {
                entries: vec![(key, value)],
                is_flow: false,
            };
        }
        all
    }

    /// Returns what to do with a member. A misspelt one gets the name that is meant.
    fn member(
        &mut self,
        key: &mut Node,
        value: &Node,
        leaf: &'a Json,
        written: &[String],
        label: &str,
    ) -> Member<'a> {
        let name = key.scalar().unwrap_or_default();
        if let Some((_, schema)) = properties(leaf).find(|(known, _)| *known == name) {
            return Member::Known(schema);
        }
        if let Some(schema) = by_pattern(leaf, name) {
            return Member::Known(schema);
        }
        match leaf.get("additionalProperties") {
            Some(Json::Bool(false)) => {}
            Some(schema @ Json::Object(_)) if self.is_misplaced(key, value, schema) => {
                return Member::Refused;
            }
            Some(schema @ Json::Object(_)) => return Member::Known(schema),
            _ => return Member::Any,
        }
        let free: Vec<&str> = properties(leaf)
            .map(|(known, _)| known)
            .filter(|known| !written.iter().any(|it| it == known))
            .collect();
        let meant = meant(name, &free);
        let reason = self.unknown(name, meant, leaf, label);
        self.faults.error(key.place, reason);
        let schema = properties(leaf).find(|(known, _)| Some(*known) == meant);
        let Some((name, schema)) = schema else {
            self.faults.doubtful.push(key.place);
            return Member::Refused;
        };
        key.value = Value::text(name);
        Member::Known(schema)
    }

    fn unknown(&self, name: &str, meant: Option<&str>, leaf: &Json, label: &str) -> String {
        if let Some(meant) = meant {
            return format!("{label} has no member `{name}`; did you mean `{meant}`?");
        }
        let owners = owners(self.root, name);
        if owners.is_empty() {
            let known = listed(properties(leaf).map(|(known, _)| known));
            return format!(
                "{label} has no member {}; its members are {known}",
                quote(name)
            );
        }
        format!(
            "`{name}` is a member of {}, and not of {label}; check its indentation",
            owners.join(" and ")
        )
    }

    /// Warns of a member without a value, if it need not be there.
    fn is_empty(&mut self, key: &Node, value: &Node, leaf: &Json) -> bool {
        let name = key.scalar().unwrap_or_default();
        let is_optional = has(leaf, name) && !required(leaf).any(|needed| needed == name);
        let is_empty = is_optional && value.kind() == Kind::Nothing;
        if is_empty {
            let reason = format!(
                "`{name}` has no value; write it, check the indentation of the lines below it, or remove it"
            );
            self.faults.warn(key.place, reason);
        }
        is_empty
    }

    /// Refuses a member of an entry, as of a step, that is not indented below the entry's name.
    fn is_misplaced(&mut self, key: &Node, value: &Node, schema: &'a Json) -> bool {
        let name = key.scalar().unwrap_or_default();
        let leaves = leaves(self.root, schema);
        let is_taken = leaves.iter().any(|leaf| takes(leaf, "string"));
        let is_member = leaves.iter().any(|leaf| has(leaf, name));
        let is_misplaced = is_member && !is_taken && value.kind() != Kind::Map;
        if is_misplaced {
            let reason = format!(
                "`{name}` is a member of what stands above it; indent it further, below that name"
            );
            self.faults.error(key.place, reason);
            self.faults.doubtful.push(key.place);
        }
        is_misplaced
    }

    /// Reports members that are missing, and adds stand-ins for them.
    fn add_missing(&mut self, node: &mut Node, leaf: &'a Json, label: &str) {
        let place = node.place;
        for name in required(leaf) {
            if node.get(name).is_some() {
                continue;
            }
            let reason = format!("{label} has no `{name}`; add it");
            self.faults.error(place, reason);
            self.faults.doubtful.push(place);
            let schema = properties(leaf).find(|(known, _)| *known == name);
            let Some((_, schema)) = schema else { continue };
            let key = Node::text(self.id(), place, name);
            let value = self.stand_in(place, &leaves(self.root, schema), 0);
            if let Value::Map { entries, .. } = &mut node.value {
                entries.push((key, value));
            }
        }
    }
}

/// Returns the schema of members with a pattern of names. Which names fit it, the loader says.
fn by_pattern<'a>(leaf: &'a Json, name: &str) -> Option<&'a Json> {
    let patterns = leaf.get("patternProperties")?.as_object()?;
    let matches =
        |pattern: &str| regex::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(name));
    let found = patterns.iter().find(|(pattern, _)| matches(pattern));
    let known: Vec<&str> = properties(leaf).map(|(known, _)| known).collect();
    let is_misspelt = meant(name, &known).is_some();
    let first = || patterns.iter().next().filter(|_| !is_misspelt);
    found.or_else(first).map(|(_, schema)| schema)
}

fn has(leaf: &Json, name: &str) -> bool {
    properties(leaf).any(|(known, _)| known == name)
}
