//! Tests sends, their checks and their statuses.

use std::time::Duration;

use axum::http::StatusCode;
use leadstream_sandbox::{Effect, Endpoint, Fault, MessageQuery, NumberRules, Webhook, webhook};
use serde_json::{Value, json};

use crate::support::{HttpResponse, NUMBER, Receiver, World, send, text_to};

#[tokio::test]
async fn a_send_is_answered_kept_and_given_to_a_waiting_reader() {
    let world = World::new().await;
    let query = MessageQuery {
        to: Some("+1 650-555-1234".to_owned()),
        after: 0,
        wait: Duration::from_secs(20),
    };
    let reader = world.client.clone();
    let waiting = tokio::spawn(async move { reader.messages(&query).await });

    send(world.send(&text_to("4915112345678", "other"))).await;
    let sent = send(world.send(&text_to("+16505551234", "hello"))).await;

    assert_eq!(sent.status, 200);
    let wamid = sent.body["messages"][0]["id"].as_str().unwrap();
    let expected = json!({
        "messaging_product": "whatsapp",
        "contacts": [{ "input": "+16505551234", "wa_id": "16505551234" }],
        "messages": [{ "id": wamid }],
    });
    assert_eq!(sent.body, expected);
    let messages = waiting.await.unwrap().unwrap();
    assert_eq!(messages.len(), 1);
    let message = &messages[0];
    assert_eq!((message.seq, message.to.as_str()), (2, "16505551234"));
    assert_eq!(message.phone_number_id, NUMBER);
    assert_eq!(
        (message.kind.as_str(), message.text.as_deref()),
        ("text", Some("hello"))
    );
    assert_eq!(
        message.biz_opaque_callback_data.as_deref(),
        Some("reply-hello")
    );
    assert_eq!(message.wamid, wamid);
}

#[tokio::test]
async fn a_repeated_send_is_a_second_message() {
    let world = World::new().await;
    let body = text_to("1", "twice");
    let first = send(world.send(&body)).await;
    let second = send(world.send(&body)).await;
    assert_ne!(first.body["messages"], second.body["messages"]);
    let messages = world
        .client
        .messages(&MessageQuery::default())
        .await
        .unwrap();
    assert_eq!(messages.len(), 2);
    let after = MessageQuery {
        after: 1,
        ..MessageQuery::default()
    };
    assert_eq!(world.client.messages(&after).await.unwrap(), messages[1..]);
    let stats = world.client.stats().await.unwrap();
    assert_eq!(stats.held.messages, 2);
    assert_eq!(stats.endpoint(Endpoint::GraphMessages).outcome("200"), 2);
}

#[tokio::test]
async fn a_user_without_a_number_is_reached_by_user_id() {
    let world = World::new().await;
    let mut body = text_to("", "hi");
    body.as_object_mut().unwrap().remove("to");
    body["recipient"] = json!("US.13491208655302741918");
    let sent = send(world.send(&body)).await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    assert_eq!(
        sent.body["contacts"][0]["user_id"],
        "US.13491208655302741918"
    );
    let query = MessageQuery {
        to: Some("US.13491208655302741918".to_owned()),
        ..MessageQuery::default()
    };
    assert_eq!(world.client.messages(&query).await.unwrap().len(), 1);
}

#[tokio::test]
async fn mark_as_read_is_accepted() {
    let world = World::new().await;
    let body = json!({
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": "wamid.x",
        "typing_indicator": { "type": "text" },
    });
    let read = send(world.send(&body)).await;
    assert_eq!((read.status, read.body), (200, json!({ "success": true })));
    assert!(
        world
            .client
            .messages(&MessageQuery::default())
            .await
            .unwrap()
            .is_empty()
    );
}

fn error(answer: &HttpResponse) -> (u16, i64) {
    assert!(
        answer.body["error"]["message"].is_string(),
        "{}",
        answer.body
    );
    assert!(
        answer.body["error"]["fbtrace_id"].is_string(),
        "{}",
        answer.body
    );
    assert_eq!(answer.body["error"]["type"], "OAuthException");
    (
        answer.status,
        answer.body["error"]["code"].as_i64().unwrap(),
    )
}

#[tokio::test]
async fn credentials_and_numbers_are_checked() {
    let world = World::new().await;
    let body = text_to("1", "x");
    let url = format!("{}/v23.0/{NUMBER}/messages", world.sandbox.graph_url());
    let without = send(world.http.post(&url).json(&body)).await;
    assert_eq!(error(&without), (401, 104));
    let wrong = send(world.http.post(&url).bearer_auth("wrong").json(&body)).await;
    assert_eq!(error(&wrong), (401, 190));
    let unknown = send(world.graph("/v23.0/42/messages").json(&body)).await;
    assert_eq!(error(&unknown), (404, 100));
    assert_eq!(unknown.body["error"]["error_subcode"], 33);
    let version = send(world.graph(&format!("/23/{NUMBER}/messages")).json(&body)).await;
    assert_eq!(error(&version), (400, 100));
    assert!(
        world
            .client
            .messages(&MessageQuery::default())
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn wrong_sends_are_refused_with_the_codes_of_the_cloud_api() {
    let world = World::new().await;
    let broken = world.graph(&format!("/v23.0/{NUMBER}/messages")).body("{");
    assert_eq!(error(&send(broken).await), (400, 100));

    let button = |title: &str| json!({ "type": "reply", "reply": { "id": "a", "title": title } });
    let buttons = |buttons: &[Value]| json!({ "type": "button", "body": { "text": "?" }, "action": { "buttons": buttons } });
    let linked = |title: &str, url: &str| {
        json!({
            "type": "cta_url",
            "body": { "text": "?" },
            "action": { "name": "cta_url", "parameters": { "display_text": title, "url": url } },
        })
    };
    let mut headed = json!({
        "type": "list",
        "header": { "type": "image", "image": { "link": "https://example.com/a.png" } },
        "body": { "text": "?" },
        "action": { "button": "b", "sections": [{ "rows": [{ "id": "a", "title": "a" }] }] },
    });
    let above_a_list = headed.clone();
    headed["type"] = json!("button");
    headed["action"] = json!({ "buttons": [button("y")] });
    headed["header"]["image"]["link"] = json!("a.png");
    let cases: [(&str, Value, i64); 18] = [
        ("messaging_product", Value::Null, 100),
        ("to", Value::Null, 100),
        ("to", json!("nobody"), 100),
        ("type", json!("hologram"), 131_009),
        ("type", json!("image"), 131_008),
        ("image", json!({ "link": "a.png" }), 131_009),
        (
            "image",
            json!({ "link": "https://example.com/a.png", "id": "1" }),
            131_009,
        ),
        (
            "image",
            json!({ "link": "https://example.com/a.png", "caption": "x".repeat(1_025) }),
            131_009,
        ),
        ("interactive", linked("Open", "offer"), 131_009),
        ("interactive", linked("", "https://example.com"), 131_008),
        (
            "interactive",
            linked("longer than twenty characters", "https://example.com"),
            131_009,
        ),
        ("interactive", above_a_list, 131_009),
        ("interactive", headed, 131_009),
        ("text", json!({}), 131_008),
        ("text", json!({ "body": "x".repeat(4_097) }), 100),
        ("biz_opaque_callback_data", json!("x".repeat(513)), 131_009),
        (
            "interactive",
            buttons(&[button("y"), button("n"), button("?"), button("!")]),
            131_009,
        ),
        (
            "interactive",
            buttons(&[button("longer than twenty characters")]),
            131_009,
        ),
    ];
    for (member, value, code) in cases {
        let mut body = text_to("1", "x");
        if matches!(member, "interactive" | "image") {
            body["type"] = json!(member);
        }
        body[member] = value;
        let refused = send(world.send(&body)).await;
        assert_eq!(error(&refused), (400, code), "{member}: {}", refused.body);
    }
    let longest = send(world.send(&text_to("1", &"ä".repeat(500)))).await;
    assert_eq!(longest.status, 200, "{}", longest.body);
    assert_eq!(
        world
            .client
            .messages(&MessageQuery::default())
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn images_and_links_are_accepted_with_their_text() {
    let world = World::new().await;
    let link = "https://example.com/a.png";
    let interactive = json!({
        "type": "cta_url",
        "header": { "type": "image", "image": { "link": link } },
        "body": { "text": "Choose" },
        "action": { "name": "cta_url", "parameters": { "display_text": "Open", "url": link } },
    });
    for (kind, content, text) in [
        ("image", json!({ "link": link, "caption": "Look" }), "Look"),
        ("interactive", interactive, "Choose"),
    ] {
        let mut body = text_to("1", "x");
        body.as_object_mut().unwrap().remove("text");
        body["type"] = json!(kind);
        body[kind] = content;
        let sent = send(world.send(&body)).await;
        assert_eq!(sent.status, 200, "{}", sent.body);
        let query = MessageQuery::default();
        let messages = world.client.messages(&query).await.unwrap();
        assert_eq!(messages.last().unwrap().text.as_deref(), Some(text));
    }
}

#[tokio::test]
async fn statuses_are_signed_repeated_until_accepted_and_echo_our_id() {
    let mut receiver =
        Receiver::refusing(&[StatusCode::SERVICE_UNAVAILABLE, StatusCode::ACCEPTED]).await;
    let world = World::new().await;
    let target = Webhook {
        url: receiver.url.clone(),
        app_secret: "app secret".into(),
    };
    world.client.set_webhook(Some(&target)).await.unwrap();

    let sent = send(world.send(&text_to("16505551234", "hello"))).await;
    let deliveries = receiver.wait_for(3).await;

    let mut statuses = Vec::new();
    for delivery in &deliveries {
        assert_eq!(
            delivery.signature,
            webhook::sign("app secret", &delivery.body)
        );
        let body: Value = serde_json::from_slice(&delivery.body).unwrap();
        let value = &body["entry"][0]["changes"][0]["value"];
        assert_eq!(value["metadata"]["phone_number_id"], NUMBER);
        let status = &value["statuses"][0];
        assert_eq!(status["id"], sent.body["messages"][0]["id"]);
        assert_eq!(status["recipient_id"], "16505551234");
        assert_eq!(status["biz_opaque_callback_data"], "reply-hello");
        statuses.push(status["status"].as_str().unwrap().to_owned());
    }
    assert_eq!(statuses, ["sent", "delivered", "read"]);
    assert_eq!(world.client.stats().await.unwrap().webhooks.repeated, 2);
}

fn number_of(code: i64) -> NumberRules {
    NumberRules {
        stopped: Some(code),
        ..NumberRules::default()
    }
}

async fn node(world: &World, fields: &str) -> HttpResponse {
    let url = format!("{}/v23.0/{NUMBER}{fields}", world.sandbox.graph_url());
    let token = world.sandbox.config().whatsapp.access_token.expose();
    send(world.http.get(url).bearer_auth(token)).await
}

#[tokio::test]
async fn a_number_says_whether_it_can_send_and_how_fast() {
    let world = World::new().await;
    let described = node(&world, "").await;
    assert_eq!(described.status, 200, "{}", described.body);
    assert_eq!(described.body["id"], NUMBER);
    assert_eq!(described.body["throughput"]["level"], "STANDARD");
    let fields = "?fields=health_status,throughput";
    let healthy = node(&world, fields).await.body;
    assert_eq!(healthy["health_status"]["can_send_message"], "AVAILABLE");
    let client = &world.client;
    let stopped = number_of(131_031);
    client.set_number_rules(NUMBER, &stopped).await.unwrap();
    let blocked = node(&world, fields).await.body;
    assert_eq!(blocked["health_status"]["can_send_message"], "BLOCKED");
    let refused = send(world.send(&text_to("1", "x"))).await;
    assert_eq!(error(&refused).1, 131_031);
    let unknown = node(&world, "?fields=colour").await;
    assert_eq!(error(&unknown), (400, 100));
    client
        .set_number_rules(NUMBER, &NumberRules::default())
        .await
        .unwrap();
    assert_eq!(send(world.send(&text_to("1", "x"))).await.status, 200);
}

#[tokio::test]
async fn a_number_with_a_token_of_its_own_takes_no_other() {
    let world = World::new().await;
    let own = NumberRules {
        access_token: Some("own".into()),
        ..NumberRules::default()
    };
    world.client.set_number_rules(NUMBER, &own).await.unwrap();
    let refused = send(world.send(&text_to("1", "x"))).await;
    assert_eq!(error(&refused), (401, 190));
    let url = format!("{}/v23.0/{NUMBER}/messages", world.sandbox.graph_url());
    let sent = world
        .http
        .post(&url)
        .bearer_auth("own")
        .json(&text_to("1", "x"));
    assert_eq!(send(sent).await.status, 200);
}

#[tokio::test]
async fn limits_refuse_with_their_codes() {
    let world = World::new().await;
    let client = &world.client;
    let rules = NumberRules {
        pair_limit: true,
        ..NumberRules::default()
    };
    client.set_number_rules(NUMBER, &rules).await.unwrap();
    for _ in 0..45 {
        assert_eq!(send(world.send(&text_to("1", "x"))).await.status, 200);
    }
    let refused = send(world.send(&text_to("1", "x"))).await;
    assert_eq!(error(&refused).1, 131_056);
    let rules = NumberRules {
        throughput: Some(1),
        ..NumberRules::default()
    };
    client.set_number_rules(NUMBER, &rules).await.unwrap();
    let sends = (0..5).map(|_| send(world.send(&text_to("2", "x"))));
    let answers = futures::future::join_all(sends).await;
    let refused = answers.iter().filter(|answer| answer.status == 429);
    assert!(refused.clone().count() >= 3);
    assert!(refused.map(error).all(|(_, code)| code == 130_429));
}

#[tokio::test]
async fn outside_the_window_only_a_template_goes() {
    let world = World::new().await;
    let client = &world.client;
    let now = chrono::Utc::now();
    client.set_window_end("+1", Some(now)).await.unwrap();
    let refused = send(world.send(&text_to("1", "x"))).await;
    assert_eq!(error(&refused).1, 131_047);
    let mut template = text_to("1", "x");
    template["type"] = json!("template");
    template["template"] = json!({ "name": "hi", "language": { "code": "en" } });
    let held = Fault::once(Endpoint::GraphMessages, Effect::Held);
    client.order(&held).await.unwrap();
    for status in ["held_for_quality_assessment", "accepted"] {
        let sent = send(world.send(&template)).await;
        assert_eq!(sent.body["messages"][0]["message_status"], status);
    }
    client.set_window_end("+1", None).await.unwrap();
    assert_eq!(send(world.send(&text_to("1", "x"))).await.status, 200);
}
