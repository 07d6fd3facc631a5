//! Decides which fields of a record are written, so that what sales wrote stays. Pure.
//!
//! The ledger remembers, by field, the hash of the last value that a rule decided about. So a record
//! is read before it is written only where such a value is about to change.

use std::collections::BTreeMap;

use leadstream_schemas::Revision;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::document::{Target, WriteRule};
use super::fit::kind_of;
use super::render::Rendered;
use crate::compare::{RemoteRecord, canonical, is_empty};
use crate::mapping::Kind;

/// A field that is not written whatever the CRM has, with the value that it should have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Guarded {
    name: String,
    /// `None` clears the field.
    desired: Option<Value>,
    /// Whether the lead has not given the value: it is the mapping's default, or the name of the profile.
    is_provisional: bool,
}

/// What is known of the CRM's record when fields are chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Remote<'r> {
    /// The record was not read: it is new, or the ledger knows enough.
    Unread,
    /// There is no record.
    Absent,
    Record(&'r RemoteRecord),
}

/// The fields that are left out of a request, and what the ledger remembers once the CRM took it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Choice {
    pub(crate) omitted: Vec<String>,
    pub(crate) written: WrittenFields,
}

/// What the ledger remembers of the guarded fields of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WrittenFields {
    /// The revision of the last request that the CRM is known to have taken; 0 for none.
    revision: u64,
    /// By a hash of the field's name.
    fields: BTreeMap<u32, Entry>,
}

/// The last decision about a field, and the hash of the value that it was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    mark: Mark,
    value: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// The CRM got the lead's value.
    Written,
    /// The CRM got the mapping's default, or the name of the profile.
    Provisional,
    /// Sales had written another value, which stayed.
    Kept,
}

/// Bytes of an entry: the field, the mark and the value.
const ENTRY: usize = 4 + 1 + 8;

impl Mark {
    const fn to_byte(self) -> u8 {
        match self {
            Self::Written => 0,
            Self::Provisional => 1,
            Self::Kept => 2,
        }
    }

    const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Written,
            1 => Self::Provisional,
            _ => Self::Kept,
        }
    }
}

impl WrittenFields {
    /// Parses what [`Self::to_bytes`] returned; anything else is as if nothing were remembered.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let Some((revision, entries)) = bytes.split_first_chunk::<8>() else {
            return Self::default();
        };
        let entry = |bytes: &[u8]| {
            let (field, rest) = bytes.split_first_chunk::<4>()?;
            let (mark, value) = rest.split_first_chunk::<1>()?;
            let (value, _) = value.split_first_chunk::<8>()?;
            let entry = Entry {
                mark: Mark::from_byte(mark[0]),
                value: u64::from_be_bytes(*value),
            };
            Some((u32::from_be_bytes(*field), entry))
        };
        Self {
            revision: u64::from_be_bytes(*revision),
            fields: entries.chunks_exact(ENTRY).filter_map(entry).collect(),
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.revision.to_be_bytes().to_vec();
        for (field, entry) in &self.fields {
            bytes.extend(field.to_be_bytes());
            bytes.push(entry.mark.to_byte());
            bytes.extend(entry.value.to_be_bytes());
        }
        bytes
    }

    /// Returns the fields as of a request with `revision` that the CRM took.
    pub(crate) fn at(self, Revision(revision): Revision) -> Self {
        Self { revision, ..self }
    }

    /// Returns the fields without those that the CRM refused.
    pub(crate) fn without<'f>(&self, refused: impl Iterator<Item = &'f str>) -> Self {
        let mut written = self.clone();
        for name in refused {
            written.fields.remove(&field_key(name));
        }
        written
    }

    fn entry(&self, name: &str) -> Option<Entry> {
        self.fields.get(&field_key(name)).copied()
    }
}

impl Target {
    /// Returns the fields of a record that are not written whatever the CRM has.
    pub(crate) fn guarded(&self, rendered: &Rendered) -> Vec<Guarded> {
        rendered
            .values
            .iter()
            .filter(|(name, _)| self.rule(name) != WriteRule::Always)
            .map(|(name, desired)| Guarded {
                name: name.clone(),
                desired: desired.clone(),
                is_provisional: rendered.provisional.contains(name),
            })
            .collect()
    }

    /// Returns the hash of a value; an empty one has the hash of none.
    fn value_hash(&self, name: &str, value: Option<&Value>) -> u64 {
        let canonical = |value| canonical(kind_of(self, name), self.is_phone(name), value);
        let value = value.filter(|value| !is_empty(value));
        let [a, b, c, d, e, f, g, h, ..] = digest(&value.map_or_else(String::new, canonical));
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

fn field_key(name: &str) -> u32 {
    let [a, b, c, d, ..] = digest(name);
    u32::from_be_bytes([a, b, c, d])
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Returns whether the CRM's record has to be read before it is written. `is_known` tells that the
/// outcome of every earlier request is known.
pub(crate) fn needs_read(
    target: &Target,
    guarded: &[Guarded],
    known: &WrittenFields,
    is_known: bool,
) -> bool {
    let is_open = |field: &Guarded| !is_settled(target, field, known.entry(&field.name));
    guarded.iter().any(|field| !is_known || is_open(field))
}

/// Returns whether an earlier decision holds for the field as it is now.
fn is_settled(target: &Target, field: &Guarded, entry: Option<Entry>) -> bool {
    entry.is_some_and(|entry| {
        is_done(target, field, entry)
            || entry.value == target.value_hash(&field.name, field.desired.as_ref())
    })
}

/// Returns whether a field that is written once had its time.
fn is_done(target: &Target, field: &Guarded, entry: Entry) -> bool {
    target.rule(&field.name) == WriteRule::Once && entry.mark != Mark::Provisional
}

/// Decides which of the `guarded` fields are left out. `known` is what the ledger remembers, and
/// `adopted` tells that sales made the record.
pub(crate) fn decide(
    target: &Target,
    guarded: &[Guarded],
    remote: Remote<'_>,
    known: &WrittenFields,
    adopted: bool,
) -> Choice {
    let nothing = WrittenFields::default();
    let known = match remote {
        Remote::Absent => &nothing,
        Remote::Unread | Remote::Record(_) => known,
    };
    let mut decided = Choice {
        omitted: Vec::new(),
        written: known.clone(),
    };
    for field in guarded {
        let entry = known.entry(&field.name);
        let hash = target.value_hash(&field.name, field.desired.as_ref());
        let (is_written, is_kept) = match remote {
            Remote::Absent => (true, false),
            Remote::Unread => (!is_settled(target, field, entry), false),
            Remote::Record(record) => {
                let held = record.values.get(&field.name);
                let is_same = target.value_hash(&field.name, held) == hash;
                let may_write = may_write(target, field, record, known, adopted);
                // Sales may have chosen the very value that the lead has: it stays theirs.
                let is_theirs = !is_same || entry.is_some() || adopted;
                (is_same || may_write, !may_write && is_theirs)
            }
        };
        if !is_written {
            decided.omitted.push(field.name.clone());
        }
        let is_settled = !is_written && matches!(remote, Remote::Unread);
        if is_settled || entry.is_some_and(|entry| is_done(target, field, entry)) {
            continue;
        }
        let mark = match (is_kept, field.is_provisional) {
            (true, _) => Mark::Kept,
            (false, true) => Mark::Provisional,
            (false, false) => Mark::Written,
        };
        let entry = Entry { mark, value: hash };
        decided.written.fields.insert(field_key(&field.name), entry);
    }
    decided
}

/// Returns whether the field's rule lets another value be written to `record`.
fn may_write(
    target: &Target,
    field: &Guarded,
    record: &RemoteRecord,
    known: &WrittenFields,
    adopted: bool,
) -> bool {
    let entry = known.entry(&field.name);
    let held = record.values.get(&field.name);
    let is_empty = held.is_none_or(|value| is_unset(kind_of(target, &field.name), value));
    let is_ours = || is_ours(target, field, record, known, adopted);
    match target.rule(&field.name) {
        WriteRule::Always => true,
        WriteRule::IfEmpty => is_empty,
        WriteRule::WhileOurs => is_empty || is_ours(),
        WriteRule::Once => match entry {
            Some(entry) if entry.mark != Mark::Provisional => false,
            Some(_) => is_empty || is_ours(),
            // A CRM gives each new record an owner; that is no choice of sales.
            None => is_empty || (!adopted && target.is_owner(&field.name)),
        },
    }
}

/// Returns whether the field holds a value that was written by us.
fn is_ours(
    target: &Target,
    field: &Guarded,
    record: &RemoteRecord,
    known: &WrittenFields,
    adopted: bool,
) -> bool {
    let Some(held) = record.values.get(&field.name) else {
        return false;
    };
    let possible = target.possible_values(&field.name);
    let is_possible = held.as_str().is_some_and(|held| possible.contains(&held));
    // The record has another revision than the last outcome that is known: a request of ours arrived
    // whose outcome is not.
    let revision = record.number(&target.revision);
    let is_unrecorded = revision.is_some_and(|revision| revision != known.revision as f64);
    match known.entry(&field.name) {
        // A ledger that remembers nothing of a record that we made: every field was written.
        None => is_possible && (!adopted || is_unrecorded),
        Some(entry) if entry.mark == Mark::Kept => false,
        Some(entry) => {
            entry.value == target.value_hash(&field.name, Some(held))
                || (is_possible && is_unrecorded)
        }
    }
}

/// Returns whether a field counts as empty: a box that is not ticked does.
fn is_unset(kind: Kind, value: &Value) -> bool {
    is_empty(value) || (kind == Kind::Boolean && canonical(kind, false, value) == "false")
}

#[cfg(test)]
mod tests;
