//! What Salesforce is sent of a lead.
//!
//! Beside the Lead object's standard fields the organisation needs the external id field
//! (`WA_Id__c` by default, text, External ID, unique) and the fields of [`CUSTOM`].

use leadstream_schemas::EventData;
use serde_json::{Map, Value, json};

use crate::crm::Prepared;
use crate::person;

/// Standard fields that are written.
pub(super) const STANDARD: [&str; 5] = ["LastName", "FirstName", "Company", "Phone", STATUS];
pub(super) const STATUS: &str = "Status";
/// Custom fields with their types: the flow's state, score, the lead's revision, and the answer
/// `budget` where it is a number.
pub(super) const CUSTOM: [(&str, &str); 4] = [
    ("Leadstream_State__c", "Text(50)"),
    ("Leadstream_Score__c", "Number(18, 0)"),
    ("Leadstream_Revision__c", "Number(18, 0)"),
    ("Leadstream_Budget__c", "Number(16, 2)"),
];

const NEW: &str = "Open - Not Contacted";
const WORKING: &str = "Working - Contacted";
const COLD: &str = "Closed - Not Converted";
/// Values of `Status` that are written: all of a new organisation's own.
pub(super) const STATUSES: [&str; 3] = [NEW, WORKING, COLD];

/// The last name of a lead that has told none: Salesforce wants one.
const NO_NAME: &str = "WhatsApp lead";
const LAST_NAME_LENGTH: usize = 80;
const FIRST_NAME_LENGTH: usize = 40;

/// What the mapping takes from the configuration.
#[derive(Clone, Debug)]
pub(super) struct Mapping<'a> {
    pub(super) external_id_field: &'a str,
    pub(super) company: &'a str,
}

const REVISION: &str = "Leadstream_Revision__c";

/// The record of a lead.
pub(super) fn prepare(lead: &EventData, mapping: &Mapping<'_>) -> Prepared {
    let mut record = record(lead, mapping);
    let body = Value::Object(record.clone());
    record.remove(REVISION);
    Prepared::new(&lead.lead_id, body, &Value::Object(record))
}

/// The body of a collections upsert: one bad record leaves the others alone.
pub(super) fn upsert(leads: &[&Prepared]) -> Value {
    let records: Vec<&Value> = leads.iter().map(|lead| &lead.body).collect();
    json!({ "allOrNone": false, "records": records })
}

/// In our own fields an answer that the lead took back is cleared (null); in Salesforce's what is
/// unknown is left out, so that nothing a person wrote is cleared.
fn record(lead: &EventData, mapping: &Mapping<'_>) -> Map<String, Value> {
    let mut record = Map::new();
    let mut set = |name: &str, value: Value| record.insert(name.to_owned(), value);
    set("attributes", json!({"type": "Lead"}));
    set(mapping.external_id_field, json!(lead.lead_id));
    let (first, last) = name(lead.lead_metadata.name.as_deref());
    set("LastName", json!(last));
    if let Some(first) = first {
        set("FirstName", json!(first));
    }
    set("Company", json!(mapping.company));
    if let Some(wa_id) = &lead.wa_id {
        set("Phone", json!(format!("+{wa_id}")));
    }
    set(STATUS, json!(status(lead)));
    set("Leadstream_State__c", json!(lead.current_state));
    set("Leadstream_Score__c", json!(lead.qualification_score));
    set("Leadstream_Revision__c", json!(lead.revision));
    set(
        "Leadstream_Budget__c",
        json!(person::number(lead, "budget")),
    );
    record
}

/// First and last name. One word is the last name, because that is the one Salesforce wants.
fn name(name: Option<&str>) -> (Option<&str>, &str) {
    match name.map(person::split) {
        Some((first, Some(last))) => (
            Some(person::cut(first, FIRST_NAME_LENGTH)),
            person::cut(last, LAST_NAME_LENGTH),
        ),
        Some((only, None)) if !only.is_empty() => (None, person::cut(only, LAST_NAME_LENGTH)),
        _ => (None, NO_NAME),
    }
}

fn status(lead: &EventData) -> &'static str {
    match lead.current_state.as_str() {
        _ if lead.is_completed => WORKING,
        "START" => NEW,
        "COLD" => COLD,
        _ => WORKING,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{CUSTOM, Mapping, NO_NAME, STANDARD, STATUSES, name, prepare, upsert};
    use crate::fixtures;
    use crate::person::tests::{completed, started};

    const MAPPING: Mapping<'static> = Mapping {
        external_id_field: "WA_Id__c",
        company: "Unknown",
    };

    #[test]
    fn a_lead_becomes_one_record() {
        let expected = json!({"allOrNone": false, "records": [{
            "attributes": {"type": "Lead"},
            "WA_Id__c": "1234567890",
            "FirstName": "John",
            "LastName": "Doe",
            "Company": "Unknown",
            "Phone": "+1234567890",
            "Status": "Working - Contacted",
            "Leadstream_State__c": "COMPLETED",
            "Leadstream_Score__c": 100,
            "Leadstream_Revision__c": 3,
            "Leadstream_Budget__c": 7500,
        }]});
        assert_eq!(upsert(&[&prepare(&completed(), &MAPPING)]), expected);
    }

    #[test]
    fn only_listed_fields_and_values_are_written() {
        let mut cold = started();
        cold.current_state = "COLD".into();
        let leads = [started(), completed(), cold];
        let body = upsert(&leads.map(|lead| prepare(&lead, &MAPPING)).each_ref());
        for record in body["records"].as_array().unwrap() {
            assert!(STATUSES.contains(&record["Status"].as_str().unwrap()));
            for name in record.as_object().unwrap().keys() {
                let known = ["attributes", "WA_Id__c"].contains(&name.as_str())
                    || STANDARD.contains(&name.as_str())
                    || CUSTOM.iter().any(|(custom, _)| custom == name);
                assert!(known, "{name}");
            }
        }
    }

    #[test]
    fn every_lead_has_a_last_name_that_fits() {
        assert_eq!(name(None), (None, NO_NAME));
        assert_eq!(name(Some("  ")), (None, NO_NAME));
        assert_eq!(name(Some("Cher")), (None, "Cher"));
        let long = format!("{} {}", "ä".repeat(100), "ö".repeat(100));
        let (first, last) = name(Some(&long));
        assert_eq!(
            (first.unwrap().chars().count(), last.chars().count()),
            (40, 80)
        );
    }

    #[test]
    fn the_vendors_users_and_we_send_the_same_shape() {
        let Some(fixture) = fixtures::read("jsforce_collection_upsert_mixed.json") else {
            return;
        };
        let theirs = &fixture["requests"][0]["body"];
        let ours = upsert(&[&prepare(&completed(), &MAPPING)]);
        assert_eq!(ours["allOrNone"], theirs["allOrNone"]);
        for (name, value) in theirs["records"][0].as_object().unwrap() {
            let our_value = &ours["records"][0][name];
            assert_eq!(fixtures::shape(our_value), fixtures::shape(value), "{name}");
        }
    }
}
