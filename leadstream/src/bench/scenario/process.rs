//! A preloaded topic through the processor.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use leadstream_local::Process;
use leadstream_schemas::Timestamp;
use leadstream_stream::Producer;
use sqlx::PgPool;

use super::{Load, micros_each, per_second, records};
use crate::bench::figure::{Figure, Sample};
use crate::bench::machine::{Meter, cpu_seconds};
use crate::bench::site::{Servers, Site, beside, end};
use crate::bench::traffic;
use crate::deployment::Service;

/// How often PostgreSQL is asked where the processor stands.
const POLL: Duration = Duration::from_millis(20);
/// How long it may stand still.
const STALL: Duration = Duration::from_secs(60);

pub(super) async fn run(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
) -> anyhow::Result<Vec<Sample>> {
    let site = Site::new(servers, name).await?;
    preload(&site, load).await?;
    let (processor, _) = site.spawn(Service::Processor)?;
    let pool = &site.database.pool;
    let drained = beside(&[&processor], watch(pool, &processor, load.messages)).await?;
    end(processor).await?;
    let leads: i64 = sqlx::query_scalar("SELECT count(*) FROM lead_qualifications")
        .fetch_one(pool)
        .await?;
    ensure!(
        usize::try_from(leads)? == load.leads,
        "{} leads wrote, the table has {leads}",
        load.leads
    );
    site.remove().await?;
    let Drained {
        inputs,
        elapsed,
        cores,
        cpu,
    } = drained;
    let mut samples = vec![Sample {
        cores,
        ..Sample::new(Figure::Processor, per_second(inputs, elapsed.as_secs_f64()))
    }];
    samples.extend(cpu.map(|cpu| Sample::new(Figure::ProcessorCpu, micros_each(inputs, cpu))));
    Ok(samples)
}

async fn preload(site: &Site<'_>, load: &Load) -> anyhow::Result<()> {
    let webhooks = traffic::conversations(load.messages, load.leads, Timestamp::now());
    let records = records(site.servers, &site.deployment.topic_prefix, &webhooks)?;
    let producer = Producer::new(&site.kafka(), "leadstream-bench", None)?;
    producer.send(&records).await?.await?;
    // Dropping a producer blocks.
    tokio::task::spawn_blocking(move || drop(producer)).await?;
    Ok(())
}

struct Drained {
    /// Committed between the first look that found any and the last.
    inputs: usize,
    elapsed: Duration,
    cores: Option<f64>,
    cpu: Option<f64>,
}

/// Waits until all `inputs` are committed; what was committed when the first were seen does not
/// count.
async fn watch(pool: &PgPool, processor: &Process, inputs: usize) -> anyhow::Result<Drained> {
    let first = advance(pool, 0).await?;
    let cpu_before = cpu_seconds(processor.pid());
    let meter = Meter::start();
    let mut committed = first;
    while committed < inputs {
        committed = advance(pool, committed).await?;
    }
    let (elapsed, cores) = meter.stop();
    let cpu = cpu_seconds(processor.pid()).zip(cpu_before);
    ensure!(
        committed > first,
        "all {inputs} inputs were committed at the first look: send more (--messages)"
    );
    Ok(Drained {
        inputs: committed - first,
        elapsed,
        cores,
        cpu: cpu.map(|(after, before)| after - before),
    })
}

/// Waits until more than `before` inputs are committed; how many they are.
async fn advance(pool: &PgPool, before: usize) -> anyhow::Result<usize> {
    let asked = Instant::now();
    loop {
        let committed: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(next_offset), 0)::bigint FROM partition_offsets",
        )
        .fetch_one(pool)
        .await?;
        let committed = usize::try_from(committed)?;
        if committed > before {
            return Ok(committed);
        }
        if asked.elapsed() > STALL {
            bail!("nothing was committed for {STALL:?} after {before} inputs");
        }
        tokio::time::sleep(POLL).await;
    }
}
