//! Tests WASenderApi: sends, their events, limits and sessions.

use std::time::Duration;

use leadstream_sandbox::{
    Effect, Endpoint, Fault, MessageQuery, SandboxConfig, SessionStatus, Stage, StatusScript,
    WasenderConfig, WasenderLimit, WasenderWebhook,
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{HttpResponse, Receiver, World, send};

const KEY: &str = "sandbox-wasender-key";

fn request(world: &World, method: Method, path: &str) -> RequestBuilder {
    let url = format!("{}{path}", world.sandbox.wasender_url());
    world.http.request(method, url).bearer_auth(KEY)
}

async fn write(world: &World, to: &str, text: &str) -> HttpResponse {
    let body = json!({ "to": to, "text": text });
    send(request(world, Method::POST, "/send-message").json(&body)).await
}

async fn receiver(world: &World) -> Receiver {
    let receiver = Receiver::refusing(&[]).await;
    let webhook = WasenderWebhook {
        url: receiver.url.clone(),
        secret: "wasender secret".into(),
    };
    let client = &world.client;
    client.set_wasender_webhook(Some(&webhook)).await.unwrap();
    receiver
}

/// Returns the events once there are `count`.
async fn events(receiver: &mut Receiver, count: usize) -> Vec<Value> {
    let deliveries = receiver.wait_for(count).await;
    let event = |delivery: &crate::support::Delivery| {
        assert_eq!(delivery.signature, "wasender secret");
        serde_json::from_slice(&delivery.body).unwrap()
    };
    deliveries.iter().map(event).collect()
}

#[tokio::test]
async fn a_text_is_accepted_and_its_events_link_both_ids() {
    let world = World::new().await;
    let mut receiver = receiver(&world).await;
    let sent = write(&world, "+4915112345678", "hello").await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    assert_eq!(sent.body["success"], true);
    assert_eq!(sent.body["data"]["status"], "in_progress");
    let message_id = &sent.body["data"]["msgId"];
    assert!(message_id.is_u64());
    let events = events(&mut receiver, 5).await;
    let names: Vec<_> = events.iter().map(|event| &event["event"]).collect();
    let update = "messages.update";
    assert_eq!(
        names,
        ["message.sent", "messages.upsert", update, update, update]
    );
    let messages = world.client.messages(&MessageQuery::default()).await;
    let [message] = &messages.unwrap()[..] else {
        panic!("one message")
    };
    assert_eq!(
        (message.phone_number_id.as_str(), message.to.as_str()),
        ("sales", "4915112345678")
    );
    let key =
        json!({ "id": message.wamid, "fromMe": true, "remoteJid": "4915112345678@s.whatsapp.net" });
    assert_eq!(&events[0]["data"]["msgId"], message_id);
    assert_eq!(events[0]["data"]["key"], key);
    assert_eq!(events[1]["data"]["messages"]["key"], key);
    assert_eq!(events[1]["data"]["messages"]["messageBody"], "hello");
    let statuses: Vec<_> = events[2..]
        .iter()
        .map(|event| event["data"]["update"]["status"].as_i64())
        .collect();
    assert_eq!(statuses, [Some(2), Some(3), Some(4)]);
    assert!(events.iter().all(|event| event["sessionId"] == KEY));
}

#[tokio::test]
async fn a_lid_is_written_to_as_it_is() {
    let world = World::new().await;
    let mut receiver = receiver(&world).await;
    let sent = write(&world, "98711384416410@lid", "hello").await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    let events = events(&mut receiver, 1).await;
    assert_eq!(events[0]["data"]["key"]["remoteJid"], "98711384416410@lid");
}

#[tokio::test]
async fn wrong_sends_and_keys_are_refused() {
    let world = World::new().await;
    for (body, member) in [
        (json!({ "text": "x" }), "to"),
        (json!({ "to": "nobody", "text": "x" }), "to"),
        (json!({ "to": "+1" }), "text"),
        (json!({ "to": "+1", "text": "x".repeat(4_097) }), "text"),
    ] {
        let refused = send(request(&world, Method::POST, "/send-message").json(&body)).await;
        assert_eq!(refused.status, 422, "{body}");
        assert_eq!(refused.body["success"], false);
        assert!(refused.body["errors"][member][0].is_string(), "{body}");
    }
    for path in ["/send-message", "/status"] {
        let method = if path == "/status" {
            Method::GET
        } else {
            Method::POST
        };
        let url = format!("{}{path}", world.sandbox.wasender_url());
        let other = world.http.request(method, url).bearer_auth("another key");
        assert_eq!(send(other).await.status, 401);
    }
    world.client.set_session_key("sales", "new").await.unwrap();
    assert_eq!(write(&world, "+1", "x").await.status, 401);
}

#[tokio::test]
async fn a_limit_is_reported_and_kept() {
    let limit = WasenderLimit {
        reset_in_seconds: true,
        ..WasenderLimit::PROTECTED
    };
    let wasender = WasenderConfig {
        limit: Some(limit),
        ..WasenderConfig::default()
    };
    let world = World::with(SandboxConfig {
        wasender,
        ..SandboxConfig::default()
    })
    .await;
    let number = |answer: &HttpResponse, name: &str| -> u64 {
        answer.headers[name].to_str().unwrap().parse().unwrap()
    };
    let first = write(&world, "+1", "x").await;
    assert_eq!(first.status, 200);
    assert_eq!(number(&first, "x-ratelimit-limit"), 1);
    assert_eq!(number(&first, "x-ratelimit-remaining"), 0);
    assert!((1..=5).contains(&number(&first, "x-ratelimit-reset")));
    let second = write(&world, "+2", "x").await;
    assert_eq!(second.status, 429);
    let wait = second.body["retry_after"].as_u64().unwrap();
    assert!((1..=5).contains(&wait), "{wait}");
    let client = &world.client;
    client
        .set_wasender_limit(Some(WasenderLimit::PAID))
        .await
        .unwrap();
    let third = write(&world, "+2", "x").await;
    assert_eq!(third.status, 200);
    assert!(number(&third, "x-ratelimit-reset") > 1_000_000_000);
    client.set_wasender_limit(None).await.unwrap();
    let unlimited = write(&world, "+2", "x").await;
    assert!(!unlimited.headers.contains_key("x-ratelimit-limit"));
}

#[tokio::test]
async fn a_session_that_is_not_connected_sends_nothing_and_says_so() {
    let world = World::new().await;
    let mut receiver = receiver(&world).await;
    let client = &world.client;
    client
        .set_session_status("sales", SessionStatus::NeedScan)
        .await
        .unwrap();
    let status = send(request(&world, Method::GET, "/status")).await;
    assert_eq!(status.body, json!({ "status": "need_scan" }));
    assert_eq!(write(&world, "+1", "x").await.status, 400);
    client
        .set_session_status("sales", SessionStatus::Connected)
        .await
        .unwrap();
    let events = events(&mut receiver, 2).await;
    let statuses: Vec<_> = events
        .iter()
        .map(|event| (&event["event"], &event["data"]["status"]))
        .collect();
    let name = json!("session.status");
    assert_eq!(
        statuses,
        [(&name, &json!("need_scan")), (&name, &json!("connected"))]
    );
    assert!(
        client
            .set_session_status("nobody", SessionStatus::Expired)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn events_fail_are_missing_and_come_from_the_phone() {
    let world = World::new().await;
    let mut receiver = receiver(&world).await;
    let endpoint = Endpoint::WasenderSend;
    let failed = Fault::once(endpoint, Effect::FailedStatus { code: 0 }).for_key("1");
    world.client.order(&failed).await.unwrap();
    write(&world, "+1", "fails").await;
    let update = &events(&mut receiver, 1).await[0];
    assert_eq!(update["data"]["update"]["status"], 0);
    let script = StatusScript {
        stages: vec![Stage::Read],
        missing: 1.0,
        ..StatusScript::default()
    };
    world.client.set_statuses(&script).await.unwrap();
    write(&world, "+1", "nobody knows").await;
    let client = &world.client;
    client
        .write_on_phone("sales", "+491", "I take over")
        .await
        .unwrap();
    let echo = &events(&mut receiver, 2).await[1];
    assert_eq!(echo["event"], "messages.upsert");
    let message = &echo["data"]["messages"];
    assert_eq!(message["key"]["fromMe"], true);
    assert_eq!(message["message"]["conversation"], "I take over");
}

#[tokio::test]
async fn an_applied_send_without_an_answer_is_confirmed_by_its_events() {
    let world = World::new().await;
    let mut receiver = receiver(&world).await;
    let lost = Fault::once(Endpoint::WasenderSend, Effect::Close { applied: true });
    world.client.order(&lost).await.unwrap();
    let body = json!({ "to": "+1", "text": "x" });
    let request = request(&world, Method::POST, "/send-message").json(&body);
    let request = request.timeout(Duration::from_secs(5));
    assert!(request.send().await.is_err());
    assert_eq!(events(&mut receiver, 1).await[0]["event"], "message.sent");
}
