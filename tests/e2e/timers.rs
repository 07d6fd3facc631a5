//! Tests time: silent leads, and leads that write in bursts.

use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually, text_webhook};
use leadstream_local::deployment::Service;
use leadstream_processor::flow::DEFAULT_FLOW;
use leadstream_sandbox::MessageQuery;
use leadstream_sandbox::webhook::Person;
use leadstream_schemas::codec::decode;
use leadstream_schemas::{Cause, LeadEvent, Reply, SyncPriority, Timestamp, Topic};

use crate::clients::abort_transaction;
use crate::resting_state::{self, read_all};

const WITHIN: Duration = Duration::from_secs(60);
/// The number of leads whose timers are due tomorrow.
const WAITING: i64 = 1_000_000;

/// Starts a processor with the default flow followed by `more`.
async fn start_processor(
    site: &Site<'_>,
    folder: &tempfile::TempDir,
    more: &str,
) -> anyhow::Result<()> {
    let file = folder.path().join("flow.yaml");
    let nudge = "messages:\n  nudge: Are you still there?\n";
    std::fs::write(&file, DEFAULT_FLOW.replace("messages:\n", nudge) + more)?;
    let file = file.to_str().context("a path")?.to_owned();
    site.spawn_with(
        Service::Processor,
        "processor",
        vec![("PROCESSOR_PUBLISH_FLOW_FILE".to_owned(), file)],
    )?;
    site.ready("processor").await
}

fn says(person: &Person, id: &str, text: &str) -> Vec<u8> {
    let now = Timestamp::now().millis() / 1000;
    text_webhook(person, id, now, text)
}

async fn state(site: &Site<'_>, person: &Person, wanted: &str) -> anyhow::Result<()> {
    eventually(WITHIN, async || {
        let found: Option<String> =
            sqlx::query_scalar("SELECT current_state FROM lead_qualifications WHERE wa_id = $1")
                .bind(person.wa_id.as_deref())
                .fetch_optional(&site.database)
                .await?;
        ensure!(
            found.as_deref() == Some(wanted),
            "it is {found:?}, not {wanted}"
        );
        Ok(())
    })
    .await
}

/// Tests nudge, cold and return to the former step. A lead whose timer was due while no processor
/// ran goes cold at the next start, even after an aborted transaction at the log's end. A million
/// other leads cost nothing.
pub(crate) fn timers_change_silent_leads_without_a_scan_of_a_million_waiting_ones(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "silence").await?;
        sqlx::query(
            "INSERT INTO leads (lead_id, revision, serialized_state, platform, number, flow_name,
                 flow_version, first_interaction, home_partition, timer_due_at)
             SELECT '0-waits-' || n, 1, '', 'whatsapp_cloud', '1', 'default', 1, now(), n % 6,
                 now() + interval '1 day'
             FROM generate_series(1, $1) AS n",
        )
        .bind(WAITING)
        .execute(&site.database)
        .await?;
        let folder = tempfile::tempdir()?;
        site.start(Service::Ingest, "ingest").await?;
        site.start(Service::SinkWhatsapp, "sink-whatsapp").await?;
        start_processor(&site, &folder, "timers:\n  nudge: 6s\n  cold: 10s\n").await?;

        let ann = Person::new("15556660001", "Ann");
        site.post(&says(&ann, "silence-1", "Hi")).await?;
        state(&site, &ann, "AWAITING_NAME").await?;
        state(&site, &ann, "COLD").await?;
        site.post(&says(&ann, "silence-2", "Ann Lee")).await?;
        state(&site, &ann, "AWAITING_BUDGET").await?;
        site.stop("processor").await?;
        // No record comes after this that would take the processor past it.
        abort_transaction(&site, &site.topic(Topic::LeadInputs))?;
        tokio::time::sleep(Duration::from_secs(11)).await;
        start_processor(&site, &folder, "timers:\n  nudge: 6s\n  cold: 10s\n").await?;
        state(&site, &ann, "COLD").await?;
        resting_state::outbox_is_empty(&site).await?;
        told(&site)?;
        let explained = site.tool(&["lead", "explain", "15556660001"]).await?;
        let wanted = "silence; AWAITING_BUDGET leads to COLD";
        ensure!(explained.contains(wanted), "no `{wanted}` in {explained}");
        nothing_was_scanned(&site).await?;
        site.finish().await
    })
}

/// Checks the events and replies: none is sent after its time.
fn told(site: &Site<'_>) -> anyhow::Result<()> {
    let mut events = Vec::new();
    for record in read_all(site, &site.topic(Topic::LeadEvents))? {
        let LeadEvent { data, .. } = decode(&record.value)?;
        let priority = match data.cause {
            Cause::Timer => SyncPriority::Normal,
            _ => SyncPriority::High,
        };
        ensure!(
            data.sync_priority == priority,
            "priority of {:?}",
            data.cause
        );
        events.push((data.revision.0, data.cause, data.current_state));
    }
    let event = |revision, cause, state: &str| (revision, cause, state.to_owned());
    let wanted = [
        event(1, Cause::Message, "AWAITING_NAME"),
        event(2, Cause::Timer, "COLD"),
        event(3, Cause::Message, "AWAITING_BUDGET"),
        event(4, Cause::Timer, "COLD"),
    ];
    ensure!(events == wanted, "{events:?}");
    let mut nudges = 0;
    for record in read_all(site, &site.topic(Topic::LeadReplies))? {
        let reply: Reply = decode(&record.value)?;
        if reply.id.contains(":timer:") {
            nudges += 1;
            ensure!(reply.expires_at.is_some() && reply.not_before.is_none());
        }
    }
    ensure!(nudges == 1, "{nudges} nudges");
    Ok(())
}

async fn nothing_was_scanned(site: &Site<'_>) -> anyhow::Result<()> {
    // Sessions report now and then.
    let (scans, scanned, fetched): (i64, i64, i64) = eventually(WITHIN, async || {
        let found: (i64, i64, i64) = sqlx::query_as(
            "SELECT t.seq_tup_read, i.idx_scan, i.idx_tup_read FROM pg_stat_user_tables t
             JOIN pg_stat_user_indexes i USING (relid)
             WHERE t.relname = 'leads' AND i.indexrelname = 'leads_timer_due_at'",
        )
        .fetch_one(&site.database)
        .await?;
        ensure!(found.1 > 20, "{} index scans", found.1);
        Ok(found)
    })
    .await?;
    ensure!(scans == 0, "{scans} rows were scanned");
    // Each look at a partition reads its first entry.
    ensure!(
        fetched <= scanned * 2,
        "{scanned} index scans read {fetched} rows"
    );
    Ok(())
}

/// Tests that three messages in a second get one reply, to the last of them, and that another lead
/// gets its own.
pub(crate) fn three_messages_in_a_second_get_one_reply(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "burst").await?;
        let folder = tempfile::tempdir()?;
        site.start(Service::Ingest, "ingest").await?;
        site.start(Service::SinkWhatsapp, "sink-whatsapp").await?;
        // Longer than usual, for a machine that has much to do.
        start_processor(&site, &folder, "burst_wait: 5s\n").await?;
        let bob = Person::new("15556660002", "Bob");
        let cat = Person::new("15556660003", "Cat");
        for (person, id, text) in [
            (&bob, "burst-1", "Hi"),
            (&cat, "burst-2", "Hi"),
            (&bob, "burst-3", "Bob Ray"),
            (&bob, "burst-4", "$7,500 a month"),
        ] {
            site.post(&says(person, id, text)).await?;
        }
        let client = site.sandbox.client()?;
        let query = MessageQuery::default();
        let messages = eventually(WITHIN, async || {
            let messages = client.messages(&query).await?;
            ensure!(messages.len() >= 2, "{} messages", messages.len());
            Ok(messages)
        })
        .await?;
        let mut heard: Vec<(String, String)> = messages
            .into_iter()
            .map(|it| (it.to, it.text.unwrap_or_default()))
            .collect();
        heard.sort();
        let [(to_bob, last), (to_cat, first)] = heard.as_slice() else {
            anyhow::bail!("{heard:?}");
        };
        ensure!(
            to_bob.ends_with("0002") && to_cat.ends_with("0003"),
            "{heard:?}"
        );
        ensure!(
            last.starts_with("Got it!") && first.starts_with("Welcome!"),
            "{heard:?}"
        );
        let replies = read_all(&site, &site.topic(Topic::LeadReplies))?.len();
        ensure!(replies == 4, "{replies} replies");
        let metrics = site.metrics("sink-whatsapp").await?;
        let replaced = r#"leadstream_sink_whatsapp_replies_total{result="superseded"} 2"#;
        ensure!(metrics.contains(replaced), "no `{replaced}` in {metrics}");
        site.finish().await
    })
}
