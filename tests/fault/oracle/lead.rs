//! One lead, and one person who writes under two ids.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::{bail, ensure};
use leadstream_processor::flow::{Answer, Conversation, Objection};
use leadstream_processor::flows::Flows;
use leadstream_processor::lead::{Admission, Input, Journal, OrderKey, fold};
use leadstream_schemas::ReplyContent;
use serde_json::json;

use super::effects::fingerprint;
use crate::members::JOURNAL;

/// Of copies with one id the smallest in order.
type Inputs = BTreeMap<String, (OrderKey, Answer)>;

#[derive(Default)]
pub(super) struct Lead {
    journal: Journal,
    departed: HashSet<String>,
    inputs: Inputs,
    /// Fingerprints, by revision from 1.
    pub(super) events: Vec<u64>,
    /// By id, the fingerprint of their content.
    pub(super) replies: HashMap<String, u64>,
}

pub(super) enum Outcome {
    Folded {
        late: bool,
        /// Why a command does nothing.
        objection: Option<Objection>,
    },
    Duplicate,
    TooLate,
}

impl Lead {
    pub(super) fn admit(
        &mut self,
        flows: &Flows,
        key: &str,
        input: &Input,
    ) -> anyhow::Result<Outcome> {
        let id = &input.order.id;
        let known = || self.departed.contains(id);
        let (change, prompt, objection, departed) =
            match self.journal.admit(flows, input, JOURNAL, known)? {
                Admission::Duplicate => return Ok(Outcome::Duplicate),
                Admission::TooLate => return Ok(Outcome::TooLate),
                Admission::Folded {
                    change,
                    prompt,
                    objection,
                    departed,
                } => (change, prompt, objection, departed),
            };
        insert(&mut self.inputs, input);
        self.departed.extend(departed.into_iter().map(|(id, _)| id));
        if let Some(prompt) = prompt {
            let before = self
                .replies
                .insert(format!("{key}:{id}"), fingerprint(&prompt));
            ensure!(before.is_none(), "a cause has two replies");
        }
        let late = change.as_ref().is_some_and(|change| change.late);
        if let Some(change) = change {
            let Some(now) = self.journal.conversation() else {
                bail!("a change without a conversation");
            };
            let previous = change.previous.map_or("START".to_owned(), |it| it.state);
            self.events.push(fingerprint(&json!({
                "previous": previous, "state": now.state, "score": now.score,
                "completed": now.is_completed, "data": now.data,
                "late": late && !input.answer.is_command(),
                "at": input.order.at,
            })));
        }
        Ok(Outcome::Folded { late, objection })
    }

    pub(super) fn conversation(&self) -> Option<&Conversation> {
        self.journal.conversation()
    }

    /// Whatever order its inputs came in (invariant 3).
    pub(super) fn equals_the_naive_fold(&self, flows: &Flows) -> anyhow::Result<()> {
        let naive = naive(flows, &self.inputs)?;
        ensure!(
            naive.as_ref() == self.conversation(),
            "the journal's fold is not that of its inputs in order"
        );
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct Person {
    /// Ids that a lead of theirs may have.
    pub(super) keys: BTreeSet<String>,
    inputs: Inputs,
}

impl Person {
    pub(super) fn take(&mut self, key: &str, input: &Input) {
        self.keys.insert(key.to_owned());
        insert(&mut self.inputs, input);
    }

    pub(super) fn conversation(&self, flows: &Flows) -> anyhow::Result<Option<Conversation>> {
        naive(flows, &self.inputs)
    }
}

fn insert(inputs: &mut Inputs, input: &Input) {
    let entry = (input.order.clone(), input.answer.clone());
    match inputs.get(&input.order.id) {
        Some((held, _)) if *held <= entry.0 => {}
        _ => {
            inputs.insert(input.order.id.clone(), entry);
        }
    }
}

fn naive(flows: &Flows, inputs: &Inputs) -> anyhow::Result<Option<Conversation>> {
    let mut ordered: Vec<_> = inputs.values().collect();
    ordered.sort_by(|a, b| a.0.cmp(&b.0));
    let mut conversation = None;
    for (order, answer) in ordered {
        // A command begins no conversation.
        if conversation.is_none() && answer.is_command() {
            continue;
        }
        let (next, _): (_, Option<ReplyContent>) =
            fold(flows, conversation.as_ref(), order, answer)?;
        conversation = Some(next);
    }
    Ok(conversation)
}
