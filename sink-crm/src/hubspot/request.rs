//! What HubSpot is sent of a lead.
//!
//! Beside HubSpot's own `phone`, `firstname`, `lastname` and `hs_lead_status` the portal needs the
//! id property (`wa_id` by default, single-line text with unique values) and the properties of
//! [`CUSTOM`].

use std::collections::BTreeMap;

use leadstream_schemas::EventData;
use serde_json::{Value, json};

use crate::crm::Prepared;
use crate::person;

pub(super) const STATUS: &str = "hs_lead_status";
/// HubSpot's default properties that are written.
pub(super) const STANDARD: [&str; 4] = ["phone", "firstname", "lastname", STATUS];
/// Custom properties with their types: the flow's state, score, the lead's revision, and the
/// answer `budget` where it is a number.
pub(super) const CUSTOM: [(&str, &str); 4] = [
    ("leadstream_state", "string"),
    ("leadstream_score", "number"),
    ("leadstream_revision", "number"),
    ("leadstream_budget", "number"),
];

const NEW: &str = "NEW";
const IN_PROGRESS: &str = "IN_PROGRESS";
const OPEN: &str = "OPEN";
const ATTEMPTED: &str = "ATTEMPTED_TO_CONTACT";
/// Options of `hs_lead_status` that are written: all of HubSpot's own.
pub(super) const STATUSES: [&str; 4] = [NEW, IN_PROGRESS, OPEN, ATTEMPTED];

const REVISION: &str = "leadstream_revision";

/// The input of a lead, but for its trace id.
pub(super) fn prepare(lead: &EventData, id_property: &str) -> Prepared {
    let mut properties = properties(lead, id_property);
    let input = |properties: &BTreeMap<&str, String>| json!({"id": lead.lead_id, "idProperty": id_property, "properties": properties});
    let body = input(&properties);
    properties.remove(REVISION);
    Prepared::new(&lead.lead_id, body, &input(&properties))
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

/// Every value is text. In our own properties an answer that the lead took back is cleared (`""`);
/// in HubSpot's what is unknown is left out, so that nothing a person wrote is cleared.
fn properties<'a>(lead: &'a EventData, id_property: &'a str) -> BTreeMap<&'a str, String> {
    let mut properties = BTreeMap::from([
        (id_property, lead.lead_id.clone()),
        (STATUS, status(lead).to_owned()),
        ("leadstream_state", lead.current_state.clone()),
        ("leadstream_score", lead.qualification_score.to_string()),
        ("leadstream_revision", lead.revision.to_string()),
        (
            "leadstream_budget",
            person::number(lead, "budget").map_or_else(String::new, ToString::to_string),
        ),
    ]);
    if let Some(wa_id) = &lead.wa_id {
        properties.insert("phone", format!("+{wa_id}"));
    }
    if let Some(name) = lead.lead_metadata.name.as_deref() {
        let (first, last) = person::split(name);
        properties.insert("firstname", first.to_owned());
        if let Some(last) = last {
            properties.insert("lastname", last.to_owned());
        }
    }
    properties
}

/// In conversation with the bot, waiting for a person, or gone silent.
fn status(lead: &EventData) -> &'static str {
    match lead.current_state.as_str() {
        _ if lead.is_completed => OPEN,
        "START" => NEW,
        "HUMAN_HANDOFF" => OPEN,
        "COLD" => ATTEMPTED,
        _ => IN_PROGRESS,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{CUSTOM, STANDARD, STATUSES, prepare, status, upsert};
    use crate::person::tests::{completed, started};

    #[test]
    fn a_lead_becomes_one_input_with_text_values_only() {
        let lead = completed();
        let body = upsert(&[&prepare(&lead, "wa_id")]);
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
    }

    #[test]
    fn only_listed_properties_and_options_are_written() {
        let mut cold = started();
        cold.wa_id = None;
        cold.lead_metadata.name = None;
        cold.current_state = "COLD".into();
        for lead in [started(), completed(), cold] {
            assert!(STATUSES.contains(&status(&lead)));
            let body = upsert(&[&prepare(&lead, "wa_id")]);
            let properties = body["inputs"][0]["properties"].as_object().unwrap().clone();
            for name in properties.keys() {
                let known = name == "wa_id"
                    || STANDARD.contains(&name.as_str())
                    || CUSTOM.iter().any(|(custom, _)| custom == name);
                assert!(known, "{name}");
            }
        }
    }
}
