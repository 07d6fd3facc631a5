//! Tests interrupted erasures, the erasure of a person with two leads, and a replaced erasure key.

pub(crate) mod commanded;
pub(crate) mod nothing_left;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually, text_webhook};
use leadstream_local::deployment::Service;
use leadstream_sandbox::webhook::Person;
use leadstream_schemas::codec::decode;
use leadstream_schemas::{LeadEvent, Timestamp, Topic};

use crate::resting_state::read_all;

const KEY: &str = "ERASURE_KEY";
const OLD: &str = "an older key of this test";
const NEW: &str = "a newer key of this test";

async fn site<'w>(world: &'w World, name: &str) -> anyhow::Result<Site<'w>> {
    let mut site = Site::new(world, name).await?;
    let key = (KEY.to_owned(), OLD.to_owned());
    site.deployment.further.push(key);
    site.start(Service::Ingest, "ingest").await?;
    site.start(Service::Processor, "processor").await?;
    Ok(site)
}

/// The tables that contain lead ids.
const TABLES: &[&str] = &[
    "leads",
    "lead_reports",
    "lead_identities",
    "dedup_ids",
    "command_results",
    "command_claims",
    "crm_ledger",
    "crm_events",
];

/// Checks that no row has a text with `part` in it.
pub(crate) async fn nothing_is_left(site: &Site<'_>, part: &str) -> anyhow::Result<()> {
    eventually(Duration::from_secs(60), async || {
        for table in TABLES {
            let count = format!("SELECT count(*) FROM {table} t WHERE t::text LIKE $1");
            let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(count))
                .bind(format!("%{part}%"))
                .fetch_one(&site.database)
                .await?;
            ensure!(left == 0, "{left} rows in {table}");
        }
        Ok(())
    })
    .await
}

/// Returns a webhook per message, ten seconds apart and in the past.
fn webhooks(messages: &[(&Person, &str)]) -> Vec<Vec<u8>> {
    let now = Timestamp::now().millis() / 1000 - 600;
    let webhook = |(at, (person, text)): (i64, &(&Person, &str))| {
        let id = format!("{person:?}-{text}-{now}");
        text_webhook(person, &id, now + 10 * at, text)
    };
    (0..).zip(messages).map(webhook).collect()
}

async fn post(site: &Site<'_>, webhooks: &[Vec<u8>]) -> anyhow::Result<()> {
    for webhook in webhooks {
        site.post(webhook).await?;
    }
    Ok(())
}

/// Waits for leads in these states, in alphabetical order.
async fn there_are(site: &Site<'_>, states: &[&str]) -> anyhow::Result<()> {
    eventually(Duration::from_secs(60), async || {
        let found: Vec<String> =
            sqlx::query_scalar("SELECT current_state FROM lead_qualifications ORDER BY 1")
                .fetch_all(&site.database)
                .await?;
        ensure!(found == states, "{found:?}");
        Ok(())
    })
    .await
}

/// Waits until the processor has dropped `count` inputs of erased people since its start.
async fn dropped(site: &Site<'_>, count: usize) -> anyhow::Result<()> {
    eventually(Duration::from_secs(60), async || {
        let metrics = site.metrics("processor").await?;
        let line = format!("leadstream_processor_inputs_total{{result=\"erased\"}} {count}");
        ensure!(metrics.lines().any(|it| it == line), "{metrics}");
        Ok(())
    })
    .await
}

/// Returns the erasure events by lead; duplicates are identical to the byte.
fn told(site: &Site<'_>) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut told = BTreeMap::new();
    let mut values: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for record in read_all(site, &site.topic(Topic::LeadEvents))? {
        let event: LeadEvent = decode(&record.value)?;
        if event.data.current_state == "ERASED" {
            let value = values
                .entry(event.id)
                .or_insert_with(|| record.value.clone());
            ensure!(*value == record.value, "a repeat differs");
            told.insert(event.data.lead_id.into(), event.data.revision.0);
        }
    }
    Ok(told)
}

/// Kills the processor within the transaction, between commit and publication, and afterwards. The
/// next owner finishes the erasure.
pub(crate) fn the_next_processor_finishes_an_interrupted_erasure(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = site(world, "erase-killed").await?;
        let mut expected = BTreeMap::new();
        for (index, point) in ["write", "committed", "published"].iter().enumerate() {
            let wa_id = format!("1555888030{index}");
            let ada = Person::new(&wa_id, "Ada");
            let sent = webhooks(&[(&ada, "Hi"), (&ada, "Ada Byron")]);
            post(&site, &sent).await?;
            there_are(&site, &["AWAITING_BUDGET"]).await?;
            site.stop("processor").await?;
            let id = format!("gone-{point}");
            let erase = |wait| {
                [
                    "lead", "erase", &wa_id, "--yes", "--id", &id, "--wait", wait,
                ]
            };
            let given = site
                .tool(&erase("1s"))
                .await
                .err()
                .context("nobody is there")?;
            ensure!(given.to_string().contains("it is in Kafka"), "{given}");
            let dies = ("LEADSTREAM_FAILPOINTS".to_owned(), format!("{point}=abort"));
            site.spawn_with(Service::Processor, "processor", vec![dies])?;
            let status = site.ended("processor").await?;
            ensure!(!status.success(), "it came through {point}");
            site.start(Service::Processor, "processor").await?;
            let outcome = site.tool(&erase("60s")).await?;
            ensure!(outcome.contains("applied at revision 3"), "{outcome}");
            post(&site, &sent).await?;
            dropped(&site, sent.len()).await?;
            nothing_is_left(&site, "1555888").await?;
            expected.insert(wa_id, 3);
            eventually(Duration::from_secs(30), async || {
                let told = told(&site)?;
                ensure!(told == expected, "{told:?}");
                Ok(())
            })
            .await?;
        }
        site.finish().await
    })
}

/// Erases two leads that became one, also while no processor has them in memory. Later the key is
/// replaced, and both keys keep erased people out.
pub(crate) fn a_person_with_two_leads_is_erased_under_both_ids_and_either_key(
    world: &World,
) -> anyhow::Result<()> {
    const USER_ID: &str = "US.15558880401";
    world.runtime.block_on(async {
        let mut site = site(world, "erase-merged").await?;
        let wa_id = "15558880401";
        let by_number = Person::new(wa_id, "Ada");
        let by_user_id = Person {
            wa_id: None,
            user_id: Some(USER_ID.into()),
            ..by_number.clone()
        };
        let by_both = Person {
            user_id: by_user_id.user_id.clone(),
            ..by_number.clone()
        };
        let sent = webhooks(&[
            (&by_number, "Hi"),
            (&by_user_id, "Ada"),
            (&by_both, "$7,500 a month"),
        ]);
        post(&site, &sent[..2]).await?;
        there_are(&site, &["AWAITING_NAME", "AWAITING_NAME"]).await?;
        post(&site, &sent[2..]).await?;
        there_are(&site, &["COMPLETED", "MERGED"]).await?;
        site.stop_and_restart("processor").await?;
        site.tool(&["lead", "erase", wa_id, "--yes", "--wait", "60s"])
            .await?;
        nothing_is_left(&site, "1555888").await?;
        eventually(Duration::from_secs(30), async || {
            let told: Vec<String> = told(&site)?.into_keys().collect();
            ensure!(told == [wa_id, USER_ID], "{told:?}");
            Ok(())
        })
        .await?;

        erase_under_both_keys(&mut site, &sent).await?;
        site.finish().await
    })
}

/// Replaces the key of tombstones, and checks that both keys are needed from then on.
async fn erase_under_both_keys(site: &mut Site<'_>, sent: &[Vec<u8>]) -> anyhow::Result<()> {
    let other = "15558880402";
    let erase = ["lead", "erase", other, "--yes", "--wait", "60s"];
    site.stop("processor").await?;
    set_key(site, NEW);
    site.spawn(Service::Processor, "processor")?;
    let status = site.ended("processor").await?;
    let log = site.log("processor")?;
    ensure!(
        !status.success() && log.contains("give that one as well"),
        "{log}"
    );
    set_key(site, &format!("{NEW},{OLD}"));
    site.start(Service::Processor, "processor").await?;
    post(site, sent).await?;
    dropped(site, sent.len()).await?;
    let bea = Person::new(other, "Bea");
    let more = webhooks(&[(&bea, "Hi")]);
    post(site, &more).await?;
    there_are(site, &["AWAITING_NAME"]).await?;
    site.tool(&erase).await?;
    post(site, &more).await?;
    dropped(site, sent.len() + more.len()).await?;
    nothing_is_left(site, "1555888").await?;
    // The older key is still needed, and the newer one is needed now.
    site.stop("processor").await?;
    set_key(site, OLD);
    site.spawn(Service::Processor, "processor")?;
    ensure!(
        !site.ended("processor").await?.success(),
        "it runs without its newer key"
    );
    set_key(site, &format!("{NEW},{OLD}"));
    site.start(Service::Processor, "processor").await?;
    Ok(())
}

fn set_key(site: &mut Site<'_>, key: &str) {
    let further = &mut site.deployment.further;
    further.retain(|(name, _)| name != KEY);
    further.push((KEY.to_owned(), key.to_owned()));
}
