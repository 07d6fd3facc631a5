//! Tests commands to leads by the command line and by the API.

mod listed;
pub(crate) mod replies;

use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{World, eventually};
use leadstream_local::deployment::Service;
use leadstream_local::free_address;
use leadstream_sandbox::webhook::Person;
use leadstream_schemas::codec::decode;
use leadstream_schemas::{LeadEvent, Topic};
use reqwest::Method;
use serde_json::{Value, json};

use crate::api_site::{ALL, ApiSite, READ};
use crate::resting_state::read_all;

/// Gives each command by the command line and by the API, also while the processor is killed.
pub(crate) fn commands_by_cli_and_api_act_on_leads(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let api = ApiSite::new(world, "commands").await?;
        by_cli(&api).await?;
        by_api(&api).await?;
        listed::leads_and_messages(&api).await?;
        limited(&api).await?;
        access(&api).await?;
        while_the_processor_is_away(&api).await?;
        metrics_are_described(&api).await?;
        api.site.finish().await
    })
}

/// The generated reference of all metrics.
const REFERENCE: &str = include_str!("../../docs/reference/metrics.md");
/// A metric without a value before its first label is known.
const NOTICES: &str = "leadstream_ingest_notices_total";

/// Checks that each service serves the metrics of the reference, and only them, with a description.
async fn metrics_are_described(api: &ApiSite<'_>) -> anyhow::Result<()> {
    for service in Service::ALL.map(Service::name).into_iter().chain(["api"]) {
        let text = api.site.metrics(service).await?;
        let types = text.lines().filter_map(|it| it.strip_prefix("# TYPE "));
        let served: Vec<&str> = types.filter_map(|it| it.split(' ').next()).collect();
        for name in &served {
            let help = format!("# HELP {name} ");
            ensure!(text.contains(&help), "{name} has no description");
            let row = format!("\n| `{name}` |");
            ensure!(REFERENCE.contains(&row), "the reference lacks {name}");
        }
        let prefix = format!("| `leadstream_{}_", service.replace('-', "_"));
        for row in REFERENCE.lines().filter(|it| it.starts_with(&prefix)) {
            let name = row.split('`').nth(1).context("a row has a name")?;
            let is_served = name == NOTICES || served.contains(&name);
            ensure!(is_served, "{service} does not serve {name}");
        }
    }
    Ok(())
}

async fn by_cli(api: &ApiSite<'_>) -> anyhow::Result<()> {
    let (site, ada) = (&api.site, "15558880101");
    api.writes(&Person::new(ada, "Ada"), &["Hi"]).await?;
    api.is_in(ada, "AWAITING_NAME").await?;
    for _ in 0..2 {
        let told = site
            .tool(&[
                "lead",
                "say",
                ada,
                "I am Ana.",
                "--id",
                "say-1",
                "--wait",
                "30s",
            ])
            .await?;
        ensure!(told.contains("applied at revision 2"), "{told}");
    }
    api.is_sent_once("I am Ana.").await?;
    api.is_in(ada, "HUMAN_HANDOFF").await?;
    eventually(Duration::from_secs(30), async || {
        let funnel: Vec<(String, i64, i64)> =
            sqlx::query_as("SELECT state, here, handed_over FROM report_funnel WHERE here > 0")
                .fetch_all(&site.database)
                .await?;
        ensure!(funnel == [("AWAITING_NAME".to_owned(), 1, 1)], "{funnel:?}");
        Ok(())
    })
    .await?;
    site.tool(&["lead", "release", ada, "--wait", "30s"])
        .await?;
    api.is_in(ada, "AWAITING_NAME").await?;
    let release = ["lead", "release", ada, "--wait", "30s"];
    api.refused(&release, "the bot has the lead already")
        .await?;
    site.tool(&["lead", "assign", ada, "Ana María", "--wait", "30s"])
        .await?;
    site.tool(&["lead", "restart", ada, "--wait", "30s"])
        .await?;
    let (state, assignee, revision) = api.row(ada).await?;
    ensure!(state == "AWAITING_NAME" && assignee.as_deref() == Some("Ana María"));
    let shown = site.tool(&["lead", "show", ada, "--json"]).await?;
    let shown: Value = serde_json::from_str(&shown)?;
    ensure!(shown["revision"] == revision && shown["assignee"] == "Ana María");
    let commands = shown["commands"].as_array().context("commands")?;
    let told: Vec<_> = commands
        .iter()
        .map(|it| {
            format!(
                "{} {}",
                it["command"].as_str().unwrap_or(""),
                it["status"].as_str().unwrap_or("")
            )
        })
        .collect();
    let expected = [
        "restart applied",
        "assign applied",
        "release rejected",
        "release applied",
        "say applied",
    ];
    ensure!(told == expected, "{told:?}");
    let explained = site.tool(&["lead", "explain", ada]).await?;
    for text in [
        "says \"I am Ana.\"",
        "rejected: the bot has the lead already",
    ] {
        ensure!(explained.contains(text), "`{text}` is not in: {explained}");
    }
    api.refused(&["lead", "release", "15550000000"], "no lead has this id")
        .await?;
    api.refused(
        &["lead", "say", ada, "Something else", "--id", "say-1"],
        "another command has the id",
    )
    .await
}

async fn by_api(api: &ApiSite<'_>) -> anyhow::Result<()> {
    let ben = "15558880102";
    api.writes(&Person::new(ben, "Ben"), &["Hi", "Ben"]).await?;
    api.is_in(ben, "AWAITING_BUDGET").await?;
    let say = json!({"type": "say", "body": "Ben, I am Carl."});
    for _ in 0..2 {
        let (status, told) = api.give(ben, Some("say-1"), say.clone()).await?;
        ensure!(
            status == 200 && told["result"]["revision"] == 3,
            "{status} {told}"
        );
        ensure!(told["id"] == "api:all:say-1", "{told}");
    }
    api.is_sent_once("Ben, I am Carl.").await?;
    let other = json!({"type": "say", "body": "Something else"});
    let (status, told) = api.give(ben, Some("say-1"), other).await?;
    ensure!(status == 422, "{status} {told}");
    let (status, _) = api.give(ben, None, json!({"type": "release"})).await?;
    ensure!(status == 200);
    let (status, told) = api.give(ben, None, json!({"type": "release"})).await?;
    ensure!(
        status == 409 && told["result"]["status"] == "rejected",
        "{status} {told}"
    );
    let assign = json!({"type": "assign", "assignee": "carl"});
    let (status, _) = api.give(ben, None, assign).await?;
    ensure!(status == 200);
    let (status, _) = api.give(ben, None, json!({"type": "restart"})).await?;
    ensure!(status == 200);
    let path = format!("/v1/leads/{ben}");
    let (status, lead) = api.ask(Method::GET, &path, READ, None, None).await?;
    ensure!(status == 200 && lead["assignee"] == "carl" && lead["state"] == "AWAITING_NAME");
    let events = read_all(&api.site, &api.site.topic(Topic::LeadEvents))?;
    let mut assigned = 0;
    for record in events {
        let event: LeadEvent = decode(&record.value)?;
        assigned += usize::from(event.data.assignee.as_deref() == Some("carl"));
    }
    ensure!(
        assigned == 2,
        "{assigned} events name the sales representative"
    );
    Ok(())
}

async fn access(api: &ApiSite<'_>) -> anyhow::Result<()> {
    let ben = "/v1/leads/15558880102/commands";
    let release = || Some(json!({"type": "release"}));
    for (method, path, token, body, expected) in [
        (Method::POST, ben, "no token", release(), 401),
        (Method::POST, ben, READ, release(), 403),
        (Method::POST, ben, ALL, Some(json!({"type": "dance"})), 400),
        (
            Method::POST,
            ben,
            ALL,
            Some(json!({"type": "say", "body": " "})),
            422,
        ),
        (Method::GET, ben, ALL, None, 405),
        (Method::GET, "/v1/leads/15550000000", ALL, None, 404),
        (Method::GET, "/v1/commands/nothing", ALL, None, 404),
        // What no text, or no text in PostgreSQL, can be.
        (Method::GET, "/v1/commands/%00", ALL, None, 404),
        (Method::GET, "/v1/commands/a%00b", ALL, None, 404),
        (Method::GET, "/v1/commands/%ff", ALL, None, 404),
        (Method::GET, "/v1/leads/%00", ALL, None, 404),
        (Method::GET, "/v1/leads/%ff", ALL, None, 404),
        (Method::GET, "/v1/leads/%ff/files/photo", ALL, None, 404),
        (
            Method::POST,
            "/v1/leads/%ff/commands",
            ALL,
            Some(json!({"type": "release"})),
            404,
        ),
        (Method::GET, "/v2", ALL, None, 404),
    ] {
        let (status, problem) = api.ask(method, path, token, None, body).await?;
        ensure!(status.as_u16() == expected, "{path}: {status} {problem}");
        ensure!(
            problem["status"] == expected && problem["detail"].is_string(),
            "{problem}"
        );
    }
    let (status, document) = api
        .ask(Method::GET, "/openapi.json", "", None, None)
        .await?;
    ensure!(status == 200 && document["paths"]["/v1/leads/{id}/commands"].is_object());
    // A token removed from the file is no longer valid.
    let text = std::fs::read_to_string(&api.tokens)?;
    let kept = text.lines().next().context("a token")?;
    std::fs::write(&api.tokens, format!("{kept}\n"))?;
    eventually(Duration::from_secs(10), async || {
        let path = "/v1/leads/15558880102";
        let (status, _) = api.ask(Method::GET, path, READ, None, None).await?;
        ensure!(status == 401, "{status}");
        Ok(())
    })
    .await?;
    let log = api.site.log("api")?;
    ensure!(!log.contains("1555888"), "a number is in the log: {log}");
    Ok(())
}

/// Checks that a token over its rate gets a retry time and delays no other token.
async fn limited(api: &ApiSite<'_>) -> anyhow::Result<()> {
    let (site, address) = (&api.site, free_address()?);
    let own = [
        ("API_ADDRESS", address.to_string()),
        ("API_TOKEN_HASHES_FILE", api.tokens.display().to_string()),
        ("API_REQUESTS_PER_SECOND", "1".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    site.spawn_with(Service::Api, "limited", own.to_vec())?;
    site.ready("limited").await?;
    let url = format!("http://{address}/v1/commands/none");
    let ask = |token: &str| site.http.get(&url).bearer_auth(token).send();
    let mut refused = 0;
    for _ in 0..10 {
        let answer = ask(READ).await?;
        if answer.status() == 429 {
            refused += 1;
            ensure!(answer.headers()["retry-after"] == "1", "{answer:?}");
        } else {
            ensure!(answer.status() == 404, "{answer:?}");
        }
    }
    ensure!(
        refused > 0,
        "ten requests at once, and one a second is its rate"
    );
    ensure!(ask(ALL).await?.status() == 404, "another token waits");
    site.stop("limited").await
}

async fn while_the_processor_is_away(api: &ApiSite<'_>) -> anyhow::Result<()> {
    let (site, ada) = (&api.site, "15558880101");
    site.stop("processor").await?;
    let path = format!("/v1/leads/{ada}/commands?wait=0");
    let assign = json!({"type": "assign", "assignee": "dana"});
    let key = Some("away-1");
    let (status, told) = api.ask(Method::POST, &path, ALL, key, Some(assign)).await?;
    ensure!(status == 202 && told["result"].is_null(), "{status} {told}");
    api.refused(
        &[
            "lead",
            "say",
            ada,
            "Still there?",
            "--id",
            "away-2",
            "--wait",
            "1s",
        ],
        "run this again with --id away-2",
    )
    .await?;
    site.start(Service::Processor, "processor").await?;
    let say = [
        "lead",
        "say",
        ada,
        "Still there?",
        "--id",
        "away-2",
        "--wait",
        "60s",
    ];
    let waits = site.tool(&say);
    let killed = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        site.kill_and_restart("processor").await
    };
    let (told, killed) = tokio::join!(waits, killed);
    killed?;
    let told = told?;
    ensure!(told.contains("applied at revision"), "{told}");
    api.is_sent_once("Still there?").await?;
    let path = "/v1/commands/api:all:away-1";
    let (status, result) = api.ask(Method::GET, path, ALL, None, None).await?;
    ensure!(
        status == 200 && result["status"] == "applied",
        "{status} {result}"
    );
    ensure!(api.row(ada).await?.1.as_deref() == Some("dana"));
    Ok(())
}
