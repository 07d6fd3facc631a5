//! Our requests against an OpenAPI document of HubSpot's contacts.

use serde_json::{Value, json};

use super::hubspot_bodies;

/// What such a document says of the batch upsert, as far as it matters to us: for where none is at
/// hand.
fn own() -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let text = json!({ "type": "string" });
    json!({
        "openapi": "3.0.1",
        "paths": {
            "/crm/v3/objects/contacts/batch/upsert": { "post": { "requestBody": { "content": {
                "application/json": { "schema": reference("Inputs") },
            } } } },
        },
        "components": { "schemas": {
            "Inputs": {
                "type": "object",
                "required": ["inputs"],
                "properties": { "inputs": { "type": "array", "items": reference("Input") } },
            },
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
        } },
    })
}

/// The validator of the batch upsert's body.
fn validator(document: &Value) -> jsonschema::Validator {
    let paths = document["paths"].as_object().expect("an OpenAPI document");
    let path = paths
        .keys()
        .find(|path| path.contains("contacts") && path.ends_with("/batch/upsert"))
        .or_else(|| {
            paths
                .keys()
                .find(|path| path.ends_with("/{objectType}/batch/upsert"))
        })
        .expect("the document has no batch upsert of contacts");
    let pointer = path
        .replace('~', "~0")
        .replace('/', "~1")
        .replace('{', "%7B")
        .replace('}', "%7D");
    let mut schema = document.clone();
    schema["$ref"] = json!(format!(
        "#/paths/{pointer}/post/requestBody/content/application~1json/schema"
    ));
    jsonschema::validator_for(&schema).expect("schemas of the document")
}

#[test]
fn requests_are_what_hubspot_s_openapi_document_says() {
    let mut documents = vec![own()];
    if let Some(path) = std::env::var_os("HUBSPOT_OPENAPI") {
        let text = std::fs::read_to_string(path).expect("the file that HUBSPOT_OPENAPI names");
        documents.push(serde_json::from_str(&text).expect("HUBSPOT_OPENAPI is a JSON file"));
    }
    for document in documents {
        let validator = validator(&document);
        for body in hubspot_bodies() {
            let errors: Vec<String> = validator
                .iter_errors(&body)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{errors:?}");
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
