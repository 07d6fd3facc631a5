//! Tests that a command id belongs to its lead: under it, no other lead gets a result.

use anyhow::ensure;
use leadstream_harness::World;
use leadstream_local::deployment::Service;
use leadstream_sandbox::webhook::Person;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::api_site::{ALL, ApiSite};
use crate::erasure::nothing_is_left;

const USER_ID: &str = "US.15558880601";
const LEADS: [&str; 5] = [
    "15558880601",
    "15558880602",
    "15558880603",
    "15558880604",
    "15558880605",
];
const NOBODY: &str = "15558880609";

/// Uses ids again for another lead, by the API and by the command line, concurrently and while no
/// processor runs.
pub(crate) fn a_command_id_returns_a_result_for_its_own_lead_only(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let api = ApiSite::new(world, "keys").await?;
        for wa_id in LEADS {
            let user_id = (wa_id == LEADS[0]).then(|| USER_ID.into());
            let person = Person {
                user_id,
                ..Person::new(wa_id, "Somebody")
            };
            api.writes(&person, &["Hi"]).await?;
            api.is_in(wa_id, "AWAITING_NAME").await?;
        }
        assigned(&api).await?;
        at_once(&api).await?;
        erased(&api).await?;
        by_cli(&api).await?;
        pending(&api).await?;
        api.site.finish().await
    })
}

fn assign(to: &str) -> Value {
    json!({"type": "assign", "assignee": to})
}

fn is_taken((status, told): &(StatusCode, Value)) -> anyhow::Result<()> {
    ensure!(*status == 422, "{status} {told}");
    ensure!(told["type"] == "urn:leadstream:problem:idempotency-key-in-use");
    Ok(())
}

async fn is_assigned(api: &ApiSite<'_>, wa_id: &str, to: Option<&str>) -> anyhow::Result<()> {
    let (_, assignee, _) = api.row(wa_id).await?;
    ensure!(assignee.as_deref() == to, "{wa_id} has {assignee:?}");
    Ok(())
}

async fn assigned(api: &ApiSite<'_>) -> anyhow::Result<()> {
    let key = Some("assign-1");
    let (status, first) = api.give(LEADS[0], key, assign("ana")).await?;
    ensure!(status == 200, "{first}");
    for other in [LEADS[1], NOBODY] {
        is_taken(&api.give(other, key, assign("ana")).await?)?;
    }
    is_assigned(api, LEADS[1], None).await?;
    // The same lead by another of its ids, and once more.
    for id in [USER_ID, LEADS[0]] {
        let (status, told) = api.give(id, key, assign("ana")).await?;
        ensure!(status == 200 && told == first, "{status} {told}");
    }
    let (status, _) = api.give(NOBODY, Some("assign-2"), assign("ana")).await?;
    ensure!(status == 404, "{status}");
    // That request gave no command, so its id is free.
    let (status, _) = api.give(LEADS[1], Some("assign-2"), assign("bea")).await?;
    ensure!(status == 200, "{status}");
    is_assigned(api, LEADS[1], Some("bea")).await
}

/// Gives two leads a command with one key at once; one lead gets it.
async fn at_once(api: &ApiSite<'_>) -> anyhow::Result<()> {
    for round in 0..10 {
        let name = format!("at-once-{round}");
        let give = |lead: &'static str| api.give(lead, Some(&name), assign(&name));
        let (one, other) = tokio::try_join!(give(LEADS[1]), give(LEADS[2]))?;
        let (done, refused, not_done) = if one.0 == 200 {
            (one, other, LEADS[2])
        } else {
            (other, one, LEADS[1])
        };
        ensure!(done.0 == 200, "{} {}", done.0, done.1);
        is_taken(&refused)?;
        let (_, assignee, _) = api.row(not_done).await?;
        ensure!(assignee.as_deref() != Some(&name), "{name} for both");
    }
    Ok(())
}

async fn erased(api: &ApiSite<'_>) -> anyhow::Result<()> {
    let (key, erase) = (Some("request-7"), || json!({"type": "erase"}));
    let (status, first) = api.give(LEADS[0], key, erase()).await?;
    ensure!(
        status == 200 && first["result"]["status"] == "applied",
        "{first}"
    );
    for other in [LEADS[1], NOBODY] {
        is_taken(&api.give(other, key, erase()).await?)?;
    }
    api.row(LEADS[1]).await?;
    for id in [LEADS[0], USER_ID] {
        let (status, told) = api.give(id, key, erase()).await?;
        ensure!(status == 200 && told["result"] == first["result"], "{told}");
    }
    // Another command for the erased lead finds no lead.
    let (status, _) = api.give(LEADS[0], Some("request-8"), erase()).await?;
    ensure!(status == 404, "{status}");
    nothing_is_left(&api.site, LEADS[0]).await
}

async fn by_cli(api: &ApiSite<'_>) -> anyhow::Result<()> {
    let erase = |wa_id: &'static str| {
        [
            "lead", "erase", wa_id, "--yes", "--id", "gone-1", "--wait", "30s",
        ]
    };
    for _ in 0..2 {
        let told = api.site.tool(&erase(LEADS[1])).await?;
        ensure!(told.contains("applied at revision"), "{told}");
    }
    for other in [LEADS[2], NOBODY] {
        api.refused(&erase(other), "another command has the id")
            .await?;
    }
    api.row(LEADS[2]).await?;
    Ok(())
}

/// Checks that a command still waiting in Kafka already owns its id.
async fn pending(api: &ApiSite<'_>) -> anyhow::Result<()> {
    api.site.stop("processor").await?;
    let ask = |wa_id: &str, key: &'static str, body: Value| {
        let path = format!("/v1/leads/{wa_id}/commands?wait=0");
        async move {
            api.ask(Method::POST, &path, ALL, Some(key), Some(body))
                .await
        }
    };
    for (key, body) in [
        ("waits-1", json!({"type": "erase"})),
        ("waits-2", assign("ana")),
    ] {
        let owner = if key == "waits-1" { LEADS[3] } else { LEADS[2] };
        for _ in 0..2 {
            let (status, told) = ask(owner, key, body.clone()).await?;
            ensure!(status == 202, "{status} {told}");
        }
        for other in [LEADS[4], NOBODY] {
            is_taken(&ask(other, key, body.clone()).await?)?;
        }
        is_taken(&ask(owner, key, json!({"type": "restart"})).await?)?;
    }
    api.site.start(Service::Processor, "processor").await?;
    for (lead, key, body) in [
        (LEADS[3], "waits-1", json!({"type": "erase"})),
        (LEADS[2], "waits-2", assign("ana")),
    ] {
        let (status, told) = api.give(lead, Some(key), body).await?;
        ensure!(status == 200, "{status} {told}");
    }
    is_assigned(api, LEADS[2], Some("ana")).await?;
    is_assigned(api, LEADS[4], None).await
}
