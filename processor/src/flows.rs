//! Holds the published versions of flows and chooses the one that a conversation follows.

pub(crate) mod change;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use leadstream_schemas::{FieldType, FlowRef, Timestamp};

pub use change::{ChangeError, Publication};

use crate::flow::{DEFAULT_FLOW, Flow, FlowError, TurnInput};

/// The least time between a publication or withdrawal and its effect. Every processor reads the
/// change within this time, before it folds an input that the change concerns.
pub const VISIBILITY_WINDOW: Duration = Duration::from_secs(30);

/// The delay that a publication adds: [`VISIBILITY_WINDOW`], and the time that its transaction may
/// take.
pub(crate) const ACTIVATION_DELAY: Duration = Duration::from_secs(VISIBILITY_WINDOW.as_secs() + 15);

/// A published document as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub name: String,
    pub version: u32,
    pub text: String,
    /// The time from which conversations can begin with the version.
    pub new_conversations_from: Timestamp,
    /// The time from which none does, if the version was withdrawn.
    pub new_conversations_until: Option<Timestamp>,
}

/// The origin of a conversation's first message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The business number that received the message.
    pub number: &'a str,
    /// The ad or post that led to the message.
    pub referral: Option<&'a str>,
}

/// The published versions with the times from which they are in effect. Never empty.
#[derive(Debug)]
pub struct Flows {
    versions: BTreeMap<FlowRef, Flow>,
    /// The version for every time before the other versions.
    first: FlowRef,
    /// The time from which `first` is withdrawn.
    first_until: Option<Timestamp>,
    /// The versions by time, ascending.
    timeline: Vec<ActiveVersion>,
    /// The version that replaces every other one of its flow, by the flow's name.
    replacements: BTreeMap<String, u32>,
    by_origin: bool,
}

#[derive(Debug)]
struct ActiveVersion {
    from: Timestamp,
    until: Option<Timestamp>,
    key: FlowRef,
}

impl ActiveVersion {
    fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

impl Flows {
    /// Creates the flows; `first` is in effect before every other version.
    #[must_use]
    pub fn new(first: Flow, later: Vec<(Timestamp, Flow)>) -> Self {
        let later = later.into_iter().map(|(from, flow)| (from, None, flow));
        Self::of(first, later.collect())
    }

    /// Reads published documents in the order of their times; without any, the default flow.
    ///
    /// # Errors
    /// Returns an error for a document that this version cannot read.
    pub fn read(published: &[Published]) -> Result<Self, FlowError> {
        let mut flows = Vec::with_capacity(published.len());
        for it in published {
            let file = format!("published flow `{}` version {}", it.name, it.version);
            let flow = Flow::parse(&file, &it.text)?;
            flows.push((it.new_conversations_from, it.new_conversations_until, flow));
        }
        if flows.is_empty() {
            let flow = Flow::parse("the default flow", DEFAULT_FLOW)?;
            return Ok(Self::of(flow, Vec::new()));
        }
        let (_, until, first) = flows.remove(0);
        let mut all = Self::of(first, flows);
        all.first_until = until;
        Ok(all)
    }

    fn of(first: Flow, later: Vec<(Timestamp, Option<Timestamp>, Flow)>) -> Self {
        let first_key = first.reference();
        let mut timeline: Vec<ActiveVersion> = later
            .iter()
            .map(|(from, until, flow)| ActiveVersion {
                from: *from,
                until: *until,
                key: flow.reference(),
            })
            .collect();
        timeline.sort_by(|a, b| (a.from, &a.key).cmp(&(b.from, &b.key)));
        let mut versions: BTreeMap<_, _> = later
            .into_iter()
            .map(|(_, _, flow)| (flow.reference(), flow))
            .collect();
        versions.insert(first_key.clone(), first);
        Self {
            by_origin: versions.values().any(Flow::is_chosen_by_origin),
            versions,
            first: first_key,
            first_until: None,
            timeline,
            replacements: BTreeMap::new(),
        }
    }

    /// Returns the flows with each of `replacements` in the place of every version of the same name, as a
    /// replay folds. Which *flow* a conversation follows stays as it is.
    #[must_use]
    pub fn replaced_by(mut self, replacements: Vec<Flow>) -> Self {
        for flow in replacements {
            let reference = flow.reference();
            self.replacements
                .insert(reference.name.clone(), reference.version);
            self.versions.insert(reference, flow);
        }
        self
    }

    /// Returns the version that replaces `flow`, or else `flow`.
    fn replacement<'a>(&'a self, flow: &'a Flow) -> &'a Flow {
        if self.replacements.is_empty() {
            return flow;
        }
        let FlowRef { name, .. } = flow.reference();
        let version = self.replacements.get(&name).copied();
        version
            .and_then(|version| self.versions.get(&FlowRef { name, version }))
            .unwrap_or(flow)
    }

    #[must_use]
    pub fn get(&self, reference: &FlowRef) -> Option<&Flow> {
        self.versions.get(reference)
    }

    /// Returns whether a business number or an ad can choose a flow.
    #[must_use]
    pub fn are_chosen_by_origin(&self) -> bool {
        self.by_origin
    }

    /// Returns every published version.
    pub fn all(&self) -> impl Iterator<Item = &Flow> {
        self.versions.values()
    }

    /// Returns the types of every field that flows fill: of each flow the one of its newest version with
    /// the field.
    #[must_use]
    pub fn field_types(&self) -> BTreeMap<String, Vec<FieldType>> {
        let mut types: BTreeMap<String, Vec<FieldType>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (FlowRef { name, .. }, version) in self.versions.iter().rev() {
            for (field, of_field) in version.field_types() {
                let known = types.entry(field.clone()).or_default();
                if seen.insert((name, field)) && !known.contains(of_field) {
                    known.push(of_field.clone());
                }
            }
        }
        types
    }

    /// Returns the version of the flow `name` that is in effect at `at`.
    #[must_use]
    pub fn newest(&self, name: &str, at: Timestamp) -> Option<&Flow> {
        let of_it = |version: &&ActiveVersion| version.key.name == name && version.holds(at);
        let later = self.timeline.iter().rfind(of_it).map(|held| &held.key);
        let first = self.first_at(at).filter(|first| first.name == name);
        let newest = self.versions.get(later.or(first)?)?;
        Some(self.replacement(newest))
    }

    fn first_at(&self, at: Timestamp) -> Option<&FlowRef> {
        let is_held = self.first_until.is_none_or(|until| at < until);
        is_held.then_some(&self.first)
    }

    /// Returns the version of each flow that is in force at `at`; first that of the flow that was
    /// published last.
    fn newest_first(&self, at: Timestamp) -> impl Iterator<Item = &Flow> {
        let mut seen = BTreeSet::new();
        let held = self.timeline.iter().rev().filter(move |it| it.holds(at));
        held.map(|held| &held.key)
            .chain(self.first_at(at))
            .filter(move |key| seen.insert(key.name.as_str()))
            .filter_map(|key| self.versions.get(key))
    }

    /// Returns the version of each flow that is in force at `at`.
    pub(crate) fn in_force(&self, at: Timestamp) -> Vec<&Flow> {
        self.newest_first(at).collect()
    }

    /// Returns the flow that takes every conversation for which no other flow is chosen.
    pub(crate) fn default_at(&self, at: Timestamp) -> Option<&Flow> {
        self.newest_first(at).find(|flow| flow.takes_all())
    }

    /// Returns the times at which versions begin or end.
    pub(crate) fn changes(&self) -> impl Iterator<Item = Timestamp> {
        let ends = self.timeline.iter().filter_map(|it| it.until);
        let begins = self.timeline.iter().map(|it| it.from);
        begins.chain(ends).chain(self.first_until)
    }

    /// Returns the version for a conversation whose first message comes at `at`. Of the newest
    /// version of each flow it takes the one that fits best; of equals, the one that was published
    /// last.
    ///
    /// # Panics
    /// Never: `first` was put into the map with it.
    #[must_use]
    #[expect(clippy::expect_used, reason = "both are built together in `of`")]
    pub fn choose(&self, at: Timestamp, origin: Origin<'_>, answer: &TurnInput) -> &Flow {
        let mut best: Option<(u8, &Flow)> = None;
        for flow in self.newest_first(at) {
            if let Some(fits) = flow.fits(origin.referral, origin.number, answer)
                && best.is_none_or(|(most, _)| fits > most)
            {
                best = Some((fits, flow));
            }
        }
        let chosen = best.map_or_else(
            || self.versions.get(&self.first).expect("the first version"),
            |(_, flow)| flow,
        );
        self.replacement(chosen)
    }
}

#[cfg(test)]
mod tests;
