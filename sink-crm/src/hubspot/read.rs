//! Contacts read back by their keys: pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::compare::Held;
use crate::mapping::Target;

/// The body of a batch read of the contacts of `lead_ids`.
pub(super) fn read(lead_ids: &[&str], id_property: &str, target: &Target) -> Value {
    let mut properties: Vec<&str> = target.written().into_iter().map(|(name, _)| name).collect();
    properties.push(id_property);
    let inputs: Vec<Value> = lead_ids.iter().map(|id| json!({ "id": id })).collect();
    json!({"idProperty": id_property, "inputs": inputs, "properties": properties})
}

/// The contacts of an answer by lead id. Those that HubSpot does not have stand among its errors.
pub(super) fn records(body: &[u8], id_property: &str) -> Option<BTreeMap<String, Held>> {
    #[derive(Deserialize)]
    struct Batch {
        results: Vec<Contact>,
    }
    #[derive(Deserialize)]
    struct Contact {
        id: String,
        properties: Map<String, Value>,
    }
    let batch: Batch = serde_json::from_slice(body).ok()?;
    let held = |contact: Contact| {
        let lead_id = contact.properties.get(id_property)?.as_str()?.to_owned();
        let held = Held {
            id: contact.id,
            values: contact.properties,
            converted: false,
        };
        Some((lead_id, held))
    };
    Some(batch.results.into_iter().filter_map(held).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{read, records};
    use crate::mapping::{DEFAULT, Mapping};

    #[test]
    fn contacts_are_asked_for_and_known_by_the_key() {
        let target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
        let body = read(&["a", "b"], "wa_id", &target);
        assert_eq!(body["idProperty"], "wa_id");
        assert_eq!(body["inputs"], json!([{"id": "a"}, {"id": "b"}]));
        let names = body["properties"].as_array().unwrap();
        for name in ["wa_id", "leadstream_revision", "hs_lead_status", "phone"] {
            assert!(names.contains(&json!(name)), "{name}");
        }
        let answer = json!({
            "status": "COMPLETE",
            "results": [{"id": "7", "properties": {"wa_id": "a", "phone": "+1"}}],
            "errors": [{"category": "OBJECT_NOT_FOUND", "context": {"ids": ["b"]}}],
        });
        let held = records(answer.to_string().as_bytes(), "wa_id").unwrap();
        assert_eq!(held.len(), 1);
        assert_eq!(held["a"].id, "7");
        assert_eq!(held["a"].values["phone"], "+1");
        assert_eq!(records(b"<html>", "wa_id"), None);
    }
}
