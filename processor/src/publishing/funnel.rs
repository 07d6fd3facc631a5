//! Counts the leads that reached, answered, retried and left at each step.

use std::collections::BTreeMap;

use leadstream_schemas::FlowRef;

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
    let mut after = String::new();
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
    let mut seen: BTreeMap<((String, u32), String), [bool; 4]> = BTreeMap::new();
    let mut note = |it: &crate::flow::Conversation, what: usize| {
        let state = it.aside.left_off.as_ref().unwrap_or(&it.state);
        let is_step = flows
            .get(&it.flow)
            .is_some_and(|flow| flow.states().skip(1).any(|known| known == state));
        if it.flow.name == name && is_step {
            let key = ((it.flow.name.clone(), it.flow.version), state.clone());
            if let Some(flag) = seen.entry(key).or_default().get_mut(what) {
                *flag = true;
            }
        }
    };
    for step in steps {
        note(&step.after, 0);
        let Some(before) = &step.before else {
            continue;
        };
        note(before, 0);
        let at = |it: &crate::flow::Conversation| {
            it.aside
                .left_off
                .clone()
                .unwrap_or_else(|| it.state.clone())
        };
        let is_restart = step.after.data.len() < before.data.len();
        if at(before) != at(&step.after) && !is_restart {
            note(before, 1);
        } else if step.after.aside.tries > before.aside.tries {
            note(&step.after, 2);
        }
    }
    if let Some(last) = steps.last().map(|step| &step.after)
        && !last.is_completed
    {
        note(last, 3);
    }
    for ((version, state), [reached, answered, retried, left]) in seen {
        let count = counts.entry(version).or_default().entry(state).or_default();
        count.reached += u64::from(reached);
        count.answered += u64::from(answered);
        count.retried += u64::from(retried);
        count.left += u64::from(left);
    }
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::Content;

    use super::*;
    use crate::flow::{DEFAULT_FLOW, Flow};
    use crate::rehearsal::Rehearsal;

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
            let mut play = Rehearsal::new(&flows);
            for line in lines {
                play.advance(std::time::Duration::from_secs(10)).unwrap();
                let body = (*line).to_owned();
                play.send(&Content::Text { body }).unwrap();
            }
            let steps = play.journal().replay(&flows).unwrap();
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
