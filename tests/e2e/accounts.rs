//! Tests that leads are reachable in their own account only, and by tokens with access to it.

use anyhow::ensure;
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::sandbox_config;
use leadstream_sandbox::webhook::{BusinessNumber, MetaWebhook, Person, wamid};
use leadstream_schemas::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api_site::{ALL, ApiSite, DEFAULT_ONLY, EU_ONLY};

const EU: &str = "222222222222222";
/// A lead who wrote to the default account's number only.
const ADA: &str = "15558880701";
/// A lead who wrote to both numbers.
const BEN: &str = "15558880702";

pub(crate) fn a_lead_is_reachable_only_in_its_account_and_by_tokens_with_access(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let mut config = sandbox_config();
        config.whatsapp.numbers.push(BusinessNumber::new(EU));
        let mut site = Site::with(world, "accounts", config).await?;
        let accounts = ("ACCOUNTS".to_owned(), format!("eu={EU}"));
        site.deployment.further.push(accounts);
        let api = ApiSite::at(site).await?;
        for wa_id in [ADA, BEN] {
            api.writes(&Person::new(wa_id, "Somebody"), &["Hi"]).await?;
        }
        let now = Timestamp::now().millis() / 1000 - 60;
        let to_eu = MetaWebhook::new(&BusinessNumber::new(EU));
        let ben = Person::new(BEN, "Ben");
        let to_eu = to_eu.text(&ben, &wamid("ben to eu"), now, "Hallo");
        api.site.post(&to_eu.to_bytes()).await?;
        for (path, lead_id) in [
            (format!("/v1/leads/{ADA}"), ADA.to_owned()),
            (format!("/v1/leads/{BEN}"), BEN.to_owned()),
            (format!("/v1/leads/{BEN}?account=eu"), format!("eu/{BEN}")),
            (
                format!("/v1/leads/eu%2F{BEN}?account=eu"),
                format!("eu/{BEN}"),
            ),
            (format!("/v1/leads/eu%2F{BEN}"), format!("eu/{BEN}")),
        ] {
            eventually(std::time::Duration::from_secs(60), async || {
                let (status, lead) = api.ask(Method::GET, &path, ALL, None, None).await?;
                ensure!(
                    status == 200 && lead["lead_id"] == *lead_id,
                    "{path}: {lead}"
                );
                Ok(())
            })
            .await?;
        }
        nowhere_else(&api).await?;
        by_cli(&api).await?;
        by_token(&api).await?;
        erased_in_one(&api).await?;
        api.site.finish().await
    })
}

fn say(words: &str) -> Value {
    json!({"type": "say", "body": words})
}

async fn is_nobody(
    api: &ApiSite<'_>,
    token: &str,
    id: &str,
    account: Option<&str>,
) -> anyhow::Result<()> {
    let query = account.map_or_else(String::new, |account| format!("?account={account}"));
    let path = format!("/v1/leads/{id}");
    let commands = format!("{path}/commands{query}");
    let bodies = [say("To the wrong one"), json!({"type": "erase"})];
    let given = bodies.map(|body| (Method::POST, commands.clone(), Some(body)));
    let all = [(Method::GET, format!("{path}{query}"), None)]
        .into_iter()
        .chain(given);
    for (method, path, body) in all {
        let (status, told) = api.ask(method, &path, token, None, body).await?;
        ensure!(
            status == 404 && told["type"] == "urn:leadstream:problem:lead-not-found",
            "{path}: {status} {told}"
        );
    }
    Ok(())
}

async fn nowhere_else(api: &ApiSite<'_>) -> anyhow::Result<()> {
    for account in ["eu", "nowhere", "EU", "eu%2F", "%27%20OR%201%3D1"] {
        is_nobody(api, ALL, ADA, Some(account)).await?;
    }
    for (id, account) in [
        (format!("eu%2F{ADA}"), None),
        (format!("eu%2F{ADA}"), Some("eu")),
        (format!("nowhere%2F{BEN}"), None),
        (format!("eu%2F{BEN}"), Some("nowhere")),
        (format!("%2F{BEN}"), Some("eu")),
    ] {
        is_nobody(api, ALL, &id, account).await?;
    }
    Ok(())
}

async fn by_cli(api: &ApiSite<'_>) -> anyhow::Result<()> {
    let in_account = |account: &'static str| {
        [
            vec!["lead", "show", ADA, "--account", account],
            vec!["lead", "explain", ADA, "--account", account],
            vec!["lead", "say", ADA, "No", "--account", account],
            vec!["lead", "erase", ADA, "--yes", "--account", account],
        ]
    };
    for args in in_account("eu") {
        api.refused(&args, "no lead has this id").await?;
    }
    for args in in_account("nowhere") {
        api.refused(&args, "ACCOUNTS has no account `nowhere`")
            .await?;
    }
    let full = format!("eu/{BEN}");
    for args in [
        vec!["lead", "show", BEN, "--account", "eu", "--json"],
        vec!["lead", "show", &full, "--account", "eu", "--json"],
        vec!["lead", "explain", &full, "--all", "--json"],
    ] {
        let shown: Value = serde_json::from_str(&api.site.tool(&args).await?)?;
        ensure!(shown["lead_id"] == *full, "{args:?}: {shown}");
    }
    let say = ["lead", "say", BEN, "Servus", "--account", "eu"];
    api.site.tool(&say).await?;
    api.is_sent_once("Servus").await?;
    let shown = api.site.tool(&["lead", "show", BEN, "--json"]).await?;
    let shown: Value = serde_json::from_str(&shown)?;
    ensure!(shown["state"] == "AWAITING_NAME", "{shown}");
    ensure!(api.sent("To the wrong one").await? == 0);
    Ok(())
}

/// Checks that a token limited to accounts finds neither leads nor command outcomes of others.
async fn by_token(api: &ApiSite<'_>) -> anyhow::Result<()> {
    let give = |token: &'static str, path: String| async move {
        let assign = json!({"type": "assign", "assignee": "ana"});
        let path = format!("{path}wait=30");
        let (status, told) = api
            .ask(Method::POST, &path, token, None, Some(assign))
            .await?;
        ensure!(status == 200, "{path}: {status} {told}");
        anyhow::Ok(format!(
            "/v1/commands/{}",
            told["id"].as_str().unwrap_or("")
        ))
    };
    let in_eu = give(EU_ONLY, format!("/v1/leads/{BEN}/commands?account=eu&")).await?;
    let in_default = give(DEFAULT_ONLY, format!("/v1/leads/{BEN}/commands?")).await?;
    for (path, token, expected) in [
        (&in_eu, EU_ONLY, 200),
        (&in_eu, ALL, 200),
        (&in_eu, DEFAULT_ONLY, 404),
        (&in_default, DEFAULT_ONLY, 200),
        (&in_default, EU_ONLY, 404),
    ] {
        let (status, told) = api.ask(Method::GET, path, token, None, None).await?;
        ensure!(status.as_u16() == expected, "{path}: {status} {told}");
    }
    for (token, id, account) in [
        (EU_ONLY, BEN.to_owned(), None),
        (EU_ONLY, BEN.to_owned(), Some("")),
        (EU_ONLY, ADA.to_owned(), None),
        (EU_ONLY, ADA.to_owned(), Some("eu")),
        (DEFAULT_ONLY, BEN.to_owned(), Some("eu")),
        (DEFAULT_ONLY, format!("eu%2F{BEN}"), None),
        (DEFAULT_ONLY, format!("eu%2F{BEN}"), Some("eu")),
    ] {
        is_nobody(api, token, &id, account).await?;
    }
    Ok(())
}

async fn erased_in_one(api: &ApiSite<'_>) -> anyhow::Result<()> {
    let erase = [
        "lead", "erase", BEN, "--yes", "--id", "gone", "--wait", "30s",
    ];
    let in_eu = [&erase[..], &["--account", "eu"]].concat();
    for _ in 0..2 {
        let told = api.site.tool(&in_eu).await?;
        ensure!(told.contains("applied at revision"), "{told}");
    }
    api.refused(&erase, "another command has the id").await?;
    let there = format!("/v1/leads/{BEN}");
    for (query, expected) in [("", 200), ("?account=eu", 404)] {
        let path = format!("{there}{query}");
        let (status, told) = api.ask(Method::GET, &path, ALL, None, None).await?;
        ensure!(status.as_u16() == expected, "{path}: {told}");
    }
    // The outcome is visible in its account, even though the lead is erased.
    for (token, expected) in [(EU_ONLY, 200), (ALL, 200), (DEFAULT_ONLY, 404)] {
        let path = "/v1/commands/gone";
        let (status, told) = api.ask(Method::GET, path, token, None, None).await?;
        ensure!(status.as_u16() == expected, "{status} {told}");
    }
    Ok(())
}
