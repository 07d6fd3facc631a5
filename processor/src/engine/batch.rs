//! The fold of a batch: pure, over leads that were loaded before. What comes out is everything
//! that one transaction writes and, after it, Kafka is given.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use leadstream_schemas::codec::{self, CodecError};
use leadstream_schemas::{LeadInput, Timestamp};
use leadstream_stream::{Outgoing, Record};

use super::effects::{self, Outlets};
use crate::flows::Flows;
use crate::lead::{Accounts, Admission, FoldError, Input, InputError, Lead, scoped};
use crate::metrics::Counts;

/// A record, decoded once.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) record: Record,
    pub(crate) content: Result<Keyed, Undecodable>,
}

/// An input with its ids within its account, the record's key first.
#[derive(Debug)]
pub(crate) struct Keyed {
    pub(crate) input: Input,
    pub(crate) account: String,
    pub(crate) key: String,
    pub(crate) identities: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Undecodable {
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("the record's key is not a lead's id: {0}")]
    Key(&'static str),
}

impl Decoded {
    pub(crate) fn new(record: Record, accounts: &Accounts) -> Self {
        let content = decode(&record, accounts);
        Self { record, content }
    }
}

fn decode(record: &Record, accounts: &Accounts) -> Result<Keyed, Undecodable> {
    let key = std::str::from_utf8(&record.key).map_err(|_| Undecodable::Key("it is not UTF-8"))?;
    if key.is_empty() || key.len() > 160 || key.contains('\0') {
        return Err(Undecodable::Key(
            "it is empty, over 160 bytes, or holds a NUL",
        ));
    }
    let input = Input::try_from(codec::decode::<LeadInput>(&record.value)?)?;
    let account = accounts.of(&input.number).to_owned();
    let mut identities = vec![scoped(&account, key)];
    for id in input.sender.identities() {
        let identity = scoped(&account, id);
        if !identities.contains(&identity) {
            identities.push(identity);
        }
    }
    Ok(Keyed {
        key: key.to_owned(),
        input,
        account,
        identities,
    })
}

/// What the fold may use of the database.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Leads at home on the batch's partitions, by lead id.
    pub(crate) leads: HashMap<String, Lead>,
    /// Lead id by identity.
    pub(crate) identities: HashMap<String, String>,
    /// Ids that left their lead's journal: lead id and input id.
    pub(crate) departed: HashSet<(String, String)>,
}

/// Settings of the fold.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) flows: &'a Flows,
    pub(crate) outlets: &'a Outlets,
    pub(crate) journal: usize,
}

/// Everything that a batch changes.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    /// Leads that changed, by lead id: in the order in which rows are written.
    pub(crate) leads: BTreeMap<String, Changed>,
    /// New rows of `lead_identities`.
    pub(crate) identities: BTreeMap<String, String>,
    /// New rows of `departed_inputs`: lead id, input id, time of sending.
    pub(crate) departed: Vec<(String, String, Timestamp)>,
    /// By partition: the next offset and what is to be published.
    pub(crate) partitions: BTreeMap<i32, Progress>,
    /// Partitions that stop before a record, with the reason.
    pub(crate) halted: BTreeMap<i32, String>,
    pub(crate) counts: Counts,
}

#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) lead: Lead,
    pub(crate) account: String,
    pub(crate) partition: i32,
    pub(crate) created: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) next_offset: i64,
    pub(crate) records: u64,
    /// Of them, dead letters.
    pub(crate) poison: Vec<bool>,
    pub(crate) outgoing: Vec<Outgoing>,
}

#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    #[error(transparent)]
    Fold(#[from] FoldError),
    #[error(transparent)]
    Encode(#[from] CodecError),
}

/// Where a record belongs.
enum Place {
    /// Here: the lead's id, and whether it is new.
    Here { lead_id: String, created: bool },
    /// On the partition of this key.
    Elsewhere(String),
}

/// Folds `batch` in its order.
pub(crate) fn fold(
    batch: &[Decoded],
    known: &Known,
    rules: &Rules<'_>,
) -> Result<Folded, BatchError> {
    let mut folded = Folded::default();
    for decoded in batch {
        let partition = decoded.record.partition;
        if folded.halted.contains_key(&partition) {
            continue;
        }
        if let Err(Undecodable::Input(error @ InputError::UnknownKind(_))) = &decoded.content {
            folded.halted.insert(
                partition,
                format!("at offset {}: {error}", decoded.record.offset),
            );
            continue;
        }
        let mut outgoing = Vec::new();
        let poison = match &decoded.content {
            Ok(keyed) => fold_one(
                &decoded.record,
                keyed,
                known,
                rules,
                &mut folded,
                &mut outgoing,
            )?,
            Err(error) => {
                folded.counts.undecodable += 1;
                outgoing.push(effects::dead_letter(
                    rules.outlets,
                    &decoded.record,
                    "undecodable",
                    &error.to_string(),
                ));
                true
            }
        };
        let progress = folded.partitions.entry(partition).or_default();
        progress.next_offset = decoded.record.offset + 1;
        progress.records += 1;
        progress.poison.push(poison);
        progress.outgoing.append(&mut outgoing);
    }
    Ok(folded)
}

/// Folds one input; true when it went to dead letters.
fn fold_one(
    record: &Record,
    keyed: &Keyed,
    known: &Known,
    rules: &Rules<'_>,
    folded: &mut Folded,
    outgoing: &mut Vec<Outgoing>,
) -> Result<bool, BatchError> {
    let (lead_id, created) = match place(keyed, known, folded) {
        Place::Here { lead_id, created } => (lead_id, created),
        Place::Elsewhere(home_key) => {
            folded.counts.forwarded += 1;
            outgoing.push(effects::forward(rules.outlets, &home_key, record));
            return Ok(false);
        }
    };
    let mut lead = match folded.leads.get(&lead_id) {
        Some(changed) => changed.lead.clone(),
        None => known
            .leads
            .get(&lead_id)
            .cloned()
            .unwrap_or_else(|| Lead::new(&keyed.input)),
    };
    let departed_before = || {
        let here = |(id, input, _): &(String, String, Timestamp)| {
            *id == lead_id && *input == keyed.input.order.id
        };
        known
            .departed
            .contains(&(lead_id.clone(), keyed.input.order.id.clone()))
            || folded.departed.iter().any(here)
    };
    let admission =
        lead.journal
            .admit(rules.flows, &keyed.input, rules.journal, departed_before)?;
    let (change, prompt, departed) = match admission {
        Admission::Duplicate => {
            folded.counts.duplicates += 1;
            return Ok(false);
        }
        Admission::TooLate => {
            folded.counts.too_late += 1;
            outgoing.push(effects::dead_letter(
                rules.outlets,
                record,
                "too_late",
                "the input is older than its lead's journal reaches; a larger JOURNAL_LENGTH reaches further back",
            ));
            return Ok(true);
        }
        Admission::Folded {
            change,
            prompt,
            departed,
        } => (change, prompt, departed),
    };
    folded.counts.folded += 1;
    lead.observe(&keyed.input);
    learn(&mut lead, &lead_id, keyed, known, folded);
    let key = home_key(&lead_id, &keyed.account);
    if let Some(change) = change {
        lead.revision += 1;
        folded.counts.events += 1;
        if change.late {
            folded.counts.late += 1;
        }
        if let Some(event) = effects::event(&lead_id, &lead, &change, &keyed.input) {
            let trace = record.trace.map(|trace| trace.child(1));
            outgoing.push(effects::outgoing(
                &rules.outlets.events,
                key,
                trace,
                &event,
            )?);
        }
    }
    if let Some(prompt) = prompt {
        folded.counts.replies += 1;
        let reply = effects::reply(&lead_id, &lead, prompt, &keyed.input);
        let trace = record.trace.map(|trace| trace.child(2));
        outgoing.push(effects::outgoing(
            &rules.outlets.replies,
            key,
            trace,
            &reply,
        )?);
    }
    folded.departed.extend(
        departed
            .into_iter()
            .map(|(id, sent_at)| (lead_id.clone(), id, sent_at)),
    );
    let created = created
        || folded
            .leads
            .get(&lead_id)
            .is_some_and(|changed| changed.created);
    folded.leads.insert(
        lead_id,
        Changed {
            lead,
            account: keyed.account.clone(),
            partition: record.partition,
            created,
        },
    );
    Ok(false)
}

/// A lead id is its home key within its account.
pub(crate) fn home_key<'a>(lead_id: &'a str, account: &str) -> &'a str {
    if account.is_empty() {
        return lead_id;
    }
    lead_id
        .strip_prefix(account)
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(lead_id)
}

fn place(keyed: &Keyed, known: &Known, folded: &Folded) -> Place {
    let lead_of = |identity: &String| {
        folded
            .identities
            .get(identity)
            .or_else(|| known.identities.get(identity))
    };
    match keyed.identities.iter().find_map(lead_of) {
        Some(lead_id) => {
            let home = home_key(lead_id, &keyed.account);
            if home == keyed.key {
                Place::Here {
                    lead_id: lead_id.clone(),
                    created: false,
                }
            } else {
                Place::Elsewhere(home.to_owned())
            }
        }
        None => Place::Here {
            lead_id: scoped(&keyed.account, &keyed.key),
            created: true,
        },
    }
}

/// Learns the ids that came with the input. An id that belongs to another lead stays there.
fn learn(lead: &mut Lead, lead_id: &str, keyed: &Keyed, known: &Known, folded: &mut Folded) {
    let own = scoped(&keyed.account, &keyed.key);
    if !known.identities.contains_key(&own) {
        folded
            .identities
            .entry(own)
            .or_insert_with(|| lead_id.to_owned());
    }
    let unknown: BTreeSet<String> = lead
        .identities
        .unknown(&keyed.input.sender)
        .map(ToOwned::to_owned)
        .collect();
    for id in unknown {
        let identity = scoped(&keyed.account, &id);
        match known
            .identities
            .get(&identity)
            .or_else(|| folded.identities.get(&identity))
        {
            Some(owner) if owner != lead_id => folded.counts.identity_conflicts += 1,
            owner => {
                if owner.is_none() {
                    folded.identities.insert(identity, lead_id.to_owned());
                }
                lead.identities.learn(&keyed.input.sender, &id);
            }
        }
    }
}

#[cfg(test)]
mod tests;
