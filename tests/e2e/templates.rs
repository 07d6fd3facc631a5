//! Tests what is sent to leads outside WhatsApp's window.

use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually, text_webhook};
use leadstream_kafka::Outgoing;
use leadstream_local::deployment::Service;
use leadstream_sandbox::webhook::Person;
use leadstream_sandbox::{MessageQuery, SandboxClient, SentMessage};
use leadstream_schemas::{Timestamp, Topic};
use serde_json::json;

use crate::clients::producer;

const WITHIN: Duration = Duration::from_secs(60);
const HOUR: i64 = 3_600;
const NUMBER: &str = "106540352242922";
const WABA: &str = "102290129340398";

const FLOW: &str = r#"name: roofs
version: 1
language: en
start: NAME
timers: {reengage: {after: 72h, template: still_there}}
templates:
  still_there: {category: utility, body: ["{name|there}"]}
  go_on: {category: utility, body: {first_name: "{name|there}"}}
steps:
  NAME:
    prompt: What is your name?
    expect: text
    fill: name
    outside_window: go_on
    next: ROOF
  ROOF:
    prompt: What roof do you have?
    expect: text
    fill: roof
    next: DONE
  DONE:
    prompt: Thanks.
    completes: true
"#;

/// Tests the three ways to a template: a timer, the step's words that come too late, and a person.
pub(crate) fn templates_reach_leads_outside_the_window(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "templates").await?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("flow.yaml");
        std::fs::write(&file, FLOW)?;
        let file = file.to_str().context("a path")?.to_owned();
        let path = file.clone();
        site.start(Service::Ingest, "ingest").await?;
        site.start(Service::SinkWhatsapp, "sink-whatsapp").await?;
        let flow = vec![("PROCESSOR_PUBLISH_FLOW_FILE".to_owned(), file)];
        site.spawn_with(Service::Processor, "processor", flow)?;
        site.ready("processor").await?;
        let client = site.sandbox.client()?;

        let now = Timestamp::now().millis() / 1000;
        let bea = "15556660102";
        wrote_long_ago(&site, bea, now - 72 * HOUR + 8).await?;

        // The message comes a day late, so the question that answers it is a template.
        let ann = Person::new("15556660101", "Ann");
        site.post(&text_webhook(&ann, "late-1", now - 25 * HOUR, "Hi"))
            .await?;
        let named = json!([{ "type": "body", "parameters": [
            { "type": "text", "parameter_name": "first_name", "text": "there" },
        ] }]);
        let mut count = 1;
        let sent = last(&client, "15556660101", count).await?;
        ensure!(sent.payload["template"]["name"] == "go_on", "{sent:?}");
        ensure!(sent.payload["template"]["components"] == named, "{sent:?}");

        // A person writes: not in free words alone.
        let say = ["lead", "say", "15556660101"];
        let refused = site.tool(&[&say[..], &["Hello"]].concat()).await;
        let refused = format!("{:#}", refused.err().context("words were sent")?);
        ensure!(refused.contains("name a template of its flow"), "{refused}");
        for more in [
            &["--template", "still_there"][..],
            &["Hello", "--template", "still_there"],
        ] {
            site.tool(&[&say[..], more].concat()).await?;
            count += 1;
            let sent = last(&client, "15556660101", count).await?;
            ensure!(
                sent.payload["template"]["name"] == "still_there",
                "{sent:?}"
            );
            ensure!(
                sent.payload["template"]["language"] == json!({ "code": "en" }),
                "{sent:?}"
            );
        }
        let messages = site.tool(&["lead", "messages", "15556660101"]).await?;
        ensure!(
            messages.contains("template still_there: there"),
            "{messages}"
        );

        // The timer that is due 72 hours after the message.
        let sent = last(&client, bea, 1).await?;
        ensure!(
            sent.payload["template"]["name"] == "still_there",
            "{sent:?}"
        );
        what_meta_lacks_is_reported(&site, &client, &path).await?;
        site.finish().await
    })
}

/// Checks `flow check --online` against templates of which one is paused.
async fn what_meta_lacks_is_reported(
    site: &Site<'_>,
    client: &SandboxClient,
    flow: &str,
) -> anyhow::Result<()> {
    let template = |name: &str, status: &str, text: &str| {
        json!({
            "name": name, "language": "en", "status": status, "category": "UTILITY",
            "components": [{ "type": "BODY", "text": text }],
        })
    };
    let go_on = template("go_on", "APPROVED", "Hi {{first_name}}.");
    let command = ["flow", "check", flow, "--online"];
    let variables = [
        ("META_WABA_IDS", WABA),
        ("META_ACCESS_TOKEN", &site.deployment.meta_access_token),
        ("META_GRAPH_URL", &site.deployment.meta_graph_url),
    ];
    for (status, expected) in [
        ("PAUSED", "template `still_there` (en): is paused"),
        ("APPROVED", ""),
    ] {
        let templates = [template("still_there", status, "Hi {{1}}."), go_on.clone()];
        client.set_templates(&templates).await?;
        let (ended, output) = site.tool_with(&command, &variables).await?;
        ensure!(ended.success() == expected.is_empty(), "{output}");
        ensure!(output.contains(expected), "{output}");
    }
    Ok(())
}

/// Writes an input that was received at `at`, in seconds since 1970.
async fn wrote_long_ago(site: &Site<'_>, wa_id: &str, at: i64) -> anyhow::Result<()> {
    let at = Timestamp::from_secs(at);
    let value = json!({
        "id": "wamid.silent", "kind": "message", "platform": "whatsapp_cloud", "number": NUMBER,
        "sender": { "wa_id": wa_id }, "sent_at": at, "received_at": at, "item": 0,
        "content": { "type": "text", "body": "Hi" },
    });
    let framed = [b"\0\0\0\0\x01".as_slice(), value.to_string().as_bytes()].concat();
    let record = Outgoing::new(site.topic(Topic::LeadInputs), wa_id, &*framed);
    producer(site)?.send(&[record]).await?.await?;
    Ok(())
}

/// Returns the last message to `wa_id`, once there are `count`.
async fn last(client: &SandboxClient, wa_id: &str, count: usize) -> anyhow::Result<SentMessage> {
    let query = MessageQuery {
        to: Some(wa_id.to_owned()),
        ..MessageQuery::default()
    };
    eventually(WITHIN, async || {
        let messages = client.messages(&query).await?;
        ensure!(messages.len() == count, "{} of {count}", messages.len());
        messages.into_iter().next_back().context("a message")
    })
    .await
}
