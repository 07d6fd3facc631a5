//! Processes a preloaded topic with the processor.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use leadstream_kafka::{Outgoing, Producer};
use leadstream_local::Process;
use leadstream_schemas::Topic;
use leadstream_service::Secret;
use sqlx::PgPool;

use super::Load;
use super::spending::{Spending, Spent};
use crate::measurement::{Contender, Sample, Traffic};
use crate::site::{Servers, Setup, Site, beside, end};
use crate::traffic::Conversations;
use leadstream_local::deployment::Service;

/// The interval at which PostgreSQL is asked for the processors' progress.
const POLL: Duration = Duration::from_millis(20);
/// The maximum time without progress.
const STALL: Duration = Duration::from_secs(60);
/// Records that share an acknowledgement.
const BATCH: usize = 1000;

pub(super) async fn run(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
    contender: Contender,
    traffic: Traffic,
) -> anyhow::Result<Vec<Sample>> {
    let (processes, partitions) = match contender {
        Contender::Pair => (2, Setup::default().partitions),
        Contender::Narrow => (1, 1),
        _ => (1, Setup::default().partitions),
    };
    let setup = Setup {
        partitions,
        // They are stopped for a while, and have to remain members of their group.
        kafka_config: Some("session.timeout.ms=60000"),
        ..Setup::default()
    };
    let conversations = load.conversations(traffic, 1);
    let site = Site::new(servers, name, setup).await?;
    let mut running = Vec::new();
    for number in 1..=processes {
        running.push(site.spawn(Service::Processor, number)?.0);
    }
    let all: Vec<&Process> = running.iter().collect();
    let work = async {
        let pool = &site.database.pool;
        let shared_out = |look: &Look| look.owners == processes && look.partitions == partitions;
        advance(pool, shared_out).await?;
        // Processing starts once all inputs are loaded.
        all.iter().for_each(|processor| processor.pause());
        let loaded = preload(&site, conversations, None).await;
        all.iter().for_each(|processor| processor.resume());
        loaded?;
        watch(&site, &all, conversations.inputs).await
    };
    let (inputs, spent) = beside(&all, work).await?;
    for processor in running {
        end(processor).await?;
    }
    let leads: i64 = sqlx::query_scalar("SELECT count(*) FROM lead_qualifications")
        .fetch_one(&site.database.pool)
        .await?;
    let wrote = conversations.writing();
    ensure!(
        usize::try_from(leads)? == wrote,
        "{wrote} leads wrote, the table has {leads}"
    );
    site.remove().await?;
    Ok(spent.samples(traffic, contender, inputs))
}

/// Writes `conversations` to the site's topic; `settings` are further ones of the producer.
pub(super) async fn preload(
    site: &Site<'_>,
    conversations: Conversations,
    settings: Option<&str>,
) -> anyhow::Result<()> {
    let mut kafka = site.kafka();
    kafka.kafka_config = settings.map(Secret::new);
    let topic: Arc<str> = kafka.topic(Topic::LeadInputs).into();
    let producer = Producer::new(&kafka, "leadstream-bench", None)?;
    let inputs = site.servers.inputs(conversations).await?;
    let mut deliveries = Vec::new();
    for records in inputs.chunks(BATCH) {
        let records: Vec<Outgoing> = records
            .iter()
            .map(|record| Outgoing {
                topic: Arc::clone(&topic),
                ..record.clone()
            })
            .collect();
        deliveries.push(producer.send(&records).await?);
    }
    for delivery in deliveries {
        delivery.await?;
    }
    // Dropping a producer blocks.
    tokio::task::spawn_blocking(move || drop(producer)).await?;
    Ok(())
}

/// Waits until all `inputs` are committed. What was committed when the first were seen does not
/// count: how many came after that, and what they took.
async fn watch(
    site: &Site<'_>,
    processors: &[&Process],
    inputs: usize,
) -> anyhow::Result<(usize, Spent)> {
    let pool = &site.database.pool;
    let first = advance(pool, |look| look.committed > 0).await?.committed;
    let pids = processors.iter().map(|processor| processor.pid()).collect();
    let spending = Spending::start(site.servers, pool, pids).await?;
    let mut committed = first;
    while committed < inputs {
        committed = advance(pool, |look| look.committed > committed)
            .await?
            .committed;
    }
    let spent = spending.stop().await?;
    ensure!(
        committed > first,
        "all {inputs} inputs were committed at the first look: send more (--inputs)"
    );
    Ok((committed - first, spent))
}

/// The processors' progress.
struct Look {
    committed: usize,
    /// Partitions on which somebody has begun, and how many have.
    partitions: usize,
    owners: usize,
}

/// Waits until PostgreSQL returns `wanted`.
async fn advance(pool: &PgPool, wanted: impl Fn(&Look) -> bool) -> anyhow::Result<Look> {
    let asked = Instant::now();
    loop {
        let (committed, partitions, owners): (i64, i64, i64) = sqlx::query_as(
            "SELECT coalesce(sum(next_offset), 0)::bigint, count(next_offset), count(DISTINCT owner)
             FROM partition_offsets",
        )
        .fetch_one(pool)
        .await?;
        let look = Look {
            committed: usize::try_from(committed)?,
            partitions: usize::try_from(partitions)?,
            owners: usize::try_from(owners)?,
        };
        if wanted(&look) {
            return Ok(look);
        }
        if asked.elapsed() > STALL {
            bail!(
                "{} inputs were committed, then nothing for {STALL:?}",
                look.committed
            );
        }
        tokio::time::sleep(POLL).await;
    }
}
