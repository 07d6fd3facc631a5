//! Compares the sandbox with recorded requests and responses, if these are present.

use std::fs;
use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{NUMBER, World, send};

/// The folder of recordings beside the workspace.
#[expect(clippy::print_stderr, reason = "a test says why it checks nothing")]
fn recordings(folder: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("../../shared/fixtures").join(folder);
    if !path.is_dir() {
        let required = std::env::var("FIXTURES").is_ok_and(|value| value == "required");
        assert!(!required, "no recordings at {}", path.display());
        eprintln!("skipped: no recordings at {}", path.display());
        return None;
    }
    Some(path)
}

fn read(path: &std::path::Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Checks that every member of the recording is there and has the same type.
fn assert_same_shape(recorded: &Value, given: &Value, at: &str) {
    match (recorded, given) {
        (Value::Object(recorded), Value::Object(given)) => {
            for (name, value) in recorded {
                let member = given
                    .get(name)
                    .unwrap_or_else(|| panic!("{at}.{name} is missing"));
                assert_same_shape(value, member, &format!("{at}.{name}"));
            }
        }
        (Value::Array(recorded), Value::Array(given)) => {
            assert_eq!(recorded.len(), given.len(), "{at}");
            for (recorded, given) in recorded.iter().zip(given) {
                assert_same_shape(recorded, given, &format!("{at}[]"));
            }
        }
        _ => assert_eq!(
            std::mem::discriminant(recorded),
            std::mem::discriminant(given),
            "{at}: {recorded} and {given}"
        ),
    }
}

#[tokio::test]
async fn every_recorded_send_is_accepted() {
    let Some(folder) = recordings("meta-openapi/send_requests") else {
        return;
    };
    let world = World::new().await;
    let mut sends = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mut body = read(&path);
        if body.get("to").is_some() {
            // The recordings hold placeholders.
            body["to"] = json!("+16505551234");
        }
        if let Some(link) = body.pointer_mut("/image/link") {
            *link = json!("https://example.com/image.jpg");
        }
        if body.get("interactive").is_some() {
            // One of the recordings leaves it out, and would then be a text.
            body["type"] = json!("interactive");
        }
        let sent = send(world.send(&body)).await;
        assert_eq!(sent.status, 200, "{}: {}", path.display(), sent.body);
        sends += 1;
    }
    assert!(sends > 40);
    let recorded = recordings("meta-openapi/send_responses").unwrap();
    let sent = send(world.send(&crate::support::text_to("+16505551234", "x"))).await;
    assert_same_shape(
        &read(&recorded.join("200_example_response.json")),
        &sent.body,
        "body",
    );
}

#[tokio::test]
async fn graph_errors_have_the_recorded_shape_and_codes() {
    let Some(folder) = recordings("meta-openapi/error_responses") else {
        return;
    };
    let world = World::new().await;
    let body = crate::support::text_to("1", "x");
    let url = format!("{}/v23.0/{NUMBER}/messages", world.sandbox.graph_url());
    let cases = [
        (
            "Unauthorized_InvalidAccessToken",
            world.http.post(&url).bearer_auth("wrong").json(&body),
        ),
        (
            "Unauthorized_MissingAccessToken",
            world.http.post(&url).json(&body),
        ),
        (
            "NotFound_PhoneNumberNotFound",
            world.graph("/v23.0/42/messages").json(&body),
        ),
        (
            "BadRequest_MalformedRequest",
            world.graph(&format!("/v23.0/{NUMBER}/messages")).body("{"),
        ),
    ];
    for (name, request) in cases {
        let recorded = read(&folder.join(format!("{name}.json")));
        let given = send(request).await;
        assert_same_shape(&recorded, &given.body, name);
        assert_eq!(
            recorded["error"]["code"], given.body["error"]["code"],
            "{name}"
        );
        assert_eq!(
            recorded["error"]["message"], given.body["error"]["message"],
            "{name}"
        );
    }
}

/// Sends a recorded exchange's first request and compares the response with the recorded one.
async fn replay(world: &World, name: &str, token: Option<&str>) {
    let Some(folder) = recordings("crm") else {
        return;
    };
    let recording = read(&folder.join(name));
    let request = &recording["requests"][0];
    let method: Method = request["method"].as_str().unwrap().parse().unwrap();
    let path = request["path"].as_str().unwrap();
    let builder = match token {
        Some(token) => world.salesforce(token, method.clone(), path),
        None => world.hubspot(method.clone(), path),
    };
    let builder = if method == Method::GET {
        builder
    } else {
        builder.json(&request["body"])
    };
    let given = send(builder).await;
    let served = &recording["served"][0];
    assert_eq!(
        json!(given.status),
        served["status"],
        "{name}: {}",
        given.body
    );
    assert_same_shape(&served["body"], &given.body, name);
}

#[tokio::test]
async fn recorded_hubspot_exchanges_come_out_alike() {
    use leadstream_sandbox::{Endpoint, Fault, HubspotConfig, Property, SandboxConfig};
    let without_key = Property::defaults()
        .into_iter()
        .filter(|property| property.name != "wa_id")
        .collect();
    let hubspot = HubspotConfig {
        properties: without_key,
        ..HubspotConfig::default()
    };
    let world = World::with(SandboxConfig {
        hubspot,
        ..SandboxConfig::default()
    })
    .await;
    replay(&world, "hubspot_sdk_property_create_unique.json", None).await;
    replay(&world, "hubspot_sdk_property_get.json", None).await;
    replay(&world, "hubspot_sdk_batch_upsert_200.json", None).await;
    let endpoint = Endpoint::HubspotUpsert;
    let poison = Fault::record_error(endpoint, "5511999990000", "VALIDATION_ERROR");
    world.client.order(&poison).await.unwrap();
    replay(&world, "hubspot_sdk_batch_upsert_207.json", None).await;
    world
        .client
        .order(&Fault::status(endpoint, 429))
        .await
        .unwrap();
    replay(&world, "hubspot_sdk_batch_upsert_429.json", None).await;
}

#[tokio::test]
async fn recorded_salesforce_exchanges_come_out_alike() {
    use leadstream_sandbox::{Effect, Endpoint, Fault, Field, SalesforceConfig, SandboxConfig};
    // The recordings' organisation has its own status.
    let mut fields = Field::defaults();
    fields.retain(|field| field.name != "Status");
    fields.push(Field::picklist("Status", &["Open"]));
    let salesforce = SalesforceConfig {
        fields,
        ..SalesforceConfig::default()
    };
    let world = World::with(SandboxConfig {
        salesforce,
        ..SandboxConfig::default()
    })
    .await;
    let token = world.token().await;
    let endpoint = Endpoint::SalesforceUpsert;
    let locked = Fault::record_error(endpoint, "5511888880000", "UNABLE_TO_LOCK_ROW");
    world.client.order(&locked).await.unwrap();
    replay(&world, "jsforce_collection_upsert_mixed.json", Some(&token)).await;
    world
        .client
        .order(&Fault::status(endpoint, 403))
        .await
        .unwrap();
    replay(&world, "jsforce_403_request_limit.json", Some(&token)).await;
    world
        .client
        .order(&Fault::status(endpoint, 503))
        .await
        .unwrap();
    replay(&world, "jsforce_503_server_unavailable.json", Some(&token)).await;
    world
        .client
        .order(&Fault::once(endpoint, Effect::TokenExpired))
        .await
        .unwrap();
    replay(
        &world,
        "jsforce_401_invalid_session_refresh.json",
        Some(&token),
    )
    .await;
}
