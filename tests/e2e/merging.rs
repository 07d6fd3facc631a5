//! Tests one person who shows different ids.

use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{NUMBER, Site, World, eventually};
use leadstream_sandbox::webhook::{BusinessNumber, MetaWebhook, Person, wamid};
use leadstream_schemas::Timestamp;
use serde_json::{Value, json};
use sqlx::Row;

const NUMBER_OF_PERSON: &str = "15558880001";
const USER_ID: &str = "US.13491208655302741918";

/// Merges a lead known by its number with one known by a user id; its first answer is edited. `lead
/// explain` shows everything, from PostgreSQL and from the topics.
pub(crate) fn two_ids_of_one_person_become_one_lead_and_are_explained(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "person").await?;
        site.start_all().await?;
        let by_number = Person::new(NUMBER_OF_PERSON, "Ada");
        let by_user_id = Person {
            wa_id: None,
            user_id: Some(USER_ID.into()),
            name: Some("Ada".into()),
        };
        let by_both = Person {
            user_id: by_user_id.user_id.clone(),
            ..by_number.clone()
        };
        let now = Timestamp::now().millis() / 1000 - 600;
        let webhook = || MetaWebhook::new(&BusinessNumber::new(NUMBER));
        let id = |name: &str| wamid(&format!("person-{name}"));
        let edit = json!({
            "original_message_id": id("name"),
            "message": { "type": "text", "text": { "body": "Ada Byron" } },
        });
        for webhook in [
            webhook().text(&by_number, &id("hi"), now, "Hi"),
            webhook().text(&by_user_id, &id("name"), now + 10, "Ada"),
        ] {
            site.post(&webhook.to_bytes()).await?;
        }
        // What shows both before the second is known would make one lead from the start.
        eventually(Duration::from_secs(60), async || {
            let leads: i64 = sqlx::query_scalar("SELECT count(*) FROM leads")
                .fetch_one(&site.database)
                .await?;
            ensure!(leads == 2, "{leads} leads");
            Ok(())
        })
        .await?;
        for webhook in [
            webhook().text(&by_both, &id("budget"), now + 20, "$7,500 a month"),
            webhook().message(&by_number, &id("edit"), now + 30, "edit", edit),
            webhook().text(&by_number, &id("hi"), now, "Hi"),
        ] {
            site.post(&webhook.to_bytes()).await?;
        }
        eventually(Duration::from_secs(60), async || one_lead(&site).await).await?;
        eventually(Duration::from_secs(30), async || reports(&site).await).await?;

        is_explained(&site).await?;
        site.finish().await
    })
}

/// Checks the explanation of PostgreSQL, then that of the topics.
async fn is_explained(site: &Site<'_>) -> anyhow::Result<()> {
    let told = site
        .tool(&["lead", "explain", NUMBER_OF_PERSON, "--json"])
        .await?;
    let told: Value = serde_json::from_str(&told).context("the explanation is no JSON")?;
    ensure!(told["records"].is_null(), "records without --all");
    journal(&told)?;
    eventually(Duration::from_secs(60), async || in_crms(site).await).await?;
    let told = site
        .tool(&["lead", "explain", USER_ID, "--all", "--json"])
        .await?;
    let told: Value = serde_json::from_str(&told).context("the explanation is no JSON")?;
    journal(&told)?;
    topics(&told)?;
    let text = site.tool(&["lead", "explain", USER_ID]).await?;
    for expected in ["edits", "AWAITING_BUDGET leads to COMPLETED", "hubspot"] {
        ensure!(text.contains(expected), "`{expected}` is not in: {text}");
    }
    Ok(())
}

async fn one_lead(site: &Site<'_>) -> anyhow::Result<()> {
    let rows = sqlx::query(
        "SELECT wa_id, current_state, lead_data->>'name' AS name FROM lead_qualifications
         ORDER BY current_state",
    )
    .fetch_all(&site.database)
    .await?;
    let mut found = Vec::new();
    for row in &rows {
        let texts: (Option<String>, String, Option<String>) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        found.push(texts);
    }
    let expected = [
        (
            Some(NUMBER_OF_PERSON.to_owned()),
            "COMPLETED".to_owned(),
            Some("Ada Byron".to_owned()),
        ),
        (None, "MERGED".to_owned(), None),
    ];
    ensure!(found == expected, "{found:?}");
    Ok(())
}

/// Checks the reports, which follow the commits.
async fn reports(site: &Site<'_>) -> anyhow::Result<()> {
    let funnel: Vec<(String, i64, i64)> =
        sqlx::query_as("SELECT state, here, reached::bigint FROM report_funnel ORDER BY position")
            .fetch_all(&site.database)
            .await?;
    let here: Vec<_> = funnel.iter().map(|(_, here, _)| *here).collect();
    let reached: Vec<_> = funnel.iter().map(|(_, _, reached)| *reached).collect();
    ensure!(
        here == [0, 0, 0, 1] && reached == [1, 1, 1, 1],
        "{funnel:?}"
    );
    let (completed, leads): (i64, i64) =
        sqlx::query_as("SELECT sum(completed)::bigint, sum(leads)::bigint FROM report_by_day")
            .fetch_one(&site.database)
            .await?;
    ensure!((completed, leads) == (1, 2), "{completed} of {leads}");
    let (found,): (i64,) = sqlx::query_as(
        r#"SELECT count(*) FROM lead_reports WHERE lead_data @> '{"budget": 7500}'"#,
    )
    .fetch_one(&site.database)
    .await?;
    ensure!(found == 1, "{found} with this budget");
    Ok(())
}

/// Checks that the CRMs match the lead's row, and that every reply was sent.
async fn in_crms(site: &Site<'_>) -> anyhow::Result<()> {
    let told = site
        .tool(&["lead", "explain", NUMBER_OF_PERSON, "--json"])
        .await?;
    let told: Value = serde_json::from_str(&told)?;
    let crms = told["crms"].as_array().context("no CRMs")?;
    let done = |crm: &&Value| crm["state"] == "synced" && crm["lead_id"] == told["lead_id"];
    ensure!(crms.iter().filter(done).count() == 2, "{crms:?}");
    Ok(())
}

fn journal(told: &Value) -> anyhow::Result<()> {
    ensure!(told["state"] == "COMPLETED" && told["data"]["name"] == "Ada Byron");
    ensure!(told["merged"] == json!([USER_ID]), "{}", told["merged"]);
    let steps = told["steps"].as_array().context("no steps")?;
    let says: Vec<&str> = steps
        .iter()
        .filter_map(|step| step["says"].as_str())
        .collect();
    let edits = format!("edits {} to \"Ada Byron\"", wamid("person-name"));
    let expected = ["\"Hi\"", "\"Ada\"", "\"$7,500 a month\"", &edits];
    ensure!(says == expected, "{says:?}");
    ensure!(
        steps.iter().all(|step| step["arrival"]["offset"].is_i64()),
        "a step without its offset: {steps:?}"
    );
    let why = steps[1]["why"].as_str().unwrap_or_default();
    ensure!(
        why.contains("edited to \"Ada Byron\"") && why.contains("AWAITING_NAME leads to"),
        "{why}"
    );
    Ok(())
}

fn topics(told: &Value) -> anyhow::Result<()> {
    let records = told["records"].as_array().context("no records")?;
    let has = |topic: &str, text: &str| {
        records.iter().any(|record| {
            let field = |name: &str| record[name].as_str().unwrap_or_default();
            field("topic").ends_with(topic) && field("what").contains(text)
        })
    };
    for (topic, text) in [
        ("lead.inputs", "another of"),
        ("lead.inputs", "a duplicate"),
        ("lead.inputs", "the same person"),
        ("lead.events", "leads to MERGED"),
        ("lead.events", "leads to COMPLETED"),
        ("lead.replies", "full name"),
        ("message.statuses", "delivered"),
    ] {
        ensure!(has(topic, text), "no `{text}` of {topic} in {records:?}");
    }
    Ok(())
}
