//! Converts leads, merges records, and keeps the two halves of a person account alike.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::object::SObject;
use crate::state::{Change, State};
use crate::table::{CrmRecord, Values, Write};

/// Fields of a Contact, and those of a person account's Account that hold the same.
const SHARED: [(&str, &str); 7] = [
    ("FirstName", "FirstName"),
    ("LastName", "LastName"),
    ("Phone", "Phone"),
    ("MobilePhone", "PersonMobilePhone"),
    ("HomePhone", "PersonHomePhone"),
    ("OtherPhone", "PersonOtherPhone"),
    ("Email", "PersonEmail"),
];

/// Fields that a Contact takes over from its Lead.
const CONVERTED: [&str; 6] = [
    "FirstName",
    "LastName",
    "Phone",
    "MobilePhone",
    "Email",
    "Title",
];

pub(super) fn is_person_account(record: &CrmRecord) -> bool {
    record.values.get("IsPersonAccount") == Some(&Value::Bool(true))
}

/// Returns the changes of a person account's Contact that follow those of its Account.
pub(super) fn mirrored(
    state: &State,
    object: SObject,
    existing: &CrmRecord,
    values: &Values,
    now: DateTime<Utc>,
) -> Vec<Change> {
    let contact = existing.text("PersonContactId");
    let Some(contact) = contact.filter(|_| object == SObject::Account) else {
        return Vec::new();
    };
    if state.people.by_id(contact).is_none() {
        return Vec::new();
    }
    let shared: Values = SHARED
        .iter()
        .filter_map(|(own, account)| Some(((*own).to_owned(), values.get(*account)?.clone())))
        .collect();
    let write = Write::of(contact.to_owned(), shared, now);
    vec![Change::Write(SObject::Contact.crm(), write)]
}

/// Returns the changes that convert a Lead, and the id of its Contact. `None` unless the Lead is there
/// and not converted.
pub(crate) fn convert(
    state: &State,
    lead_id: &str,
    person_account: bool,
    now: DateTime<Utc>,
) -> Option<(Vec<Change>, String)> {
    let lead = state.leads.by_id(lead_id)?;
    if super::upsert::is_converted(Some(lead)) {
        return None;
    }
    let taken: Values = CONVERTED
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), lead.values.get(*name)?.clone())))
        .collect();
    let (mut changes, contact, account) = person(state, taken, person_account, now);
    let values = [
        ("IsConverted", json!(true)),
        ("ConvertedContactId", json!(contact)),
        ("ConvertedAccountId", json!(account)),
        ("Status", json!("Closed - Converted")),
    ];
    let values = values.map(|(name, value)| (name.to_owned(), value));
    let write = Write::of(lead_id.to_owned(), values.into(), now);
    changes.push(Change::Write(SObject::Lead.crm(), write));
    Some((changes, contact))
}

/// Returns the changes that create a Contact and its Account, with the ids of both.
pub(crate) fn person(
    state: &State,
    mut values: Values,
    person_account: bool,
    now: DateTime<Utc>,
) -> (Vec<Change>, String, String) {
    let contact = SObject::Contact.id_after(&state.people);
    let account = SObject::Account.id_after(&state.accounts);
    let mut held = Values::new();
    if person_account {
        for (own, name) in SHARED {
            if let Some(value) = values.get(own) {
                held.insert(name.to_owned(), value.clone());
            }
        }
        held.insert("PersonContactId".to_owned(), json!(contact));
        held.insert("IsPersonAccount".to_owned(), json!(true));
        values.insert("IsPersonAccount".to_owned(), json!(true));
    } else {
        held.insert("Name".to_owned(), json!("Acme"));
    }
    values.insert("AccountId".to_owned(), json!(account));
    let write = |object: SObject, id: &str, values| {
        Change::Write(object.crm(), Write::of(id.to_owned(), values, now))
    };
    let changes = vec![
        write(SObject::Account, &account, held),
        write(SObject::Contact, &contact, values),
    ];
    (changes, contact, account)
}

/// Returns the change that merges the second record into the first, which keeps its values. `None`
/// unless both are there.
pub(crate) fn merge(state: &State, master: &str, merged: &str) -> Option<Vec<Change>> {
    let object = SObject::of_id(master)?;
    let table = object.table(state);
    table.by_id(master)?;
    table.by_id(merged).filter(|record| record.id != master)?;
    let change = Change::Merged(object.crm(), merged.to_owned(), master.to_owned());
    Some(vec![change])
}
