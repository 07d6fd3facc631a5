//! Folds a batch: pure, over leads that were loaded before. The result is everything that one
//! transaction writes and that Kafka gets afterwards.

mod command;
mod decoded;
mod delivery;
mod effect_builder;
mod erase;
mod merge;
mod message;
mod result;
mod timers;

use foldhash::{HashMap, HashSet};

use leadstream_kafka::partitioner::partition_of;
use leadstream_kafka::{Outgoing, Record};
use leadstream_schemas::codec::CodecError;
use leadstream_schemas::{
    Cause, Identity, InputId, LeadId, ReplyContent, ReplyKind, Revision, Timestamp,
};

pub(crate) use decoded::{Decoded, Keyed, Undecodable};
use effect_builder::EffectBuilder;
pub(crate) use result::{
    BatchResult, CommandDecision, DedupId, Erased, Evicted, LeadUpdate, PartitionAdvance,
};
pub(crate) use timers::{Clock, DueLead, fire_timers};

use super::effects::{self, OutputTopics, Times};
use crate::erasure::{ErasureKeys, ErasureRecord};
use crate::flow::{RejectReason, TurnInput};
use crate::flows::Flows;
use crate::lead::{FoldError, Inbound, InputError, Lead, StoredError, scoped};

/// The loaded database state that the fold may use.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoadedState {
    /// Leads of the batch's ids, by lead id. The fold moves changed leads out.
    pub(crate) leads: HashMap<LeadId, Box<Lead>>,
    /// Lead ids by identity.
    pub(crate) identities: HashMap<Identity, LeadId>,
    /// Evicted inputs.
    pub(crate) evicted: HashSet<DedupId>,
    /// Erasures by identity of the erased person.
    pub(crate) erased: HashMap<Identity, ErasureRecord>,
}

/// Settings of the fold.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) flows: &'a Flows,
    pub(crate) output_topics: &'a OutputTopics,
    pub(crate) erasure: &'a ErasureKeys,
    pub(crate) journal: usize,
    /// The partition count of `lead.inputs`. The fold forwards a record that is on another
    /// partition than its key's. None: every record counts as well placed.
    pub(crate) partitions: Option<usize>,
}

#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    #[error(transparent)]
    Fold(#[from] FoldError),
    #[error(transparent)]
    Encode(#[from] CodecError),
    #[error(transparent)]
    Stored(#[from] StoredError),
}

/// The place where a record belongs.
enum Place {
    /// This partition, with the lead's id and whether the lead is new.
    Here { lead_id: LeadId, created: bool },
    /// The partition of this key.
    Elsewhere(String),
}

/// A batch on its way through the fold.
#[derive(Default)]
struct BatchFold {
    loaded: LoadedState,
    /// The leads that have changed so far, by lead id.
    changed: HashMap<LeadId, Box<LeadUpdate>>,
    result: BatchResult,
    /// The records that the current step publishes.
    outgoing: Vec<Outgoing>,
}

impl BatchFold {
    /// Returns the lead that has an id at this point of the batch.
    fn owner(&self, identity: &Identity) -> Option<&LeadId> {
        let new = self.result.identities.get(identity);
        new.or_else(|| self.loaded.identities.get(identity))
    }

    fn put_back(&mut self, lead_id: LeadId, lead: Box<LeadUpdate>, is_changed: bool) {
        if is_changed {
            self.changed.insert(lead_id, lead);
        } else if !lead.created {
            self.loaded.leads.insert(lead_id, lead.lead);
        }
    }
}

/// Folds `records` in their order.
pub(crate) fn fold(
    records: &[Decoded],
    loaded: LoadedState,
    rules: &Rules<'_>,
) -> Result<BatchResult, BatchError> {
    let mut batch = BatchFold {
        loaded,
        ..BatchFold::default()
    };
    for decoded in records {
        let partition = decoded.record.partition;
        if batch.result.halted.contains_key(&partition) {
            continue;
        }
        if let Err(Undecodable::Input(error @ InputError::UnknownKind(_))) = &decoded.content {
            batch.result.halted.insert(
                partition,
                format!("at offset {}: {error}", decoded.record.offset),
            );
            continue;
        }
        let poison = match &decoded.content {
            Ok(keyed) => fold_one(&decoded.record, keyed, rules, &mut batch)?,
            Err(error) => {
                batch.result.counts.undecodable += 1;
                batch.outgoing.push(effects::dead_letter(
                    rules.output_topics,
                    &decoded.record,
                    "undecodable",
                    &error.to_string(),
                ));
                true
            }
        };
        let progress = batch.result.partitions.entry(partition).or_default();
        progress.next_offset = decoded.record.offset.next();
        progress.records += 1;
        progress.max_received_at = progress.max_received_at.max(decoded.received_at());
        progress.poison.push(poison);
        progress.outgoing.append(&mut batch.outgoing);
    }
    for changed in batch.changed.values_mut() {
        timers::finish(changed, rules)?;
    }
    batch.result.leads = batch.changed.into_iter().collect();
    Ok(batch.result)
}

/// One record on its way through the fold.
struct Step<'a> {
    record: &'a Record,
    keyed: &'a Keyed,
    lead_id: LeadId,
    rules: &'a Rules<'a>,
}

/// The outcome of a step for its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The lead has changed.
    Folded,
    /// The lead has one more command, which does nothing.
    Rejected(RejectReason),
    /// The lead has not changed.
    Unchanged,
    /// The record went to dead letters. The lead may know one more id.
    DeadLetter,
}

/// Folds one record. Returns true if the record went to dead letters.
fn fold_one(
    record: &Record,
    keyed: &Keyed,
    rules: &Rules<'_>,
    batch: &mut BatchFold,
) -> Result<bool, BatchError> {
    let (lead_id, created) = match place(record, keyed, batch, rules) {
        Place::Here { lead_id, created } => (lead_id, created),
        Place::Elsewhere(home_key) => {
            batch.result.counts.forwarded += 1;
            batch
                .outgoing
                .push(effects::forward(rules.output_topics, &home_key, record));
            return Ok(false);
        }
    };
    let before = batch.changed.remove(&lead_id);
    let changed_before = before.is_some();
    let mut found = before.or_else(|| {
        let lead = batch.loaded.leads.remove(&lead_id)?;
        Some(LeadUpdate::new(
            lead,
            &keyed.account,
            record.partition,
            created,
        ))
    });
    let step = Step {
        record,
        keyed,
        lead_id,
        rules,
    };
    let erased_until = found.as_ref().and_then(|it| it.lead.erased_until);
    let erased_until = erased_until.max(erase::until(keyed, batch));
    let erases = keyed.inbound.erases();
    let was_before = |until: Timestamp| {
        let is_anew = found.as_ref().is_none_or(|it| it.lead.first_seen > until);
        keyed.inbound.order().at <= until || is_anew && keyed.inbound.since() <= until
    };
    if !erases && erased_until.is_some_and(was_before) {
        step.drop_erased(batch)?;
        if let Some(found) = found {
            batch.put_back(step.lead_id, found, changed_before);
        }
        return Ok(false);
    }
    // The survivor of this closed lead is erased, so this lead is erased now as well.
    let until = batch
        .loaded
        .erased
        .get(step.lead_id.as_str())
        .map(|erasure| erasure.until);
    let is_erased = found
        .as_ref()
        .is_some_and(|it| it.lead.merged_into.is_some() && Some(it.lead.first_seen) <= until);
    if is_erased
        && !erases
        && let (Some(closed), Some(until)) = (found.take(), until)
    {
        step.remove(closed.lead, until, None, batch)?;
    }
    let is_for_itself = is_erased || keyed.inbound.is_erased_with_another();
    let survivor = found.as_ref().and_then(|it| it.lead.merged_into.as_ref());
    let (changed, outcome) = match survivor.filter(|_| !is_for_itself) {
        Some(survivor) => {
            batch.result.counts.forwarded += 1;
            let home_key = step.home_key(survivor);
            batch
                .outgoing
                .push(effects::forward(rules.output_topics, home_key, record));
            (found, Outcome::Unchanged)
        }
        None => step.fold(found, erased_until, batch)?,
    };
    if let Some(changed) = changed {
        let is_changed = changed_before || outcome != Outcome::Unchanged;
        batch.put_back(step.lead_id, changed, is_changed);
    }
    Ok(outcome == Outcome::DeadLetter)
}

impl Step<'_> {
    /// Folds the record into `found`, the lead that it addresses, if known. Returns the lead after
    /// the fold.
    fn fold(
        &self,
        found: Option<Box<LeadUpdate>>,
        erased_until: Option<Timestamp>,
        batch: &mut BatchFold,
    ) -> Result<(Option<Box<LeadUpdate>>, Outcome), BatchError> {
        match &self.keyed.inbound {
            Inbound::Message(input) => {
                let mut changed = found.unwrap_or_else(|| {
                    let mut lead = Box::new(Lead::new(input));
                    lead.revision = self.last_revision(batch);
                    self.begin(lead)
                });
                changed.lead.erased_until = erased_until;
                let outcome = self.message(input, &mut changed.lead, batch)?;
                Ok((Some(changed), outcome))
            }
            Inbound::Command(command) if self.keyed.inbound.erases() => {
                self.erase(command, found, batch)
            }
            Inbound::Command(command) => self.command(command, found, batch),
            Inbound::Merge(merge) => self.merge(merge, found, batch),
            Inbound::Delivery(input) => self.delivery(input, found, batch),
        }
    }

    fn begin(&self, lead: Box<Lead>) -> Box<LeadUpdate> {
        LeadUpdate::new(lead, &self.keyed.account, self.record.partition, true)
    }

    fn home_key<'a>(&'a self, lead_id: &'a LeadId) -> &'a str {
        lead_id.home_key(&self.keyed.account)
    }

    fn effect_builder(&self) -> EffectBuilder<'_> {
        EffectBuilder {
            lead_id: &self.lead_id,
            account: &self.keyed.account,
            trace: self.record.trace,
            rules: self.rules,
        }
    }

    /// Returns the last revision of the lead's erased predecessor; 0 without one.
    fn last_revision(&self, batch: &BatchFold) -> Revision {
        let erased = batch.loaded.erased.get(self.lead_id.as_str());
        erased.map_or_else(Revision::default, |it| it.last_revision)
    }

    /// Publishes the event that gives `lead` its next revision.
    fn event(
        &self,
        lead: &mut Lead,
        cause: Cause,
        previous: Option<&str>,
        at: Timestamp,
        batch: &mut BatchFold,
    ) -> Result<(), BatchError> {
        self.effect_builder()
            .event(lead, cause, previous, at, batch)
    }

    /// Publishes the reply to the input `cause`, if there is one.
    fn reply(
        &self,
        lead: &Lead,
        prompt: Option<ReplyContent>,
        cause: &InputId,
        batch: &mut BatchFold,
    ) -> Result<(), BatchError> {
        let Some(content) = prompt else {
            return Ok(());
        };
        let builder = self.effect_builder();
        let at = self.keyed.inbound.order().received_at;
        let (kind, not_before, named) = match &self.keyed.inbound {
            Inbound::Command(command) => match &command.input.answer {
                TurnInput::Say { template, .. } => {
                    (ReplyKind::AgentMessage, None, template.as_deref())
                }
                _ => (effects::kind(lead), None, None),
            },
            _ => (effects::kind(lead), builder.waits_until(lead, at), None),
        };
        let said = builder.said(lead, kind, content, named);
        let times = Times {
            not_before,
            ..EffectBuilder::ends(lead, &said, at)
        };
        builder.reply(lead, said, cause.as_str(), times, batch)
    }

    /// Keeps the ids of evicted inputs.
    fn keep_evicted(&self, evicted: Vec<(InputId, Timestamp)>, batch: &mut BatchFold) {
        let rows = evicted.into_iter().map(|(input_id, sent_at)| Evicted {
            id: DedupId {
                lead_id: self.lead_id.clone(),
                input_id,
            },
            sent_at,
        });
        batch.result.evicted.extend(rows);
    }
}

fn place(record: &Record, keyed: &Keyed, batch: &BatchFold, rules: &Rules<'_>) -> Place {
    // The producer knew another partition count or chooses partitions in its own way. All records
    // of a lead must be on one partition.
    let is_misplaced = rules
        .partitions
        .is_some_and(|count| partition_of(keyed.key.as_bytes(), count) != record.partition);
    let mut ids = keyed.identities.iter();
    match ids.find_map(|id| batch.owner(id)) {
        Some(lead_id) => {
            let home = lead_id.home_key(&keyed.account);
            if home == keyed.key && !is_misplaced {
                Place::Here {
                    lead_id: lead_id.clone(),
                    created: false,
                }
            } else {
                Place::Elsewhere(home.to_owned())
            }
        }
        None if is_misplaced => Place::Elsewhere(keyed.key.clone()),
        None => Place::Here {
            lead_id: scoped(&keyed.account, &keyed.key).into(),
            created: true,
        },
    }
}

#[cfg(test)]
pub(crate) mod tests;
