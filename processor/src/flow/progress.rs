//! Records what a lead did at each step of its flow, for the funnel.

use leadstream_schemas::FlowRef;
use serde::{Deserialize, Serialize};

/// What a lead did at a step: the bits of a byte. The view `report_funnel` reads them.
pub(super) const REACHED: u8 = 1;
pub(super) const ANSWERED: u8 = 2;
pub(super) const RETRIED: u8 = 4;

/// What a lead did at each step, in all its conversations. Part of the fold: a late input, an edit or
/// a duplicate counts as in every other field. Stored as a MessagePack array: add fields only at the
/// end, with a default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// The bits of each step in the document's order, up to the last step with any.
    steps: Vec<u8>,
    /// The steps of the versions that the lead followed before it restarted.
    former: Vec<FormerProgress>,
}

/// What a lead did at each step of a version that it no longer follows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FormerProgress {
    pub flow: FlowRef,
    pub steps: Vec<u8>,
}

impl Progress {
    #[must_use]
    pub fn steps(&self) -> &[u8] {
        &self.steps
    }

    #[must_use]
    pub fn former(&self) -> &[FormerProgress] {
        &self.former
    }

    /// Marks the step at `index` as reached and sets `bits`. A conversation from before version 0.2
    /// may be at a step that nothing marks.
    pub(super) fn mark(&mut self, index: usize, bits: u8) {
        if self.steps.len() <= index {
            self.steps.resize(index + 1, 0);
        }
        if let Some(step) = self.steps.get_mut(index) {
            *step |= REACHED | bits;
        }
    }

    /// Continues after a restart that leads from the version `from` to `to`.
    pub(super) fn restarted(mut self, from: FlowRef, to: &FlowRef) -> Self {
        if from != *to {
            let again = self.former.iter().position(|it| it.flow == *to);
            let steps = again.map(|at| self.former.remove(at).steps);
            let before = std::mem::replace(&mut self.steps, steps.unwrap_or_default());
            self.add(to, from, &before);
        }
        self
    }

    /// Adds the progress of another lead that is the same person. `own` is the version that this
    /// lead follows, and `theirs` the one of the other.
    pub(crate) fn join(&mut self, own: &FlowRef, other: Self, theirs: FlowRef) {
        self.add(own, theirs, &other.steps);
        for former in other.former {
            self.add(own, former.flow, &former.steps);
        }
    }

    fn add(&mut self, own: &FlowRef, flow: FlowRef, steps: &[u8]) {
        if flow == *own {
            return unite(&mut self.steps, steps);
        }
        match self.former.iter_mut().find(|it| it.flow == flow) {
            Some(known) => unite(&mut known.steps, steps),
            None => self.former.push(FormerProgress {
                flow,
                steps: steps.to_vec(),
            }),
        }
    }
}

fn unite(steps: &mut Vec<u8>, others: &[u8]) {
    if steps.len() < others.len() {
        steps.resize(others.len(), 0);
    }
    for (step, other) in steps.iter_mut().zip(others) {
        *step |= other;
    }
}

#[cfg(test)]
mod tests;
