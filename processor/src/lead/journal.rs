//! Keeps the journal: a snapshot and the inputs after it, in order (invariants 2 and 3).
//!
//! An input in order is folded on top of the current conversation. A late input is inserted at its
//! place, and the journal is folded again. The same happens after an edit or a revocation, and when
//! another lead's journal joins. The caller gets the ids of evicted inputs and keeps them for the
//! deduplication horizon.

mod amended;
mod entry;
mod evaluate;
mod evict;
mod join;
mod refold;
mod replay;

use std::borrow::Cow;

use leadstream_schemas::{FlowRef, InputId, ReplyContent, Timestamp};
use serde::{Deserialize, Serialize};

use super::input::{Input, OrderKey};
use crate::flow::{
    self, Conversation, FOLD_VERSION, Fired, Flow, Receipt, RejectReason, START, Step, TurnInput,
};
use crate::flows::{Flows, Origin};
use crate::trailing_defaults::omit_trailing_defaults;

pub use entry::{Arrival, Entry, Source};
pub use evaluate::{ChangeKind, Evaluation, HoldReason, Integrity};
pub use join::Joined;
use refold::Refolded;
pub use replay::Replayed;

/// The bounds of all evicted inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Evicted {
    /// The greatest order key.
    order: OrderKey,
    /// The greatest time of sending: an input sent later cannot be a duplicate of an evicted one.
    sent_at: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Journal {
    /// The conversation before the first entry; none before the lead's first input.
    base: Option<Conversation>,
    entries: Vec<Entry>,
    /// The conversation after the last entry.
    current: Option<Conversation>,
    evicted: Option<Evicted>,
    /// The hash of the last emitted prompt, so that a refold does not send it again.
    last_prompt: Option<u64>,
    /// The time up to which timers were folded last, without an input.
    #[serde(default)]
    passed: Option<Timestamp>,
    /// The evicted inputs that edit or revoke messages still in the journal, in order.
    #[serde(default)]
    amendments: Vec<Entry>,
    /// The [`FOLD_VERSION`] by which all entries were last folded at once; later ones came on top.
    #[serde(default = "first_fold_version")]
    fold_version: u32,
}

/// Returns the version of journals that name none.
const fn first_fold_version() -> u32 {
    1
}

omit_trailing_defaults!(Journal {
    base, entries, current, evicted, last_prompt;
    passed: None,
    amendments: Vec::new(),
    fold_version: first_fold_version(),
});

/// A conversation that an input changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The conversation before the change; none before the lead's first input.
    pub previous: Option<Conversation>,
    /// Whether the journal was folded again because the input came late.
    pub late: bool,
}

/// The outcome of admitting an input.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every input is folded")]
pub enum Admission {
    Folded {
        change: Option<Change>,
        prompt: Option<ReplyContent>,
        /// The reason why a command does nothing.
        rejection: Option<RejectReason>,
        /// The ids of evicted inputs, with their times of sending.
        evicted: Vec<(InputId, Timestamp)>,
    },
    Duplicate,
    /// The input is older than the journal reaches, and no duplicate of a known input.
    TooLate,
}

/// The fold needs a flow that is not published. Systemic: every lead of that version waits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("version {} of flow `{}` is not published, but conversations follow it; publish it again", .0.version, .0.name)]
pub struct FoldError(pub FlowRef);

/// Folds one answer, given in `order`, after the timers that are due by then. The order key of a
/// conversation's first input chooses its flow's version; RESTART begins another conversation.
///
/// # Errors
/// Returns [`FoldError`] if the conversation follows a flow that is not published.
pub fn fold(
    flows: &Flows,
    conversation: Option<&Conversation>,
    order: &OrderKey,
    answer: &TurnInput,
) -> Result<(Conversation, Option<ReplyContent>), FoldError> {
    let receipt = Receipt {
        at: order.at,
        received_at: order.received_at,
        can_reply: true,
        has_forms: true,
        referral: None,
    };
    let origin = Origin::default();
    let step = fold_from(flows, conversation, origin, &order.id, receipt, answer)?;
    Ok((step.conversation, step.prompt))
}

/// Folds like [`fold`]; the source of a conversation's first input may also choose its flow.
fn fold_from(
    flows: &Flows,
    conversation: Option<&Conversation>,
    origin: Origin<'_>,
    id: &InputId,
    receipt: Receipt<'_>,
    answer: &TurnInput,
) -> Result<Step, FoldError> {
    let at = receipt.at;
    let Some(conversation) = conversation else {
        let flow = flows.choose(at, origin, answer);
        let mut first = Conversation::start(flow);
        first.internal.assignment_hash = flow.assigns().then(|| flow::assignment_hash(id.as_str()));
        return Ok(flow::step(flow, &first, receipt, answer));
    };
    let flow = followed(flows, conversation)?;
    let mut passed = Cow::Borrowed(conversation);
    if flow::next_due(flow, conversation).is_some_and(|due| due <= at) {
        flow::fire_due_timers(flow, passed.to_mut(), at);
    }
    let flow = if flow.is_restart(&passed, answer) {
        flows.newest(&conversation.flow.name, at).unwrap_or(flow)
    } else {
        flow
    };
    if passed.internal.assignment_hash.is_none() && flow.assigns() {
        passed.to_mut().internal.assignment_hash = Some(flow::assignment_hash(id.as_str()));
    }
    Ok(flow::step(flow, &passed, receipt, answer))
}

/// Returns why the command that made `step` does nothing.
fn rejection_of(step: Option<&Step>) -> Option<RejectReason> {
    step.map_or(Some(RejectReason::NotBegun), |step| step.rejection)
}

fn followed<'a>(flows: &'a Flows, conversation: &Conversation) -> Result<&'a Flow, FoldError> {
    flows
        .get(&conversation.flow)
        .ok_or_else(|| FoldError(conversation.flow.clone()))
}

impl Journal {
    /// Returns the current conversation.
    #[must_use]
    pub const fn conversation(&self) -> Option<&Conversation> {
        self.current.as_ref()
    }

    /// Returns the time of the last input in order.
    #[must_use]
    pub fn last_interaction(&self) -> Option<Timestamp> {
        self.entries.last().map(|entry| entry.order.at)
    }

    /// Returns when the latest input was sent, evicted or not. No duplicate of any input is later
    /// in order, because all duplicates have one time of sending.
    #[must_use]
    pub fn latest(&self) -> Option<Timestamp> {
        let left = self.evicted.iter().map(|it| it.sent_at);
        left.chain(self.entries.iter().map(|it| it.sent_at)).max()
    }

    /// Returns when time next changes the conversation if no input comes.
    ///
    /// # Errors
    /// Returns [`FoldError`] if the conversation follows a flow that is not published.
    pub fn next_due(&self, flows: &Flows) -> Result<Option<Timestamp>, FoldError> {
        match &self.current {
            Some(current) => Ok(flow::next_due(followed(flows, current)?, current)),
            None => Ok(None),
        }
    }

    /// Folds the time that has passed by `until`, without an input. An input that comes later but
    /// belongs before that time is folded again, together with what the timers then do.
    ///
    /// # Errors
    /// Returns [`FoldError`] if the conversation follows a flow that is not published.
    pub fn fire_due_timers(
        &mut self,
        flows: &Flows,
        until: Timestamp,
    ) -> Result<Vec<Fired>, FoldError> {
        let Some(current) = &mut self.current else {
            return Ok(Vec::new());
        };
        let fired = flow::fire_due_timers(followed(flows, current)?, current, until);
        if let Some(last) = fired.last() {
            self.passed = self.passed.max(Some(last.due));
        }
        let mut prompts = fired.iter().filter_map(|it| it.prompt.as_ref());
        if let Some(prompt) = prompts.next_back() {
            self.last_prompt = Some(hash(prompt));
        }
        Ok(fired)
    }

    /// Returns whether `order` is the order key of the last input.
    #[must_use]
    pub fn ends_with(&self, order: &OrderKey) -> bool {
        self.entries.last().is_some_and(|last| last.order == *order)
    }

    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns whether only the ids of evicted inputs show if `input` is a duplicate.
    #[must_use]
    pub fn needs_dedup_lookup(&self, input: &Input) -> bool {
        self.evicted
            .as_ref()
            .is_some_and(|evicted| input.sent_at <= evicted.sent_at)
            && !self.holds(&input.order.id)
    }

    fn holds(&self, id: &InputId) -> bool {
        self.entries.iter().any(|entry| entry.order.id == *id)
    }

    /// Admits one input. `known` returns whether the input was evicted earlier; it is called only
    /// if [`Self::needs_dedup_lookup`] is true. `capacity` is the journal's length in entries.
    ///
    /// # Errors
    /// Returns [`FoldError`]; the caller must then drop the journal and read it again.
    pub fn admit(
        &mut self,
        flows: &Flows,
        input: &Input,
        capacity: usize,
        known: impl FnOnce() -> bool,
    ) -> Result<Admission, FoldError> {
        let entry = Entry {
            order: input.order.clone(),
            sent_at: input.sent_at,
            answer: input.answer.clone(),
            amends: input.amends.clone(),
            arrival: None,
            can_reply: input.can_reply(),
            source: flows.are_chosen_by_origin().then(|| Source {
                number: input.number.clone(),
                referral: input.referral.as_ref().and_then(|it| it.source_id.clone()),
            }),
            referral: input.referral.clone(),
            has_forms: input.has_forms(),
        };
        let held = self
            .entries
            .iter()
            .position(|held| held.order.id == entry.order.id);
        if let Some(held) = held {
            return self.replace(flows, held, entry);
        }
        if let Some(evicted) = &self.evicted {
            if input.sent_at <= evicted.sent_at && known() {
                return Ok(Admission::Duplicate);
            }
            if entry.order < evicted.order {
                return Ok(Admission::TooLate);
            }
        }
        let in_order = self
            .entries
            .last()
            .is_none_or(|last| last.order < entry.order)
            && self.passed.is_none_or(|passed| passed <= entry.order.at);
        let folded = if in_order && !self.amendments_concern(&entry) {
            let step = entry.fold(flows, self.current.as_ref(), &entry.answer)?;
            self.entries.push(entry);
            let rejection = rejection_of(step.as_ref());
            let (change, prompt) = step.map_or((None, None), |step| {
                (self.become_current(step.conversation, false), step.prompt)
            });
            Refolded {
                change,
                prompt,
                rejection,
            }
        } else {
            let mut entries = self.entries.clone();
            insert(&mut entries, entry);
            self.refold(flows, entries, Some(&input.order.id))?
        };
        self.said(folded.prompt.as_ref());
        let evicted = self.trim(flows, capacity)?;
        Ok(Admission::Folded {
            change: folded.change,
            prompt: folded.prompt,
            rejection: folded.rejection,
            evicted,
        })
    }

    /// Returns whether `entry` edits or revokes a message in the journal, or is a message whose
    /// edit came first.
    fn amendments_concern(&self, entry: &Entry) -> bool {
        match &entry.amends {
            Some(amendment) => self.holds(&amendment.message_id),
            None => {
                let id = &entry.order.id;
                self.entries.iter().any(|held| held.is_amendment_of(id))
            }
        }
    }

    /// Returns whether `input` edits or revokes an evicted message, whose effect cannot be undone.
    #[must_use]
    pub fn out_of_reach(&self, input: &Input) -> bool {
        self.evicted.is_some()
            && input
                .amends
                .as_ref()
                .is_some_and(|amendment| !self.holds(&amendment.message_id))
    }

    /// Returns the inputs that may edit or revoke one of `entries`, in order.
    fn amending<'a>(&'a self, entries: &'a [Entry]) -> impl Iterator<Item = &'a Entry> {
        self.amendments.iter().chain(entries)
    }

    /// Records how the input `id` arrived and what it did.
    pub fn record_arrival(&mut self, id: &InputId, mut arrival: Arrival) {
        // The input has just arrived, so it is nearly always the last.
        if let Some(entry) = self.entries.iter_mut().rfind(|entry| entry.order.id == *id) {
            arrival.replied |= entry.has_reply();
            entry.arrival = Some(arrival);
        }
    }

    /// Replaces an entry by an earlier duplicate: of inputs with one id, the smallest in order
    /// counts. A cause has at most one reply, so a duplicate emits nothing after an earlier reply
    /// (invariant 7).
    fn replace(
        &mut self,
        flows: &Flows,
        held: usize,
        mut entry: Entry,
    ) -> Result<Admission, FoldError> {
        if self
            .entries
            .get(held)
            .is_none_or(|held| held.order <= entry.order)
        {
            return Ok(Admission::Duplicate);
        }
        let mut entries = self.entries.clone();
        entry.arrival = entries.remove(held).arrival;
        let has_reply = entry.has_reply();
        let id = entry.order.id.clone();
        insert(&mut entries, entry);
        let folded = self.refold(flows, entries, Some(&id))?;
        let prompt = folded.prompt.filter(|_| !has_reply);
        self.said(prompt.as_ref());
        Ok(Admission::Folded {
            change: folded.change,
            prompt,
            rejection: folded.rejection,
            evicted: Vec::new(),
        })
    }

    fn said(&mut self, prompt: Option<&ReplyContent>) {
        if let Some(prompt) = prompt {
            self.last_prompt = Some(hash(prompt));
        }
    }

    fn become_current(&mut self, next: Conversation, late: bool) -> Option<Change> {
        let changed = match &self.current {
            Some(current) => current.differs(&next),
            // A reaction as the lead's first input changes nothing yet.
            None => next.state != START,
        };
        if late || self.current.is_none() {
            self.fold_version = FOLD_VERSION;
        }
        let previous = self.current.replace(next);
        changed.then_some(Change { previous, late })
    }
}

fn insert(entries: &mut Vec<Entry>, entry: Entry) {
    let at = entries.partition_point(|held| held.order < entry.order);
    entries.insert(at, entry);
}

fn hash(prompt: &ReplyContent) -> u64 {
    flow::fnv(&serde_json::to_vec(prompt).unwrap_or_default())
}
