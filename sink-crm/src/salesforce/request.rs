//! Builds the bodies of requests to Salesforce. Pure.

use std::collections::BTreeMap;

use leadstream_schemas::LeadEvent;
use serde_json::{Map, Value, json};

use crate::crm::{Adoption, Prepared};
use crate::mapping::{Target, render};

/// Returns the record of a lead; null clears a field. `lengths` are the longest texts of the
/// organisation's fields.
pub(super) fn lead_record(
    event: &LeadEvent,
    external_id_field: &str,
    target: &Target,
    lengths: &BTreeMap<String, usize>,
) -> Prepared {
    let lead_id = &event.data.lead_id;
    let rendered = render(target, event, lengths);
    let guarded = target.guarded(&rendered);
    let mut record: Map<String, Value> = rendered
        .values
        .into_iter()
        .map(|(name, value)| (name, value.unwrap_or(Value::Null)))
        .collect();
    record.insert("attributes".to_owned(), json!({"type": "Lead"}));
    record.insert(external_id_field.to_owned(), json!(lead_id));
    let content = Value::Object(record.clone());
    record.insert(target.revision.clone(), json!(event.data.revision));
    Prepared::new(lead_id, Value::Object(record), &content, rendered.truncated).guarding(guarded)
}

/// Returns the record of a lead without `fields`.
pub(super) fn without_fields(lead: &Prepared, fields: &[&str]) -> Prepared {
    let mut lead = lead.clone();
    if let Some(record) = lead.body.as_object_mut() {
        for name in fields {
            record.remove(*name);
        }
    }
    lead
}

/// Returns the body of a collections upsert. A bad record does not affect the others.
pub(super) fn collections_upsert_body(leads: &[&Prepared]) -> Value {
    let records: Vec<&Value> = leads.iter().map(|lead| &lead.body).collect();
    json!({ "allOrNone": false, "records": records })
}

/// Returns the body of a collections update that writes the key of a lead into each record.
pub(super) fn collections_update_body(adoptions: &[Adoption<'_>], key: &str) -> Value {
    let records: Vec<Value> = adoptions
        .iter()
        .map(|adoption| {
            json!({"attributes": {"type": "Lead"}, "id": adoption.record_id, key: adoption.lead_id})
        })
        .collect();
    json!({ "allOrNone": false, "records": records })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use leadstream_schemas::EventData;
    use serde_json::{Value, json};

    use super::{collections_update_body, collections_upsert_body, lead_record, without_fields};
    use crate::crm::Adoption;
    use crate::mapping::{DEFAULT, Mapping};
    use crate::person::tests::{completed, of, started};

    fn body(lead: EventData, lengths: &BTreeMap<String, usize>) -> Value {
        let target = DEFAULT.parse::<Mapping>().unwrap().salesforce;
        collections_upsert_body(&[&lead_record(&of(lead), "WA_Id__c", &target, lengths)])
    }

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
        assert_eq!(body(completed(), &BTreeMap::new()), expected);
    }

    #[test]
    fn a_field_that_is_left_out_keeps_its_value_in_salesforce() {
        let target = DEFAULT.parse::<Mapping>().unwrap().salesforce;
        let whole = lead_record(&of(completed()), "WA_Id__c", &target, &BTreeMap::new());
        let less = without_fields(&whole, &["Leadstream_Budget__c", "NoSuch"]);
        assert_eq!(less.body.get("Leadstream_Budget__c"), None);
        assert_eq!(less.body["Leadstream_State__c"], "COMPLETED");
        assert_eq!(
            (less.hash, &less.body["WA_Id__c"]),
            (whole.hash, &whole.body["WA_Id__c"])
        );
    }

    #[test]
    fn every_lead_has_a_last_name_that_fits() {
        let names = |name: Option<&str>, lengths: &[(&str, usize)]| {
            let mut lead = started();
            lead.lead_metadata.name = name.map(str::to_owned);
            let lengths = lengths
                .iter()
                .map(|(name, length)| ((*name).to_owned(), *length));
            let record = body(lead, &lengths.collect())["records"][0].clone();
            let text = |field: &str| record[field].as_str().map(str::to_owned);
            (text("FirstName"), text("LastName").unwrap())
        };
        assert_eq!(names(None, &[]), (None, "WhatsApp lead".to_owned()));
        assert_eq!(names(Some("  "), &[]), (None, "WhatsApp lead".to_owned()));
        assert_eq!(names(Some("Cher"), &[]), (None, "Cher".to_owned()));
        let long = format!("{} {}", "ä".repeat(100), "ö".repeat(100));
        let lengths = |name: &str, lengths: &[(&str, usize)]| {
            let (first, last) = names(Some(name), lengths);
            (first.unwrap().chars().count(), last.chars().count())
        };
        assert_eq!(lengths(&long, &[]), (40, 80));
        assert_eq!(
            lengths(&long, &[("LastName", 30)]),
            (40, 30),
            "the organisation's own"
        );
    }

    #[test]
    fn an_existing_record_is_adopted_by_its_key_alone() {
        let adoption = Adoption {
            record_id: "00Q1",
            lead_id: &"14155552671".into(),
        };
        let expected = json!({"allOrNone": false, "records": [
            {"attributes": {"type": "Lead"}, "id": "00Q1", "WA_Id__c": "14155552671"},
        ]});
        assert_eq!(collections_update_body(&[adoption], "WA_Id__c"), expected);
    }
}
