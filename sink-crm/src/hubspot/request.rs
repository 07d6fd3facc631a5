//! What HubSpot is sent of a lead.

use std::collections::BTreeMap;

use leadstream_schemas::LeadEvent;
use serde_json::{Value, json};

use crate::crm::Prepared;
use crate::mapping::{Target, render};

/// The input of a lead, but for its trace id. Every value is text; `""` clears.
pub(super) fn prepare(event: &LeadEvent, id_property: &str, target: &Target) -> Prepared {
    let lead_id = &event.data.lead_id;
    let rendered = render(target, event, &BTreeMap::new());
    let mut properties: BTreeMap<&str, String> = rendered
        .values
        .iter()
        .map(|(name, value)| (name.as_str(), text(value.as_ref())))
        .collect();
    properties.insert(id_property, lead_id.clone());
    let input = |properties: &BTreeMap<&str, String>| json!({"id": lead_id, "idProperty": id_property, "properties": properties});
    let content = input(&properties);
    properties.insert(&target.revision, event.data.revision.to_string());
    Prepared::new(lead_id, input(&properties), &content, rendered.cut)
}

fn text(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The body of a batch upsert. Each input carries its position as trace id, so that a bad record
/// fails alone and can be told.
pub(super) fn upsert(leads: &[&Prepared]) -> Value {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{prepare, upsert};
    use crate::mapping::{DEFAULT, Mapping};
    use crate::person::tests::{completed, of};

    #[test]
    fn a_lead_becomes_one_input_with_text_values_only() {
        let target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
        let mut lead = completed();
        let body = upsert(&[&prepare(&of(lead.clone()), "wa_id", &target)]);
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
        let body = upsert(&[&prepare(&of(lead), "wa_id", &target)]);
        let properties = &body["inputs"][0]["properties"];
        assert_eq!(properties["leadstream_budget"], "", "our own is cleared");
        assert_eq!(
            properties.get("phone"),
            None,
            "what sales may have written is kept"
        );
    }

    #[test]
    fn revisions_that_change_nothing_else_have_equal_payloads() {
        let target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
        let hash = |lead| prepare(&of(lead), "wa_id", &target).hash;
        let mut later = completed();
        later.revision += 1;
        assert_eq!(hash(later.clone()), hash(completed()));
        later.qualification_score -= 1;
        assert_ne!(hash(later), hash(completed()));
    }
}
