//! Tests failures of parts of a CRM's batch, and failures after the client gave up.

use std::time::Duration;

use leadstream_sandbox::{
    Effect, Endpoint, Fault, HubspotConfig, SalesforceConfig, SandboxConfig, Vendor,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{UPSERT_CONTACTS, World, contact, send};

const HUBSPOT: Endpoint = Endpoint::HubspotUpsert;

fn inputs(ids: &[&str], properties: &Value) -> Value {
    ids.iter().map(|id| contact(id, properties)).collect()
}

/// Waits until `check` is true.
async fn until(mut check: impl AsyncFnMut() -> bool) {
    let found = async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), found)
        .await
        .expect("not so within 10 s");
}

#[tokio::test]
async fn a_late_write_comes_over_a_newer_one_and_says_so() {
    let world = World::new().await;
    let late = Fault::once(HUBSPOT, Effect::AppliedLate { ms: 300 });
    world.client.order(&late).await.unwrap();
    let write = |name: &str| world.upsert_contacts(&inputs(&["1"], &json!({ "firstname": name })));
    let given_up = write("old").timeout(Duration::from_millis(100)).send();
    assert!(given_up.await.unwrap_err().is_timeout());
    assert_eq!(send(write("new")).await.status, 200);
    until(async || {
        let contact = world.client.contact("1").await.unwrap().unwrap();
        contact.text("firstname") == Some("old")
    })
    .await;
    let contact = world.client.contact("1").await.unwrap().unwrap();
    let late: Vec<bool> = contact.history.iter().map(|write| write.late).collect();
    assert_eq!(late, [false, true]);
}

#[tokio::test]
async fn a_torn_answer_was_applied_and_never_ends() {
    let world = World::new().await;
    let torn = Fault::once(HUBSPOT, Effect::TornAnswer);
    world.client.order(&torn).await.unwrap();
    let request = world.upsert_contacts(&inputs(&["1"], &json!({})));
    let response = request
        .timeout(Duration::from_millis(300))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.unwrap_err().is_timeout());
    assert!(world.client.contact("1").await.unwrap().is_some());
    let stats = world.client.stats().await.unwrap();
    assert_eq!(stats.endpoint(HUBSPOT).outcome("torn"), 1);
}

#[tokio::test]
async fn a_batch_may_hide_whose_error_it_is_or_forget_a_record() {
    let world = World::new().await;
    for (key, effect) in [("2", Effect::UntracedError), ("3", Effect::Omitted)] {
        let fault = Fault::once(HUBSPOT, effect).for_key(key);
        world.client.order(&fault).await.unwrap();
    }
    let batch = inputs(&["1", "2", "3"], &json!({ "firstname": "Ann" }));
    let found = send(world.upsert_contacts(&batch)).await;
    assert_eq!(found.status, 200);
    assert_eq!(found.body["results"].as_array().map(Vec::len), Some(1));
    assert_eq!(found.body["errors"].as_array().map(Vec::len), Some(1));
    assert_eq!(found.body["errors"][0]["context"], json!({}));
    assert!(world.client.contact("3").await.unwrap().is_none());
    let again = send(world.upsert_contacts(&batch)).await;
    assert_eq!(again.body["results"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn a_record_s_error_may_say_what_was_ordered() {
    let world = World::new().await;
    let endpoint = Endpoint::SalesforceUpsert;
    let stale = Fault::record_error(endpoint, "1", "FIELD_CUSTOM_VALIDATION_EXCEPTION");
    let stale = stale.saying("STALE_VERSION: a newer revision is there");
    world.client.order(&stale).await.unwrap();
    let token = world.token().await;
    let records = json!([{ "attributes": { "type": "Lead" }, "WA_Id__c": "1" }]);
    let found = send(world.upsert_leads(&token, &records)).await;
    let error = &found.body[0]["errors"][0];
    assert_eq!(error["statusCode"], "FIELD_CUSTOM_VALIDATION_EXCEPTION");
    assert_eq!(error["message"], "STALE_VERSION: a newer revision is there");
}

#[tokio::test]
async fn upserts_are_logged_in_the_order_of_their_arrival_whatever_their_results() {
    let hubspot = HubspotConfig {
        revision: Some("annualrevenue".to_owned()),
        ..HubspotConfig::default()
    };
    let world = World::with(SandboxConfig {
        hubspot,
        ..SandboxConfig::default()
    })
    .await;
    world
        .client
        .order(&Fault::status(HUBSPOT, 503))
        .await
        .unwrap();
    for revision in ["7", "8"] {
        let batch = inputs(&["1", "2"], &json!({ "annualrevenue": revision }));
        send(world.upsert_contacts(&batch)).await;
    }
    let all = world.client.upserts(0).await.unwrap();
    let said: Vec<(u64, &str, Option<u64>)> = all
        .iter()
        .flat_map(|upsert| {
            upsert
                .records
                .iter()
                .map(|r| (upsert.seq, &*r.key, r.revision))
        })
        .collect();
    let expected = [(1, "1", 7), (1, "2", 7), (2, "1", 8), (2, "2", 8)];
    assert_eq!(said, expected.map(|(seq, key, r)| (seq, key, Some(r))));
    assert_eq!(world.client.upserts(1).await.unwrap(), all[1..]);
}

#[tokio::test]
async fn other_apps_use_the_day_s_pool_and_a_new_day_fills_it() {
    let day = Duration::from_millis(300);
    let world = World::with(SandboxConfig {
        hubspot: HubspotConfig {
            daily_requests: 10,
            day,
            ..HubspotConfig::default()
        },
        salesforce: SalesforceConfig {
            day,
            ..SalesforceConfig::default()
        },
        ..SandboxConfig::default()
    })
    .await;
    let batch = inputs(&["1"], &json!({}));
    // A day may end just then.
    until(async || {
        world.client.spend(Vendor::Hubspot, 10).await.unwrap();
        send(world.upsert_contacts(&batch)).await.status == 429
    })
    .await;
    until(async || send(world.upsert_contacts(&batch)).await.status == 200).await;
    let token = world.token().await;
    let path = "/services/data/v66.0/sobjects/Lead/describe";
    let describe = || world.salesforce(&token, Method::GET, path);
    until(async || {
        world
            .client
            .spend(Vendor::Salesforce, 100_000)
            .await
            .unwrap();
        send(describe()).await.status == 403
    })
    .await;
    until(async || send(describe()).await.status == 200).await;
}

#[tokio::test]
async fn one_fault_is_taken_back_and_others_stay() {
    let world = World::new().await;
    let order = async |status| {
        let fault = Fault::status(HUBSPOT, status).always();
        world.client.order(&fault).await.unwrap()
    };
    let first = order(503).await;
    order(409).await;
    world.client.cancel(first).await.unwrap();
    let request = world.hubspot(Method::POST, UPSERT_CONTACTS);
    let found = send(request.json(&json!({ "inputs": [] }))).await;
    assert_eq!(found.status, 409);
}
