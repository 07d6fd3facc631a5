//! Joins two journals of one person.

use std::collections::BTreeMap;

use leadstream_schemas::{InputId, ReplyContent, Timestamp};
use serde_json::Map;

use super::{Change, Entry, Evicted, FoldError, Journal, Refolded, hash};
use crate::flow::{Conversation, ERASED, FirstMessage, InternalState, StatedConsent};
use crate::flows::Flows;

/// The outcome of a join.
#[derive(Debug)]
pub struct Joined {
    /// The change; none if the outcome is the same.
    pub change: Option<Change>,
    pub prompt: Option<ReplyContent>,
    /// The ids of evicted inputs, with their times of sending.
    pub evicted: Vec<(InputId, Timestamp)>,
}

fn earlier(one: Option<FirstMessage>, other: Option<FirstMessage>) -> Option<FirstMessage> {
    one.into_iter().chain(other).min_by_key(|it| it.at)
}

fn later(one: Option<StatedConsent>, other: Option<StatedConsent>) -> Option<StatedConsent> {
    // Of equals the last one, which is this journal's.
    other.into_iter().chain(one).max_by_key(|it| it.at)
}

impl Journal {
    /// Joins the journal of another lead that is the same person: the inputs of both, in order. If
    /// both have a snapshot, this journal's snapshot stays and gets the answers that it lacks from
    /// the other.
    ///
    /// # Errors
    /// Returns [`FoldError`]; the caller must then drop the journal and read it again.
    pub fn join(
        &mut self,
        flows: &Flows,
        other: Self,
        capacity: usize,
    ) -> Result<Joined, FoldError> {
        self.base = match (self.base.take(), other.base) {
            (Some(mut base), Some(other)) => {
                for (field, value) in other.data {
                    base.data.entry(field).or_insert(value);
                }
                if base.assignee.is_none() {
                    base.assignee = other.assignee;
                    base.assigned_at = other.assigned_at;
                }
                base.first_message = earlier(base.first_message, other.first_message);
                base.consent = later(base.consent, other.consent);
                base.internal
                    .progress
                    .join(&base.flow, other.internal.progress, other.flow);
                base.referral = base.referral.or(other.referral);
                Some(base)
            }
            (base, other) => base.or(other),
        };
        self.evicted = match (self.evicted.take(), other.evicted) {
            (Some(one), Some(other)) => Some(Evicted {
                order: one.order.max(other.order),
                sent_at: one.sent_at.max(other.sent_at),
            }),
            (one, other) => one.or(other),
        };
        self.passed = self.passed.max(other.passed);
        self.amendments.extend(other.amendments);
        self.amendments.sort_by(|a, b| a.order.cmp(&b.order));
        let mut smallest: BTreeMap<InputId, Entry> = BTreeMap::new();
        for entry in std::mem::take(&mut self.entries)
            .into_iter()
            .chain(other.entries)
        {
            match smallest.get(&entry.order.id) {
                Some(held) if held.order <= entry.order => {}
                _ => {
                    smallest.insert(entry.order.id.clone(), entry);
                }
            }
        }
        let mut entries: Vec<Entry> = smallest.into_values().collect();
        entries.sort_by(|a, b| a.order.cmp(&b.order));
        let Refolded { change, prompt, .. } = self.refold(flows, entries, None)?;
        // The person saw the last prompts of both leads.
        let prompt = prompt.filter(|prompt| other.last_prompt != Some(hash(prompt)));
        self.said(prompt.as_ref());
        let evicted = self.trim(flows, capacity)?;
        Ok(Joined {
            change,
            prompt,
            evicted,
        })
    }

    /// Deletes everything but the reference to the flow.
    pub fn erase(&mut self) {
        let blank = self.current.take().map(|current| Conversation {
            flow: current.flow,
            state: ERASED.to_owned(),
            score: 0,
            is_completed: false,
            data: Map::new(),
            internal: InternalState::default(),
            assignee: None,
            referral: None,
            first_message: None,
            assigned_at: None,
            consent: None,
        });
        *self = Self {
            current: blank,
            ..Self::default()
        };
    }

    /// Drops everything but the conversation and how late its inputs were: another lead has the
    /// inputs now.
    pub fn close(&mut self) {
        let latest = self.latest();
        let left = self.evicted.take().map(|it| it.order);
        let last = self.entries.pop().map(|it| it.order).or(left);
        let evicted = last.zip(latest);
        *self = Self {
            current: self.current.take(),
            evicted: evicted.map(|(order, sent_at)| Evicted { order, sent_at }),
            ..Self::default()
        };
    }
}
