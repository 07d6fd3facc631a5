//! Webhooks at a steady rate, open loop: each is sent at its planned time, whatever became of
//! those before.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use hdrhistogram::Histogram;
use leadstream_schemas::Timestamp;
use sqlx::PgPool;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::Load;
use crate::bench::figure::{Figure, Sample};
use crate::bench::http::Connection;
use crate::bench::machine::Meter;
use crate::bench::site::{PARTITIONS, Servers, Site, beside, end};
use crate::bench::traffic::{self, lead_id};
use crate::deployment::Service;

/// Connections that take turns, so that a slow answer does not delay the next webhook.
const CONNECTIONS: usize = 64;
/// Seconds at the same rate before those that count.
const WARM_UP: usize = 3;
/// How often PostgreSQL is asked for rows: the resolution of what it sees.
const POLL: Duration = Duration::from_millis(2);
/// How often it is asked whether the processor has begun.
const OWNED_POLL: Duration = Duration::from_millis(20);
/// How long a row, or a partition's owner, may be missing.
const LOST: Duration = Duration::from_secs(30);

pub(super) async fn run(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
) -> anyhow::Result<Vec<Sample>> {
    let site = Site::new(servers, name).await?;
    let warm_up = load.rate * WARM_UP;
    let count = warm_up + load.rate * load.seconds;
    let secret = &site.deployment.meta_app_secret;
    let requests: Arc<[Vec<u8>]> = traffic::greetings(count, Timestamp::now())
        .iter()
        .map(|webhook| traffic::request(site.ingest, secret, webhook))
        .collect();
    let processor = site.start(Service::Processor).await?;
    let ingest = site.start(Service::Ingest).await?;
    beside(&[&processor, &ingest], owned(&site.database.pool)).await?;
    let mut connections = Vec::new();
    // Ingest closes a connection that idles for long.
    for _ in 0..CONNECTIONS.min(load.rate) {
        connections.push(Connection::open(site.ingest).await?);
    }
    let (sent, pending) = unbounded_channel();
    let meter = Meter::start();
    let work = async {
        tokio::try_join!(
            post(connections, &requests, load.rate, sent),
            watch(&site.database.pool, count, pending),
        )
    };
    let (answered, committed) = beside(&[&processor, &ingest], work).await?;
    let (_, cores) = meter.stop();
    end(ingest).await?;
    end(processor).await?;
    site.remove().await?;
    samples(&answered[warm_up..], &committed[warm_up..], cores)
}

/// Waits until the processor has begun on every partition.
async fn owned(pool: &PgPool) -> anyhow::Result<()> {
    let asked = Instant::now();
    while asked.elapsed() < LOST {
        let begun: i64 = sqlx::query_scalar("SELECT count(next_offset) FROM partition_offsets")
            .fetch_one(pool)
            .await?;
        if usize::try_from(begun)? == PARTITIONS {
            return Ok(());
        }
        sleep(OWNED_POLL).await;
    }
    bail!("the processor did not begin on all partitions within {LOST:?}")
}

/// When a webhook was to be sent, and when its 200 had come.
#[derive(Clone, Copy, Debug)]
struct Answered {
    planned: Instant,
    at: Instant,
}

async fn post(
    connections: Vec<Connection>,
    requests: &Arc<[Vec<u8>]>,
    rate: usize,
    sent: UnboundedSender<usize>,
) -> anyhow::Result<Vec<Answered>> {
    let start = Instant::now() + Duration::from_millis(100);
    let step = Duration::from_secs(1) / u32::try_from(rate)?;
    let turns = connections.len();
    let mut clients = JoinSet::new();
    for (first, mut connection) in connections.into_iter().enumerate() {
        let (requests, sent) = (Arc::clone(requests), sent.clone());
        clients.spawn(async move {
            let mut answered = Vec::new();
            for (index, request) in requests.iter().enumerate().skip(first).step_by(turns) {
                let planned = start + step * u32::try_from(index)?;
                sleep_until(planned).await;
                sent.send(index).context("nobody watches for rows")?;
                let status = connection.send(request).await?;
                ensure!(status == 200, "a webhook was answered {status}");
                let at = Instant::now();
                answered.push((index, Answered { planned, at }));
            }
            anyhow::Ok(answered)
        });
    }
    drop(sent);
    let mut answered = Vec::with_capacity(requests.len());
    while let Some(client) = clients.join_next().await {
        answered.extend(client??);
    }
    answered.sort_unstable_by_key(|(index, _)| *index);
    Ok(answered.into_iter().map(|(_, answered)| answered).collect())
}

/// When the row of each of `count` leads was first seen, by lead.
async fn watch(
    pool: &PgPool,
    count: usize,
    mut sent: UnboundedReceiver<usize>,
) -> anyhow::Result<Vec<Instant>> {
    let mut connection = pool.acquire().await?;
    let mut seen: Vec<Option<Instant>> = vec![None; count];
    let mut pending: HashMap<String, usize> = HashMap::new();
    let mut last_seen = Instant::now();
    let mut ticks = interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let all_sent = loop {
            match sent.try_recv() {
                Ok(lead) => pending.insert(lead_id(lead), lead),
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => break true,
            };
        };
        if pending.is_empty() {
            last_seen = Instant::now();
            if all_sent {
                break;
            }
        } else {
            let found: Vec<String> = sqlx::query_scalar(
                "SELECT lead_id FROM lead_qualifications WHERE lead_id = ANY($1)",
            )
            .bind(pending.keys().map(String::as_str).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await?;
            let now = Instant::now();
            for lead in found.iter().filter_map(|id| pending.remove(id)) {
                seen[lead] = Some(now);
                last_seen = now;
            }
        }
        if last_seen.elapsed() > LOST {
            bail!(
                "the rows of {} leads are missing after {LOST:?}",
                pending.len()
            );
        }
        ticks.tick().await;
    }
    seen.into_iter()
        .collect::<Option<_>>()
        .context("a lead was not sent")
}

fn samples(
    answered: &[Answered],
    committed: &[Instant],
    cores: Option<f64>,
) -> anyhow::Result<Vec<Sample>> {
    let mut answer = Histogram::<u64>::new(3)?;
    let mut latency = Histogram::<u64>::new(3)?;
    for (answered, committed) in answered.iter().zip(committed) {
        answer.record(micros(answered.at - answered.planned))?;
        // The row can be there before its 200 has come.
        latency.record(micros(committed.saturating_duration_since(answered.at)))?;
    }
    let sample = |figure, histogram: &Histogram<u64>, quantile| {
        let micros = histogram.value_at_quantile(quantile);
        Sample {
            cores,
            ..Sample::new(figure, millis(micros))
        }
    };
    Ok(vec![
        sample(Figure::LatencyP50, &latency, 0.5),
        sample(Figure::LatencyP99, &latency, 0.99),
        sample(Figure::AnswerP50, &answer, 0.5),
        sample(Figure::AnswerP99, &answer, 0.99),
    ])
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn millis(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_counts_from_the_200_and_the_answer_from_its_plan() {
        let planned = Instant::now();
        let at = |millis| planned + Duration::from_millis(millis);
        let answered = [2, 4, 6].map(|millis| Answered {
            planned,
            at: at(millis),
        });
        // The second row was seen before its 200.
        let committed = [at(12), at(3), at(36)];
        let figures: Vec<(Figure, f64)> = samples(&answered, &committed, None)
            .unwrap()
            .into_iter()
            .map(|sample| (sample.figure, sample.value.round()))
            .collect();
        assert_eq!(
            figures,
            [
                (Figure::LatencyP50, 10.0),
                (Figure::LatencyP99, 30.0),
                (Figure::AnswerP50, 4.0),
                (Figure::AnswerP99, 6.0),
            ]
        );
    }
}
