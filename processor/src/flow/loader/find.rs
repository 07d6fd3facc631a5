//! Finds all faults of a document: replaces a faulty part by one that fits, and checks again.

mod repair;

use std::collections::BTreeSet;

use super::compile::compile;
use super::currency;
use super::{Faults, Location};
use crate::flow::Flow;
use crate::flow::document::Document;
use crate::flow::json_schema::SCHEMA;
use repair::{Doubt, computed_by, is_field, lacks_field, member_of, part, steps, words};

use crate::yaml::{self, Fault, Node, NodeId, Place, read, typed};

const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
/// The limit of checks of one document, which keeps a check within seconds.
const MAX_CHECKS: usize = 300;
/// The most names that are tried for a step whose name is there twice.
const MAX_NAMES: usize = 20;

/// The result of one check.
struct Found {
    flow: Option<Flow>,
    /// The faults with their nodes.
    errors: Vec<(NodeId, Fault)>,
    warnings: Vec<Fault>,
}

/// Returns the flow, if the document has no error, and the faults: all that can be found, or those of
/// one check.
pub(super) fn find(text: &str, is_thorough: bool) -> (Option<Flow>, yaml::Faults) {
    let mut faults = yaml::Faults::default();
    if text.len() > MAX_DOCUMENT_BYTES {
        let reason = format!(
            "the document has {} bytes, at most {MAX_DOCUMENT_BYTES} are allowed; shorten it",
            text.len()
        );
        let place = Place::BEGIN;
        faults.errors.push(Fault { place, reason });
        return (None, faults);
    }
    let Some(tree) = read(text, &SCHEMA, &mut faults) else {
        return (None, faults);
    };
    let is_sound = faults.errors.is_empty();
    let tree = named_apart(tree, &faults);
    match check(&tree, !is_thorough) {
        Ok(found) if is_sound && found.flow.is_some() => {
            faults.warnings.extend(found.warnings);
            return (found.flow, faults);
        }
        Ok(found) if is_sound || is_thorough => {
            if is_sound {
                faults.warnings.extend(found.warnings.iter().cloned());
            }
            Search::new(tree, &mut faults).collect(found, is_thorough);
        }
        // A stand-in may be the reason.
        Err(fault) if is_sound => faults.errors.push(fault),
        _ => {}
    }
    (None, faults)
}

/// Returns the document with the likeliest names for steps whose names are there twice.
fn named_apart(mut tree: Node, faults: &yaml::Faults) -> Node {
    let is_twice = |state: &Node| faults.has(state.place);
    let twice: Vec<NodeId> = steps(&tree)
        .iter()
        .filter_map(|(state, _)| is_twice(state).then_some(state.id))
        .collect();
    for id in twice {
        let errors = |tree: &Node| check(tree, true).map_or(usize::MAX, |it| it.errors.len());
        let others = repair::other_names(&tree, id);
        let best = others
            .into_iter()
            .take(MAX_NAMES)
            .map(|other| (errors(&other), other))
            .min_by_key(|(errors, _)| *errors);
        match best {
            Some((fewest, other)) if fewest < errors(&tree) => tree = other,
            _ => {}
        }
    }
    tree
}

fn check(tree: &Node, is_lenient: bool) -> Result<Found, Fault> {
    let mut document = typed::<Document>(tree)?;
    currency::add(&mut document.value);
    let mut faults = Faults {
        is_lenient,
        ..Faults::default()
    };
    let flow = compile(&document.value, &mut faults).filter(|_| faults.errors.is_empty());
    let fault = |(location, reason): (Location, String)| {
        let (id, place) = document.node(location).unwrap_or((tree.id, Place::BEGIN));
        (id, Fault { place, reason })
    };
    let warnings = faults.warnings.into_iter().map(|it| fault(it).1);
    Ok(Found {
        flow,
        errors: faults.errors.into_iter().map(fault).collect(),
        warnings: warnings.collect(),
    })
}

/// A search for faults behind those that are known.
struct Search<'a> {
    tree: Node,
    faults: &'a mut yaml::Faults,
    checks: usize,
    /// True if a step leads to another one than the document says.
    are_ways_doubtful: bool,
    /// True if the flow may be in other languages than the document says.
    are_languages_doubtful: bool,
    /// The number of stand-ins that took the place of something unreadable.
    unreadable: usize,
    /// Texts that something else took the place of.
    lost: Vec<String>,
    /// Computed fields that got another name, each with the one that is written.
    renamed: Vec<(NodeId, String)>,
}

impl<'a> Search<'a> {
    const fn new(tree: Node, faults: &'a mut yaml::Faults) -> Self {
        Self {
            unreadable: faults.doubtful.len(),
            lost: Vec::new(),
            renamed: Vec::new(),
            tree,
            faults,
            checks: 0,
            are_ways_doubtful: false,
            are_languages_doubtful: false,
        }
    }

    /// Adds the faults that a check found, and those behind them.
    fn collect(&mut self, mut found: Found, is_thorough: bool) {
        let mut tried = BTreeSet::new();
        loop {
            let mut is_better = false;
            // The fields of steps with an error. What is said of them may follow from it.
            let mut waiting: Vec<String> = Vec::new();
            let mut is_renamed = false;
            for (id, fault) in found.errors {
                let waits = is_renamed && is_of_names(&fault.reason)
                    || waiting.iter().any(|field| mentions(&self.tree, id, field));
                if waits || self.faults.has(fault.place) || self.is_consequence(id, &fault) {
                    continue;
                }
                waiting.extend(fields_at(&self.tree, id));
                is_renamed |= is_field(&self.tree, id)
                    || is_state(&self.tree, id)
                    || lacks_field(&self.tree, id);
                self.faults.errors.push(fault.clone());
                if is_thorough && tried.insert(id) {
                    is_better |= self.repair(id, fault.place);
                }
            }
            if !is_better || self.checks > MAX_CHECKS {
                return;
            }
            match check(&self.tree, !is_thorough) {
                Ok(next) => found = next,
                Err(_) => return,
            }
        }
    }

    /// Puts something that fits in the place of the node `id`. Returns false if nothing does.
    fn repair(&mut self, id: NodeId, place: Place) -> bool {
        let before = self.tree.clone();
        for (candidate, doubt) in repair::candidates(&before, id) {
            self.checks += 1;
            if self.checks > MAX_CHECKS {
                return false;
            }
            let fits = |found: Found| found.errors.iter().all(|(other, _)| *other != id);
            if check(&candidate, false).is_ok_and(fits) {
                self.tree = candidate;
                let computed = computed_by(&before, id);
                self.lost.extend(computed.map(str::to_owned));
                if let Some(name) = part(&before, id).and_then(Node::scalar)
                    && is_field(&before, id)
                {
                    self.renamed.push((id, name.to_owned()));
                }
                match doubt {
                    Doubt::Nothing => {}
                    Doubt::Ways => self.are_ways_doubtful = true,
                    Doubt::Languages => self.are_languages_doubtful = true,
                    Doubt::Fields => {
                        let text = part(&before, id).and_then(Node::scalar);
                        self.lost.extend(text.map(str::to_owned));
                        self.faults.doubtful.push(place);
                    }
                }
                return true;
            }
        }
        self.faults.doubtful.push(place);
        false
    }

    /// Returns whether the fault may only follow from an earlier one.
    fn is_consequence(&self, id: NodeId, fault: &Fault) -> bool {
        let doubtful = &self.faults.doubtful;
        if self.is_beside_doubt(id, &fault.reason) || self.is_of_own_name(id, &fault.reason) {
            return true;
        }
        if self.are_languages_doubtful && is_of_languages(&fault.reason) {
            return true;
        }
        if doubtful.is_empty() && !self.are_ways_doubtful && self.lost.is_empty() {
            return false;
        }
        let steps = steps(&self.tree);
        // How the steps lead to each other is in doubt.
        let are_ways_known = doubtful.is_empty() && !self.are_ways_doubtful;
        if !are_ways_known && steps.iter().any(|(state, _)| state.id == id) {
            return true;
        }
        let is_doubtful = |node: &Node| doubtful.iter().any(|place| has(node, *place));
        let mut fields = Vec::new();
        // A step's own texts come before its answer.
        let is_said = |step: &Node| {
            let texts = ["prompt", "retry"].map(|name| step.get(name));
            texts
                .into_iter()
                .flatten()
                .any(|text| part(text, id).is_some())
        };
        let before = steps
            .iter()
            .filter(|(_, step)| is_doubtful(step) && !is_said(step));
        for (_, step) in before {
            fills(step, &mut fields);
        }
        let unreadable = doubtful.get(..self.unreadable).unwrap_or_default();
        let is_nameless = fields.iter().any(|it| unreadable.contains(&it.place));
        let names = fields.iter().filter_map(|field| field.scalar());
        let mut names = names.chain(self.lost.iter().map(String::as_str));
        is_nameless && fault.reason.contains("not every way")
            || names.any(|field| mentions(&self.tree, id, field))
    }
}

impl Search<'_> {
    /// Returns whether a reason names a member beside the node `id` that is doubtful itself.
    fn is_beside_doubt(&self, id: NodeId, reason: &str) -> bool {
        let unreadable = self.faults.doubtful.get(..self.unreadable);
        let unreadable = unreadable.unwrap_or_default();
        repair::beside(&self.tree, id).iter().any(|(key, value)| {
            let name = key.scalar().unwrap_or_default();
            value.id != id
                && unreadable.contains(&value.place)
                && reason.contains(&format!("`{name}`"))
        })
    }

    /// Returns whether an expression reads what it computes, or a `value`, although the field has a
    /// name of its own only by a repair.
    fn is_of_own_name(&self, id: NodeId, reason: &str) -> bool {
        let entries = repair::beside(&self.tree, id);
        let field = entries.iter().find(|(_, source)| source.id == id);
        let written = field.and_then(|(field, _)| {
            let mut renamed = self.renamed.iter();
            renamed.find(|(renamed, _)| *renamed == field.id)
        });
        let reads = |name: &str| reason.contains(&format!("reads `{name}`"));
        written.is_some_and(|(_, name)| reads(name) || reads("value"))
    }
}

fn has(node: &Node, place: Place) -> bool {
    node.place == place || node.parts().any(|part| has(part, place))
}

/// Returns whether a reason is about the languages of a text.
fn is_of_languages(reason: &str) -> bool {
    let reasons = [
        "the flow's languages",
        "is missing here",
        "in one language",
        "is there twice",
    ];
    reasons.iter().any(|it| reason.contains(it))
}

fn is_state(tree: &Node, id: NodeId) -> bool {
    steps(tree).iter().any(|(state, _)| state.id == id)
}

/// Returns whether a reason is about a field that no step fills, or a step that is not there.
fn is_of_names(reason: &str) -> bool {
    ["every way", "no step"]
        .iter()
        .any(|it| reason.contains(it))
}

/// Returns the names of the fields that the step with the node `id` fills.
fn fields_at(tree: &Node, id: NodeId) -> Vec<String> {
    let steps = steps(tree).iter();
    let mut own = steps.filter(|(state, step)| state.id == id || part(step, id).is_some());
    let mut fields = Vec::new();
    if let Some((_, step)) = own.next() {
        fills(step, &mut fields);
    }
    let names = fields.into_iter().filter_map(Node::scalar);
    names.map(str::to_owned).collect()
}

/// Collects the names of fields that a step fills.
fn fills<'a>(node: &'a Node, fields: &mut Vec<&'a Node>) {
    let names = ["fill", "member"].map(|name| node.get(name));
    fields.extend(names.into_iter().flatten());
    let computed = node.get("compute").map(Node::entries).unwrap_or_default();
    fields.extend(computed.iter().map(|(name, _)| name));
    for part in node.parts() {
        fills(part, fields);
    }
}

/// Returns whether the text of the node `id` has the word `field` among others.
fn mentions(tree: &Node, id: NodeId, field: &str) -> bool {
    let text = part(tree, id).and_then(Node::scalar).unwrap_or_default();
    let is_read = text != field || member_of(tree, id) == Some("of");
    is_read && words(text).any(|word| word == field)
}
