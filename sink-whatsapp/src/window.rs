//! The replies of one partition that Kafka's committed offset has not passed yet. Pure.
//!
//! A reply is free to go only when no earlier reply to the same lead is in the window, and a reply
//! leaves the window only once the offset after it is committed. So at any moment at most one
//! uncommitted reply of a lead can have been sent, which bounds what a crash repeats.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

#[derive(Debug)]
struct Slot<T> {
    offset: i64,
    lead: Option<Arc<str>>,
    value: T,
    finished: bool,
}

/// Uncommitted replies in the order of their offsets.
#[derive(Debug)]
pub struct Window<T> {
    slots: VecDeque<Slot<T>>,
    /// Offsets of each lead's replies in the window, in order. Never an empty queue.
    leads: HashMap<Arc<str>, VecDeque<i64>>,
    /// How many slots at the head are finished.
    finished: usize,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self {
            slots: VecDeque::new(),
            leads: HashMap::new(),
            finished: 0,
        }
    }
}

impl<T> Window<T> {
    /// Takes a reply in, its offset greater than all before; true when it is free to go at once.
    /// Without a lead it stands in nobody's order.
    pub fn push(&mut self, offset: i64, lead: Option<&str>, value: T) -> bool {
        let lead: Option<Arc<str>> = lead.map(Into::into);
        let free = match &lead {
            Some(lead) => {
                let queue = self.leads.entry(Arc::clone(lead)).or_default();
                queue.push_back(offset);
                queue.len() == 1
            }
            None => true,
        };
        self.slots.push_back(Slot {
            offset,
            lead,
            value,
            finished: false,
        });
        free
    }

    /// The reply at `offset` while it is in the window and not finished.
    pub fn open_mut(&mut self, offset: i64) -> Option<&mut T> {
        let index = self.index(offset)?;
        let slot = self.slots.get_mut(index)?;
        (!slot.finished).then_some(&mut slot.value)
    }

    /// Nothing is left to do for the reply at `offset`.
    pub fn finish(&mut self, offset: i64) {
        if let Some(slot) = self
            .index(offset)
            .and_then(|index| self.slots.get_mut(index))
        {
            slot.finished = true;
        }
        while self
            .slots
            .get(self.finished)
            .is_some_and(|slot| slot.finished)
        {
            self.finished += 1;
        }
    }

    /// The offset to commit: the one after the finished replies at the head, if there are any.
    #[must_use]
    pub fn committable(&self) -> Option<i64> {
        let last = self.finished.checked_sub(1)?;
        Some(self.slots.get(last)?.offset + 1)
    }

    /// Drops the replies before `next`, which is committed, and names those that are now free to
    /// go.
    pub fn release(&mut self, next: i64) -> Vec<i64> {
        let mut free = Vec::new();
        while let Some(slot) = self.slots.front() {
            if slot.offset >= next || !slot.finished {
                break;
            }
            self.finished -= 1;
            let lead = self.slots.pop_front().and_then(|slot| slot.lead);
            free.extend(lead.and_then(|lead| self.advance(&lead)));
        }
        free
    }

    /// The lead's next reply, its first one having left.
    fn advance(&mut self, lead: &Arc<str>) -> Option<i64> {
        let queue = self.leads.get_mut(lead)?;
        queue.pop_front();
        let next = queue.front().copied();
        if next.is_none() {
            self.leads.remove(lead);
        }
        next
    }

    fn index(&self, offset: i64) -> Option<usize> {
        self.slots
            .binary_search_by_key(&offset, |slot| slot.offset)
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::Window;

    #[test]
    fn a_leads_next_reply_is_free_only_once_the_one_before_is_committed() {
        let mut window = Window::default();
        assert!(window.push(7, Some("ann"), ()));
        assert!(!window.push(8, Some("ann"), ()));
        assert!(window.push(9, Some("bea"), ()));
        window.finish(9);
        assert_eq!(window.committable(), None);
        window.finish(7);
        assert_eq!(window.committable(), Some(8));
        assert!(window.open_mut(7).is_none());
        assert_eq!(window.release(8), [8]);
        assert_eq!(window.committable(), None);
        window.finish(8);
        assert_eq!(window.committable(), Some(10));
        assert!(window.release(10).is_empty());
        assert!(window.leads.is_empty() && window.slots.is_empty());
    }

    /// One step of a simulated service.
    #[derive(Clone, Debug)]
    enum Step {
        /// A record for this lead (or for none), the gap of offsets before it.
        Push(Option<u8>, i64),
        /// Finishes one of the replies that may go.
        Finish(prop::sample::Index),
        Commit,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (prop::option::weighted(0.9, 0u8..4), 1i64..4).prop_map(|(lead, gap)| Step::Push(lead, gap)),
            3 => any::<prop::sample::Index>().prop_map(Step::Finish),
            1 => Just(Step::Commit),
        ]
    }

    proptest! {
        #[test]
        fn a_lead_has_one_reply_free_at_a_time_in_order_and_no_commit_passes_an_open_one(
            steps in prop::collection::vec(step(), 0..200)
        ) {
            let mut window = Window::default();
            let mut lead_of = BTreeMap::new();
            let mut open = BTreeSet::new();
            let mut free = BTreeSet::new();
            let mut went: BTreeMap<Option<u8>, i64> = BTreeMap::new();
            let (mut offset, mut committed) = (0, 0);
            for step in steps {
                match step {
                    Step::Push(lead, gap) => {
                        offset += gap;
                        let name = lead.map(|lead| lead.to_string());
                        if window.push(offset, name.as_deref(), ()) {
                            free.insert(offset);
                        }
                        lead_of.insert(offset, lead);
                        open.insert(offset);
                    }
                    Step::Finish(choice) if !free.is_empty() => {
                        let offset = *choice.get(&free.iter().collect::<Vec<_>>());
                        let offset = *offset;
                        prop_assert!(window.open_mut(offset).is_some());
                        window.finish(offset);
                        free.remove(&offset);
                        open.remove(&offset);
                        let lead = lead_of[&offset];
                        if lead.is_some() {
                            let last = went.insert(lead, offset);
                            // In order, and the one before is committed.
                            prop_assert!(last.is_none_or(|last| last < offset && last < committed));
                        }
                    }
                    Step::Finish(_) => {}
                    Step::Commit => {
                        let Some(next) = window.committable() else { continue };
                        prop_assert!(next > committed);
                        prop_assert!(open.first().is_none_or(|first| *first >= next));
                        committed = next;
                        for offset in window.release(next) {
                            prop_assert!(open.contains(&offset));
                            prop_assert!(free.insert(offset));
                        }
                    }
                }
                let mut leads: Vec<u8> = free.iter().filter_map(|offset| lead_of[offset]).collect();
                let all = leads.len();
                leads.sort_unstable();
                leads.dedup();
                prop_assert_eq!(leads.len(), all, "two free replies of one lead");
            }
            // Whatever is left can be finished to the end.
            loop {
                if let Some(next) = window.committable() {
                    free.extend(window.release(next));
                }
                let Some(offset) = free.pop_first() else { break };
                window.finish(offset);
                open.remove(&offset);
            }
            prop_assert!(open.is_empty());
            prop_assert!(window.slots.is_empty() && window.leads.is_empty());
        }
    }
}
