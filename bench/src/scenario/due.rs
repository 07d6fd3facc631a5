//! Measures [`latency`](super::latency) while the timers of thousands of leads come due at once.

use std::time::Duration;

use anyhow::{Context, bail};
use leadstream_kafka::Producer;
use leadstream_schemas::Timestamp;
use sqlx::PgPool;
use tokio::time::{Instant, sleep};

use super::Load;
use super::latency::measure;
use crate::measurement::{Figure, Sample};
use crate::site::{Servers, Setup, Site};
use crate::traffic;

/// Leads that go cold at once.
const DUE: usize = 10_000;
/// Beyond every lead that is measured.
const FIRST: usize = 500_000_000;
/// In the default flow a silent lead is cold after a day.
const DAY_MS: i64 = 86_400_000;
/// From their messages to the time that makes them cold: their nudges are over by then.
const AHEAD: Duration = Duration::from_secs(60);
/// Into the measured time.
const INTO: Duration = Duration::from_secs(4);
const POLL: Duration = Duration::from_millis(100);
/// The longest time until all leads are cold.
const LOST: Duration = Duration::from_secs(60);

pub(super) async fn run(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
) -> anyhow::Result<Vec<Sample>> {
    let site = Site::new(servers, name, Setup::default()).await?;
    let pool = site.database.pool.clone();
    let cold = tokio::spawn(async move { all_cold(&pool).await });
    let measured = measure(&site, load, async || prepare(&site).await).await?;
    let mut samples = vec![
        measured.committed(Figure::DueP50, 0.5),
        measured.committed(Figure::DueP99, 0.99),
    ];
    if cold.is_finished() {
        let took = cold.await??;
        samples.push(Sample::new(Figure::DueTook, took.as_secs_f64()));
    } else {
        cold.abort();
        servers.note(
            "timers were still due when the webhooks ended: with more --seconds it is seen how long they take",
        );
    }
    site.remove().await?;
    Ok(samples)
}

/// Lets leads write that go cold a little after this returns.
async fn prepare(site: &Site<'_>) -> anyhow::Result<()> {
    let began = Instant::now();
    let ahead = i64::try_from(AHEAD.as_millis())?;
    let sent_at = Timestamp::from_millis(Timestamp::now().millis() - DAY_MS + ahead);
    let webhooks = traffic::greetings_of(FIRST..FIRST + DUE, sent_at);
    let records = site
        .servers
        .records(&site.deployment.topic_prefix, &webhooks)?;
    let producer = Producer::new(&site.kafka(), "leadstream-bench", None)?;
    for batch in records.chunks(500) {
        producer.send(batch).await?.await?;
    }
    // Dropping a producer blocks.
    tokio::task::spawn_blocking(move || drop(producer)).await?;
    loop {
        let nudged: i64 =
            sqlx::query_scalar("SELECT count(*) FROM leads WHERE timer_due_at > now()")
                .fetch_one(&site.database.pool)
                .await?;
        let left = AHEAD.checked_sub(began.elapsed() + INTO);
        let left = left.context("the machine is too slow to prepare the leads in time")?;
        if usize::try_from(nudged)? == DUE {
            sleep(left).await;
            return Ok(());
        }
        sleep(POLL).await;
    }
}

/// Waits until all leads are cold; returns how long that took since the first one.
async fn all_cold(pool: &PgPool) -> anyhow::Result<Duration> {
    let mut all_waited = false;
    let mut first = None;
    let began = Instant::now();
    while began.elapsed() < AHEAD * 2 + LOST {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM leads WHERE lead_id >= $1 AND timer_due_at IS NOT NULL",
        )
        .bind(traffic::lead_id(FIRST))
        .fetch_one(pool)
        .await?;
        let waiting = usize::try_from(waiting)?;
        all_waited |= waiting == DUE;
        if all_waited && waiting < DUE {
            let first = first.get_or_insert_with(Instant::now);
            if waiting == 0 {
                return Ok(first.elapsed());
            }
        }
        sleep(POLL).await;
    }
    bail!("not all of {DUE} leads went cold")
}
