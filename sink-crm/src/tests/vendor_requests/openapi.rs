//! Our requests against an OpenAPI document of HubSpot's contacts.

use serde_json::{Value, json};

use super::hubspot_bodies;
use crate::crm::Adoption;
use crate::hubspot::request::{SearchBy, batch_read_body, batch_update_body, search_body};
use crate::mapping::{DEFAULT, Mapping};
use crate::matching::UnmatchedLead;
use crate::number::Number;

/// What such a document says of our requests, as far as it matters to us: for where none is at hand.
fn own() -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let text = json!({ "type": "string" });
    let texts = json!({ "type": "array", "items": text });
    let body = |name: &str| json!({ "post": { "requestBody": { "content": { "application/json": { "schema": reference(name) } } } } });
    let inputs = |name: &str| {
        json!({
            "type": "object",
            "required": ["inputs"],
            "properties": { "inputs": { "type": "array", "items": reference(name) } },
        })
    };
    let mut read = inputs("Id");
    read["required"] = json!(["inputs", "properties", "propertiesWithHistory"]);
    read["properties"]["properties"] = texts.clone();
    let contacts = "/crm/v3/objects/contacts";
    json!({
        "openapi": "3.0.1",
        "paths": {
            format!("{contacts}/batch/upsert"): body("Inputs"),
            format!("{contacts}/batch/update"): body("Inputs"),
            format!("{contacts}/batch/read"): body("Read"),
            format!("{contacts}/search"): body("Search"),
        },
        "components": { "schemas": {
            "Inputs": inputs("Input"),
            "Input": {
                "type": "object",
                "required": ["id", "properties"],
                "properties": {
                    "id": text,
                    "idProperty": text,
                    "objectWriteTraceId": text,
                    "properties": { "type": "object", "additionalProperties": text },
                },
            },
            "Id": { "type": "object", "required": ["id"], "properties": { "id": text } },
            "Read": read,
            "Search": {
                "type": "object",
                "required": ["after", "filterGroups", "limit", "properties", "sorts"],
                "properties": {
                    "after": text,
                    "limit": { "type": "integer" },
                    "properties": texts,
                    "filterGroups": { "type": "array", "items": {
                        "type": "object",
                        "required": ["filters"],
                        "properties": { "filters": { "type": "array", "items": {
                            "type": "object",
                            "required": ["operator", "propertyName"],
                            "properties": { "propertyName": text, "value": text, "values": texts },
                        } } },
                    } },
                },
            },
        } },
    })
}

/// The validator of an action's body.
fn validator(document: &Value, action: &str) -> jsonschema::Validator {
    let paths = document["paths"].as_object().expect("an OpenAPI document");
    let path = paths
        .keys()
        .find(|path| path.contains("contacts") && path.ends_with(action))
        .or_else(|| {
            paths
                .keys()
                .find(|path| path.ends_with(&format!("/{{objectType}}{action}")))
        })
        .expect("the document does not have the action for contacts");
    let body = &document["paths"][path]["post"]["requestBody"];
    let mut schema = body["content"]["application/json"]["schema"].clone();
    schema["components"] = document["components"].clone();
    jsonschema::validator_for(&schema).expect("schemas of the document")
}

fn documents() -> Vec<Value> {
    let mut documents = vec![own()];
    if let Some(paths) = std::env::var_os("HUBSPOT_OPENAPI") {
        for path in std::env::split_paths(&paths) {
            let text = std::fs::read_to_string(path).expect("a file that HUBSPOT_OPENAPI names");
            let document: Value = serde_json::from_str(&text).expect("a JSON file");
            let paths = document["paths"].as_object().expect("an OpenAPI document");
            // Others of HubSpot's documents are about properties.
            if paths.keys().any(|path| path.ends_with("/batch/upsert")) {
                documents.push(document);
            }
        }
    }
    documents
}

fn assert_valid(validator: &jsonschema::Validator, body: &Value) {
    let errors: Vec<String> = validator
        .iter_errors(body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn requests_are_what_hubspot_s_openapi_document_says() {
    for document in documents() {
        let validator = validator(&document, "/batch/upsert");
        for body in hubspot_bodies() {
            assert_valid(&validator, &body);
            // It would have found what is wrong.
            let mut wrong = body.clone();
            wrong["inputs"][0]["properties"]["leadstream_score"] = json!(100);
            assert!(!validator.is_valid(&wrong), "a number where text belongs");
            wrong = body;
            wrong["inputs"][0].as_object_mut().unwrap().remove("id");
            assert!(!validator.is_valid(&wrong), "an input without its id");
        }
    }
}

#[test]
fn reads_searches_and_adoptions_are_what_the_document_says() {
    let target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
    let lead = UnmatchedLead {
        lead_id: "14155552671".into(),
        number: Number::new("14155552671"),
        email: None,
    };
    let adoption = Adoption {
        record_id: "7",
        lead_id: &lead.lead_id,
    };
    for document in documents() {
        for (action, mut body, required) in [
            (
                "/batch/read",
                batch_read_body(&[&lead.lead_id], "wa_id", &target),
                "propertiesWithHistory",
            ),
            (
                "/search",
                search_body(std::slice::from_ref(&lead), SearchBy::Number, "wa_id", None).unwrap(),
                "after",
            ),
            (
                "/batch/update",
                batch_update_body(&[adoption], "wa_id"),
                "inputs",
            ),
        ] {
            let validator = validator(&document, action);
            if action == "/search" {
                // HubSpot's guides sort by objects, its document by texts.
                body["sorts"] = json!([]);
            }
            assert_valid(&validator, &body);
            body.as_object_mut().unwrap().remove(required);
            assert!(!validator.is_valid(&body), "{action} without {required}");
        }
    }
}
