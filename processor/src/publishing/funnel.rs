//! Counts the leads that reached, answered, retried and left at each step.

use std::collections::BTreeMap;

use leadstream_schemas::{FlowRef, LeadId};

use crate::flow::Conversation;
use crate::flows::Flows;
use crate::lead::{Lead, Replayed};
use crate::service::Error;
use crate::store::Store;

const PAGE: i64 = 1_000;

/// The steps of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Funnel {
    pub flow: FlowRef,
    /// The counts by step, in the document's order.
    pub steps: Vec<(String, StepCount)>,
}

/// The counts of conversations at one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepCount {
    /// Conversations that came to the step.
    pub reached: u64,
    /// Conversations that went on from it.
    pub answered: u64,
    /// Conversations that were asked again there.
    pub retried: u64,
    /// Conversations whose open step it is, or that left the flow there: cold, opted out, handed
    /// off.
    pub left: u64,
}

/// The steps of one lead, by version and step.
type Counts = BTreeMap<(String, u32), BTreeMap<String, StepCount>>;

pub(super) async fn count(store: &Store, flows: &Flows, name: &str) -> Result<Vec<Funnel>, Error> {
    let mut counts = Counts::new();
    let mut after = LeadId::default();
    loop {
        let page = store.leads_after(&after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            break;
        };
        after.clone_from(last);
        for (_, bytes) in &page {
            let lead = Lead::from_bytes(bytes).map_err(crate::store::StoreError::from)?;
            let steps = lead.journal.replay(flows)?;
            add(&mut counts, flows, name, &steps);
        }
    }
    let funnels = counts
        .into_iter()
        .filter_map(|((name, version), mut steps)| {
            let flow = FlowRef { name, version };
            let order = flows.get(&flow)?.states().skip(1);
            let steps =
                order.map(|state| (state.to_owned(), steps.remove(state).unwrap_or_default()));
            Some(Funnel {
                steps: steps.collect(),
                flow,
            })
        });
    Ok(funnels.collect())
}

/// Counts each step of a lead's conversation at most once.
fn add(counts: &mut Counts, flows: &Flows, name: &str, steps: &[Replayed<'_>]) {
    let mut seen: BTreeMap<((String, u32), String), StepCount> = BTreeMap::new();
    let mut mark = |it: &Conversation, set: fn(&mut StepCount)| {
        let state = it.open_step();
        let is_step = flows
            .get(&it.flow)
            .is_some_and(|flow| flow.states().skip(1).any(|known| known == state));
        if it.flow.name == name && is_step {
            let key = ((it.flow.name.clone(), it.flow.version), state.to_owned());
            set(seen.entry(key).or_default());
        }
    };
    for step in steps {
        mark(&step.after, |it| it.reached = 1);
        let Some(before) = &step.before else {
            continue;
        };
        mark(before, |it| it.reached = 1);
        let is_restart = step.after.data.len() < before.data.len();
        if before.open_step() != step.after.open_step() && !is_restart {
            mark(before, |it| it.answered = 1);
        } else if step.after.internal.tries > before.internal.tries {
            mark(&step.after, |it| it.retried = 1);
        }
    }
    if let Some(last) = steps.last().map(|step| &step.after)
        && !last.is_completed
    {
        mark(last, |it| it.left = 1);
    }
    for ((version, state), lead) in seen {
        let count = counts.entry(version).or_default().entry(state).or_default();
        count.reached += lead.reached;
        count.answered += lead.answered;
        count.retried += lead.retried;
        count.left += lead.left;
    }
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::Content;

    use super::*;
    use crate::flow::{DEFAULT_FLOW, Flow};
    use crate::simulator::Simulator;

    #[test]
    fn each_lead_counts_once_at_each_step() {
        let flow = Flow::parse("flow", DEFAULT_FLOW).unwrap();
        let flows = Flows::new(flow, Vec::new());
        let mut counts = Counts::new();
        for lines in [
            &["Hi", "Ann", "5000", "Thanks"][..],
            &["Hi", "Bob", "no", "why", "5000"],
            &["Hi", "Cy", "no"],
            &["Hi", "Di", "STOP"],
            &["Hi"],
        ] {
            let mut simulator = Simulator::new(&flows);
            for line in lines {
                simulator
                    .advance(std::time::Duration::from_secs(10))
                    .unwrap();
                let body = (*line).to_owned();
                simulator.send(&Content::Text { body }).unwrap();
            }
            let steps = simulator.journal().replay(&flows).unwrap();
            add(&mut counts, &flows, "qualification", &steps);
        }
        let steps = counts.remove(&("qualification".into(), 2)).unwrap();
        let count = |reached, answered, retried, left| StepCount {
            reached,
            answered,
            retried,
            left,
        };
        assert_eq!(steps["AWAITING_NAME"], count(5, 4, 0, 1));
        assert_eq!(steps["AWAITING_BUDGET"], count(4, 2, 2, 2));
        assert_eq!(steps["COMPLETED"], count(2, 0, 0, 0));
    }
}
