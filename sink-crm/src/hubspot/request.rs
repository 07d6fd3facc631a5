//! Builds the bodies of requests to HubSpot. Pure.

use std::collections::BTreeMap;

use leadstream_schemas::{LeadEvent, LeadId};
use serde_json::{Value, json};

use crate::crm::{Adoption, Known, Prepared};
use crate::mapping::{Target, render};
use crate::matching::UnmatchedLead;
use crate::number::Number;

/// Contacts in a page of results.
const PAGE: u32 = 200;
/// The properties that hold a contact's numbers.
pub(super) const PHONES: [&str; 3] = ["phone", "mobilephone", "hs_whatsapp_phone_number"];
pub(super) const EMAIL: &str = "email";
/// The property with the ids of the contacts that were merged into a contact.
pub(super) const MERGED_IDS: &str = "hs_merged_object_ids";
/// HubSpot's own copies of those numbers: the digits within the country, whatever the notation.
const NATIONAL: [&str; 2] = [
    "hs_searchable_calculated_phone_number",
    "hs_searchable_calculated_mobile_number",
];

/// Returns the input of a lead without its trace id. Every value is text; `""` clears a property.
pub(super) fn lead_input(event: &LeadEvent, id_property: &str, target: &Target) -> Prepared {
    let lead_id = &event.data.lead_id;
    let rendered = render(target, event, &BTreeMap::new());
    let mut properties: BTreeMap<&str, String> = rendered
        .values
        .iter()
        .map(|(name, value)| (name.as_str(), text(value.as_ref())))
        .collect();
    properties.insert(id_property, lead_id.to_string());
    let input = |properties: &BTreeMap<&str, String>| json!({"id": lead_id, "idProperty": id_property, "properties": properties});
    let content = input(&properties);
    properties.insert(&target.revision, event.data.revision.to_string());
    Prepared::new(lead_id, input(&properties), &content, rendered.truncated)
        .guarding(target.guarded(&rendered))
}

/// Returns the input of a lead without `properties`.
pub(super) fn without_properties(lead: &Prepared, properties: &[&str]) -> Prepared {
    let mut lead = lead.clone();
    if let Some(written) = lead.body["properties"].as_object_mut() {
        for name in properties {
            written.remove(*name);
        }
    }
    lead
}

fn text(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Returns the body of a batch upsert. Each input has its position as trace id, so that a bad
/// record fails alone and the response identifies it.
pub(super) fn batch_upsert_body(leads: &[&Prepared]) -> Value {
    let inputs: Vec<Value> = leads
        .iter()
        .enumerate()
        .map(|(position, lead)| {
            let mut input = lead.body.clone();
            input["objectWriteTraceId"] = Value::String(position.to_string());
            input
        })
        .collect();
    json!({ "inputs": inputs })
}

/// Returns the body of a batch read of the contacts of `lead_ids`.
pub(crate) fn batch_read_body(lead_ids: &[&LeadId], id_property: &str, target: &Target) -> Value {
    let mut properties: Vec<&str> = target.written().into_iter().map(|(name, _)| name).collect();
    properties.push(id_property);
    let inputs: Vec<Value> = lead_ids.iter().map(|id| json!({ "id": id })).collect();
    json!({
        "idProperty": id_property,
        "inputs": inputs,
        "properties": properties,
        "propertiesWithHistory": [],
    })
}

/// Returns the body of a batch read of contacts by HubSpot's own ids.
pub(crate) fn read_by_id_body(known: &[Known<'_>], id_property: &str) -> Value {
    let inputs: Vec<Value> = known
        .iter()
        .map(|it| json!({ "id": it.record_id }))
        .collect();
    json!({
        "inputs": inputs,
        "properties": [id_property, MERGED_IDS],
        "propertiesWithHistory": [],
    })
}

/// What a search looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SearchBy {
    Number,
    Email,
}

/// Returns the body of a search for contacts of `leads`; `after` is the cursor of the page. `None` if
/// no lead has what is searched for.
pub(crate) fn search_body(
    leads: &[UnmatchedLead],
    by: SearchBy,
    id_property: &str,
    after: Option<&str>,
) -> Option<Value> {
    let distinct = |mut values: Vec<String>| {
        values.sort_unstable();
        values.dedup();
        values
    };
    let numbers = |of: fn(&Number) -> Vec<String>| {
        let numbers = leads.iter().filter_map(|lead| lead.number.as_ref());
        distinct(numbers.flat_map(of).collect())
    };
    let group = |name: &str, values: &[String]| json!({"filters": [{"propertyName": name, "operator": "IN", "values": values}]});
    let (groups, is_empty): (Vec<Value>, bool) = match by {
        SearchBy::Number => {
            let national = numbers(Number::national);
            let international = numbers(Number::international);
            let groups = NATIONAL
                .iter()
                .map(|name| group(name, &national))
                .chain(PHONES.iter().map(|name| group(name, &international)));
            (groups.collect(), national.is_empty())
        }
        SearchBy::Email => {
            // Values of a list are compared with those of the index, which are in lower case.
            let emails = leads.iter().filter_map(|lead| lead.email.as_deref());
            let emails = distinct(emails.map(str::to_lowercase).collect());
            (vec![group(EMAIL, &emails)], emails.is_empty())
        }
    };
    if is_empty {
        return None;
    }
    let properties: Vec<&str> = PHONES.into_iter().chain([EMAIL, id_property]).collect();
    Some(json!({
        "filterGroups": groups,
        "properties": properties,
        "sorts": [{"propertyName": "createdate", "direction": "ASCENDING"}],
        "limit": PAGE,
        "after": after.unwrap_or("0"),
    }))
}

/// Returns the body of a batch update that writes the key of a lead into each contact.
pub(crate) fn batch_update_body(adoptions: &[Adoption<'_>], id_property: &str) -> Value {
    let inputs: Vec<Value> = adoptions
        .iter()
        .enumerate()
        .map(|(position, adoption)| {
            json!({
                "id": adoption.record_id,
                "properties": {id_property: adoption.lead_id},
                "objectWriteTraceId": position.to_string(),
            })
        })
        .collect();
    json!({ "inputs": inputs })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        SearchBy, batch_read_body, batch_update_body, batch_upsert_body, lead_input, search_body,
        without_properties,
    };
    use crate::crm::Adoption;
    use crate::mapping::{DEFAULT, Mapping};
    use crate::matching::UnmatchedLead;
    use crate::number::Number;
    use crate::person::tests::{completed, of};

    #[test]
    fn a_lead_becomes_one_input_with_text_values_only() {
        let target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
        let mut lead = completed();
        let body = batch_upsert_body(&[&lead_input(&of(lead.clone()), "wa_id", &target)]);
        let expected = json!({"inputs": [{
            "id": "1234567890",
            "idProperty": "wa_id",
            "objectWriteTraceId": "0",
            "properties": {
                "wa_id": "1234567890",
                "phone": "+1234567890",
                "firstname": "John",
                "lastname": "Doe",
                "hs_lead_status": "OPEN",
                "leadstream_state": "COMPLETED",
                "leadstream_score": "100",
                "leadstream_revision": "3",
                "leadstream_budget": "7500",
            },
        }]});
        assert_eq!(body, expected);
        lead.lead_data.clear();
        lead.wa_id = None;
        let body = batch_upsert_body(&[&lead_input(&of(lead), "wa_id", &target)]);
        let properties = &body["inputs"][0]["properties"];
        assert_eq!(properties["leadstream_budget"], "", "our own is cleared");
        assert_eq!(
            properties.get("phone"),
            None,
            "what sales may have written is kept"
        );
    }

    #[test]
    fn a_property_that_is_left_out_keeps_its_value_in_hubspot() {
        let target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
        let whole = lead_input(&of(completed()), "wa_id", &target);
        let less = without_properties(&whole, &["leadstream_budget", "no_such"]);
        let properties = &less.body["properties"];
        assert_eq!(properties.get("leadstream_budget"), None);
        assert_eq!(properties["leadstream_state"], "COMPLETED");
        assert_eq!(
            (less.hash, &less.body["id"]),
            (whole.hash, &whole.body["id"])
        );
    }

    #[test]
    fn revisions_that_change_nothing_else_have_equal_payloads() {
        let target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
        let hash = |lead| lead_input(&of(lead), "wa_id", &target).hash;
        let mut later = completed();
        later.revision = later.revision.next();
        assert_eq!(hash(later.clone()), hash(completed()));
        later.qualification_score -= 1;
        assert_ne!(hash(later), hash(completed()));
    }

    #[test]
    fn contacts_are_read_by_the_key_with_every_written_property() {
        let target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
        let body = batch_read_body(&[&"a".into(), &"b".into()], "wa_id", &target);
        assert_eq!(body["idProperty"], "wa_id");
        assert_eq!(body["inputs"], json!([{"id": "a"}, {"id": "b"}]));
        assert_eq!(body["propertiesWithHistory"], json!([]));
        let names = body["properties"].as_array().unwrap();
        for name in ["wa_id", "leadstream_revision", "hs_lead_status", "phone"] {
            assert!(names.contains(&json!(name)), "{name}");
        }
    }

    #[test]
    fn numbers_are_searched_in_every_notation_the_oldest_contact_first() {
        let leads = ["14155552671", "551187654321"].map(|wa_id| UnmatchedLead {
            lead_id: wa_id.into(),
            number: Number::new(wa_id),
            email: None,
        });
        let body = search_body(&leads, SearchBy::Number, "wa_id", Some("200")).unwrap();
        let groups = body["filterGroups"].as_array().unwrap();
        assert_eq!(groups.len(), 5, "the most that a search may have");
        let filter = &groups[0]["filters"][0];
        assert_eq!(
            filter["propertyName"],
            "hs_searchable_calculated_phone_number"
        );
        assert_eq!(
            filter["values"],
            json!(["1187654321", "11987654321", "4155552671"])
        );
        let filter = &groups[3]["filters"][0];
        assert_eq!(filter["propertyName"], "mobilephone");
        assert_eq!(
            filter["values"],
            json!(["+14155552671", "+551187654321", "+5511987654321"])
        );
        let filter = &groups[4]["filters"][0];
        assert_eq!(filter["propertyName"], "hs_whatsapp_phone_number");
        assert_eq!(body["sorts"][0]["propertyName"], "createdate");
        assert_eq!(body["after"], "200");
        let first = search_body(&leads, SearchBy::Number, "wa_id", None).unwrap();
        assert_eq!(first["after"], "0");
        assert_eq!(search_body(&leads, SearchBy::Email, "wa_id", None), None);
    }

    #[test]
    fn addresses_are_searched_without_case() {
        let lead = |lead_id: &str, email: Option<&str>| UnmatchedLead {
            lead_id: lead_id.into(),
            number: None,
            email: email.map(Into::into),
        };
        let leads = [
            lead("1", Some("Ann@Example.com")),
            lead("2", Some("bob@example.com")),
            lead("3", Some("ann@example.com")),
            lead("4", None),
        ];
        let body = search_body(&leads, SearchBy::Email, "wa_id", None).unwrap();
        let expected = json!([{"filters": [{
            "propertyName": "email", "operator": "IN",
            "values": ["ann@example.com", "bob@example.com"],
        }]}]);
        assert_eq!(body["filterGroups"], expected);
        assert_eq!(search_body(&leads, SearchBy::Number, "wa_id", None), None);
    }

    #[test]
    fn a_contact_is_adopted_by_its_key_alone() {
        let adoption = Adoption {
            record_id: "7",
            lead_id: &"14155552671".into(),
        };
        let expected = json!({"inputs": [{
            "id": "7", "properties": {"wa_id": "14155552671"}, "objectWriteTraceId": "0",
        }]});
        assert_eq!(batch_update_body(&[adoption], "wa_id"), expected);
    }
}
