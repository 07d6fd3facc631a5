//! Tests message templates: their list, and what the Cloud API refuses to send.

use serde_json::{Value, json};

use crate::support::{World, send};

const WABA: &str = "102290129340398";

fn template(name: &str, status: &str) -> Value {
    json!({
        "id": "1", "name": name, "language": "en_US", "status": status, "category": "UTILITY",
        "parameter_format": "POSITIONAL",
        "components": [
            { "type": "HEADER", "format": "TEXT", "text": "Roofs" },
            { "type": "BODY", "text": "Hi {{1}}, about {{2}}." },
            { "type": "BUTTONS", "buttons": [
                { "type": "QUICK_REPLY", "text": "Stop" },
                { "type": "URL", "text": "See", "url": "https://a.example/{{1}}" },
            ] },
        ],
    })
}

async fn list(world: &World, query: &str) -> Value {
    let url = format!(
        "{}/v23.0/{WABA}/message_templates",
        world.sandbox.graph_url()
    );
    let token = world.sandbox.config().whatsapp.access_token.expose();
    let request = world.http.get(format!("{url}?{query}")).bearer_auth(token);
    send(request).await.body
}

#[tokio::test]
async fn templates_are_listed_in_pages() {
    let world = World::new().await;
    let all: Vec<Value> = (0..5)
        .map(|n| template(&format!("t{n}"), "APPROVED"))
        .collect();
    world.client.set_templates(&all).await.unwrap();
    let mut names = Vec::new();
    let mut after = String::new();
    loop {
        let page = list(&world, &format!("limit=2&fields=name{after}")).await;
        let data = page["data"].as_array().unwrap().iter();
        names.extend(data.map(|it| it["name"].as_str().unwrap().to_owned()));
        let Some(_) = page["paging"]["next"].as_str() else {
            break;
        };
        let cursor = page["paging"]["cursors"]["after"].as_str().unwrap();
        after = format!("&after={cursor}");
    }
    assert_eq!(names, ["t0", "t1", "t2", "t3", "t4"]);
    assert_eq!(list(&world, "name=t3").await["data"][0]["name"], "t3");
    let wrong = list(&world, "after=x").await;
    assert_eq!(wrong["error"]["code"], 100);
    let url = format!("{}/v23.0/7/message_templates", world.sandbox.graph_url());
    let token = world.sandbox.config().whatsapp.access_token.expose();
    let foreign = send(world.http.get(&url).bearer_auth(token)).await;
    assert_eq!(
        (foreign.status, &foreign.body["error"]["error_subcode"]),
        (400, &json!(33))
    );
    assert_eq!(send(world.http.get(&url)).await.status, 401);
}

#[tokio::test]
async fn a_template_is_sent_only_as_it_was_approved() {
    let world = World::new().await;
    let message = |name: &str, language: &str, values: usize, has_url: bool| {
        let text = json!({ "type": "text", "text": "x" });
        let mut components =
            vec![json!({ "type": "body", "parameters": vec![text.clone(); values] })];
        if has_url {
            components.push(json!({
                "type": "button", "sub_type": "url", "index": "1", "parameters": [text],
            }));
        }
        json!({
            "messaging_product": "whatsapp", "to": "+4917012345", "type": "template",
            "template": {
                "name": name, "language": { "code": language }, "components": components,
            },
        })
    };
    // Without templates of its own, the sandbox takes every one.
    let any = send(world.send(&message("any", "en", 0, false))).await;
    assert_eq!(any.status, 200, "{}", any.body);
    let statuses = ["APPROVED", "PAUSED", "DISABLED", "PENDING", "REJECTED"];
    let templates = statuses.map(|status| template(&status.to_lowercase(), status));
    world.client.set_templates(&templates).await.unwrap();
    for (name, language, values, has_url, code) in [
        ("approved", "en_US", 2, true, None),
        ("approved", "en_US", 1, true, Some(132_000)),
        ("approved", "en_US", 3, true, Some(132_000)),
        ("approved", "en_US", 2, false, Some(131_008)),
        ("approved", "pt_BR", 2, true, Some(132_001)),
        ("unknown", "en_US", 2, true, Some(132_001)),
        ("pending", "en_US", 2, true, Some(132_001)),
        ("rejected", "en_US", 2, true, Some(132_001)),
        ("paused", "en_US", 2, true, Some(132_015)),
        ("disabled", "en_US", 2, true, Some(132_016)),
    ] {
        let answer = send(world.send(&message(name, language, values, has_url))).await;
        let found = answer.body["error"]["code"].as_i64();
        assert_eq!(found, code, "{name} {language} {values}: {}", answer.body);
    }
}
