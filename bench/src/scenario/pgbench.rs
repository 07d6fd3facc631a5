//! Measures the engine's own statements and arguments with `pgbench`, without fetch, fold and
//! publication.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use futures::future::try_join_all;
use leadstream_local::{Process, ProcessSpec};
use sqlx::PgPool;
use tokio::fs;
use tokio::time::timeout;

use super::engine::settings;
use super::spending::Spending;
use super::{Load, on_path};
use crate::machine::cpu_seconds;
use crate::measurement::{Contender, Sample, Traffic};
use crate::recorder::{Recording, StatementRecorder};
use crate::site::{Database, PARTITIONS, Servers};
use crate::traffic;
use crate::workers::Workers;

const POLL: Duration = Duration::from_millis(50);
/// As the engine's connections.
const OPTIONS: &str = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off \
    -c plan_cache_mode=force_generic_plan -c jit=off";

pub(super) async fn run(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
    traffic: Traffic,
) -> anyhow::Result<Vec<Sample>> {
    let Some(pgbench) = on_path("pgbench") else {
        servers.note(
            "pgbench is not on the PATH (Debian's postgresql-contrib has it): its figures were left out; the engine's own SQL batches say nearly the same",
        );
        return Ok(Vec::new());
    };
    let conversations = load.conversations(traffic, 1);
    let database = Database::new(servers, name, true, 4).await?;
    let (text, batches) = recorded(servers, name, &database, conversations).await?;
    let script = servers.stack.data_dir().join(format!("{name}.sql"));
    fs::write(&script, text).await?;
    // The pages of the recording must not be flushed during the measurement.
    sqlx::query("CHECKPOINT").execute(&database.pool).await?;
    let spending = Spending::start(servers, &database.pool, Vec::new()).await?;
    let workers = batches.iter().enumerate().map(|(worker, batches)| {
        let spec = ProcessSpec::new(format!("{name}-{worker}"), &pgbench)
            // What each statement takes is in its log.
            .args(["-n", "-r", "-M", "prepared", "-c", "1"])
            .args([
                "-D".to_owned(),
                format!("worker={worker}"),
                "-D".into(),
                "n=0".into(),
            ])
            .args(["-t".to_owned(), batches.to_string(), "-f".into()])
            .args([script.as_path()])
            .args([Path::new(&database.url)])
            .env("PGOPTIONS", OPTIONS);
        servers.stack.spawn(&spec)
    });
    let workers: Vec<Process> = workers.collect::<Result<_, _>>()?;
    let own = try_join_all(workers.iter().map(finished)).await?;
    let spent = spending.stop().await?;
    let done: i64 =
        sqlx::query_scalar("SELECT coalesce(sum(next_offset), 0)::bigint FROM partition_offsets")
            .fetch_one(&database.pool)
            .await?;
    ensure!(
        usize::try_from(done)? == conversations.inputs,
        "pgbench committed {done} of {} inputs",
        conversations.inputs
    );
    database.remove().await?;
    let spent = spent.without_broker(own.into_iter().sum());
    Ok(spent.samples(traffic, Contender::Pgbench, conversations.inputs))
}

/// Folds everything once, in a separate database, and records the statements in `database`. Returns
/// the script that runs the next batch of a worker, and the number of batches of each worker.
async fn recorded(
    servers: &Servers<'_>,
    name: &str,
    database: &Database,
    conversations: traffic::Conversations,
) -> anyhow::Result<(String, Vec<i32>)> {
    let settings = settings()?;
    let folded = Database::new(servers, &format!("{name}-folded"), true, 1).await?;
    let records = servers.inputs(conversations).await?;
    let records = traffic::consumed(records.to_vec(), PARTITIONS);
    let recording = Arc::new(Recording::new(database.pool.clone()).await?);
    let recorders = (0..settings.processor_workers.get())
        .map(|worker| StatementRecorder::new(&folded.url, worker, Arc::clone(&recording)));
    let recorders = try_join_all(recorders).await?;
    let pool = |worker: usize| recorders[worker].pool();
    let workers = Workers::take_over(&settings, &servers.ids, records, pool).await?;
    copy_partitions(&folded.pool, &database.pool).await?;
    recorders.iter().for_each(StatementRecorder::start);
    let drained = workers.drain().await;
    // Where the recorder failed, the engine only knows that its connection ended.
    let batches = try_join_all(recorders.into_iter().map(StatementRecorder::stop)).await?;
    drained?;
    folded.remove().await?;
    Ok((recording.script().await?, batches))
}

/// Copies the owners of the partitions in `from` to `to`, so that the fences hold there, too.
async fn copy_partitions(from: &PgPool, to: &PgPool) -> anyhow::Result<()> {
    let rows: serde_json::Value =
        sqlx::query_scalar("SELECT jsonb_agg(to_jsonb(p)) FROM partition_offsets p")
            .fetch_one(from)
            .await?;
    sqlx::query(
        "INSERT INTO partition_offsets
         SELECT * FROM jsonb_populate_recordset(NULL::partition_offsets, $1)",
    )
    .bind(rows)
    .execute(to)
    .await?;
    Ok(())
}

/// Waits for the end of `pgbench`; returns its last observed processor time.
async fn finished(pgbench: &Process) -> anyhow::Result<Option<f64>> {
    let mut seen = None;
    let status = loop {
        seen = cpu_seconds(pgbench.pid()).or(seen);
        if let Ok(status) = timeout(POLL, pgbench.wait()).await {
            break status;
        }
    };
    ensure!(status.success(), "pgbench failed: {}", pgbench.log_tail());
    Ok(seen)
}
