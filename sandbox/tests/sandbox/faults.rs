//! Tests every kind of fault.

use std::time::{Duration, Instant};

use leadstream_sandbox::{
    Effect, Endpoint, ErrorBody, Fault, SandboxClient, Stage, Stats, StatusScript, Webhook,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Receiver, World, contact, lead, send, text_to};

/// The client's timeout, shorter than any fault here.
const SENDER_TIMEOUT: Duration = Duration::from_millis(300);

fn ann() -> Value {
    json!([contact("1", &json!({ "firstname": "Ann" }))])
}

async fn outcomes(client: &SandboxClient, endpoint: Endpoint, outcome: &str) -> u64 {
    let stats: Stats = client.stats().await.unwrap();
    stats.endpoint(endpoint).outcome(outcome)
}

async fn unanswered(client: &SandboxClient, endpoint: Endpoint) -> u64 {
    outcomes(client, endpoint, "unanswered").await
}

#[tokio::test]
async fn a_fault_happens_as_often_as_ordered() {
    let world = World::new().await;
    let limited = Fault::once(
        Endpoint::HubspotUpsert,
        Effect::Status {
            status: 429,
            code: Some("DAILY".to_owned()),
            retry_after_s: Some(7),
            body: ErrorBody::Vendor,
        },
    );
    world.client.order(&limited.times(2)).await.unwrap();
    for _ in 0..2 {
        let refused = send(world.upsert_contacts(&ann())).await;
        assert_eq!(
            (refused.status, &refused.body["policyName"]),
            (429, &json!("DAILY"))
        );
        assert_eq!(refused.headers["retry-after"], "7");
    }
    assert_eq!(send(world.upsert_contacts(&ann())).await.status, 200);
    assert_eq!(world.client.contact("1").await.unwrap().unwrap().writes, 1);
    assert!(world.client.faults().await.unwrap().is_empty());
}

#[tokio::test]
async fn hubspot_words_each_status() {
    let world = World::new().await;
    for (status, category) in [(409, "CONFLICT"), (423, "LOCKED"), (403, "MISSING_SCOPES")] {
        world
            .client
            .order(&Fault::status(Endpoint::HubspotUpsert, status))
            .await
            .unwrap();
        let refused = send(world.upsert_contacts(&ann())).await;
        assert_eq!(
            (refused.status, &refused.body["category"]),
            (status, &json!(category))
        );
    }
    world
        .client
        .order(&Fault::status(Endpoint::HubspotUpsert, 477))
        .await
        .unwrap();
    let migrating = send(world.upsert_contacts(&ann())).await;
    assert_eq!(migrating.headers["retry-after"], "3600");
    assert!(world.client.contact("1").await.unwrap().is_none());
    assert!(world.client.faults().await.unwrap().is_empty());
}

#[tokio::test]
async fn salesforce_words_each_status() {
    let world = World::new().await;
    let token = world.token().await;
    let records = json!([lead("1", "Lee")]);
    for (status, code) in [
        (403, "REQUEST_LIMIT_EXCEEDED"),
        (500, "UNKNOWN_EXCEPTION"),
        (503, "SERVER_UNAVAILABLE"),
        (400, "INVALID_FIELD"),
    ] {
        world
            .client
            .order(&Fault::status(Endpoint::SalesforceUpsert, status))
            .await
            .unwrap();
        let refused = send(world.upsert_leads(&token, &records)).await;
        assert_eq!(
            (refused.status, &refused.body[0]["errorCode"]),
            (status, &json!(code))
        );
        if status == 403 {
            assert_eq!(
                refused.headers["sforce-limit-info"],
                "api-usage=100000/100000"
            );
        }
    }
    world
        .client
        .order(&Fault::status(Endpoint::SalesforceToken, 400))
        .await
        .unwrap();
    let refused = send(world.token_request("sandbox-salesforce-secret")).await;
    assert_eq!(refused.body["error"], "invalid_grant");
    assert!(world.client.leads().await.unwrap().is_empty());
    assert!(world.client.faults().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_error_may_be_html_or_any_json() {
    let world = World::new().await;
    let with = |body| {
        let status = Effect::Status {
            status: 503,
            code: None,
            retry_after_s: None,
            body,
        };
        Fault::once(Endpoint::HubspotUpsert, status)
    };
    world.client.order(&with(ErrorBody::Html)).await.unwrap();
    let page = send(world.upsert_contacts(&ann())).await;
    assert_eq!(page.headers["content-type"], "text/html");
    assert!(page.body.as_str().unwrap().starts_with("<html>"));
    world
        .client
        .order(&with(ErrorBody::Json(json!({ "odd": [1] }))))
        .await
        .unwrap();
    let odd = send(world.upsert_contacts(&ann())).await;
    assert_eq!((odd.status, odd.body), (503, json!({ "odd": [1] })));
}

#[tokio::test]
async fn a_graph_error_meets_its_recipient_only() {
    let world = World::new().await;
    world
        .client
        .order(&Fault::graph_error(131_056).for_key("49151"))
        .await
        .unwrap();
    assert_eq!(send(world.send(&text_to("1", "x"))).await.status, 200);
    let refused = send(world.send(&text_to("+49151", "x"))).await;
    assert_eq!(
        (refused.status, &refused.body["error"]["code"]),
        (400, &json!(131_056))
    );
    assert_eq!(send(world.send(&text_to("+49151", "x"))).await.status, 200);
    world
        .client
        .order(&Fault::graph_error(130_429))
        .await
        .unwrap();
    assert_eq!(send(world.send(&text_to("1", "x"))).await.status, 429);
    world
        .client
        .order(&Fault::status(Endpoint::GraphMessages, 500))
        .await
        .unwrap();
    let refused = send(world.send(&text_to("1", "x"))).await;
    assert_eq!(
        (refused.status, &refused.body["error"]["code"]),
        (500, &json!(1))
    );
    assert_eq!(world.client.stats().await.unwrap().held.messages, 2);
}

#[tokio::test]
async fn a_time_out_applies_nothing_and_an_applied_one_does() {
    let world = World::new().await;
    let endpoint = Endpoint::GraphMessages;
    for (fault, messages) in [
        (Fault::timeout(endpoint), 0),
        (Fault::applied_timeout(endpoint), 1),
    ] {
        world.client.order(&fault).await.unwrap();
        let error = world
            .send(&text_to("1", "x"))
            .timeout(SENDER_TIMEOUT)
            .send()
            .await
            .unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        assert_eq!(world.client.stats().await.unwrap().held.messages, messages);
    }
    assert_eq!(unanswered(&world.client, endpoint).await, 2);
    assert_eq!(send(world.send(&text_to("1", "x"))).await.status, 200);
}

#[tokio::test]
async fn held_connections_close_in_time_or_when_faults_are_cleared() {
    let world = World::new().await;
    let endpoint = Endpoint::HubspotUpsert;
    let short = Effect::Hold {
        applied: false,
        for_ms: Some(20),
    };
    world
        .client
        .order(&Fault::once(endpoint, short))
        .await
        .unwrap();
    let error = world.upsert_contacts(&ann()).send().await.unwrap_err();
    assert!(error.is_request() && !error.is_timeout(), "{error:?}");

    world.client.order(&Fault::timeout(endpoint)).await.unwrap();
    let held = tokio::spawn(world.upsert_contacts(&ann()).send());
    while unanswered(&world.client, endpoint).await < 2 {
        tokio::task::yield_now().await;
    }
    assert!(!held.is_finished());
    // The wait may begin a moment after it was counted.
    while !held.is_finished() {
        world.client.clear_faults().await.unwrap();
    }
    assert!(held.await.unwrap().is_err());
    assert!(world.client.contacts().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_connection_closes_without_an_answer() {
    let world = World::new().await;
    let token = world.token().await;
    let records = json!([lead("1", "Lee")]);
    for (applied, leads) in [(false, 0), (true, 1)] {
        let fault = Fault::once(Endpoint::SalesforceUpsert, Effect::Close { applied });
        world.client.order(&fault).await.unwrap();
        let error = world
            .upsert_leads(&token, &records)
            .send()
            .await
            .unwrap_err();
        assert!(error.is_request() && !error.is_timeout(), "{error:?}");
        assert_eq!(world.client.stats().await.unwrap().held.leads, leads);
    }
    let repeated = send(world.upsert_leads(&token, &records)).await;
    assert_eq!(repeated.body[0]["created"], false);
}

#[tokio::test]
async fn a_delayed_answer_comes_late_and_is_not_applied_for_a_client_that_left() {
    let world = World::new().await;
    let delayed = |ms| Fault::once(Endpoint::HubspotUpsert, Effect::Delay { ms });
    world.client.order(&delayed(100)).await.unwrap();
    let started = Instant::now();
    assert_eq!(send(world.upsert_contacts(&ann())).await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(100));

    world.client.order(&delayed(60_000)).await.unwrap();
    let error = world
        .upsert_contacts(&ann())
        .timeout(SENDER_TIMEOUT)
        .send()
        .await
        .unwrap_err();
    assert!(error.is_timeout());
    while outcomes(&world.client, Endpoint::HubspotUpsert, "abandoned").await == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.client.contact("1").await.unwrap().unwrap().writes, 1);
}

#[tokio::test]
async fn an_expired_token_is_refused_until_it_is_renewed() {
    let world = World::new().await;
    let token = world.token().await;
    let records = json!([lead("1", "Lee")]);
    let expired = Fault::once(Endpoint::SalesforceUpsert, Effect::TokenExpired);
    world.client.order(&expired).await.unwrap();
    for _ in 0..2 {
        let refused = send(world.upsert_leads(&token, &records)).await;
        assert_eq!(refused.status, 401);
        assert_eq!(refused.body[0]["errorCode"], "INVALID_SESSION_ID");
    }
    let renewed = world.token().await;
    assert_eq!(
        send(world.upsert_leads(&renewed, &records)).await.status,
        200
    );

    let expired = Fault::once(Endpoint::HubspotUpsert, Effect::TokenExpired);
    world.client.order(&expired).await.unwrap();
    assert_eq!(send(world.upsert_contacts(&ann())).await.status, 401);
    assert_eq!(send(world.upsert_contacts(&ann())).await.status, 200);
}

#[tokio::test]
async fn ordered_record_errors_fail_their_records_only() {
    let world = World::new().await;
    let token = world.token().await;
    let locked = Fault::record_error(Endpoint::SalesforceUpsert, "2", "UNABLE_TO_LOCK_ROW");
    world.client.order(&locked.times(1)).await.unwrap();
    let converted = Fault::record_error(
        Endpoint::SalesforceUpsert,
        "3",
        "CANNOT_UPDATE_CONVERTED_LEAD",
    );
    world.client.order(&converted).await.unwrap();
    let records = json!([lead("1", "Lee"), lead("2", "Silva"), lead("3", "Cy")]);
    let first = send(world.upsert_leads(&token, &records)).await;
    assert_eq!(first.body[0]["success"], true);
    assert_eq!(
        first.body[1]["errors"][0]["statusCode"],
        "UNABLE_TO_LOCK_ROW"
    );
    let second = send(world.upsert_leads(&token, &records)).await;
    assert_eq!(second.body[1]["success"], true);
    assert_eq!(
        second.body[2]["errors"][0]["statusCode"],
        "CANNOT_UPDATE_CONVERTED_LEAD"
    );

    let invalid = Fault::record_error(Endpoint::HubspotUpsert, "2", "INVALID_OPTION");
    world.client.order(&invalid).await.unwrap();
    let inputs = json!([contact("1", &json!({})), contact("2", &json!({}))]);
    let partial = send(world.upsert_contacts(&inputs)).await;
    assert_eq!(
        (partial.status, &partial.body["numErrors"]),
        (200, &json!(1))
    );
    let context = &partial.body["errors"][0]["context"];
    assert_eq!(context["objectWriteTraceId"], json!(["trace-2"]));
    world.client.clear_faults().await.unwrap();
    assert_eq!(send(world.upsert_contacts(&inputs)).await.status, 200);
}

#[tokio::test]
async fn a_silent_no_op_reports_success_and_writes_nothing() {
    let world = World::new().await;
    let fault = Fault::once(Endpoint::HubspotUpsert, Effect::SilentNoOp);
    world.client.order(&fault).await.unwrap();
    let silent = send(world.upsert_contacts(&ann())).await;
    assert_eq!(
        (silent.status, &silent.body["status"]),
        (200, &json!("COMPLETE"))
    );
    assert_eq!(silent.body["results"], json!([]));
    assert!(world.client.contacts().await.unwrap().is_empty());
}

/// Returns a sandbox, and what receives its webhooks.
async fn with_receiver() -> (World, Receiver) {
    let receiver = Receiver::refusing(&[]).await;
    let world = World::new().await;
    let webhook = Webhook {
        url: receiver.url.clone(),
        app_secret: "s".into(),
    };
    world.sandbox.set_webhook(Some(webhook));
    (world, receiver)
}

#[tokio::test]
async fn an_accepted_message_may_fail_later() {
    let (world, mut receiver) = with_receiver().await;
    let fault = Fault::once(
        Endpoint::GraphMessages,
        Effect::FailedStatus { code: 131_026 },
    );
    world.client.order(&fault).await.unwrap();
    assert_eq!(send(world.send(&text_to("1", "x"))).await.status, 200);
    let deliveries = receiver.wait_for(1).await;
    let body: Value = serde_json::from_slice(&deliveries[0].body).unwrap();
    let status = &body["entry"][0]["changes"][0]["value"]["statuses"][0];
    assert_eq!(
        (&status["status"], &status["errors"][0]["code"]),
        (&json!("failed"), &json!(131_026))
    );
}

#[tokio::test]
async fn a_fault_meets_the_endpoint_it_was_ordered_for() {
    let world = World::new().await;
    world
        .client
        .order(&Fault::status(Endpoint::HubspotProperties, 503))
        .await
        .unwrap();
    assert_eq!(send(world.upsert_contacts(&ann())).await.status, 200);
    let list = || world.hubspot(Method::GET, "/crm/v3/properties/contacts");
    assert_eq!(send(list()).await.status, 503);
    assert_eq!(send(list()).await.status, 200);
}

#[tokio::test]
async fn a_fault_that_cannot_be_played_is_refused() {
    let world = World::new().await;
    let fault = Fault::status(Endpoint::HubspotUpsert, 99);
    let error = world.client.order(&fault).await.unwrap_err();
    assert!(error.to_string().contains("status 99"), "{error}");
}

#[tokio::test]
async fn a_sandbox_with_held_requests_stops() {
    let world = World::new().await;
    world
        .client
        .order(&Fault::timeout(Endpoint::GraphMessages))
        .await
        .unwrap();
    let held = tokio::spawn(world.send(&text_to("1", "x")).send());
    while unanswered(&world.client, Endpoint::GraphMessages).await == 0 {
        tokio::task::yield_now().await;
    }
    let url = world.sandbox.url().to_owned();
    world.sandbox.stop().await;
    assert!(held.await.unwrap().is_err());
    assert!(reqwest::get(&url).await.is_err());
}

#[tokio::test]
async fn statuses_follow_the_script_or_the_order_for_one_message() {
    let (world, mut receiver) = with_receiver().await;
    let endpoint = Endpoint::GraphMessages;
    let late = [Stage::Delivered, Stage::Failed(131_049)];
    world
        .client
        .order(&Fault::statuses(endpoint, &late))
        .await
        .unwrap();
    assert_eq!(send(world.send(&text_to("1", "x"))).await.status, 200);
    let deliveries = receiver.wait_for(2).await;
    let status = |index: usize| {
        let body: Value = serde_json::from_slice(&deliveries[index].body).unwrap();
        body["entry"][0]["changes"][0]["value"]["statuses"][0].clone()
    };
    assert_eq!(status(0)["status"], "delivered");
    assert_eq!(status(1)["status"], "failed");
    assert_eq!(status(1)["errors"][0]["code"], 131_049);

    world
        .client
        .order(&Fault::statuses(endpoint, &[]))
        .await
        .unwrap();
    assert_eq!(send(world.send(&text_to("1", "silent"))).await.status, 200);
    let script = StatusScript {
        stages: vec![Stage::Read],
        before_answer: true,
        ..StatusScript::default()
    };
    world.client.set_statuses(&script).await.unwrap();
    let sent = send(world.send(&text_to("1", "x"))).await;
    // Without a wait: the answer came after it.
    let deliveries = receiver.wait_for(0).await;
    let body: Value = serde_json::from_slice(&deliveries[2].body).unwrap();
    let read = &body["entry"][0]["changes"][0]["value"]["statuses"][0];
    assert_eq!((&read["status"], deliveries.len()), (&json!("read"), 3));
    assert_eq!(read["id"], sent.body["messages"][0]["id"]);
    assert_eq!(send(world.send(&text_to("", "x"))).await.status, 400);
}

#[tokio::test]
async fn something_in_front_of_the_vendor_answers_whether_or_not_the_request_was_applied() {
    let world = World::new().await;
    let endpoint = Endpoint::GraphMessages;
    let truncated = r#"{"messages":[{"id":"wamid.x"#;
    let cases = [
        (true, 502, ErrorBody::Html),
        (true, 200, ErrorBody::Html),
        (true, 200, ErrorBody::Text(String::new())),
        (false, 200, ErrorBody::Text(truncated.to_owned())),
        (false, 302, ErrorBody::Html),
        (false, 400, ErrorBody::Filler(5 << 20)),
    ];
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let token = world.sandbox.config().whatsapp.access_token.expose();
    let url = format!(
        "{}/v23.0/{}/messages",
        world.sandbox.graph_url(),
        crate::support::NUMBER
    );
    let mut applied_in_all = 0;
    for (applied, status, body) in cases {
        let fault = Fault::intercepted(endpoint, applied, status, body.clone());
        world.client.order(&fault).await.unwrap();
        let request = http.post(&url).bearer_auth(token);
        let response = request.json(&text_to("1", "x")).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers().contains_key("location"), status == 302);
        let bytes = response.bytes().await.unwrap();
        match body {
            ErrorBody::Text(text) => assert_eq!(bytes, text.as_bytes()),
            ErrorBody::Filler(length) => assert_eq!(bytes.len(), length),
            _ => assert!(bytes.starts_with(b"<html>")),
        }
        applied_in_all += u64::from(applied);
        let stats = world.client.stats().await.unwrap();
        assert_eq!(stats.held.messages, applied_in_all, "{status}");
    }
    let absurd = Effect::Intercepted {
        applied: false,
        status: 429,
        retry_after: Some("Fri, 31 Dec 9999 23:59:59 GMT".to_owned()),
        body: ErrorBody::Vendor,
    };
    world
        .client
        .order(&Fault::once(endpoint, absurd))
        .await
        .unwrap();
    let throttled = send(world.send(&text_to("1", "x"))).await;
    assert_eq!(throttled.body["error"]["code"], 4);
    assert_eq!(
        throttled.headers["retry-after"],
        "Fri, 31 Dec 9999 23:59:59 GMT"
    );
}

#[tokio::test]
async fn a_share_of_the_requests_meets_a_fault() {
    let world = World::new().await;
    let some = Fault::graph_error(131_000).share(0.5);
    world.client.order(&some).await.unwrap();
    let mut refused = 0;
    for _ in 0..100 {
        let answer = send(world.send(&text_to("1", "x"))).await;
        refused += u32::from(answer.status != 200);
    }
    assert!((20..80).contains(&refused), "{refused}");
}
