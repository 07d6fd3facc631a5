//! Adds time to the model. Time is folded at arbitrary moments between the deliveries, before and
//! after inputs that have not arrived yet, and finally to the end.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use leadstream_schemas::{Partition, Timestamp};
use proptest::prelude::*;

use super::{Fixture, PARTITIONS, World, erase};
use crate::engine::batch::{Clock, DueLead, Rules, fire_timers};
use crate::flow::{Conversation, DEFAULT_FLOW, Flow, fire_due_timers};
use crate::flows::Flows;

/// A time after everything else.
pub(super) const END: Timestamp = Timestamp::from_secs(1_000_000);

/// The flows of [`fixture`] with the same version in the place of every one.
pub(super) static ITSELF: LazyLock<Flows> =
    LazyLock::new(|| Flows::new(timed(), Vec::new()).replaced_by(vec![timed()]));

fn timed() -> Flow {
    let timers = "timers:\n  nudge: 900ms\n  cold: 2s\n  handoff: 1500ms\n";
    let messages = "messages:\n  nudge: Are you there?\n";
    let text = DEFAULT_FLOW.replace("messages:\n", messages) + timers;
    Flow::parse("timed", &text).unwrap()
}

/// Returns the default flow with timers as long as a case.
pub(super) fn fixture(journal: usize) -> Fixture {
    Fixture {
        flows: Flows::new(timed(), Vec::new()),
        journal,
        partitions: Some(PARTITIONS),
        erasure: erase::keys(),
        ..Fixture::new()
    }
}

/// Fires all timers of `conversation` after its last input.
pub(super) fn pass_to_the_end(flows: &Flows, conversation: &mut Option<Conversation>) {
    if let Some(conversation) = conversation {
        let flow = flows.get(&conversation.flow).unwrap();
        fire_due_timers(flow, conversation, END);
    }
}

impl World<'_> {
    pub(super) fn fire_now_and_then(
        &mut self,
        choice: usize,
        count: usize,
    ) -> Result<(), TestCaseError> {
        let moment = choice * 7 + count * 11;
        if !moment.is_multiple_of(3) {
            let at = 1_000_000 + i64::try_from(moment).unwrap() * 100;
            self.fire(choice % PARTITIONS, Timestamp::from_millis(at))?;
        }
        Ok(())
    }

    /// Fires timers until no lead waits for time.
    pub(super) fn fire_to_the_end(&mut self) -> Result<(), TestCaseError> {
        for partition in 0..PARTITIONS {
            self.fire(partition, END)?;
        }
        prop_assert!(self.timers.is_empty(), "timers are left");
        Ok(())
    }

    /// Fires timers as the partition's owner does.
    fn fire(&mut self, partition: usize, until: Timestamp) -> Result<(), TestCaseError> {
        let partition = Partition(i32::try_from(partition).unwrap());
        let due = self
            .timers
            .iter()
            .filter(|(_, (home, due))| *home == partition && *due <= until);
        let leads = due
            .map(|(lead_id, _)| {
                let lead = self.leads[lead_id].clone();
                DueLead {
                    lead_id: lead_id.clone(),
                    partition,
                    account: self.fixture.accounts.of(&lead.number).to_owned(),
                    lead,
                }
            })
            .collect();
        let clock = Clock {
            until: &BTreeMap::from([(partition, until)]),
            now: until,
        };
        let rules = Rules {
            flows: &self.fixture.flows,
            output_topics: &self.fixture.output_topics,
            erasure: &self.fixture.erasure,
            journal: self.fixture.journal,
            partitions: self.fixture.partitions,
        };
        let folded = fire_timers(leads, clock, &rules).unwrap();
        self.commit(folded)
    }

    /// Checks that every lead's next due time is entered, for that time or earlier.
    pub(super) fn timers_are_entered(&self) -> Result<(), TestCaseError> {
        for (lead_id, lead) in &self.leads {
            let entry = self.timers.get(lead_id).map(|(_, due)| *due);
            prop_assert_eq!(lead.timer_due_at, entry, "the lead knows its entry");
            if let Some(due) = lead.next_due(&self.fixture.flows).unwrap() {
                prop_assert!(entry.is_some_and(|entry| entry <= due), "entered too late");
            }
        }
        Ok(())
    }
}
