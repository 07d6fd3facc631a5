//! Judges the answers of the simulated HubSpot by its OpenAPI documents: by what matters of them here,
//! and by the whole ones where `HUBSPOT_OPENAPI` names files (separated by colons).

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{World, send};

/// What such documents say of the answers, as far as it matters to us: for where none is at hand.
fn own() -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let list = |name: &str| json!({ "type": "array", "items": reference(name) });
    let text = json!({ "type": "string" });
    let object = |required: &[&str], properties: Value| json!({ "type": "object", "required": required, "properties": properties });
    let answers = |status: &str, schema: Value| {
        json!({ "responses": {
        status: { "content": { "application/json": { "schema": schema } } },
        "default": { "$ref": "#/components/responses/Error" },
    } })
    };
    let batch = |of: &str| {
        let required = ["completedAt", "results", "startedAt", "status"];
        object(
            &required,
            json!({
                "results": list(of),
                "errors": list("StandardError"),
                "numErrors": { "type": "integer" },
                "status": { "enum": ["CANCELED", "COMPLETE", "PENDING", "PROCESSING"] },
            }),
        )
    };
    let record = ["archived", "createdAt", "id", "properties", "updatedAt"];
    let members = json!({
        "archived": { "type": "boolean" },
        "createdAt": text,
        "id": text,
        "new": { "type": "boolean" },
        "objectWriteTraceId": text,
        "properties": { "type": "object", "additionalProperties": text },
        "updatedAt": text,
    });
    let results = |of: &str| object(&["results"], json!({ "results": list(of) }));
    let contacts = "/crm/objects/2026-09/contacts";
    let properties = "/crm/properties/2026-09/{objectType}";
    json!({
        "openapi": "3.0.1",
        "paths": {
            contacts: { "post": answers("201", reference("Contact")) },
            format!("{contacts}/{{contactId}}"): {
                "get": answers("200", reference("Contact")),
                "patch": answers("200", reference("Contact")),
            },
            format!("{contacts}/merge"): { "post": answers("200", reference("Contact")) },
            format!("{contacts}/search"): {
                "post": answers("200", object(&["results", "total"], json!({ "results": list("Contact") }))),
            },
            format!("{contacts}/batch/read"): { "post": answers("200", batch("Contact")) },
            format!("{contacts}/batch/update"): { "post": answers("200", batch("Contact")) },
            format!("{contacts}/batch/upsert"): { "post": answers("200", batch("Upserted")) },
            properties: {
                "get": answers("200", results("Property")),
                "post": answers("201", reference("Property")),
            },
            format!("{properties}/groups"): {
                "get": answers("200", results("Group")),
                "post": answers("201", reference("Group")),
            },
            format!("{properties}/{{propertyName}}"): { "get": answers("200", reference("Property")) },
        },
        "components": {
            "responses": {
                "Error": { "content": { "*/*": { "schema": reference("Error") } } },
            },
            "schemas": {
                "Contact": object(&record, members.clone()),
                "Upserted": object(&[&record[..], &["new"]].concat(), members),
                "Error": object(&["category", "correlationId", "message"], json!({
                    "category": text, "correlationId": text, "message": text,
                })),
                "StandardError": object(
                    &["category", "context", "errors", "links", "message", "status"],
                    json!({
                        "context": {
                            "type": "object",
                            "additionalProperties": { "type": "array", "items": text },
                        },
                        "errors": { "type": "array" },
                        "links": { "type": "object" },
                    }),
                ),
                "Property": object(
                    &["description", "fieldType", "groupName", "label", "name", "options", "type"],
                    json!({ "description": text, "options": list("Option") }),
                ),
                "Option": object(&["hidden", "label", "value"], json!({ "label": text })),
                "Group": object(&["archived", "displayOrder", "label", "name"], json!({
                    "archived": { "type": "boolean" }, "displayOrder": { "type": "integer" },
                })),
            },
        },
    })
}

fn documents() -> Vec<Value> {
    let mut documents = vec![own()];
    if let Some(paths) = std::env::var_os("HUBSPOT_OPENAPI") {
        for path in std::env::split_paths(&paths) {
            let text = std::fs::read_to_string(path).expect("a file that HUBSPOT_OPENAPI names");
            documents.push(serde_json::from_str(&text).expect("a JSON file"));
        }
    }
    documents
}

/// Returns the validator of an answer; `None` where the document does not have the request. The
/// status has to be one of the document.
fn validator(document: &Value, request: &Request, status: u16) -> Option<jsonschema::Validator> {
    let paths = document["paths"].as_object().expect("an OpenAPI document");
    let names = [
        request.path.to_owned(),
        request.path.replace("2026-09", "v3"),
        request.path.replace("/contacts", "/{objectType}"),
        request.path.replace("/{contactId}", "/{objectId}"),
    ];
    let operation = names.iter().find_map(|name| {
        let operations = paths.get(name)?;
        operations.get(request.method.as_str().to_lowercase())
    })?;
    let responses = &operation["responses"];
    let response = match responses.get(status.to_string()) {
        Some(response) => response,
        None if status >= 400 => &responses["default"],
        None => panic!("{} is no status of {}", status, request.path),
    };
    let response = match response["$ref"].as_str() {
        Some(pointer) => document.pointer(pointer.trim_start_matches('#')).unwrap(),
        None => response,
    };
    let content = response["content"].as_object().expect("a content");
    let mut schema = content.values().next().expect("a type")["schema"].clone();
    schema["components"] = document["components"].clone();
    Some(jsonschema::validator_for(&schema).expect("schemas of the document"))
}

struct Request {
    method: Method,
    /// The path as the documents name it.
    path: &'static str,
    /// The id or name in the path.
    id: String,
    body: Value,
    status: u16,
}

fn request(method: Method, path: &'static str, id: &str, body: Value, status: u16) -> Request {
    Request {
        method,
        path,
        id: id.to_owned(),
        body,
        status,
    }
}

const CONTACTS: &str = "/crm/objects/2026-09/contacts";
const CONTACT: &str = "/crm/objects/2026-09/contacts/{contactId}";
const UPSERT: &str = "/crm/objects/2026-09/contacts/batch/upsert";
const UPDATE: &str = "/crm/objects/2026-09/contacts/batch/update";
const READ: &str = "/crm/objects/2026-09/contacts/batch/read";
const SEARCH: &str = "/crm/objects/2026-09/contacts/search";
const MERGE: &str = "/crm/objects/2026-09/contacts/merge";
const PROPERTIES: &str = "/crm/properties/2026-09/{objectType}";
const PROPERTY: &str = "/crm/properties/2026-09/{objectType}/{propertyName}";
const GROUPS: &str = "/crm/properties/2026-09/{objectType}/groups";

/// Requests of each kind, with the status that each has to have; `[a, b]` are contacts.
fn requests([first, second]: [&str; 2]) -> Vec<Request> {
    let input = |key: &str, name: &str, value: &str| {
        json!({
            "id": key, "idProperty": "wa_id", "objectWriteTraceId": key,
            "properties": { "wa_id": key, name: value },
        })
    };
    let property = |name: &str, group: &str| json!({ "name": name, "label": "Own", "type": "string", "fieldType": "text", "groupName": group });
    let search = |name: &str| {
        json!({
            "filterGroups": [{ "filters": [{
                "propertyName": name, "operator": "IN", "values": ["ann"],
            }] }],
            "properties": ["firstname", "phone"], "sorts": [], "limit": 10, "after": "0",
        })
    };
    let read = |keys: [&str; 2]| {
        json!({
            "idProperty": "wa_id", "inputs": keys.map(|id| json!({ "id": id })),
            "properties": ["firstname", "phone"], "propertiesWithHistory": [],
        })
    };
    let (get, post, patch) = (Method::GET, Method::POST, Method::PATCH);
    let none = || Value::Null;
    vec![
        request(
            post.clone(),
            UPSERT,
            "",
            json!({ "inputs": [input("1", "firstname", "Ann"), input("2", "phone", "")] }),
            200,
        ),
        request(
            post.clone(),
            UPSERT,
            "",
            json!({ "inputs": [input("1", "none", "x"), input("2", "hs_lead_status", "NONE")] }),
            200,
        ),
        request(
            post.clone(),
            UPSERT,
            "",
            json!({ "inputs": [input("1", "lifecyclestage", "customer")] }),
            200,
        ),
        request(
            post.clone(),
            UPSERT,
            "",
            json!({ "inputs": [input("1", "lifecyclestage", "lead")] }),
            200,
        ),
        request(post.clone(), UPSERT, "", json!({ "inputs": [] }), 400),
        request(
            post.clone(),
            UPDATE,
            "",
            json!({ "inputs": [{ "id": first, "properties": { "phone": "+1" } }] }),
            200,
        ),
        request(post.clone(), READ, "", read(["1", "2"]), 200),
        request(post.clone(), READ, "", read(["1", "none"]), 200),
        request(post.clone(), SEARCH, "", search("firstname"), 200),
        request(post.clone(), SEARCH, "", search("none"), 400),
        request(
            post.clone(),
            CONTACTS,
            "",
            json!({ "properties": { "firstname": "Cy" }, "associations": [] }),
            201,
        ),
        request(
            post.clone(),
            CONTACTS,
            "",
            json!({ "properties": { "wa_id": "1" }, "associations": [] }),
            409,
        ),
        request(get.clone(), CONTACT, first, none(), 200),
        request(get.clone(), CONTACT, "none", none(), 404),
        request(
            patch,
            CONTACT,
            first,
            json!({ "properties": { "lastname": "Day" } }),
            200,
        ),
        request(
            post.clone(),
            MERGE,
            "",
            json!({ "primaryObjectId": first, "objectIdToMerge": second }),
            200,
        ),
        request(get.clone(), GROUPS, "", none(), 200),
        request(
            post.clone(),
            GROUPS,
            "",
            json!({ "name": "own", "label": "Own", "displayOrder": 1 }),
            201,
        ),
        request(
            post.clone(),
            GROUPS,
            "",
            json!({ "name": "own", "label": "Own", "displayOrder": 1 }),
            409,
        ),
        request(post.clone(), PROPERTIES, "", property("own", "own"), 201),
        request(post, PROPERTIES, "", property("other", "none"), 400),
        request(get.clone(), PROPERTIES, "", none(), 200),
        request(get.clone(), PROPERTY, "wa_id", none(), 200),
        request(get, PROPERTY, "none", none(), 404),
    ]
}

#[tokio::test]
async fn answers_are_what_hubspot_s_openapi_documents_say() {
    let world = World::new().await;
    let seed = json!([
        { "id": "a", "idProperty": "wa_id", "properties": { "firstname": "Ann" } },
        { "id": "b", "idProperty": "wa_id", "properties": { "firstname": "Bob" } },
    ]);
    let made = send(world.upsert_contacts(&seed)).await.body;
    let ids = [0, 1].map(|n: usize| made["results"][n]["id"].as_str().unwrap());
    let documents = documents();
    let mut judged = vec![0; documents.len()];
    for asked in requests(ids) {
        let id = asked.id.as_str();
        let path = ["{contactId}", "{propertyName}"]
            .iter()
            .fold(asked.path.to_owned(), |path, name| path.replace(name, id))
            .replace("{objectType}", "contacts");
        let request = world.hubspot(asked.method.clone(), &path);
        let answer = match &asked.body {
            Value::Null => send(request).await,
            body => send(request.json(body)).await,
        };
        let at = format!("{} {path} {}", asked.method, asked.body);
        assert_eq!(answer.status, asked.status, "{at}: {}", answer.body);
        for (document, judged) in documents.iter().zip(&mut judged) {
            let Some(validator) = validator(document, &asked, answer.status) else {
                continue;
            };
            *judged += 1;
            let errors: Vec<String> = validator
                .iter_errors(&answer.body)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{at}: {errors:?} {}", answer.body);
        }
    }
    assert!(judged.iter().all(|judged| *judged > 5), "{judged:?}");
    assert_eq!(judged[0], 24, "our own has every request");
}

#[tokio::test]
async fn only_the_versions_of_the_api_are_served() {
    let world = World::new().await;
    for (version, served) in [
        ("2025-09", true),
        ("2026-03", true),
        ("2026-09", true),
        ("v3", false),
        ("2027-01", false),
        ("2026-9", false),
    ] {
        let path = format!("/crm/objects/{version}/contacts/batch/read");
        let body = json!({ "inputs": [], "properties": [], "propertiesWithHistory": [] });
        let answer = send(world.hubspot(Method::POST, &path).json(&body)).await;
        let expected = if served { 200 } else { 404 };
        assert_eq!(answer.status, expected, "{version}");
    }
    let path = "/crm/v3/objects/contacts/batch/read";
    let body = json!({ "inputs": [{ "id": "1" }], "properties": [] });
    let answer = send(world.hubspot(Method::POST, path).json(&body)).await;
    assert_eq!(
        answer.status, 207,
        "the version without a date tells parts apart"
    );
}
