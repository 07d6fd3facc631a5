//! The published versions of flows, and which one a conversation follows.

use std::collections::BTreeMap;

use leadstream_schemas::{FlowRef, Timestamp};

use crate::flow::Flow;

/// Published versions with the time from which each holds. Never empty.
#[derive(Debug)]
pub struct Flows {
    versions: BTreeMap<(String, u32), Flow>,
    first: (String, u32),
    /// By time, ascending.
    timeline: Vec<(Timestamp, (String, u32))>,
}

impl Flows {
    /// `first` holds for whatever is earlier than every other version.
    #[must_use]
    pub fn new(first: Flow, later: Vec<(Timestamp, Flow)>) -> Self {
        let key = |flow: &Flow| {
            let reference = flow.reference();
            (reference.name, reference.version)
        };
        let first_key = key(&first);
        let mut timeline: Vec<_> = later.iter().map(|(at, flow)| (*at, key(flow))).collect();
        timeline.sort();
        let mut versions: BTreeMap<_, _> = later
            .into_iter()
            .map(|(_, flow)| (key(&flow), flow))
            .collect();
        versions.insert(first_key.clone(), first);
        Self {
            versions,
            first: first_key,
            timeline,
        }
    }

    #[must_use]
    pub fn get(&self, reference: &FlowRef) -> Option<&Flow> {
        self.versions
            .get(&(reference.name.clone(), reference.version))
    }

    /// Every published version.
    pub fn all(&self) -> impl Iterator<Item = &Flow> {
        self.versions.values()
    }

    /// The version that holds at `at`.
    ///
    /// # Panics
    /// Never: every key of the timeline was put into the map with it.
    #[must_use]
    #[expect(clippy::expect_used, reason = "both maps are built together in `new`")]
    pub fn at(&self, at: Timestamp) -> &Flow {
        let later = self.timeline.partition_point(|(from, _)| *from <= at);
        let key = later
            .checked_sub(1)
            .and_then(|index| self.timeline.get(index))
            .map_or(&self.first, |(_, key)| key);
        self.versions.get(key).expect("a key of the timeline")
    }
}
