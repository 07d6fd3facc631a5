//! Adds erasures to the model. An erasure reaches what was folded before it, so its extent depends
//! on the delivery. The final state depends only on the inputs and the tombstones.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashSet};
use leadstream_schemas::{
    Content, Identity, InputId, InputKind, LeadEvent, LeadId, LeadInput, Reply, Revision, Timestamp,
};
use leadstream_service::Secret;
use proptest::prelude::*;

use super::{Act, LONG, What, World, ids, inputs, notations, number, people};
use crate::engine::batch::BatchResult;
use crate::erasure::{ErasureKeys, ErasureRecord, Tombstone};
use crate::flow::ERASED;
use crate::verifying::misplaced;

pub(super) fn keys() -> ErasureKeys {
    ErasureKeys::resolve(Some(Secret::new("a key of the model"))).unwrap()
}

/// The state of erased people in PostgreSQL, and the model's own record of them.
#[derive(Default)]
pub(super) struct Tombstones {
    by_hash: HashMap<Tombstone, ErasureRecord>,
    /// The time until which each lead was erased, and its last revision then, by lead id.
    leads: BTreeMap<LeadId, (Timestamp, Revision)>,
}

/// Returns every id that a case may have.
fn all_ids() -> Vec<String> {
    let of = |person: u8| {
        let numbers = [false, true].map(|changed| number(person, changed));
        let numbers = numbers.iter().flat_map(|number| notations(number));
        let others = [format!("DE.{person}"), format!("999{person}")];
        numbers.chain(others).collect::<Vec<_>>()
    };
    (0..2).flat_map(of).collect()
}

/// Returns what each person writes after everything else was read, under the ids of their first
/// act.
pub(super) fn afterwards(acts: &[Act]) -> Vec<LeadInput> {
    let of = |person: u8| {
        let first = acts.iter().find(|act| act.person == person)?;
        let last = Act {
            second: 100,
            delay: 0,
            what: What::Says("Hi"),
            copies: 0,
            ..first.clone()
        };
        let mut input = inputs(&[last]).pop()?;
        input.id = format!("last{person}").into();
        Some(input)
    };
    (0..2).filter_map(of).collect()
}

impl World<'_> {
    pub(super) fn is_anybody_erased(&self) -> bool {
        !self.tombstones.leads.is_empty()
    }

    /// Returns the inputs that are in journals, with the number of journals.
    pub(super) fn held(&self) -> BTreeMap<InputId, usize> {
        let mut held = BTreeMap::new();
        for entry in self.leads.values().flat_map(|lead| lead.journal.entries()) {
            *held.entry(entry.order.id.clone()).or_default() += 1;
        }
        held
    }

    /// Returns the tombstones that a batch knows. If leads are in memory, ids of these leads are
    /// omitted.
    pub(super) fn erasures(&self, in_memory: bool) -> HashMap<Identity, ErasureRecord> {
        if self.tombstones.by_hash.is_empty() {
            return HashMap::default();
        }
        let is_held = |id: &String| {
            let mut open = self.leads.iter().filter(|(_, it)| it.merged_into.is_none());
            open.any(|(lead_id, lead)| *lead_id == id.as_str() || lead.identities.hold(id))
        };
        let asked = all_ids()
            .into_iter()
            .filter(|id| !(in_memory && is_held(id)));
        asked
            .filter_map(|id| Some((self.erasure_of(&id)?, id)))
            .map(|(erasure, id)| (id.into(), erasure))
            .collect()
    }

    fn erasure_of(&self, id: &str) -> Option<ErasureRecord> {
        let hash = self.fixture.erasure.tombstone(&id.into())?;
        self.tombstones.by_hash.get(&hash).copied()
    }

    /// Deletes rows as the statements of the transaction do.
    pub(super) fn erase(&mut self, folded: &BatchResult) {
        for (lead_id, erased) in &folded.erased {
            self.leads.remove(lead_id);
            self.timers.remove(lead_id);
            self.decided
                .retain(|_, it| it.lead_id.as_ref() != Some(lead_id));
            self.evicted.retain(|it| it.lead_id != *lead_id);
            let rows: HashSet<_> = erased.rows().collect();
            self.identities
                .retain(|id, owner| !rows.contains(&(id, &*owner)));
            self.outbox
                .retain(|(partition, it)| *partition != erased.partition || !erased.concerns(it));
            let mut last = Revision(0);
            for (tombstone, revision) in &erased.tombstones {
                let erasure = ErasureRecord {
                    until: erased.until,
                    last_revision: *revision,
                };
                self.tombstones
                    .by_hash
                    .entry(tombstone.clone())
                    .or_default()
                    .join(erasure);
                last = last.max(*revision);
            }
            self.tombstones
                .leads
                .insert(lead_id.clone(), (erased.until, last));
        }
    }

    /// Checks that no published event describes what an erasure reached, except that it happened.
    pub(super) fn is_of_the_living(&self, event: &LeadEvent) -> Result<(), TestCaseError> {
        if let Some((until, revision)) = self.tombstones.leads.get(&event.data.lead_id) {
            let is_last = event.data.current_state == ERASED;
            prop_assert!(is_last || event.timestamp > *until, "{:?}", event);
            prop_assert!(event.data.revision >= *revision, "{:?}", event);
        }
        Ok(())
    }

    /// Checks the same for replies.
    pub(super) fn is_said_to_the_living(&self, reply: &Reply) -> Result<(), TestCaseError> {
        if let Some((_, revision)) = self.tombstones.leads.get(&reply.lead_id) {
            prop_assert!(reply.revision >= *revision, "{:?}", reply);
        }
        Ok(())
    }

    /// Returns whether one of `person`'s ids has a tombstone.
    pub(super) fn is_touched(&self, person: &BTreeSet<String>) -> bool {
        person.iter().any(|id| self.erasure_of(id).is_some())
    }

    /// Checks that every row belongs to an existing lead.
    pub(super) fn rows_are_of_leads(&self) -> Result<(), TestCaseError> {
        let is_there = |lead_id: &LeadId| self.leads.contains_key(lead_id);
        for (identity, owner) in &self.identities {
            prop_assert!(
                is_there(owner),
                "{} is of {}, who is not there",
                identity,
                owner
            );
        }
        for (lead_id, lead) in &self.leads {
            let own = std::iter::once(lead_id.as_str());
            for id in own.chain(lead.identities.all()) {
                let problem = misplaced(lead_id, lead, self.identities.get(id));
                prop_assert_eq!(problem, None, "{} of {}", id, lead_id);
            }
        }
        for (identity, owner) in &self.identities {
            let id = identity.as_str();
            let is_theirs = id == owner.as_str() || self.leads[owner].identities.hold(id);
            prop_assert!(is_theirs, "{} does not know {}", owner, identity);
        }
        prop_assert!(self.timers.keys().all(is_there), "a timer is left");
        let mut owners = self.evicted.iter().map(|it| &it.lead_id);
        prop_assert!(owners.all(is_there), "an evicted id is left");
        let mut of = self.decided.values().filter_map(|it| it.lead_id.as_ref());
        prop_assert!(of.all(is_there), "an outcome is left");
        for (lead_id, (_, revision)) in &self.tombstones.leads {
            let told = self.events.iter().any(|it| {
                let data = &it.data;
                (&data.lead_id, data.revision) == (lead_id, *revision)
                    && data.current_state == ERASED
            });
            prop_assert!(told, "no event says that {} was erased", lead_id);
        }
        Ok(())
    }

    /// Checks that nothing sent before an erasure comes back, and that later inputs exist once.
    pub(super) fn the_erased_stay_so(&self, all: &[LeadInput]) -> Result<(), TestCaseError> {
        for lead in self.leads.values() {
            for entry in lead.journal.entries() {
                let input = all.iter().find(|it| it.id == entry.order.id).unwrap();
                // The lead sent a merge request to the erased lead, by a message from after the
                // erasure. It stays, as though that message were the first request. The lead that
                // began again under that id may have merged into it since.
                if !(lead.pending_merges.is_empty() && lead.merged.is_empty()) {
                    continue;
                }
                for erasure in ids(input).iter().filter_map(|id| self.erasure_of(id)) {
                    let is_later = erasure.until < entry.order.at;
                    prop_assert!(is_later, "{} is back", &input.id);
                }
            }
        }
        for (input, decided) in all
            .iter()
            .filter_map(|it| Some((it, self.decided.get(&it.id)?)))
        {
            if matches!(input.content, Content::Erase { .. }) && decided.status.revision().is_some()
            {
                let erasure = ids(input).first().and_then(|id| self.erasure_of(id));
                let at = input.sent_at.min(input.received_at);
                prop_assert!(
                    erasure.is_some_and(|it| it.until >= at),
                    "{} did nothing",
                    &input.id
                );
            }
        }
        if self.fixture.journal < LONG {
            return Ok(());
        }
        let held = self.held();
        for person in people(all).iter().filter(|it| self.is_touched(it)) {
            let until = person
                .iter()
                .filter_map(|id| self.erasure_of(id))
                .map(|it| it.until)
                .max();
            let theirs = all.iter().filter(|it| {
                it.kind == InputKind::Message && ids(it).iter().any(|id| person.contains(id))
            });
            for input in theirs {
                let at = input.sent_at.min(input.received_at);
                let count = held.get(&input.id).copied().unwrap_or_default();
                let least = usize::from(until.is_none_or(|until| at > until));
                prop_assert!(
                    (least..=1).contains(&count),
                    "{} is there {} times",
                    &input.id,
                    count
                );
            }
        }
        Ok(())
    }
}
