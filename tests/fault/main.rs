//! Runs the fault test. Three processors fold the messages of many people while everything around
//! them is killed, stopped, cut off and brought back. Two sinks send the replies through a WhatsApp
//! that loses answers, refuses, and shuffles statuses. Afterwards one oracle compares what WhatsApp
//! accepted with the replies and the ledger (invariant 7). Another one compares every row, event,
//! reply and dead letter with the pure fold of Kafka's records (invariants 1 to 5 and 8 to 10). Then
//! two sinks write leads to CRMs that fail in every way, and are killed meanwhile. An
//! oracle compares the CRMs' records with the wanted ones (invariants 6 and 8).
//!
//! `FAULT_SECONDS` sets how long each part injects faults (`FAULT_CRM_SECONDS`: the second part).
//! `FAULT_RATE` sets how many records people write per second. `FAULT_SEED` repeats the written
//! records and the order of faults.

#![expect(clippy::print_stderr, reason = "what a test says of its run")]

mod crm;
mod faults;
mod members;
mod oracle;
mod replies;
mod traffic;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::sandbox_config;
use leadstream_schemas::Topic;
use libtest_mimic::{Arguments, Failed, Trial};
use sqlx::Row;
use tokio_util::sync::CancellationToken;

use faults::Faults;
use members::Members;
use oracle::Oracle;
use traffic::{Traffic, Written};

type Test = fn(&World, u64, Option<u64>) -> anyhow::Result<()>;

const TESTS: [(&str, Test); 2] = [
    (
        "whatever_fails_nothing_is_lost_and_nothing_happens_twice",
        engine,
    ),
    (
        "whatever_fails_each_crm_has_what_is_wanted_or_the_ledger_says_why",
        crm::run,
    ),
];
/// The time after the last fault within which consumer lag is zero.
const CAUGHT_UP: Duration = Duration::from_secs(60);
/// A number that stopped probes after 30 s, and a reply whose outcome is unknown waits as long.
const AT_REST: Duration = Duration::from_secs(240);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The first test stops servers that the second one needs.
    arguments.test_threads = Some(1);
    if arguments.list {
        let trials = TESTS.map(|(name, _)| Trial::test(name, || Ok(())));
        return libtest_mimic::run(&arguments, trials.into()).exit_code();
    }
    match start() {
        Ok((world, seed, seconds)) => run(&arguments, Arc::new(world), seed, seconds),
        Err(error) => {
            eprintln!("the fault test did not start: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> anyhow::Result<(World, u64, Option<u64>)> {
    let seed = setting("FAULT_SEED")?.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let seconds = setting("FAULT_SECONDS")?;
    eprintln!("FAULT_SEED={seed}");
    let world = World::start(
        concat!(env!("CARGO_TARGET_TMPDIR"), "/fault"),
        env!("CARGO_BIN_EXE_leadstream"),
    )?;
    Ok((world, seed, seconds))
}

fn run(arguments: &Arguments, world: Arc<World>, seed: u64, seconds: Option<u64>) -> ExitCode {
    let trials = TESTS.map(|(name, test)| {
        let world = Arc::clone(&world);
        Trial::test(name, move || {
            test(&world, seed, seconds).map_err(|error| Failed::from(format!("{error:#}")))
        })
    });
    let conclusion = libtest_mimic::run(arguments, trials.into());
    if let Some(world) = Arc::into_inner(world) {
        world.stop();
    }
    conclusion.exit_code()
}

fn setting(name: &str) -> anyhow::Result<Option<u64>> {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .map(Some)
            .with_context(|| format!("{name}={text} is not a number")),
        Err(_) => Ok(None),
    }
}

fn engine(world: &World, seed: u64, seconds: Option<u64>) -> anyhow::Result<()> {
    let seconds = seconds.unwrap_or(60);
    let rate = setting("FAULT_RATE")?.unwrap_or(300);
    world.runtime.block_on(async {
        let mut config = sandbox_config();
        replies::configure(&mut config);
        let mut site = Site::with(world, "fault", config).await?;
        let key = ("ERASURE_KEY".to_owned(), "the key of this test".to_owned());
        site.deployment.further.push(key);
        test(&site, seed, Duration::from_secs(seconds), rate).await?;
        site.finish().await
    })
}

async fn test(site: &Site<'_>, seed: u64, time: Duration, rate: u64) -> anyhow::Result<()> {
    let members = Members::start(site, time)?;
    let run = async {
        let written = storm(site, &members, seed, time, rate).await?;
        let ended = Instant::now();
        caught_up(site).await?;
        let lag = ended.elapsed();
        eprintln!("lag is zero {:.1} s after the faults", lag.as_secs_f64());
        nobody_is_due(site).await?;
        replies::end_faults(site).await?;
        at_rest(site).await?;
        eprintln!("{}", replies::check(site).await.context("replies")?);
        replies::graceful_restarts_repeat_nothing(site, &members)
            .await
            .context("graceful restarts")?;
        anyhow::Ok((written, lag))
    };
    let (written, lag) = tokio::select! {
        written = run => written?,
        ended = members.supervise(site) => return ended,
    };
    let bytes = members.peak_bytes()?;
    members.stop().await?;
    let checked = Oracle::read(site, &written)?.check(site).await?;
    eprintln!("{checked}; the largest processor had {} MiB", bytes >> 20);
    ensure!(lag < CAUGHT_UP, "lag was zero only after {lag:?}");
    ensure!(bytes < 512 << 20, "a processor grew to {bytes} bytes");
    Ok(())
}

/// Injects faults for `time` while people write.
async fn storm(
    site: &Site<'_>,
    members: &Members,
    seed: u64,
    time: Duration,
    rate: u64,
) -> anyhow::Result<Written> {
    let traffic = Traffic::new(site, seed, rate).await?;
    replies::order_faults(site).await?;
    let faults = Faults::new(site, members, seed);
    let stop = CancellationToken::new();
    let clock = async {
        tokio::time::sleep(time).await;
        stop.cancel();
        anyhow::Ok(())
    };
    let (written, (), ()) = tokio::try_join!(traffic.write(&stop), faults.come(&stop), clock)?;
    eprintln!("{faults}");
    Ok(written)
}

/// Returns where the logs end, once PostgreSQL shows that every record is processed.
async fn lag_is_zero(site: &Site<'_>) -> anyhow::Result<BTreeMap<i32, (i64, i64)>> {
    let ends = leadstream_harness::topic::offsets(site, &site.topic(Topic::LeadInputs))?;
    let mut stored = BTreeMap::new();
    for row in sqlx::query("SELECT partition, coalesce(next_offset, 0) FROM partition_offsets")
        .fetch_all(&site.database)
        .await?
    {
        stored.insert(row.try_get::<i32, _>(0)?, row.try_get::<i64, _>(1)?);
    }
    let lag: i64 = ends
        .iter()
        .map(|(partition, (_, high))| high - stored.get(partition).copied().unwrap_or_default())
        .sum();
    ensure!(lag == 0, "{lag} records wait");
    Ok(ends)
}

async fn caught_up(site: &Site<'_>) -> anyhow::Result<()> {
    // Waits longer than the limit: the outcome is judged first.
    eventually(CAUGHT_UP * 5, async || lag_is_zero(site).await.map(drop)).await
}

/// Waits until every silent lead has gone cold; no other lead goes cold for a long time.
async fn nobody_is_due(site: &Site<'_>) -> anyhow::Result<()> {
    eventually(Duration::from_secs(60), async || {
        let due: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM leads WHERE timer_due_at < now() + interval '1 hour'",
        )
        .fetch_one(&site.database)
        .await?;
        ensure!(due == 0, "{due} leads are to go cold");
        Ok(())
    })
    .await
}

/// Waits until nothing is in flight. A record of the outbox may become an input, the result of a reply
/// is one, and an input may have a reply.
async fn at_rest(site: &Site<'_>) -> anyhow::Result<()> {
    eventually(AT_REST, async || {
        let ends = lag_is_zero(site).await?;
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
            .fetch_one(&site.database)
            .await?;
        ensure!(rows == 0, "{rows} rows are left in the outbox");
        replies::at_rest(site).await?;
        ensure!(lag_is_zero(site).await? == ends, "more inputs came");
        Ok(())
    })
    .await
}
