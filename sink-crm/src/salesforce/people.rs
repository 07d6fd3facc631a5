//! Knows the objects that hold customers: Contact, and for a person account its Account. A lead whose
//! person is a customer already is written to the customer's record. Pure.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::mapping::{Described, Target, word};

const CONTACT: &str = "003";
const ACCOUNT: &str = "001";
/// The end of the name of an own field, on all objects but for the person's fields of an Account.
const OWN: &str = "__c";

/// The fields that customers have, of an organisation that is prepared for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct People {
    pub(super) contact: BTreeSet<String>,
    pub(super) account: BTreeSet<String>,
    pub(super) person_accounts: bool,
    /// The key, where Contact has it.
    pub(super) has_key: bool,
}

impl People {
    /// Returns the fields of customers; `None` unless Contact has the field of the revision, with
    /// which an organisation chooses that leads are written to Contacts.
    pub(super) fn new(
        contact: &[Described],
        account: &[Described],
        revision: &str,
        key: &str,
    ) -> Option<Self> {
        let own = |fields: &[Described]| -> BTreeSet<String> {
            let own = fields.iter().filter(|field| field.writable);
            own.map(|field| field.name.clone())
                .filter(|name| name.ends_with(OWN) || name.ends_with("__pc"))
                .collect()
        };
        let people = Self {
            contact: own(contact),
            account: own(account),
            person_accounts: has_person_accounts(contact),
            has_key: contact.iter().any(|field| field.name == key),
        };
        people.contact.contains(revision).then_some(people)
    }

    /// Returns the update of a customer's record from the record of a lead. It holds the own fields
    /// only: names, numbers and the like of a customer belong to sales.
    pub(super) fn record(&self, lead: &Value, record_id: &str) -> Value {
        let is_account = record_id.starts_with(ACCOUNT);
        let kind = if is_account { "Account" } else { "Contact" };
        let mut record = Map::new();
        for (name, value) in lead.as_object().into_iter().flatten() {
            let target = if is_account {
                let person = name.strip_suffix(OWN).map(|stem| format!("{stem}__pc"));
                let person = person.filter(|name| self.account.contains(name));
                person.or_else(|| self.account.get(name).cloned())
            } else {
                self.contact.get(name).cloned()
            };
            if let Some(target) = target {
                record.insert(target, value.clone());
            }
        }
        record.insert("attributes".to_owned(), json!({"type": kind}));
        record.insert("id".to_owned(), json!(record_id));
        Value::Object(record)
    }
}

/// Returns which fields of the mapping Contact lacks, what follows, and the step by hand.
pub(super) fn missing_fields(contact: &[Described], target: &Target) -> Option<String> {
    if contact.is_empty() {
        return Some("the user of the credentials does not see Contact: Contacts are not looked at, and converted leads are parked".to_owned());
    }
    let has = |name: &str| {
        contact
            .iter()
            .any(|field| field.name == name && field.writable)
    };
    let written = target.written();
    let missing: Vec<String> = written
        .iter()
        .filter(|(name, _)| name.ends_with(OWN) && !has(name))
        .map(|(name, kind)| format!("{name} ({})", word(*kind)))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let missing = missing.join(", ");
    Some(if has(&target.revision) {
        format!(
            "the records of customers go without fields that Contact lacks, or that the user of the credentials may not edit; create them by hand: {missing}"
        )
    } else {
        format!(
            "Contacts are not looked at, and converted leads are parked; to write leads to customers, create these fields on Contact by hand: {missing}"
        )
    })
}

/// Returns whether a record is that of a customer.
pub(super) fn is_customer(record_id: &str) -> bool {
    record_id.starts_with(CONTACT) || record_id.starts_with(ACCOUNT)
}

/// Returns whether Contact describes that the organisation has person accounts.
pub(super) fn has_person_accounts(contact: &[Described]) -> bool {
    contact.iter().any(|field| field.name == "IsPersonAccount")
}

/// Returns the id of the record of a customer to which fields are written.
pub(super) fn customer_id(contact: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| contact.get(name)?.as_str().map(str::to_owned);
    if contact.get("IsPersonAccount") == Some(&Value::Bool(true)) {
        return text("AccountId");
    }
    text("Id")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{People, customer_id, is_customer, missing_fields};
    use crate::mapping::{DEFAULT, Described, Mapping};

    fn fields(names: &[(&str, bool)]) -> Vec<Described> {
        let field = |(name, writable): &(&str, bool)| Described {
            name: (*name).to_owned(),
            writable: *writable,
            ..Described::default()
        };
        names.iter().map(field).collect()
    }

    fn people() -> Option<People> {
        let contact = fields(&[
            ("LastName", true),
            ("IsPersonAccount", false),
            ("Revision__c", true),
            ("Score__c", true),
            ("Locked__c", false),
        ]);
        let account = fields(&[("Revision__pc", true), ("Score__c", true), ("Name", true)]);
        People::new(&contact, &account, "Revision__c", "WA_Id__c")
    }

    #[test]
    fn customers_get_their_own_fields_and_keep_what_sales_wrote() {
        let people = people().unwrap();
        assert!(people.person_accounts);
        let lead = json!({
            "attributes": {"type": "Lead"}, "LastName": "Silva", "Phone": "+1", "Company": "n/a",
            "Revision__c": 3, "Score__c": null, "Locked__c": 1, "Other__c": 1, "WA_Id__c": "1",
        });
        let contact = json!({
            "attributes": {"type": "Contact"}, "id": "0031", "Revision__c": 3, "Score__c": null,
        });
        assert_eq!(people.record(&lead, "0031"), contact);
        let account = json!({
            "attributes": {"type": "Account"}, "id": "0011", "Revision__pc": 3, "Score__c": null,
        });
        assert_eq!(people.record(&lead, "0011"), account);
    }

    #[test]
    fn what_contact_lacks_is_named_with_what_follows_and_the_step_by_hand() {
        let target = DEFAULT.parse::<Mapping>().unwrap().salesforce;
        let all: Vec<(&str, bool)> = target
            .written()
            .into_iter()
            .filter(|(name, _)| name.ends_with("__c"))
            .map(|(name, _)| (name, true))
            .collect();
        let missing =
            |fields_there: &[(&str, bool)]| missing_fields(&fields(fields_there), &target);
        assert_eq!(missing(&all), None);
        let none = missing(&[("LastName", true)]).unwrap();
        for part in [
            "converted leads are parked",
            "create these fields on Contact by hand: ",
            "Leadstream_Revision__c (number)",
            "Leadstream_State__c (text)",
        ] {
            assert!(none.contains(part), "{part}: {none}");
        }
        assert!(!none.contains("Company"), "{none}");
        let read_only = all
            .iter()
            .map(|(name, _)| (*name, *name != "Leadstream_Score__c"));
        let read_only = missing(&read_only.collect::<Vec<_>>()).unwrap();
        assert!(read_only.starts_with("the records of customers go without"));
        assert!(
            read_only.ends_with("by hand: Leadstream_Score__c (number)"),
            "{read_only}"
        );
        assert!(missing(&[]).unwrap().contains("does not see Contact"));
    }

    #[test]
    fn an_organisation_chooses_it_by_the_field_of_the_revision() {
        for (contact, chosen) in [
            (vec![("Revision__c", true)], true),
            (vec![("Revision__c", false)], false),
            (vec![("Score__c", true)], false),
            (vec![], false),
        ] {
            let people = People::new(&fields(&contact), &[], "Revision__c", "WA_Id__c");
            assert_eq!(people.is_some(), chosen, "{contact:?}");
        }
    }

    #[test]
    fn a_person_account_is_written_by_its_account() {
        let id = |contact: Value| customer_id(contact.as_object().unwrap());
        let contact =
            |person| json!({"Id": "0031", "AccountId": "0011", "IsPersonAccount": person});
        assert_eq!(id(contact(true)).as_deref(), Some("0011"));
        assert_eq!(id(contact(false)).as_deref(), Some("0031"));
        assert_eq!(id(json!({"Id": "0031"})).as_deref(), Some("0031"));
        for (record_id, customer) in [
            ("0031", true),
            ("0011", true),
            ("00Q1", false),
            ("7", false),
        ] {
            assert_eq!(is_customer(record_id), customer, "{record_id}");
        }
    }
}
