//! A lead sends a photo as the answer, and the API sends it on to a colleague.

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use leadstream_harness::{NUMBER, Site, World, text_webhook};
use leadstream_sandbox::webhook::{BusinessNumber, MetaWebhook, Person, wamid};
use leadstream_sandbox::{Effect, Endpoint, Fault};
use leadstream_schemas::Timestamp;
use reqwest::{Response, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::api_site::{ApiSite, EU_ONLY, READ};

const FLOW: &str = "
name: bills
version: 1
language: en
start: BILL
steps:
  BILL:
    prompt: A photo of your bill?
    image: https://example.com/bill.jpg
    expect: { media: { kinds: [image, document] } }
    fill: bill
    next: NAME
  NAME:
    prompt: Your name?
    expect: text
    fill: name
    next: DONE
  DONE:
    prompt: Thanks {name}.
    link: { title: Calendar, url: 'https://cal.example/new?name={name}' }
    completes: true
";

pub(crate) fn the_api_sends_the_photo_that_a_lead_sent(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("bills.yaml");
        std::fs::write(&file, FLOW)?;
        let mut site = Site::new(world, "files").await?;
        let flow = file.to_str().context("a path")?.to_owned();
        site.deployment
            .further
            .push(("PROCESSOR_PUBLISH_FLOW_FILE".to_owned(), flow));
        let api = ApiSite::at(site).await?;
        // More than one part of a transfer.
        let photo: Vec<u8> = (0..=250).cycle().take(3_000_000).collect();
        whole(&api, &photo).await?;
        refused(&api).await?;
        changed(&api, photo).await?;
        api.site.finish().await
    })
}

/// Lets a lead begin and send `photo`, of which WhatsApp says the hash of `announced`.
async fn sends(
    api: &ApiSite<'_>,
    wa_id: &str,
    photo: Vec<u8>,
    announced: &[u8],
) -> anyhow::Result<()> {
    let person = Person::new(wa_id, "Ada");
    api.writes(&person, &["Hi"]).await?;
    api.is_in(wa_id, "BILL").await?;
    let sandbox = api.site.sandbox.client()?;
    let id = sandbox.add_media("image/jpeg", photo).await?;
    let image = json!({
        "id": id,
        "mime_type": "image/jpeg",
        "sha256": BASE64.encode(Sha256::digest(announced)),
        "caption": "Here it is",
    });
    let now = Timestamp::now().millis() / 1000;
    let id = wamid(&format!("{wa_id}-photo"));
    let webhook = MetaWebhook::new(&BusinessNumber::new(NUMBER));
    let webhook = webhook.message(&person, &id, now, "image", image);
    api.site.post(&webhook.to_bytes()).await?;
    api.is_in(wa_id, "NAME").await
}

async fn whole(api: &ApiSite<'_>, photo: &[u8]) -> anyhow::Result<()> {
    sends(api, "15558880201", photo.to_vec(), photo).await?;
    let answer = api.get("/v1/leads/15558880201/files/bill", READ).await?;
    ensure!(answer.status() == StatusCode::OK, "{}", answer.status());
    for (name, expected) in [
        (header::CONTENT_TYPE, "image/jpeg"),
        (header::CONTENT_LENGTH, "3000000"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"bill.jpeg\"; filename*=UTF-8''bill.jpeg",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        let found = answer.headers().get(&name).context("a header")?;
        ensure!(found == expected, "{name}: {found:?}");
    }
    ensure!(answer.bytes().await? == photo, "the photo is another one");
    let (_, lead) = api
        .ask(
            reqwest::Method::GET,
            "/v1/leads/15558880201",
            READ,
            None,
            None,
        )
        .await?;
    let bill = &lead["lead_data"]["bill"];
    ensure!(bill["kind"] == "image" && bill["caption"] == "Here it is");
    ensure!(bill.get("url").is_none(), "{bill}");
    // What the flow shows reaches WhatsApp as Meta takes it.
    let person = Person::new("15558880201", "Ada");
    let now = Timestamp::now().millis() / 1000;
    let named = text_webhook(&person, "15558880201-name", now, "Ada & Co");
    api.site.post(&named).await?;
    api.is_sent_once("https://cal.example/new?name=Ada%20%26%20Co")
        .await
}

async fn refused(api: &ApiSite<'_>) -> anyhow::Result<()> {
    let photo = "/v1/leads/15558880201/files/bill";
    let sandbox = api.site.sandbox.client()?;
    let status = |endpoint, status| Some(Fault::status(endpoint, status));
    let closed = Effect::Close { applied: false };
    for (path, token, fault, expected, kind) in [
        (photo, "no token", None, 401, "unauthorized"),
        (photo, EU_ONLY, None, 404, "lead-not-found"),
        ("/v1/leads/1/files/bill", READ, None, 404, "lead-not-found"),
        (
            "/v1/leads/15558880201/files/roof",
            READ,
            None,
            404,
            "file-not-found",
        ),
        (
            "/v1/leads/15558880201/files/name",
            READ,
            None,
            404,
            "file-not-found",
        ),
        (
            photo,
            READ,
            status(Endpoint::GraphMedia, 404),
            410,
            "file-gone",
        ),
        (
            photo,
            READ,
            status(Endpoint::GraphFile, 404),
            410,
            "file-gone",
        ),
        (
            photo,
            READ,
            status(Endpoint::GraphMedia, 401),
            502,
            "file-refused",
        ),
        (
            photo,
            READ,
            status(Endpoint::GraphMedia, 503),
            503,
            "file-later",
        ),
        (
            photo,
            READ,
            Some(Fault::once(Endpoint::GraphFile, closed)),
            503,
            "file-later",
        ),
    ] {
        if let Some(fault) = &fault {
            sandbox.order(fault).await?;
        }
        let answer = api.get(path, token).await?;
        let (status, problem) = (answer.status(), answer.json::<Value>().await?);
        let found = problem["type"].as_str().unwrap_or_default();
        ensure!(
            status == expected && found == format!("urn:leadstream:problem:{kind}"),
            "{path} with {fault:?}: {status} {problem}"
        );
    }
    Ok(())
}

/// A file with another hash never arrives as a whole.
async fn changed(api: &ApiSite<'_>, photo: Vec<u8>) -> anyhow::Result<()> {
    sends(api, "15558880202", photo, b"another photo").await?;
    let answer = api.get("/v1/leads/15558880202/files/bill", READ).await?;
    ensure!(answer.status() == StatusCode::OK, "{}", answer.status());
    ensure!(Response::bytes(answer).await.is_err(), "it arrived");
    Ok(())
}
