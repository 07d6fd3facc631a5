//! Tests batch upserts of contacts, properties, limits.

use leadstream_sandbox::{Endpoint, HubspotConfig, Property, SandboxConfig};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{UPSERT_CONTACTS, World, contact, send};

fn ids(answer: &Value) -> Vec<&str> {
    let results = answer["results"].as_array().unwrap();
    results
        .iter()
        .map(|result| result["id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn contacts_are_created_then_updated_under_their_unique_key() {
    let world = World::new().await;
    let inputs = json!([
        contact(
            "1",
            &json!({ "wa_id": "1", "firstname": "Ann", "phone": "+1" })
        ),
        contact(
            "2",
            &json!({ "firstname": "Bob", "hs_lead_status": "OPEN" })
        ),
    ]);
    let created = send(world.upsert_contacts(&inputs)).await;
    assert_eq!(created.status, 200, "{}", created.body);
    assert_eq!(created.body["status"], "COMPLETE");
    assert_eq!(created.body["results"][0]["new"], true);
    assert_eq!(created.body["results"][1]["objectWriteTraceId"], "trace-2");
    assert_eq!(created.body["results"][1]["properties"]["wa_id"], "2");
    assert!(created.body.get("errors").is_none());

    let update = json!([contact(
        "1",
        &json!({ "firstname": "", "lastname": "Lee", "phone": null })
    )]);
    let path = "/crm/v3/objects/contacts/batch/upsert";
    let request = world
        .hubspot(Method::POST, path)
        .json(&json!({ "inputs": update }));
    let updated = send(request).await;
    assert_eq!(updated.body["results"][0]["new"], false);
    assert_eq!(ids(&updated.body), ids(&created.body)[..1]);

    let ann = world
        .client
        .contact("1")
        .await
        .unwrap()
        .expect("the contact");
    assert_eq!(ann.text("phone"), Some("+1"), "null does nothing");
    assert_eq!(ann.text("firstname"), None, "the empty value clears");
    assert_eq!(ann.history.len(), 2);
    assert_eq!(ann.history[1].arrival, 3);
    assert_eq!(ann.history[1].values["lastname"], "Lee");
    assert_eq!(world.client.contacts().await.unwrap().len(), 2);
    let stats = world.client.stats().await.unwrap();
    assert_eq!(stats.endpoint(Endpoint::HubspotUpsert).largest_batch, 2);
}

#[tokio::test]
async fn a_bad_record_with_a_trace_id_fails_alone() {
    let world = World::new().await;
    let inputs = json!([
        contact("1", &json!({ "firstname": "Ann" })),
        contact("2", &json!({ "missing": "x" })),
        contact(
            "3",
            &json!({ "hs_lead_status": "SLEEPING", "email": "nobody" })
        ),
    ]);
    let partial = send(world.upsert_contacts(&inputs)).await;
    assert_eq!(partial.status, 200);
    assert_eq!(partial.body["status"], "COMPLETE");
    assert_eq!(ids(&partial.body).len(), 1);
    assert_eq!(partial.body["numErrors"], 2);
    let errors = partial.body["errors"].as_array().unwrap();
    assert_eq!(
        errors[0]["context"]["objectWriteTraceId"],
        json!(["trace-2"])
    );
    assert!(
        errors[0]["message"]
            .as_str()
            .unwrap()
            .contains("PROPERTY_DOESNT_EXIST")
    );
    assert!(
        errors[1]["message"]
            .as_str()
            .unwrap()
            .contains("INVALID_OPTION")
    );
    assert!(
        errors[1]["message"]
            .as_str()
            .unwrap()
            .contains("INVALID_EMAIL")
    );
    assert_eq!(world.client.contacts().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_bad_record_without_a_trace_id_fails_the_batch() {
    let world = World::new().await;
    let mut bad = contact("2", &json!({ "missing": "x" }));
    bad.as_object_mut().unwrap().remove("objectWriteTraceId");
    let inputs = json!([contact("1", &json!({ "firstname": "Ann" })), bad]);
    let refused = send(world.upsert_contacts(&inputs)).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.body["category"], "VALIDATION_ERROR");
    assert_eq!(refused.body["errors"][0]["code"], "PROPERTY_DOESNT_EXIST");
    assert_eq!(
        refused.body["errors"][0]["context"]["propertyName"],
        json!(["missing"])
    );
    assert!(world.client.contacts().await.unwrap().is_empty());
}

#[tokio::test]
async fn batches_that_break_a_rule_are_refused_whole() {
    let world = World::new().await;
    let many: Vec<Value> = (0..101)
        .map(|n| contact(&n.to_string(), &json!({ "firstname": "x" })))
        .collect();
    let mut by_phone = contact("1", &json!({}));
    by_phone["idProperty"] = json!("phone");
    let ann = contact("1", &json!({ "firstname": "Ann" }));
    let cases = [
        (json!(many), "101"),
        (json!([ann, ann]), "Duplicate IDs"),
        (json!([by_phone]), "non-unique 0-1 property phone"),
        (
            json!([contact("1", &json!({ "firstname": 7 }))]),
            "Invalid input JSON",
        ),
        (json!([]), "empty"),
    ];
    for (inputs, reason) in cases {
        let refused = send(world.upsert_contacts(&inputs)).await;
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert_eq!(refused.body["category"], "VALIDATION_ERROR");
        let message = refused.body["message"].as_str().unwrap();
        assert!(message.contains(reason), "{message}");
    }
    assert!(world.client.contacts().await.unwrap().is_empty());
    assert_eq!(
        send(world.upsert_contacts(&json!(many[..100])))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_unique_value_of_another_contact_conflicts_for_the_whole_batch() {
    let world = World::new().await;
    let ann = contact("1", &json!({ "email": "ann@example.com" }));
    assert_eq!(send(world.upsert_contacts(&json!([ann]))).await.status, 200);
    let thief = contact("2", &json!({ "email": "ann@example.com" }));
    let other = contact("3", &json!({ "firstname": "Cy" }));
    let refused = send(world.upsert_contacts(&json!([other, thief]))).await;
    assert_eq!(
        (refused.status, &refused.body["category"]),
        (409, &json!("CONFLICT"))
    );
    let one = contact("4", &json!({ "email": "new@example.com" }));
    let two = contact("5", &json!({ "email": "new@example.com" }));
    assert_eq!(
        send(world.upsert_contacts(&json!([one, two]))).await.status,
        409
    );
    assert_eq!(world.client.contacts().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_lifecycle_stage_does_not_go_back() {
    let world = World::new().await;
    for stage in ["opportunity", "lead"] {
        let input = contact("1", &json!({ "lifecyclestage": stage }));
        let done = send(world.upsert_contacts(&json!([input]))).await;
        assert_eq!(done.status, 200);
        assert_eq!(
            done.body["results"][0]["properties"]["lifecyclestage"],
            "opportunity"
        );
    }
}

#[tokio::test]
async fn a_contact_is_read_by_key_or_id() {
    let world = World::new().await;
    let input = contact("a/b +1", &json!({ "firstname": "Ann" }));
    let created = send(world.upsert_contacts(&json!([input]))).await;
    let id = ids(&created.body)[0];
    let path = "/crm/v3/objects/contacts/a%2Fb%20%2B1?idProperty=wa_id&properties=firstname,wa_id";
    let read = send(world.hubspot(Method::GET, path)).await;
    assert_eq!(read.status, 200, "{}", read.body);
    assert_eq!(read.body["id"], id);
    assert_eq!(read.body["properties"]["firstname"], "Ann");
    assert_eq!(read.body["properties"]["wa_id"], "a/b +1");
    let dated = format!("/crm/objects/2026-09/contacts/{id}");
    assert_eq!(
        send(world.hubspot(Method::GET, &dated)).await.body["id"],
        id
    );
    let none = send(world.hubspot(Method::GET, "/crm/v3/objects/contacts/7")).await;
    assert_eq!((none.status, &none.body["status"]), (404, &json!("error")));
}

#[tokio::test]
async fn properties_are_listed_read_and_created() {
    let world = World::new().await;
    let list = "/crm/v3/properties/contacts";
    let all = send(world.hubspot(Method::GET, list)).await;
    let results = all.body["results"].as_array().unwrap();
    let wa_id = results
        .iter()
        .find(|property| property["name"] == "wa_id")
        .unwrap();
    assert_eq!(wa_id["hasUniqueValue"], true);
    assert_eq!(wa_id["fieldType"], "text");

    let body = json!({
        "name": "lead_key", "label": "Lead", "type": "string", "fieldType": "text",
        "groupName": "contactinformation", "hasUniqueValue": true,
    });
    assert_eq!(
        send(world.hubspot(Method::POST, list).json(&body))
            .await
            .status,
        201
    );
    assert_eq!(
        send(world.hubspot(Method::POST, list).json(&body))
            .await
            .status,
        409
    );
    let partly = send(
        world
            .hubspot(Method::POST, list)
            .json(&json!({ "name": "x" })),
    )
    .await;
    assert_eq!(partly.status, 400);
    let read = send(world.hubspot(Method::GET, &format!("{list}/lead_key"))).await;
    assert_eq!(
        (read.status, &read.body["hasUniqueValue"]),
        (200, &json!(true))
    );
    assert_eq!(
        send(world.hubspot(Method::GET, &format!("{list}/none")))
            .await
            .status,
        404
    );

    let mut input = contact("k", &json!({ "firstname": "Ann" }));
    input["idProperty"] = json!("lead_key");
    assert_eq!(
        send(world.upsert_contacts(&json!([input]))).await.status,
        200
    );
    assert!(world.client.contact("k").await.unwrap().is_some());
}

#[tokio::test]
async fn a_wrong_token_is_refused() {
    let world = World::new().await;
    let url = format!("{}{UPSERT_CONTACTS}", world.sandbox.hubspot_url());
    let refused = send(world.http.post(url).bearer_auth("wrong").body("{}")).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.body["category"], "INVALID_AUTHENTICATION");
}

#[tokio::test]
async fn limits_are_reported_and_enforced() {
    let hubspot = HubspotConfig {
        requests_per_10_seconds: Some(2),
        properties: vec![Property::unique("wa_id")],
        ..HubspotConfig::default()
    };
    let world = World::with(SandboxConfig {
        hubspot,
        ..SandboxConfig::default()
    })
    .await;
    let inputs = json!([contact("1", &json!({}))]);
    let first = send(world.upsert_contacts(&inputs)).await;
    assert_eq!(first.headers["x-hubspot-ratelimit-max"], "2");
    assert_eq!(first.headers["x-hubspot-ratelimit-remaining"], "1");
    assert_eq!(
        first.headers["x-hubspot-ratelimit-interval-milliseconds"],
        "10000"
    );
    assert_eq!(
        first.headers["x-hubspot-ratelimit-daily-remaining"],
        "649999"
    );
    assert_eq!(send(world.upsert_contacts(&inputs)).await.status, 200);
    let third = send(world.upsert_contacts(&inputs)).await;
    assert_eq!(third.status, 429);
    assert_eq!(third.body["policyName"], "TEN_SECONDLY_ROLLING");
    assert_eq!(third.body["errorType"], "RATE_LIMIT");
    let contact = world.client.contact("1").await.unwrap().unwrap();
    assert_eq!(contact.writes, 2, "a refused request writes nothing");
}

#[tokio::test]
async fn the_daily_pool_ends() {
    let hubspot = HubspotConfig {
        daily_requests: 1,
        ..HubspotConfig::default()
    };
    let world = World::with(SandboxConfig {
        hubspot,
        ..SandboxConfig::default()
    })
    .await;
    let list = || world.hubspot(Method::GET, "/crm/v3/properties/contacts");
    assert_eq!(send(list()).await.status, 200);
    let over = send(list()).await;
    assert_eq!(
        (over.status, &over.body["policyName"]),
        (429, &json!("DAILY"))
    );
    // The reset time can be queried while the pool is empty, too.
    let path = "/account-info/v3/api-usage/daily/private-apps";
    let usage = send(world.hubspot(Method::GET, path)).await;
    assert_eq!(usage.body["results"][0]["usageLimit"], 1);
    assert_eq!(usage.body["results"][0]["currentUsage"], 1);
    let resets = usage.body["results"][0]["resetsAt"].as_str().unwrap();
    assert!(chrono::DateTime::parse_from_rfc3339(resets).unwrap() > chrono::Utc::now());
}
