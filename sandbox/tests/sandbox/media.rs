//! Tests the files that leads send.

use std::time::Duration;

use leadstream_sandbox::{Effect, Endpoint, Fault};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{World, send};

fn get(world: &World, url: &str) -> reqwest::RequestBuilder {
    let token = world.sandbox.config().whatsapp.access_token.expose();
    world.http.get(url).bearer_auth(token)
}

#[tokio::test]
async fn a_file_is_located_and_then_read_with_the_token() {
    let world = World::new().await;
    let photo: Vec<u8> = (0..=255).collect();
    let id = world
        .client
        .add_media("image/jpeg", photo.clone())
        .await
        .unwrap();
    let locate = format!("{}/v23.0/{id}", world.sandbox.graph_url());
    let located = send(get(&world, &locate)).await;
    assert_eq!(located.status, 200, "{}", located.body);
    let hash: String = Sha256::digest(&photo)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(located.body["mime_type"], "image/jpeg");
    assert_eq!(located.body["sha256"], Value::String(hash));
    assert_eq!(located.body["file_size"], 256);
    assert_eq!(located.body["id"], Value::String(id));
    let url = located.body["url"].as_str().unwrap().to_owned();
    let answer = get(&world, &url).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "image/jpeg");
    assert_eq!(answer.bytes().await.unwrap(), photo);

    for (refused, expected) in [
        (world.http.get(&locate), 401),
        (world.http.get(&url), 401),
        (world.http.get(&url).bearer_auth("wrong"), 401),
        // An address of another time, or of another file.
        (get(&world, &url.replace("ext=1", "ext=2")), 404),
        (get(&world, &url.replace("mid=1", "mid=2")), 404),
        (get(&world, &locate.replace("v23.0", "23")), 400),
    ] {
        assert_eq!(send(refused).await.status, expected);
    }
    let unknown = format!("{}/v23.0/42", world.sandbox.graph_url());
    let unknown = send(get(&world, &unknown)).await;
    assert_eq!(unknown.status, 400);
    assert_eq!(unknown.body["error"]["code"], 100);
    assert_eq!(unknown.body["error"]["error_subcode"], 33);
}

#[tokio::test]
async fn files_take_faults() {
    let world = World::new().await;
    let id = world.client.add_media("a/b", vec![7; 1_000]).await.unwrap();
    let locate = format!("{}/v23.0/{id}", world.sandbox.graph_url());
    let gone = Fault::status(Endpoint::GraphMedia, 404).for_key(&id);
    world.client.order(&gone).await.unwrap();
    assert_eq!(send(get(&world, &locate)).await.status, 404);
    let located = send(get(&world, &locate)).await;
    let url = located.body["url"].as_str().unwrap();
    let torn = Fault::once(Endpoint::GraphFile, Effect::TornAnswer);
    world.client.order(&torn).await.unwrap();
    let answer = get(&world, url).send().await.unwrap();
    assert_eq!(answer.content_length(), Some(1_000));
    let read = tokio::time::timeout(Duration::from_secs(1), answer.bytes()).await;
    assert!(!matches!(read, Ok(Ok(_))));
    world.client.clear_faults().await.unwrap();
}
