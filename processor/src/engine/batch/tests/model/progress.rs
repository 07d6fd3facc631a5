//! Adds the funnel to the model: what a person did at each step, found without the fold's marks, by
//! comparing the conversations before and after each input.

use std::collections::BTreeMap;

use leadstream_schemas::Timestamp;

use crate::flow::{Conversation, HUMAN_HANDOFF, TurnInput, fire_due_timers};
use crate::flows::Flows;

/// Whether a step was reached, answered and retried.
pub(super) type Did = [bool; 3];

/// What was done, by version and step.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Observed(BTreeMap<(u32, String), Did>);

impl Observed {
    /// Observes one input of a flow that has only questions and ends.
    pub(super) fn observe(
        &mut self,
        flows: &Flows,
        before: Option<&Conversation>,
        after: &Conversation,
        at: Timestamp,
        answer: &TurnInput,
    ) {
        self.set(flows, after, 0);
        let Some(mut before) = before.cloned() else {
            return;
        };
        let flow = flows.get(&before.flow).unwrap();
        fire_due_timers(flow, &mut before, at);
        if flow.is_restart(&before, answer) && !after.is_opted_out() {
            return;
        }
        let handed_over_by_tries = answer.is_from_provider()
            && after.state == HUMAN_HANDOFF
            && after.internal.takeover_at.is_none()
            && !before.is_handed_over();
        if before.open_step() != after.open_step() {
            self.set(flows, &before, 1);
        } else if after.internal.tries > before.internal.tries || handed_over_by_tries {
            self.set(flows, &before, 2);
        }
    }

    fn set(&mut self, flows: &Flows, conversation: &Conversation, what: usize) {
        let step = conversation.open_step();
        let flow = flows.get(&conversation.flow).unwrap();
        if flow.states().skip(1).any(|state| state == step) {
            let key = (conversation.flow.version, step.to_owned());
            self.0.entry(key).or_default()[what] = true;
        }
    }

    /// Reads the marks of the fold, as the view `report_funnel` does.
    pub(super) fn marked(flows: &Flows, conversation: &Conversation) -> Self {
        let progress = &conversation.internal.progress;
        let current = (&conversation.flow, progress.steps());
        let former = progress.former().iter().map(|it| (&it.flow, &*it.steps));
        let mut marked = BTreeMap::new();
        for (reference, steps) in std::iter::once(current).chain(former) {
            let states = flows.get(reference).unwrap().states().skip(1);
            for (state, bits) in states.zip(steps).filter(|(_, bits)| **bits > 0) {
                let did = [1, 2, 4].map(|bit| bits & bit > 0);
                marked.insert((reference.version, state.to_owned()), did);
            }
        }
        Self(marked)
    }
}
