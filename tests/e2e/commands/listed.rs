//! Lists leads and shows their conversations, by the command line and by the API.

use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::eventually;
use leadstream_sandbox::webhook::Person;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api_site::{ALL, ApiSite, DEFAULT_ONLY, EU_ONLY, READ};

const BRAZILIAN: &str = "5511987650001";

/// Lists by each filter, page by page, and shows a conversation by a number in any notation.
pub(super) async fn leads_and_messages(api: &ApiSite<'_>) -> anyhow::Result<()> {
    let texts = ["Oi", "Zoë Souza", "what?"];
    api.writes(&Person::new(BRAZILIAN, "Zoë"), &texts).await?;
    api.is_in(BRAZILIAN, "AWAITING_BUDGET").await?;
    api.site
        .tool(&[
            "lead",
            "assign",
            "+55 (11) 8765-0001",
            "zoe",
            "--wait",
            "30s",
        ])
        .await?;
    lists(api).await?;
    pages(api).await?;
    messages(api).await?;
    refusals(api).await
}

async fn list(api: &ApiSite<'_>, token: &str, query: &str) -> anyhow::Result<Vec<String>> {
    let path = format!("/v1/leads?{query}");
    let (status, page) = api.ask(Method::GET, &path, token, None, None).await?;
    ensure!(status == 200, "{query}: {status} {page}");
    let leads = page["leads"].as_array().context("leads")?;
    let ids = leads.iter().filter_map(|it| it["lead_id"].as_str());
    Ok(ids.map(str::to_owned).collect())
}

async fn lists(api: &ApiSite<'_>) -> anyhow::Result<()> {
    let only = [BRAZILIAN.to_owned()];
    // The list is some seconds behind.
    eventually(Duration::from_secs(30), async || {
        let found = list(api, READ, "assignee=zoe").await?;
        ensure!(found == only, "{found:?}");
        Ok(())
    })
    .await?;
    for (token, query, is_there) in [
        (READ, "state=AWAITING_BUDGET", true),
        (READ, "state=COMPLETED", false),
        (READ, "flow=qualification", true),
        (READ, "flow=other", false),
        (READ, "assignee=", false),
        (READ, "min_score=-5&max_score=1000", true),
        (READ, "min_score=1000", false),
        (READ, "silent_since=2020-01-01T00:00:00Z", false),
        (READ, "silent_since=2100-01-01T00:00:00Z", true),
        (READ, "account=", true),
        (READ, "account=nowhere", false),
        (READ, "state=%00", false),
        (DEFAULT_ONLY, "", true),
        (EU_ONLY, "", false),
        (EU_ONLY, "account=", false),
    ] {
        let found = list(api, token, query).await?;
        ensure!(found.contains(&only[0]) == is_there, "{query}: {found:?}");
    }
    let shown = ["lead", "list", "--assignee", "zoe", "--silent-since", "0s"];
    let shown = api.site.tool(&shown).await?;
    ensure!(
        shown.contains("AWAITING_BUDGET") && shown.contains("Zoë Souza"),
        "{shown}"
    );
    Ok(())
}

async fn pages(api: &ApiSite<'_>) -> anyhow::Result<()> {
    let all = list(api, READ, "limit=100").await?;
    ensure!(all.len() >= 3, "{all:?}");
    let (mut seen, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut args = vec!["lead", "list", "--limit", "1", "--json"];
        if let Some(after) = &after {
            args.extend(["--after", after]);
        }
        let page: Value = serde_json::from_str(&api.site.tool(&args).await?)?;
        let lead = page["leads"][0]["lead_id"].as_str();
        seen.push(lead.context("a page has a lead")?.to_owned());
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    ensure!(seen == all, "{seen:?} {all:?}");
    Ok(())
}

async fn messages(api: &ApiSite<'_>) -> anyhow::Result<()> {
    let path = "/v1/leads/%2B55%2011%2098765-0001/messages";
    // The last reply may still be on its way.
    let (status, told) = eventually(Duration::from_secs(30), async || {
        let (status, told) = api.ask(Method::GET, path, READ, None, None).await?;
        let states = [1, 3, 5].map(|index| &told["messages"][index]["delivery"]["state"]);
        let has_ended = |state: &&Value| {
            ["accepted", "sent", "delivered", "read", "superseded"]
                .iter()
                .any(|it| *state == it)
        };
        ensure!(states.iter().all(has_ended), "{told}");
        Ok((status, told))
    })
    .await?;
    ensure!(
        status == 200 && told["has_earlier"] == false,
        "{status} {told}"
    );
    let all = told["messages"].as_array().context("messages")?;
    let sides: Vec<&str> = all.iter().filter_map(|it| it["from"].as_str()).collect();
    ensure!(
        sides == ["lead", "bot", "lead", "bot", "lead", "bot"],
        "{told}"
    );
    ensure!(
        all[2]["text"] == "Zoë Souza" && all[1]["text"].is_string(),
        "{told}"
    );
    for number in [
        "0055 11 98765-0001",
        "551187650001",
        "tel:+55-11-98765-0001",
    ] {
        let shown = api.site.tool(&["lead", "messages", number]).await?;
        ensure!(
            shown.lines().count() >= 6 && shown.contains("Zoë Souza"),
            "{shown}"
        );
    }
    let explained = api
        .site
        .tool(&["lead", "explain", "+55 11 8765-0001"])
        .await?;
    ensure!(
        explained.contains("first non-answer to what AWAITING_BUDGET asks"),
        "{explained}"
    );
    Ok(())
}

/// Refused requests name the member, and `assign` needs a name.
async fn refusals(api: &ApiSite<'_>) -> anyhow::Result<()> {
    let commands = format!("/v1/leads/{BRAZILIAN}/commands");
    for (body, pointer) in [
        (json!({"type": "assign"}), "#/assignee"),
        (json!({"type": "assign", "assignee": " "}), "#/assignee"),
        (json!({"type": "say", "body": 1}), "#/body"),
        (json!({"type": "dance"}), "#/type"),
        (json!({"type": "release", "now": true}), "#/now"),
    ] {
        let (status, told) = api
            .ask(Method::POST, &commands, ALL, None, Some(body.clone()))
            .await?;
        let found = told["errors"][0]["pointer"].as_str();
        ensure!(
            status.is_client_error() && found == Some(pointer),
            "{body}: {told}"
        );
    }
    for (query, parameter, expected) in [
        ("limit=0", "limit", 400),
        ("limit=101", "limit", 400),
        ("min_score=high", "min_score", 400),
        ("silent_since=yesterday", "silent_since", 400),
        ("colour=red", "colour", 400),
        ("after=nothing", "after", 404),
    ] {
        let path = format!("/v1/leads?{query}");
        let (status, told) = api.ask(Method::GET, &path, READ, None, None).await?;
        ensure!(
            status == expected && told["errors"][0]["parameter"] == parameter,
            "{query}: {status} {told}"
        );
    }
    for (path, expected) in [
        ("/v1/leads/%ff", 404),
        ("/v1/commands/%ff", 404),
        ("/v1/commands/%00", 404),
        ("/v1/leads/%00", 404),
    ] {
        let (status, told) = api.ask(Method::GET, path, READ, None, None).await?;
        ensure!(
            status == expected && told["title"].is_string(),
            "{path}: {status} {told}"
        );
    }
    api.refused(&["lead", "assign", BRAZILIAN], "NAME").await?;
    api.site
        .tool(&["lead", "assign", BRAZILIAN, "--nobody", "--wait", "30s"])
        .await?;
    let (_, assignee, _) = api.row(BRAZILIAN).await?;
    ensure!(assignee.is_none(), "{assignee:?}");
    Ok(())
}
