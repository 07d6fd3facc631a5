//! Tests the state that a restart keeps.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use leadstream_sandbox::{MessageQuery, Sandbox, SandboxConfig, SandboxError, Vendor};
use reqwest::Method;
use serde_json::json;

use crate::support::{World, contact, lead, send, text_to};

fn config(file: &Path) -> SandboxConfig {
    SandboxConfig {
        state_file: Some(file.to_owned()),
        ..SandboxConfig::default()
    }
}

/// Returns a sandbox with a message, a property, a contact written twice and a lead, killed.
async fn filled_and_killed(file: &Path) {
    let world = World::with(config(file)).await;
    send(world.send(&text_to("1", "hello"))).await;
    let property = json!({
        "name": "lead_key", "label": "Lead", "type": "string", "fieldType": "text",
        "groupName": "contactinformation", "hasUniqueValue": true,
    });
    let list = world
        .hubspot(Method::POST, "/crm/v3/properties/contacts")
        .json(&property);
    assert_eq!(send(list).await.status, 201);
    for name in ["Ann", "Anna"] {
        let properties = json!({ "firstname": name, "lead_key": "k1" });
        let written = send(world.upsert_contacts(&json!([contact("1", &properties)]))).await;
        assert_eq!(written.status, 200, "{}", written.body);
    }
    let token = world.token().await;
    assert_eq!(
        send(world.upsert_leads(&token, &json!([lead("1", "Lee")])))
            .await
            .status,
        200
    );
    drop(world);
}

async fn check(world: &World) {
    let messages = world
        .client
        .messages(&MessageQuery::default())
        .await
        .unwrap();
    assert_eq!(messages[0].text.as_deref(), Some("hello"));
    let ann = world
        .client
        .contact("k1")
        .await
        .unwrap()
        .expect("the contact by its new key");
    assert_eq!(
        (ann.text("firstname"), ann.history.len()),
        (Some("Anna"), 2)
    );
    let lead = world.client.lead("1").await.unwrap().expect("the lead");
    assert_eq!(lead.text("LastName"), Some("Lee"));
}

#[tokio::test]
async fn what_was_acknowledged_survives_without_a_stop_and_twice() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/sandbox.jsonl");
    filled_and_killed(&file).await;
    let second = World::with(config(&file)).await;
    check(&second).await;
    second.sandbox.stop().await;

    let third = World::with(config(&file)).await;
    check(&third).await;
    send(third.send(&text_to("1", "again"))).await;
    let messages = third
        .client
        .messages(&MessageQuery::default())
        .await
        .unwrap();
    assert_eq!(
        messages
            .iter()
            .map(|message| message.seq)
            .collect::<Vec<_>>(),
        [1, 2]
    );
    let update = json!([contact("1", &json!({ "firstname": "Annie" }))]);
    let updated = send(third.upsert_contacts(&update)).await;
    assert_eq!(updated.body["results"][0]["new"], false);
    let ann = third.client.contact("1").await.unwrap().unwrap();
    assert_eq!(
        ann.history
            .iter()
            .map(|write| write.arrival)
            .collect::<Vec<_>>(),
        [1, 2, 3]
    );
}

/// Returns the ids of a merged contact, of its survivor, and of a converted lead's Contact.
async fn sales_did_their_work(world: &World) -> [String; 3] {
    let group = json!({ "name": "own", "label": "Our own", "displayOrder": 3 });
    let groups = "/crm/v3/properties/contacts/groups";
    let made = send(world.hubspot(Method::POST, groups).json(&group)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let values = |values| serde_json::from_value(values).unwrap();
    let contact = |name: &str| {
        let values = values(json!({ "firstname": name }));
        world
            .sandbox
            .write_record(Vendor::Hubspot, None, values)
            .unwrap()
    };
    let [ann, anna] = ["Ann", "Anna"].map(contact);
    let survivor = world.sandbox.merge(Vendor::Hubspot, &ann, &anna).unwrap();
    let values = values(json!({ "LastName": "Lee", "Company": "Acme" }));
    let lead = world.sandbox.write_record(Vendor::Salesforce, None, values);
    let person = world.sandbox.convert(&lead.unwrap(), false).unwrap();
    [ann, survivor, person]
}

#[tokio::test]
async fn groups_merges_and_conversions_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.jsonl");
    let world = World::with(config(&file)).await;
    let [ann, survivor, person] = sales_did_their_work(&world).await;
    drop(world);
    // The second start reads what the first one wrote again.
    for _ in 0..2 {
        let world = World::with(config(&file)).await;
        let groups = world.hubspot(Method::GET, "/crm/v3/properties/contacts/groups");
        let groups = send(groups).await.body;
        let own =
            json!({ "name": "own", "label": "Our own", "displayOrder": 3, "archived": false });
        assert!(
            groups["results"].as_array().unwrap().contains(&own),
            "{groups}"
        );
        let path = format!("/crm/v3/objects/contacts/{ann}");
        let found = send(world.hubspot(Method::GET, &path)).await;
        assert_eq!(
            found.body["id"], survivor,
            "the old id leads to the survivor"
        );
        let token = world.token().await;
        let path = format!("/services/data/v66.0/sobjects/Contact/{person}");
        let found = send(world.salesforce(&token, Method::GET, &path)).await;
        assert_eq!(found.body["LastName"], "Lee");
        drop(world);
    }
}

#[tokio::test]
async fn a_torn_last_line_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.jsonl");
    filled_and_killed(&file).await;
    let mut writer = fs::OpenOptions::new().append(true).open(&file).unwrap();
    writer.write_all(br#"[{"message":{"seq":2,"phone"#).unwrap();
    let world = World::with(config(&file)).await;
    check(&world).await;
    assert_eq!(world.client.stats().await.unwrap().held.messages, 1);
}

#[tokio::test]
async fn a_damaged_line_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.jsonl");
    fs::write(&file, "[]\nnonsense\n").unwrap();
    let error = Sandbox::start(config(&file))
        .await
        .expect_err("a damaged file");
    assert!(error.to_string().contains("line 2"), "{error}");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let first = World::new().await;
    let port = first
        .sandbox
        .url()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let mut config = SandboxConfig::default();
    config.bind.set_port(port);
    let error = Sandbox::start(config).await.expect_err("a taken port");
    assert!(matches!(error, SandboxError::Bind { .. }));
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}
