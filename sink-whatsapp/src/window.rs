//! Holds the replies of one partition that are not before Kafka's committed offset. Pure.
//!
//! A reply is free to go only when Kafka knows that every earlier reply to the same lead is done.
//! Kafka knows this by the committed offset. While a waiting reply keeps that offset back, its
//! metadata lists the replies done beyond it. So at any moment a crash can repeat
//! at most one sent reply of a lead.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

use leadstream_schemas::{LeadId, Offset};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

#[derive(Debug)]
struct Slot<T> {
    offset: Offset,
    lead: Option<Arc<LeadId>>,
    value: T,
    finished: bool,
}

/// Uncommitted replies in the order of their offsets.
#[derive(Debug)]
pub struct Window<T> {
    slots: VecDeque<Slot<T>>,
    /// Offsets of each lead's replies in the window, in order. Never an empty queue.
    leads: HashMap<Arc<LeadId>, VecDeque<Offset>>,
    /// The number of finished slots at the head.
    finished: usize,
    /// The number of replies that are not finished.
    open: usize,
    /// Finished replies beyond the head that keep back a later reply to their lead.
    blocking: BTreeSet<Offset>,
    /// Replies beyond the head that the committed metadata lists as done.
    committed_ahead: BTreeSet<Offset>,
}

/// The offset and the lists to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    pub next: Offset,
    /// Offsets after `next` that are done, too.
    pub ahead: Vec<Offset>,
    /// Offsets whose outcome is unknown.
    pub unknown: Vec<Offset>,
}

/// The most handled offsets in one partition's metadata.
pub(crate) const MAX_AHEAD: usize = 230;

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self {
            slots: VecDeque::new(),
            leads: HashMap::new(),
            finished: 0,
            open: 0,
            blocking: BTreeSet::new(),
            committed_ahead: BTreeSet::new(),
        }
    }
}

impl<T> Window<T> {
    /// Adds a reply whose offset is greater than all before. Returns true when the reply is free to
    /// go at once. A reply without a lead waits for no other reply.
    pub fn push(&mut self, offset: Offset, lead: Option<LeadId>, value: T) -> bool {
        let lead = lead.map(Arc::new);
        let free = match &lead {
            Some(lead) => {
                let queue = self.leads.entry(Arc::clone(lead)).or_default();
                queue.push_back(offset);
                if let Some(first) = queue.front().copied().filter(|first| *first != offset) {
                    self.track_blocking(first);
                }
                self.leads.get(lead).is_some_and(|queue| queue.len() == 1)
            }
            None => true,
        };
        self.slots.push_back(Slot {
            offset,
            lead,
            value,
            finished: false,
        });
        self.open += 1;
        free
    }

    /// Returns the number of replies that are not finished.
    #[must_use]
    pub const fn open(&self) -> usize {
        self.open
    }

    /// Returns the reply at `offset` while it is in the window and not finished.
    pub fn open_mut(&mut self, offset: Offset) -> Option<&mut T> {
        let index = self.index(offset)?;
        let slot = self.slots.get_mut(index)?;
        (!slot.finished).then_some(&mut slot.value)
    }

    /// Marks the reply at `offset` as finished: nothing is left to do for it.
    pub fn finish(&mut self, offset: Offset) {
        if let Some(slot) = self
            .index(offset)
            .and_then(|index| self.slots.get_mut(index))
            && !slot.finished
        {
            slot.finished = true;
            self.open -= 1;
        }
        while self
            .slots
            .get(self.finished)
            .is_some_and(|slot| slot.finished)
        {
            self.finished += 1;
        }
        self.track_blocking(offset);
    }

    /// Records a finished reply that keeps others back, if it does.
    fn track_blocking(&mut self, offset: Offset) {
        let slot = self.index(offset).and_then(|index| self.slots.get(index));
        let lead = slot
            .filter(|slot| slot.finished)
            .and_then(|slot| slot.lead.as_ref());
        let queue = lead.and_then(|lead| self.leads.get(lead));
        if queue.is_some_and(|queue| queue.len() > 1) {
            self.blocking.insert(offset);
        }
    }

    /// Records that the committed metadata lists the reply at `offset` as done.
    pub fn mark_committed(&mut self, offset: Offset) {
        self.committed_ahead.insert(offset);
    }

    /// Finishes the reply at `offset`, which was never sent and so keeps no other reply back,
    /// committed or not. Returns the lead's next reply if that is now free to go.
    pub fn withdraw(&mut self, offset: Offset) -> Option<Offset> {
        let index = self.index(offset)?;
        let lead = self.slots.get_mut(index)?.lead.take();
        self.finish(offset);
        self.unlink(&lead?, offset)
    }

    /// Returns the offsets of the lead's replies in the window, in order.
    #[must_use]
    pub fn queued(&self, lead: &LeadId) -> Vec<Offset> {
        let queue = self.leads.get(lead);
        queue.into_iter().flatten().copied().collect()
    }

    /// Returns the offset after the finished replies at the head, and the finished replies beyond
    /// that keep others back. Returns `None` when a commit would change nothing.
    #[must_use]
    pub fn committable(&self) -> Option<Done> {
        let last = self.finished.checked_sub(1);
        let head = last.and_then(|last| self.slots.get(last));
        let next = match head {
            Some(head) => head.offset.next(),
            None => self.slots.front()?.offset,
        };
        let mut ahead: Vec<Offset> = self.committed_ahead.range(next..).copied().collect();
        let capacity = MAX_AHEAD.saturating_sub(ahead.len());
        let before = ahead.len();
        ahead.extend(self.blocking.range(next..).take(capacity));
        if head.is_none() && ahead.len() == before {
            return None;
        }
        ahead.sort_unstable();
        let unknown = Vec::new();
        Some(Done {
            next,
            ahead,
            unknown,
        })
    }

    /// Returns the committed state, for when [`Self::committable`] returns `None`.
    #[must_use]
    pub fn committed(&self) -> Option<Done> {
        let next = self.slots.front()?.offset;
        Some(Done {
            next,
            ahead: self.committed_ahead.range(next..).copied().collect(),
            unknown: Vec::new(),
        })
    }

    /// Drops the replies before `next`, which is committed, and records those that are done `ahead`
    /// of it. Returns the replies that are now free to go.
    pub fn release(&mut self, next: Offset, ahead: &[Offset]) -> Vec<Offset> {
        let mut free = Vec::new();
        while let Some(slot) = self.slots.front() {
            if slot.offset >= next || !slot.finished {
                break;
            }
            self.finished -= 1;
            let removed = self.slots.pop_front();
            let entry = removed.and_then(|slot| Some((slot.lead?, slot.offset)));
            free.extend(entry.and_then(|(lead, offset)| self.unlink(&lead, offset)));
        }
        self.blocking = self.blocking.split_off(&next);
        self.committed_ahead = self.committed_ahead.split_off(&next);
        for offset in ahead {
            self.blocking.remove(offset);
            self.committed_ahead.insert(*offset);
            let slot = self
                .index(*offset)
                .and_then(|index| self.slots.get_mut(index));
            let lead = slot.and_then(|slot| slot.lead.take());
            free.extend(lead.and_then(|lead| self.unlink(&lead, *offset)));
        }
        free
    }

    /// Removes the reply at `offset` from its lead's order. Returns the next one if the removed
    /// reply was the first.
    fn unlink(&mut self, lead: &Arc<LeadId>, offset: Offset) -> Option<Offset> {
        let queue = self.leads.get_mut(lead)?;
        let was_first = queue.front() == Some(&offset);
        queue.retain(|waiting| *waiting != offset);
        let next = queue.front().copied();
        if next.is_none() {
            self.leads.remove(lead);
        }
        next.filter(|_| was_first)
    }

    fn index(&self, offset: Offset) -> Option<usize> {
        self.slots
            .binary_search_by_key(&offset, |slot| slot.offset)
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use leadstream_schemas::{LeadId, Offset};
    use proptest::prelude::*;

    use super::{Done, Window};

    fn offsets<const N: usize>(offsets: [i64; N]) -> [Offset; N] {
        offsets.map(Offset)
    }

    fn done<const N: usize>(next: i64, ahead: [i64; N]) -> Option<Done> {
        Some(Done {
            next: Offset(next),
            ahead: offsets(ahead).to_vec(),
            unknown: Vec::new(),
        })
    }

    /// Adds a reply to the lead of this name.
    fn push(window: &mut Window<()>, offset: i64, lead: &str) -> bool {
        window.push(Offset(offset), Some(lead.into()), ())
    }

    fn release<const N: usize>(window: &mut Window<()>, next: i64, ahead: [i64; N]) -> Vec<Offset> {
        window.release(Offset(next), &offsets(ahead))
    }

    #[test]
    fn a_reply_that_was_never_sent_keeps_no_other_back() {
        let mut window = Window::default();
        assert!(push(&mut window, 1, "bea"));
        assert!(push(&mut window, 2, "ann"));
        assert!(!push(&mut window, 3, "ann"));
        assert!(!push(&mut window, 4, "ann"));
        assert_eq!(window.queued(&"ann".into()), offsets([2, 3, 4]));
        assert_eq!(window.withdraw(Offset(3)), None);
        assert_eq!(window.withdraw(Offset(2)), Some(Offset(4)));
        assert_eq!(window.withdraw(Offset(4)), None);
        assert!(window.queued(&"ann".into()).is_empty());
        assert_eq!(window.committable(), None, "1 is open");
        window.finish(Offset(1));
        assert_eq!(window.committable(), done(5, []));
        assert!(release(&mut window, 5, []).is_empty());
    }

    #[test]
    fn one_that_is_finished_in_the_middle_lets_nothing_go_before_its_time() {
        let mut window = Window::default();
        for offset in 1..=4 {
            push(&mut window, offset, "ann");
        }
        window.finish(Offset(3));
        assert_eq!(window.committable(), done(1, [3]));
        assert!(release(&mut window, 1, [3]).is_empty());
        window.finish(Offset(1));
        assert_eq!(release(&mut window, 2, [3]), offsets([2]));
        window.finish(Offset(2));
        assert_eq!(window.committable(), done(4, []));
        assert_eq!(release(&mut window, 4, []), offsets([4]));
    }

    #[test]
    fn a_leads_next_reply_is_free_only_once_the_one_before_is_committed() {
        let mut window = Window::default();
        assert!(push(&mut window, 7, "ann"));
        assert!(!push(&mut window, 8, "ann"));
        assert!(push(&mut window, 9, "bea"));
        window.finish(Offset(9));
        assert_eq!(window.committable(), None);
        window.finish(Offset(7));
        assert_eq!(window.committable(), done(8, []));
        assert!(window.open_mut(Offset(7)).is_none());
        assert_eq!(release(&mut window, 8, []), offsets([8]));
        assert_eq!(window.committable(), None);
        window.finish(Offset(8));
        assert_eq!(window.committable(), done(10, []));
        assert!(release(&mut window, 10, []).is_empty());
        assert!(window.leads.is_empty() && window.slots.is_empty());
    }

    #[test]
    fn finished_replies_beyond_a_waiting_one_are_committed_where_they_keep_others_back() {
        let mut window = Window::default();
        assert!(push(&mut window, 1, "ann"));
        assert!(push(&mut window, 2, "bea"));
        assert!(push(&mut window, 3, "cat"));
        window.finish(Offset(2));
        window.finish(Offset(3));
        assert_eq!(window.committable(), None, "nobody is kept back");
        assert!(!push(&mut window, 4, "bea"));
        assert_eq!(window.committable(), done(1, [2]));
        assert_eq!(release(&mut window, 1, [2]), offsets([4]));
        assert_eq!(window.committable(), None, "it is noted");
        window.finish(Offset(4));
        assert!(!push(&mut window, 5, "bea"));
        assert_eq!(window.committable(), done(1, [2, 4]));
        window.finish(Offset(1));
        assert_eq!(window.committable(), done(5, []));
        assert_eq!(release(&mut window, 5, []), offsets([5]));
        window.finish(Offset(5));
        assert!(release(&mut window, 6, []).is_empty());
        assert!(
            window.committed_ahead.is_empty()
                && window.blocking.is_empty()
                && window.slots.is_empty()
        );
    }

    /// One step of a simulated service.
    #[derive(Clone, Debug)]
    enum Step {
        /// A record for this lead (or for none), the gap of offsets before it.
        Push(Option<u8>, i64),
        /// Finishes one of the replies that may go.
        Finish(prop::sample::Index),
        /// Withdraws one of the open replies.
        Withdraw(prop::sample::Index),
        Commit,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (prop::option::weighted(0.9, 0u8..4), 1i64..4).prop_map(|(lead, gap)| Step::Push(lead, gap)),
            3 => any::<prop::sample::Index>().prop_map(Step::Finish),
            1 => any::<prop::sample::Index>().prop_map(Step::Withdraw),
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
            let mut went: BTreeMap<Option<u8>, Offset> = BTreeMap::new();
            let (mut offset, mut committed, mut noted) = (Offset(0), Offset(0), BTreeSet::new());
            for step in steps {
                match step {
                    Step::Push(lead, gap) => {
                        offset = Offset(offset.0 + gap);
                        let name = lead.map(|lead| LeadId::from(lead.to_string()));
                        if window.push(offset, name, ()) {
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
                            let known = |last: Offset| last < committed || noted.contains(&last);
                            prop_assert!(last.is_none_or(|last| last < offset && known(last)));
                        }
                    }
                    Step::Withdraw(choice) if !open.is_empty() => {
                        let offset = **choice.get(&open.iter().collect::<Vec<_>>());
                        let was_free = free.remove(&offset);
                        open.remove(&offset);
                        let freed = window.withdraw(offset);
                        prop_assert!(window.open_mut(offset).is_none());
                        // Nothing of the lead that was sent is unknown to Kafka.
                        prop_assert!(freed.is_none() || was_free);
                        if let Some(freed) = freed {
                            prop_assert!(open.contains(&freed) && free.insert(freed));
                        }
                    }
                    Step::Finish(_) | Step::Withdraw(_) => {}
                    Step::Commit => {
                        let Some(Done { next, ahead, .. }) = window.committable() else { continue };
                        prop_assert!(next > committed || ahead.iter().any(|done| !noted.contains(done)));
                        prop_assert!(open.first().is_none_or(|first| *first >= next));
                        prop_assert!(ahead.iter().all(|done| *done >= next && !open.contains(done)));
                        // Committed offsets stay committed.
                        prop_assert!(noted.range(next..).all(|known| ahead.contains(known)));
                        committed = next;
                        noted = ahead.iter().copied().collect();
                        for offset in window.release(next, &ahead) {
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
            // All remaining replies can be finished.
            loop {
                if let Some(Done { next, ahead, .. }) = window.committable() {
                    free.extend(window.release(next, &ahead));
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
