//! Holds what a flow does about a question that did not reach the lead.

use std::collections::BTreeMap;

use leadstream_schemas::UndeliveredClass;

/// The change of a conversation whose open question did not reach the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// A person of the business gets the lead.
    HandOff,
    /// The lead is cold, without a further timer.
    Cold,
    /// Timers go on.
    Nothing,
}

/// The reactions of a flow, where they are not the usual ones.
#[derive(Debug, Default)]
pub(super) struct Reactions(pub(super) BTreeMap<UndeliveredClass, Reaction>);

impl Reactions {
    pub(super) fn of(&self, class: UndeliveredClass) -> Reaction {
        self.0.get(&class).copied().unwrap_or(match class {
            UndeliveredClass::UnknownOutcome | UndeliveredClass::HandedOff => Reaction::HandOff,
            UndeliveredClass::Unreachable | UndeliveredClass::WindowClosed => Reaction::Cold,
            UndeliveredClass::Marketing
            | UndeliveredClass::Experiment
            | UndeliveredClass::Template
            | UndeliveredClass::Form
            | UndeliveredClass::Rejected => Reaction::Nothing,
        })
    }
}
