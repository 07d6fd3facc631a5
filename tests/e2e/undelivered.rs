//! Tests replies that WhatsApp refuses: the result returns to the lead.

use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually, text_webhook};
use leadstream_local::deployment::Service;
use leadstream_processor::flow::DEFAULT_FLOW;
use leadstream_sandbox::Fault;
use leadstream_sandbox::webhook::Person;
use leadstream_schemas::codec::decode;
use leadstream_schemas::{Cause, LeadEvent, LeadInput, SyncPriority, Timestamp, Topic};
use sqlx::Row;

use crate::resting_state::read_all;

const WITHIN: Duration = Duration::from_secs(60);

/// The phone, the code with which WhatsApp refuses the first question, and the state of the lead then.
const CASES: [(&str, i64, &str); 4] = [
    ("15558880001", 131_026, "COLD"),
    ("15558880002", 131_047, "HUMAN_HANDOFF"),
    ("15558880003", 130_472, "AWAITING_NAME"),
    ("15558880004", 131_051, "AWAITING_NAME"),
];

/// Has WhatsApp refuse the question to each of four leads. The flow reacts to the class of each code, an
/// event and `lead explain` say so, and a lead that writes again goes on.
pub(crate) fn a_question_that_does_not_arrive_changes_its_lead_as_the_flow_says(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "undelivered").await?;
        let client = site.sandbox.client()?;
        for (phone, code, _) in CASES {
            client
                .order(&Fault::graph_error(code).for_key(phone).always())
                .await?;
        }
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("flow.yaml");
        let reaction = "\nundelivered:\n  window_closed: hand_off\n";
        std::fs::write(&file, format!("{DEFAULT_FLOW}{reaction}"))?;
        let file = file.to_str().context("a path")?.to_owned();
        site.spawn_with(
            Service::Processor,
            "processor",
            vec![("PROCESSOR_PUBLISH_FLOW_FILE".to_owned(), file)],
        )?;
        site.ready("processor").await?;
        site.start(Service::Ingest, "ingest").await?;
        site.start(Service::SinkWhatsapp, "sink-whatsapp").await?;
        for (phone, ..) in CASES {
            post(&site, phone, 1, "Hi").await?;
        }
        eventually(WITHIN, async || {
            let inputs = read_all(&site, &site.topic(Topic::LeadInputs))?;
            ensure!(inputs.len() == 2 * CASES.len(), "{} inputs", inputs.len());
            let found = states(&site).await?;
            let expected = CASES.map(|(phone, _, state)| (phone.to_owned(), state.to_owned()));
            ensure!(found == expected, "{found:?}");
            let left: i64 = sqlx::query_scalar("SELECT count(*) FROM whatsapp_feedback")
                .fetch_one(&site.database)
                .await?;
            ensure!(left == 0, "{left} results are not published");
            Ok(())
        })
        .await?;
        told(&site).await?;
        client.clear_faults().await?;
        post(&site, CASES[0].0, 2, "John Doe").await?;
        eventually(WITHIN, async || {
            let found = states(&site).await?;
            ensure!(found[0].1 == "AWAITING_BUDGET", "{found:?}");
            Ok(())
        })
        .await?;
        site.finish().await
    })
}

async fn post(site: &Site<'_>, phone: &str, number: u32, text: &str) -> anyhow::Result<()> {
    let now = Timestamp::now().millis() / 1000;
    let id = format!("undelivered-{phone}-{number}");
    site.post(&text_webhook(&Person::new(phone, "Ann"), &id, now, text))
        .await
}

async fn states(site: &Site<'_>) -> anyhow::Result<Vec<(String, String)>> {
    let rows = sqlx::query("SELECT wa_id, current_state FROM lead_qualifications ORDER BY wa_id")
        .fetch_all(&site.database)
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Checks events, inputs, timers and the explanation.
async fn told(site: &Site<'_>) -> anyhow::Result<()> {
    let mut changed = Vec::new();
    for record in read_all(site, &site.topic(Topic::LeadEvents))? {
        let LeadEvent { data, .. } = decode(&record.value)?;
        if data.cause == Cause::Delivery {
            ensure!(data.sync_priority == SyncPriority::Normal, "its priority");
            changed.push((data.lead_id.to_string(), data.current_state));
        }
    }
    changed.sort();
    let expected = [CASES[0], CASES[1]].map(|it| (it.0.to_owned(), it.2.to_owned()));
    ensure!(changed == expected, "{changed:?}");
    for record in read_all(site, &site.topic(Topic::LeadInputs))? {
        let input: LeadInput = decode(&record.value)?;
        let key = input.sender.key().unwrap_or_default();
        ensure!(record.key == key.as_bytes(), "the key of {}", input.id);
    }
    let explained = site.tool(&["lead", "explain", CASES[0].0]).await?;
    for wanted in [
        "not delivered: unreachable (131026)",
        "AWAITING_NAME leads to COLD",
    ] {
        ensure!(explained.contains(wanted), "no `{wanted}` in {explained}");
    }
    ensure!(!explained.contains("next timer"), "a timer is left");
    Ok(())
}
