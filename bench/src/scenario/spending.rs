//! Measures the cost of a drain: time, processor time of all participants, memory, and PostgreSQL's
//! log.

use std::time::Duration;

use leadstream_local::Server;
use sqlx::PgPool;

use super::{micros_each, per_second};
use crate::machine::{Meter, cpu_seconds, peak_memory, tree_cpu_seconds};
use crate::measurement::{Contender, Figure, Part, Sample, Traffic};
use crate::site::Servers;

/// The participants in a drain.
#[derive(Debug)]
pub(super) struct Spending {
    pool: PgPool,
    own: Vec<i32>,
    postgres: i32,
    broker: i32,
    before: Used,
    meter: Meter,
}

/// Processor time so far in seconds, and bytes of PostgreSQL's log.
#[derive(Clone, Copy, Debug)]
struct Used {
    own: Option<f64>,
    postgres: Option<f64>,
    broker: Option<f64>,
    log: i64,
}

/// The cost from the start to the stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    pub(super) elapsed: Duration,
    pub(super) cores: Option<f64>,
    /// Seconds of processor time.
    pub(super) own: Option<f64>,
    pub(super) postgres: Option<f64>,
    broker: Option<f64>,
    /// Peak of all own processes, in MiB.
    memory: Option<f64>,
    /// Bytes.
    pub(super) log: i64,
}

impl Spending {
    /// Counts from now on. `own` are the processes that are measured; `pool` is any database of the
    /// server.
    pub(super) async fn start(
        servers: &Servers<'_>,
        pool: &PgPool,
        own: Vec<i32>,
    ) -> anyhow::Result<Self> {
        let postgres = servers.stack.pid(Server::Postgres).await?;
        let broker = servers.stack.pid(Server::Kafka).await?;
        Ok(Self {
            before: Used::now(pool, &own, postgres, broker).await?,
            pool: pool.clone(),
            own,
            postgres,
            broker,
            meter: Meter::start(),
        })
    }

    pub(super) async fn stop(self) -> anyhow::Result<Spent> {
        let (elapsed, cores) = self.meter.stop();
        let after = Used::now(&self.pool, &self.own, self.postgres, self.broker).await?;
        let before = self.before;
        let spent = |after: Option<f64>, before: Option<f64>| Some(after? - before?);
        Ok(Spent {
            elapsed,
            cores,
            own: spent(after.own, before.own),
            postgres: spent(after.postgres, before.postgres),
            broker: spent(after.broker, before.broker),
            memory: self.own.iter().map(|pid| peak_memory(*pid)).sum(),
            log: after.log - before.log,
        })
    }
}

impl Used {
    async fn now(pool: &PgPool, own: &[i32], postgres: i32, broker: i32) -> anyhow::Result<Self> {
        let log = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint";
        Ok(Self {
            own: own.iter().map(|pid| cpu_seconds(*pid)).sum(),
            postgres: tree_cpu_seconds(postgres),
            broker: cpu_seconds(broker),
            log: sqlx::query_scalar(log).fetch_one(pool).await?,
        })
    }
}

impl Spent {
    /// Removes the broker where it takes no part. Sets the processor time of a process that has
    /// ended.
    pub(super) fn without_broker(self, own: Option<f64>) -> Self {
        Self {
            own,
            broker: None,
            ..self
        }
    }

    /// Sets the time that another program measured.
    pub(super) fn within(self, elapsed: Duration) -> Self {
        Self { elapsed, ..self }
    }

    pub(super) fn samples(
        self,
        traffic: Traffic,
        contender: Contender,
        inputs: usize,
    ) -> Vec<Sample> {
        let figure = |part| Figure::Drain(traffic, contender, part);
        let rate = per_second(inputs, self.elapsed.as_secs_f64());
        let all = [self.own, self.postgres, self.broker];
        let whole = self
            .own
            .zip(self.postgres)
            .map(|_| all.iter().flatten().sum());
        let cpu = [
            (Part::Cpu, whole),
            (Part::OwnCpu, self.own),
            (Part::PostgresCpu, self.postgres),
            (Part::BrokerCpu, self.broker),
        ];
        let mut samples = vec![Sample {
            cores: self.cores,
            ..Sample::new(figure(Part::Rate), rate)
        }];
        samples.extend(
            cpu.into_iter()
                .filter_map(|(part, seconds): (_, Option<f64>)| {
                    // Microseconds for each are seconds for a million.
                    Some(Sample::new(figure(part), micros_each(inputs, seconds?)))
                }),
        );
        samples.extend(
            self.memory
                .filter(|mib| *mib > 0.0)
                .map(|mib| Sample::new(figure(Part::Memory), mib)),
        );
        samples.push(Sample::new(figure(Part::Log), log_bytes(self.log, inputs)));
        samples
    }
}

/// Bytes of PostgreSQL's log for each input.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(super) fn log_bytes(bytes: i64, inputs: usize) -> f64 {
    bytes as f64 / inputs as f64
}
