//! Stores records of a CRM with the history of the writes to each.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The number of writes kept per record; older ones are dropped.
pub const HISTORY_LIMIT: usize = 100;

/// Values by property or field name.
pub type Values = BTreeMap<String, Value>;

/// A HubSpot contact or a Salesforce lead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrmRecord {
    /// The CRM's own id.
    pub id: String,
    /// Current values; a cleared one is absent.
    pub values: Values,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of its last write.
    pub updated_at: DateTime<Utc>,
    /// Writes in the order of their arrival, oldest first, at most [`HISTORY_LIMIT`].
    pub history: VecDeque<RecordWrite>,
    /// The number of all writes, including those that `history` no longer holds.
    pub writes: u64,
    /// The number of runs of the CRM's own assignment rules (Salesforce).
    pub assignments: u64,
}

impl CrmRecord {
    /// Returns a current value as text, if it is one.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(Value::as_str)
    }
}

/// One write to a record, with the sent values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordWrite {
    /// Position among all writes to this CRM, from 1.
    pub arrival: u64,
    /// The time at which it was applied.
    pub at: DateTime<Utc>,
    /// The values sent.
    pub values: Values,
    /// It was ordered to be applied later than it was sent ([`Effect::AppliedLate`]).
    ///
    /// [`Effect::AppliedLate`]: crate::Effect::AppliedLate
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

/// A decided write that is not applied yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Write {
    pub(crate) id: String,
    pub(crate) at: DateTime<Utc>,
    /// The values sent; null and "" clear.
    pub(crate) values: Values,
    /// Sent values that the CRM ignores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) assigned: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) late: bool,
}

impl Write {
    /// Returns the write of these values to the record of `id`.
    pub(crate) const fn of(id: String, values: Values, at: DateTime<Utc>) -> Self {
        Self {
            id,
            at,
            values,
            ignored: Vec::new(),
            assigned: false,
            late: false,
        }
    }
}

/// A record that was deleted, or that was merged into another.
#[derive(Debug, Clone)]
pub(crate) struct Gone {
    pub(crate) record: CrmRecord,
    /// The id of the record that it was merged into.
    pub(crate) master: Option<String>,
}

/// All records of a CRM, found by id or by a unique value.
#[derive(Debug, Default)]
pub(crate) struct Table {
    records: BTreeMap<String, CrmRecord>,
    gone: BTreeMap<String, Gone>,
    unique: BTreeSet<String>,
    index: HashMap<(String, String), String>,
    arrivals: u64,
    made: usize,
}

impl Table {
    /// Returns an empty table in which the values of the named properties are unique.
    pub(crate) fn new(unique: impl IntoIterator<Item = String>) -> Self {
        Self {
            unique: unique.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Makes a property unique that no record has yet.
    pub(crate) fn add_unique(&mut self, name: &str) {
        self.unique.insert(name.to_owned());
    }

    pub(crate) fn is_unique(&self, name: &str) -> bool {
        self.unique.contains(name)
    }

    pub(crate) fn unique_names(&self) -> impl Iterator<Item = &str> {
        self.unique.iter().map(String::as_str)
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns the number of records ever created, which is the next one's number.
    pub(crate) fn made(&self) -> usize {
        self.made
    }

    /// Removes a record and its index entries; `master` is the record that it was merged into.
    pub(crate) fn remove(&mut self, id: &str, master: Option<String>) {
        if let Some(record) = self.records.remove(id) {
            self.gone.insert(id.to_owned(), Gone { record, master });
        }
        self.index.retain(|_, owner| owner != id);
    }

    pub(crate) fn gone(&self) -> impl Iterator<Item = &Gone> {
        self.gone.values()
    }

    /// Returns the record with this id, or the one that it was merged into.
    pub(crate) fn surviving(&self, id: &str) -> Option<&CrmRecord> {
        let mut id = id;
        for _ in 0..=self.gone.len() {
            if let Some(record) = self.records.get(id) {
                return Some(record);
            }
            id = self.gone.get(id)?.master.as_deref()?;
        }
        None
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = &CrmRecord> {
        self.records.values()
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<&CrmRecord> {
        self.records.get(id)
    }

    pub(crate) fn by_unique(&self, name: &str, value: &str) -> Option<&CrmRecord> {
        let id = self.index.get(&(name.to_owned(), value.to_owned()))?;
        self.records.get(id)
    }

    /// Returns the record with this id or with this unique value.
    pub(crate) fn find(&self, key: &str) -> Option<&CrmRecord> {
        self.by_id(key).or_else(|| {
            self.unique
                .iter()
                .find_map(|name| self.by_unique(name, key))
        })
    }

    pub(crate) fn apply(&mut self, write: Write) {
        self.arrivals += 1;
        self.made += usize::from(!self.records.contains_key(&write.id));
        let record = self
            .records
            .entry(write.id.clone())
            .or_insert_with(|| CrmRecord {
                id: write.id.clone(),
                values: Values::new(),
                created_at: write.at,
                updated_at: write.at,
                history: VecDeque::new(),
                writes: 0,
                assignments: 0,
            });
        for (name, value) in &write.values {
            if write.ignored.contains(name) {
                continue;
            }
            let cleared = value.is_null() || value == "";
            let old = if cleared {
                record.values.remove(name)
            } else {
                record.values.insert(name.clone(), value.clone())
            };
            if self.unique.contains(name) {
                if let Some(Value::String(old)) = old {
                    self.index.remove(&(name.clone(), old));
                }
                if let (false, Some(text)) = (cleared, value.as_str()) {
                    self.index
                        .insert((name.clone(), text.to_owned()), write.id.clone());
                }
            }
        }
        record.updated_at = write.at;
        record.writes += 1;
        record.assignments += u64::from(write.assigned);
        if record.history.len() == HISTORY_LIMIT {
            record.history.pop_front();
        }
        record.history.push_back(RecordWrite {
            arrival: self.arrivals,
            at: write.at,
            values: write.values,
            late: write.late,
        });
    }

    /// Restores a whole record from a snapshot.
    pub(crate) fn restore(&mut self, record: CrmRecord) {
        for name in &self.unique {
            if let Some(text) = record.text(name) {
                self.index
                    .insert((name.clone(), text.to_owned()), record.id.clone());
            }
        }
        let latest = record.history.back().map_or(0, |write| write.arrival);
        self.arrivals = self.arrivals.max(latest);
        self.made += 1;
        self.records.insert(record.id.clone(), record);
    }
}

#[cfg(test)]
mod tests {
    use super::{HISTORY_LIMIT, Table, Values, Write};
    use chrono::{DateTime, Utc};
    use serde_json::{Value, json};

    fn write(id: &str, values: Value, ignored: &[&str]) -> Write {
        Write {
            id: id.to_owned(),
            at: DateTime::<Utc>::UNIX_EPOCH,
            values: serde_json::from_value::<Values>(values).expect("an object"),
            ignored: ignored.iter().map(ToString::to_string).collect(),
            assigned: false,
            late: false,
        }
    }

    #[test]
    fn values_merge_clear_and_keep_their_history() {
        let mut table = Table::new(["key".to_owned()]);
        table.apply(write(
            "1",
            json!({ "key": "a", "name": "Ann", "stage": "lead" }),
            &[],
        ));
        table.apply(write("2", json!({ "key": "b" }), &[]));
        table.apply(write(
            "1",
            json!({ "name": "", "stage": "subscriber" }),
            &["stage"],
        ));
        let record = table.by_unique("key", "a").expect("the record");
        assert_eq!(record.text("name"), None);
        assert_eq!(record.text("stage"), Some("lead"));
        let arrivals: Vec<u64> = record.history.iter().map(|write| write.arrival).collect();
        assert_eq!(arrivals, [1, 3]);
        assert_eq!(record.history[1].values["stage"], "subscriber");
    }

    #[test]
    fn a_changed_unique_value_is_found_under_the_new_one_only() {
        let mut table = Table::new(["key".to_owned()]);
        table.apply(write("1", json!({ "key": "a" }), &[]));
        table.apply(write("1", json!({ "key": "b" }), &[]));
        assert!(table.by_unique("key", "a").is_none());
        assert_eq!(table.find("b").map(|record| record.id.as_str()), Some("1"));
    }

    #[test]
    fn history_is_bounded_and_writes_are_counted() {
        let mut table = Table::new([]);
        for _ in 0..HISTORY_LIMIT + 5 {
            table.apply(write("1", json!({ "n": "x" }), &[]));
        }
        let record = table.by_id("1").expect("the record");
        assert_eq!(record.history.len(), HISTORY_LIMIT);
        assert_eq!(record.writes, HISTORY_LIMIT as u64 + 5);
        assert_eq!(record.history[0].arrival, 6);
    }
}
