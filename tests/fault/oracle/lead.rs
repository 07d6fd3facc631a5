//! Computes the expected state of one lead, and of one person who writes under two ids.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::{Context, bail, ensure};
use leadstream_processor::flow::{Conversation, RejectReason, TurnInput, fire_due_timers};
use leadstream_processor::flows::Flows;
use leadstream_processor::lead::{Admission, Input, Journal, OrderKey, fold};
use leadstream_schemas::{InputId, ReplyContent, Timestamp};
use serde_json::json;

use super::effects::fingerprint;
use crate::members::JOURNAL;

/// Inputs by id; of duplicates, the smallest in order.
type Inputs = BTreeMap<String, (OrderKey, TurnInput)>;

#[derive(Default)]
pub(super) struct Lead {
    journal: Journal,
    evicted: HashSet<InputId>,
    inputs: Inputs,
    /// Fingerprints by revision, from 1.
    pub(super) events: Vec<u64>,
    /// Fingerprints of the replies' content, by id.
    pub(super) replies: HashMap<String, u64>,
    /// The time up to which the person was erased.
    erased: Option<Timestamp>,
    /// The number of events that may never have left the engine, because they are of an erased
    /// person; below, such replies.
    pub(super) unsure: usize,
    pub(super) unsure_replies: HashMap<String, u64>,
    /// The time up to which timers were folded.
    timers_until: Option<Timestamp>,
}

pub(super) enum AdmitResult {
    Folded {
        late: bool,
        /// The reason why a command does nothing.
        rejection: Option<RejectReason>,
    },
    Duplicate,
    TooLate,
    /// An input of a person who has been erased since.
    Erased,
}

impl Lead {
    pub(super) fn admit(
        &mut self,
        flows: &Flows,
        key: &str,
        input: &Input,
    ) -> anyhow::Result<AdmitResult> {
        if self.erased.is_some_and(|until| input.order.at <= until) {
            return Ok(AdmitResult::Erased);
        }
        let id = &input.order.id;
        let known = || self.evicted.contains(id);
        let (change, prompt, rejection, evicted) =
            match self.journal.admit(flows, input, JOURNAL, known)? {
                Admission::Duplicate => return Ok(AdmitResult::Duplicate),
                Admission::TooLate => return Ok(AdmitResult::TooLate),
                Admission::Folded {
                    change,
                    prompt,
                    rejection,
                    evicted,
                } => (change, prompt, rejection, evicted),
            };
        insert(&mut self.inputs, input);
        self.evicted.extend(evicted.into_iter().map(|(id, _)| id));
        if let Some(prompt) = prompt {
            let before = self
                .replies
                .insert(format!("{key}:{id}"), fingerprint(&prompt));
            ensure!(before.is_none(), "a cause has two replies");
        }
        let late = change.as_ref().is_some_and(|change| change.late);
        if let Some(change) = change {
            let previous = change.previous.map_or("START".to_owned(), |it| it.state);
            let is_late = late && input.answer.is_from_provider();
            self.push_event(&previous, is_late, input.order.at)?;
        }
        Ok(AdmitResult::Folded { late, rejection })
    }

    /// Adds an event that leads to the journal's current state.
    fn push_event(&mut self, previous: &str, late: bool, at: Timestamp) -> anyhow::Result<()> {
        let Some(now) = self.journal.conversation() else {
            bail!("a change without a conversation");
        };
        self.events.push(fingerprint(&json!({
            "previous": previous, "state": now.state, "score": now.score,
            "completed": now.is_completed, "data": now.data, "late": late, "at": at,
        })));
        Ok(())
    }

    /// Folds the time that passed before the next input, as far as the lead's events say so: `timers`
    /// has the time of each event of a timer, by revision. Returns whether one fired.
    pub(super) fn catch_up(
        &mut self,
        flows: &Flows,
        timers: &BTreeMap<usize, Timestamp>,
    ) -> anyhow::Result<bool> {
        let before = self.events.len();
        while let Some(due) = timers.get(&(self.events.len() + 1)) {
            ensure!(self.fire_due_timers(flows, *due)?, "no timer was due");
        }
        Ok(self.events.len() > before)
    }

    /// Applies timers to a silent lead; returns whether it goes cold.
    pub(super) fn fire_due_timers(
        &mut self,
        flows: &Flows,
        until: Timestamp,
    ) -> anyhow::Result<bool> {
        self.timers_until = Some(until);
        let fired = self.journal.fire_due_timers(flows, until)?;
        for fired in &fired {
            ensure!(fired.prompt.is_none(), "this flow nudges nobody");
            self.push_event(&fired.previous.state, false, fired.due)?;
        }
        Ok(!fired.is_empty())
    }

    /// Returns the last revision; `None` when nobody can be erased.
    pub(super) fn erase(&mut self, at: Timestamp) -> anyhow::Result<Option<i64>> {
        let Some(before) = self.journal.conversation() else {
            return Ok(None);
        };
        let previous = before.state.clone();
        self.erased = Some(self.journal.latest().unwrap_or(at).max(at));
        self.journal.erase();
        self.push_event(&previous, false, at)?;
        self.unsure = self.events.len() - 1;
        self.unsure_replies.extend(self.replies.drain());
        self.journal = Journal::default();
        self.evicted.clear();
        self.inputs.clear();
        Ok(Some(i64::try_from(self.events.len())?))
    }

    pub(super) fn conversation(&self) -> Option<&Conversation> {
        self.journal.conversation()
    }

    /// Checks the result against the naive fold, whatever order the inputs came in (invariant 3).
    pub(super) fn equals_the_naive_fold(&self, flows: &Flows) -> anyhow::Result<()> {
        let mut naive = naive(flows, &self.inputs)?;
        if let (Some(conversation), Some(until)) = (&mut naive, self.timers_until) {
            let flow = flows.get(&conversation.flow).context("an unknown flow")?;
            fire_due_timers(flow, conversation, until);
        }
        ensure!(
            naive.as_ref() == self.conversation(),
            "the journal's fold is not that of its inputs in order"
        );
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct Person {
    /// The ids that a lead of this person may have.
    pub(super) keys: BTreeSet<String>,
    inputs: Inputs,
}

impl Person {
    pub(super) fn add_input(&mut self, key: &str, input: &Input) {
        self.keys.insert(key.to_owned());
        insert(&mut self.inputs, input);
    }

    pub(super) fn conversation(&self, flows: &Flows) -> anyhow::Result<Option<Conversation>> {
        naive(flows, &self.inputs)
    }
}

fn insert(inputs: &mut Inputs, input: &Input) {
    let entry = (input.order.clone(), input.answer.clone());
    match inputs.get(input.order.id.as_str()) {
        Some((held, _)) if *held <= entry.0 => {}
        _ => {
            inputs.insert(input.order.id.to_string(), entry);
        }
    }
}

fn naive(flows: &Flows, inputs: &Inputs) -> anyhow::Result<Option<Conversation>> {
    let mut ordered: Vec<_> = inputs.values().collect();
    ordered.sort_by(|a, b| a.0.cmp(&b.0));
    let mut conversation = None;
    for (order, answer) in ordered {
        // Neither a command nor a delivery begins a conversation.
        if conversation.is_none() && !answer.is_from_provider() {
            continue;
        }
        let (next, _): (_, Option<ReplyContent>) =
            fold(flows, conversation.as_ref(), order, answer)?;
        conversation = Some(next);
    }
    Ok(conversation)
}
