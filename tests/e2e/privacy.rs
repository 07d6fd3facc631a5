//! Tests that ingest's output holds no secrets and no personal data (invariant 11).

mod payloads;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::ensure;
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use leadstream_sandbox::webhook::sign;
use leadstream_schemas::Topic;
use rand::Rng;
use rand::distr::Alphanumeric;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use serde_json::json;

use payloads::{body, dead, good, message, value, wasender_events};

use crate::resting_state::read_all;

const OURS: &str = "200000000000001";
const PHONE: &str = "4915188887777";
const USER_ID: &str = "DE.77700011122233344455";
const LID: &str = "888777666555444";
const NAME: &str = "Zaphira Quillfeather";
const TEXT: &str = "marmalade at midnight";
const FILE: &str = "zaphira-and-partners.pdf";
const APP_SECRET: &str = "hush-app-5d1f0b7c";
const VERIFY_TOKEN: &str = "hush-verify-90ab12cd";
const WASENDER_SECRET: &str = "hush-wasender-77e1aa02";
const SESSION_KEY: &str = "9c1185a5c5e9fc54612808977ee8f548b2258d31c0ffee00hush5e55101";
const OTHER_KEY: &str = "0cc175b9c0f1b6a831c399e269772661deadbeef00hushother5e5510";
const WRONG_TOKEN: &str = "guessed-token-31337";

const MARKERS: &[&str] = &[
    PHONE,
    USER_ID,
    LID,
    NAME,
    "Zaphira",
    TEXT,
    FILE,
    APP_SECRET,
    VERIFY_TOKEN,
    WASENDER_SECRET,
    SESSION_KEY,
    OTHER_KEY,
    WRONG_TOKEN,
];
/// Longer than the topic takes, once its limit is this.
const MAX_RECORD: usize = 100_000;

pub(crate) fn ingests_output_holds_no_secret_and_no_personal_data(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let mut site = Site::new(world, "privacy").await?;
        site.deployment.meta_app_secret = APP_SECRET.to_owned();
        site.deployment.meta_verify_token = VERIFY_TOKEN.to_owned();
        limit_records(&site).await?;
        for format in ["json", "text"] {
            let own = [
                ("LOG_LEVEL", "debug"),
                ("LOG_FORMAT", format),
                ("META_PHONE_NUMBER_IDS", OURS),
                ("WASENDER_WEBHOOK_SECRET", WASENDER_SECRET),
                ("WASENDER_API_KEY", &format!("sales={SESSION_KEY}")),
            ];
            let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let name = format!("ingest-{format}");
            site.spawn_with(Service::Ingest, &name, own.into())?;
            site.ready(&name).await?;
            let told = post_everything(&site).await?;
            is_clean("an answer", &told.concat())?;
            is_clean("/metrics", &site.metrics(&name).await?)?;
            is_clean("/health/ready", &site.readiness(&name).await?.1)?;
            let log = site.log(&name)?;
            ensure!(log.contains("DEBUG"), "nothing is logged at debug level");
            ensure!(log.contains("webhook refused"), "refusals are not logged");
            site.stop(&name).await?;
        }
        // Until the services end, because they also log while they stop.
        for format in ["json", "text"] {
            let log = format!("{}-ingest-{format}", site.name);
            let path = site.world.stack.data_dir().join("logs");
            let log = std::fs::read_to_string(path.join(format!("{log}.log")))?;
            is_clean("the log", &log)?;
        }
        records_are_clean(&site)?;
        site.finish().await
    })
}

fn is_clean(what: &str, text: &str) -> anyhow::Result<()> {
    for marker in MARKERS {
        let found = text.lines().find(|line| line.contains(marker));
        ensure!(found.is_none(), "{what} holds {marker}: {found:?}");
    }
    Ok(())
}

/// Limits the topic's record size, so that an item can be too long.
async fn limit_records(site: &Site<'_>) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", &site.deployment.kafka)
        .create()?;
    let (inputs, limit) = (site.topic(Topic::LeadInputs), MAX_RECORD.to_string());
    let config = AlterConfig::new(ResourceSpecifier::Topic(&inputs));
    let config = config.set("max.message.bytes", &limit);
    for outcome in admin.alter_configs(&[config], &AdminOptions::new()).await? {
        outcome.map_err(|(_, code)| anyhow::anyhow!("the topic keeps its limit: {code}"))?;
    }
    Ok(())
}

/// Checks that the headers of dead letters hold no personal data, and no record holds a session's
/// key.
fn records_are_clean(site: &Site<'_>) -> anyhow::Result<()> {
    let mut classes = BTreeSet::new();
    let mut written = 0;
    for topic in [
        Topic::LeadInputs,
        Topic::MessageStatuses,
        Topic::ProviderNotices,
    ] {
        let dead = topic.dead_letters(&site.deployment.topic_prefix);
        for name in [site.topic(topic), dead] {
            for record in read_all(site, &name)? {
                written += 1;
                for (header, value) in &record.headers {
                    is_clean(
                        &format!("a header of {name}"),
                        &format!("{header}: {value}"),
                    )?;
                }
                let value = String::from_utf8_lossy(&record.value);
                for key in [SESSION_KEY, OTHER_KEY] {
                    ensure!(!value.contains(key), "a record of {name} holds a key");
                }
                let class = record.headers.get("__connect.errors.exception.class.name");
                classes.extend(class.cloned());
            }
        }
    }
    let expected = [
        "bad_timestamp",
        "malformed",
        "no_id",
        "no_number",
        "no_sender",
        "too_long",
    ];
    ensure!(
        classes.iter().eq(expected),
        "dead letters are of {classes:?}"
    );
    ensure!(written > 40, "{written} records");
    Ok(())
}

/// Returns the answers.
async fn post_everything(site: &Site<'_>) -> anyhow::Result<Vec<String>> {
    let mut told = Vec::new();
    // Random, or it would be short enough once it is compressed. It is refused for as long as ingest
    // believes that the topic takes it.
    let noise = rand::rng().sample_iter(Alphanumeric).take(MAX_RECORD);
    let noise: String = noise.map(char::from).collect();
    let long = value(&message(
        json!({"text": {"body": format!("{TEXT} {noise}")}}),
    ));
    eventually(Duration::from_secs(30), async || {
        let answer = site.post_once(&body(&long)).await?;
        ensure!(answer.status() == 200, "{answer:?}");
        Ok(())
    })
    .await?;
    for value in good().iter().chain(&dead()) {
        let answer = site.post_once(&body(value)).await?;
        ensure!(answer.status() == 200, "{} for {value}", answer.status());
        told.push(answer.text().await?);
    }
    refused(site, &mut told).await?;
    for event in wasender_events() {
        for secret in [WASENDER_SECRET, WRONG_TOKEN] {
            let answer = wasender(site, secret, event.to_string()).await?;
            told.push(answer);
        }
    }
    told.push(wasender(site, WASENDER_SECRET, format!("{SESSION_KEY} {TEXT}")).await?);
    Ok(told)
}

async fn wasender(site: &Site<'_>, secret: &str, body: String) -> anyhow::Result<String> {
    let url = format!("http://{}/webhooks/wasender", site.ingest);
    let request = site.http.post(url).header("X-Webhook-Signature", secret);
    let answer = request.body(body).send().await?;
    let expected: &[u16] = if secret == WASENDER_SECRET {
        &[200, 400]
    } else {
        &[401]
    };
    let status = answer.status().as_u16();
    ensure!(expected.contains(&status), "{status}");
    Ok(answer.text().await?)
}

/// Requests that are no webhooks of ours.
async fn refused(site: &Site<'_>, told: &mut Vec<String>) -> anyhow::Result<()> {
    let good = body(&value(&message(json!({"text": {"body": TEXT}}))));
    let signed = |body: &[u8]| Some(sign(APP_SECRET, body));
    let deep = format!("{{\"{TEXT}\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let other = json!({"object": TEXT, "entry": [{"name": NAME}]}).to_string();
    let large = format!("\"{}\"", TEXT.repeat(3 * 1024 * 1024 / TEXT.len() + 1));
    let no_json = format!("{TEXT} {PHONE}");
    let many = json!({"object": "whatsapp_business_account", "entry": vec![json!(TEXT); 10_001]});
    let cases = [
        (good.clone(), None, 401),
        (good.clone(), Some(sign(WRONG_TOKEN, &good)), 401),
        (good.clone(), Some(format!("sha256={APP_SECRET}")), 401),
        (good.clone(), Some(WRONG_TOKEN.to_owned()), 401),
        (no_json.clone().into(), signed(no_json.as_bytes()), 400),
        (deep.clone().into(), signed(deep.as_bytes()), 400),
        (other.clone().into(), signed(other.as_bytes()), 400),
        (large.clone().into(), signed(large.as_bytes()), 413),
        (
            many.to_string().into(),
            signed(many.to_string().as_bytes()),
            413,
        ),
    ];
    for (body, signature, status) in cases {
        let mut request = site.http.post(site.webhook()).body(body);
        if let Some(signature) = signature {
            request = request.header("X-Hub-Signature-256", signature);
        }
        let answer = request.send().await?;
        ensure!(
            answer.status() == status,
            "{} for {status}",
            answer.status()
        );
        told.push(answer.text().await?);
    }
    for (token, status) in [(VERIFY_TOKEN, 200), (WRONG_TOKEN, 403)] {
        let query = format!("hub.mode=subscribe&hub.challenge=17&hub.verify_token={token}");
        let url = format!("{}?{query}", site.webhook());
        let answer = site.http.get(url).send().await?;
        ensure!(answer.status() == status, "{} for {token}", answer.status());
        told.push(answer.text().await?);
    }
    Ok(())
}
