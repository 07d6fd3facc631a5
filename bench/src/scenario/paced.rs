//! Measures inputs at a steady rate, from Kafka to the committed row, open loop.

use std::time::Duration;

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use leadstream_schemas::Topic;
use leadstream_service::Secret;
use rdkafka::producer::{FutureProducer, FutureRecord};
use sqlx::PgPool;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::spending::{Spending, log_bytes};
use super::{Load, micros, millis};
use crate::measurement::{Figure, Sample, Traffic};
use crate::site::{Servers, Setup, Site, beside, end};
use crate::traffic::Conversations;
use leadstream_local::deployment::Service;

/// Seconds of warm-up at the same rate.
const WARM_UP: usize = 3;
/// The interval between queries for the partitions' offsets, which is the resolution of the times.
const POLL: Duration = Duration::from_millis(2);
/// The longest time without progress of a partition.
const LOST: Duration = Duration::from_secs(30);

/// A record that Kafka acknowledged.
#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    partition: usize,
    offset: i64,
    at: Instant,
}

/// By partition, each observed next offset with the time of its first observation.
type Observations = Vec<Vec<(i64, Instant)>>;

pub(super) async fn run(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
) -> anyhow::Result<Vec<Sample>> {
    let site = Site::new(servers, name, Setup::default()).await?;
    let rate = load.input_rate;
    let inputs = rate * (WARM_UP + load.seconds);
    let conversations = Conversations {
        inputs,
        leads: inputs.div_ceil(3),
        traffic: Traffic::Uniform,
    };
    let processor = site.start(Service::Processor).await?;
    let pool = &site.database.pool;
    beside(&[&processor], begun(pool)).await?;
    let work = async {
        let (warm, measured) = oneshot::channel();
        tokio::try_join!(
            send(&site, conversations, rate, warm),
            watch(pool, inputs),
            async {
                measured.await.context("the warm-up did not end")?;
                let spending = Spending::start(servers, pool, vec![processor.pid()]).await?;
                sleep(Duration::from_secs(u64::try_from(load.seconds)?)).await;
                spending.stop().await
            }
        )
    };
    let (sent, seen, spent) = beside(&[&processor], work).await?;
    end(processor).await?;
    site.remove().await?;
    let mut latency = Histogram::<u64>::new(3)?;
    for record in &sent[rate * WARM_UP..] {
        let committed = committed_at(&seen, record).context("a record was not committed")?;
        // It can be committed before its acknowledgement has come.
        latency.record(micros(committed.saturating_duration_since(record.at)))?;
    }
    let quantile = |figure, quantile| Sample {
        cores: spent.cores,
        ..Sample::new(figure, millis(latency.value_at_quantile(quantile)))
    };
    Ok(vec![
        quantile(Figure::PacedP50, 0.5),
        quantile(Figure::PacedP99, 0.99),
        Sample::new(Figure::PacedLog, log_bytes(spent.log, rate * load.seconds)),
    ])
}

/// Waits until the processor has begun on every partition.
async fn begun(pool: &PgPool) -> anyhow::Result<()> {
    let asked = Instant::now();
    while asked.elapsed() < LOST {
        let begun: i64 = sqlx::query_scalar("SELECT count(next_offset) FROM partition_offsets")
            .fetch_one(pool)
            .await?;
        if usize::try_from(begun)? == Setup::default().partitions {
            return Ok(());
        }
        sleep(POLL).await;
    }
    bail!("the processor did not begin on all partitions within {LOST:?}")
}

/// Sends each record at its planned time, whatever the outcome of earlier ones; reports the end of
/// the warm-up.
async fn send(
    site: &Site<'_>,
    conversations: Conversations,
    rate: usize,
    warm: oneshot::Sender<()>,
) -> anyhow::Result<Vec<Acknowledged>> {
    let records = site.servers.inputs(conversations).await?;
    let mut kafka = site.kafka();
    kafka.kafka_config = Some(Secret::new("linger.ms=0"));
    let topic = kafka.topic(Topic::LeadInputs);
    let producer: FutureProducer = kafka.producer("leadstream-bench", 30_000)?.create()?;
    let mut warm = Some(warm);
    let mut sent: Vec<JoinHandle<anyhow::Result<Acknowledged>>> = Vec::new();
    let start = Instant::now();
    for (index, record) in records.iter().enumerate() {
        let due = Duration::from_secs(1) * u32::try_from(index)? / u32::try_from(rate)?;
        sleep_until(start + due).await;
        if index == rate * WARM_UP
            && let Some(warm) = warm.take()
        {
            // The receiver is dropped when the processor has ended.
            warm.send(()).unwrap_or_default();
        }
        let outgoing = FutureRecord::to(&topic)
            .key(&record.key)
            .payload(&record.value);
        let delivery = producer.send_result(outgoing).map_err(|(error, _)| error)?;
        sent.push(tokio::spawn(async move {
            let delivered = delivery.await?.map_err(|(error, _)| error)?;
            Ok(Acknowledged {
                partition: usize::try_from(delivered.partition)?,
                offset: delivered.offset,
                at: Instant::now(),
            })
        }));
    }
    let mut acknowledged = Vec::with_capacity(sent.len());
    for delivery in sent {
        acknowledged.push(delivery.await??);
    }
    // Dropping a producer blocks.
    tokio::task::spawn_blocking(move || drop(producer)).await?;
    Ok(acknowledged)
}

/// Polls the partitions' offsets until `inputs` are committed.
async fn watch(pool: &PgPool, inputs: usize) -> anyhow::Result<Observations> {
    let mut connection = pool.acquire().await?;
    let mut seen: Observations = vec![Vec::new(); Setup::default().partitions];
    let mut last = Instant::now();
    let mut ticks = interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let offsets: Vec<(i32, i64)> = sqlx::query_as(
            "SELECT partition, next_offset FROM partition_offsets WHERE next_offset > 0",
        )
        .fetch_all(&mut *connection)
        .await?;
        let now = Instant::now();
        for (partition, next) in &offsets {
            let steps = &mut seen[usize::try_from(*partition)?];
            if steps.last().is_none_or(|(known, _)| known < next) {
                steps.push((*next, now));
                last = now;
            }
        }
        let committed: i64 = offsets.iter().map(|(_, next)| next).sum();
        if usize::try_from(committed)? >= inputs {
            return Ok(seen);
        }
        if last.elapsed() > LOST {
            bail!("{committed} of {inputs} inputs were committed, then none for {LOST:?}");
        }
    }
}

fn committed_at(seen: &Observations, record: &Acknowledged) -> Option<Instant> {
    let steps = seen.get(record.partition)?;
    let first = steps.partition_point(|(next, _)| *next <= record.offset);
    steps.get(first).map(|(_, at)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_committed_when_the_next_offset_is_first_seen_beyond_it() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let seen = vec![Vec::new(), vec![(2, at(1)), (5, at(9))]];
        let committed = |partition, offset| {
            let record = Acknowledged {
                partition,
                offset,
                at: start,
            };
            committed_at(&seen, &record)
        };
        assert_eq!(committed(1, 1), Some(at(1)));
        assert_eq!(committed(1, 2), Some(at(9)));
        assert_eq!((committed(1, 5), committed(0, 0)), (None, None));
    }
}
