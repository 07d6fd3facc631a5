//! Injects faults, each kind in its own loop, so that faults coincide.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use leadstream_harness::Site;
use leadstream_local::Server;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tokio_util::sync::CancellationToken;

use crate::members::{Member, Members, crashed, stopped_too_late};

/// A stopped process outlives its session of 10 s.
const STOPPED_MS: Range<u64> = 13_000..18_000;

pub(crate) struct Faults<'a> {
    site: &'a Site<'a>,
    members: &'a Members,
    seed: u64,
    kills: AtomicUsize,
    zombies: AtomicUsize,
    guests: AtomicUsize,
    sinks: AtomicUsize,
    backends: AtomicUsize,
    cuts: AtomicUsize,
    postgres: AtomicUsize,
    stalls: AtomicUsize,
    kafka: AtomicUsize,
    registry: AtomicUsize,
}

impl<'a> Faults<'a> {
    pub(crate) fn new(site: &'a Site<'a>, members: &'a Members, seed: u64) -> Self {
        Self {
            site,
            members,
            seed,
            kills: AtomicUsize::new(0),
            zombies: AtomicUsize::new(0),
            guests: AtomicUsize::new(0),
            sinks: AtomicUsize::new(0),
            backends: AtomicUsize::new(0),
            cuts: AtomicUsize::new(0),
            postgres: AtomicUsize::new(0),
            stalls: AtomicUsize::new(0),
            kafka: AtomicUsize::new(0),
            registry: AtomicUsize::new(0),
        }
    }

    /// Injects faults until `stop`; all of them are over when this returns.
    pub(crate) async fn come(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        tokio::try_join!(
            self.kill(stop),
            self.stop_and_continue(stop),
            self.join_and_leave(stop),
            self.disturb_sinks(stop),
            self.terminate_backends(stop),
            self.cut(stop),
            self.interrupt_servers(stop),
        )?;
        Ok(())
    }

    fn random(&self, kind: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed.wrapping_mul(31).wrapping_add(kind))
    }

    fn pick(&self, random: &mut StdRng) -> &'a Member {
        let processors = &self.members.processors;
        processors
            .choose(random)
            .unwrap_or_else(|| unreachable!("there are three"))
    }

    async fn kill(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut random = self.random(1);
        while waited(stop, &mut random, 2_000..7_000).await {
            let one = match random.random_range(0..8) {
                0 => &self.members.ingest,
                _ => self.pick(&mut random),
            };
            one.process().kill().await;
            count(&self.kills);
        }
        Ok(())
    }

    /// Stops a process with SIGSTOP for longer than its session, then continues it with SIGCONT.
    async fn stop_and_continue(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut random = self.random(2);
        while waited(stop, &mut random, 3_000..20_000).await {
            let process = self.pick(&mut random).process();
            process.pause();
            let stopped = Duration::from_millis(random.random_range(STOPPED_MS));
            tokio::time::sleep(stopped).await;
            process.resume();
            count(&self.zombies);
        }
        Ok(())
    }

    /// Disturbs each sink by itself, so that sometimes none of them works.
    async fn disturb_sinks(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        let sinks = self.members.sinks.iter().zip(10..);
        let disturbed = sinks.map(|(sink, kind)| self.disturb(sink, kind, stop));
        futures::future::try_join_all(disturbed).await.map(drop)
    }

    /// Kills a sink, stops it gracefully, or pauses it for longer than it owns its numbers.
    async fn disturb(
        &self,
        sink: &Member,
        kind: u64,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let mut random = self.random(kind);
        while waited(stop, &mut random, 3_000..12_000).await {
            let process = sink.process();
            match random.random_range(0..5) {
                0 | 1 => drop(process.kill().await),
                2 | 3 => drop(process.stop().await),
                _ => {
                    process.pause();
                    waited(stop, &mut random, 5_000..35_000).await;
                    process.resume();
                }
            }
            count(&self.sinks);
        }
        Ok(())
    }

    /// Adds a fourth processor for some seconds, repeatedly, with pauses between.
    async fn join_and_leave(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut random = self.random(3);
        let spec = self.members.guest(self.site);
        let spec = spec.grace(Duration::from_secs(40));
        while waited(stop, &mut random, 0..20_000).await {
            for _ in 0..5 {
                let guest = Arc::new(self.site.world.stack.spawn(&spec)?);
                waited(stop, &mut random, 1_000..4_000).await;
                let status = guest.stop().await;
                // Work in progress may need a server that is unavailable.
                if !status.success() && !stopped_too_late(&guest) {
                    crashed("guest", &guest, status)?;
                }
                count(&self.guests);
            }
        }
        Ok(())
    }

    /// Terminates one session of the processors, or all of them.
    async fn terminate_backends(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut random = self.random(4);
        while waited(stop, &mut random, 2_000..9_000).await {
            let most: i64 = if random.random() { 1 } else { 1_000 };
            let ended = sqlx::query_scalar::<_, i64>(
                "SELECT count(pg_terminate_backend(pid)) FROM (
                     SELECT pid FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()
                     ORDER BY random() LIMIT $1) AS sessions",
            )
            .bind(most)
            .fetch_one(&self.site.database)
            .await;
            // PostgreSQL may be unavailable at this moment, which is another fault.
            if let Ok(ended) = ended {
                self.backends
                    .fetch_add(usize::try_from(ended)?, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Lets requests reach Kafka and drops its answers.
    async fn cut(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut random = self.random(5);
        while waited(stop, &mut random, 4_000..12_000).await {
            self.site.world.proxy.swallow_answers();
            waited(stop, &mut random, 500..6_000).await;
            self.site.world.proxy.heal();
            count(&self.cuts);
        }
        self.site.world.proxy.heal();
        Ok(())
    }

    async fn interrupt_servers(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut random = self.random(6);
        let stack = &self.site.world.stack;
        let mut turn = random.random_range(0..4);
        while waited(stop, &mut random, 8_000..25_000).await {
            match turn % 4 {
                0 => {
                    stack.kill(Server::Postgres).await?;
                    waited(stop, &mut random, 0..6_000).await;
                    stack.restart(Server::Postgres).await?;
                    count(&self.postgres);
                }
                1 => {
                    stack.kill(Server::Kafka).await?;
                    waited(stop, &mut random, 0..4_000).await;
                    stack.restart(Server::Kafka).await?;
                    count(&self.kafka);
                }
                2 => {
                    stack.pause(Server::Postgres).await?;
                    waited(stop, &mut random, 1_000..8_000).await;
                    stack.resume(Server::Postgres).await?;
                    count(&self.stalls);
                }
                _ => {
                    stack.kill(Server::SchemaRegistry).await?;
                    waited(stop, &mut random, 5_000..12_000).await;
                    stack.restart(Server::SchemaRegistry).await?;
                    count(&self.registry);
                }
            }
            turn += 1;
        }
        Ok(())
    }
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Waits for a random time; returns false when the faults must end.
pub(crate) async fn waited(stop: &CancellationToken, random: &mut StdRng, ms: Range<u64>) -> bool {
    let time = Duration::from_millis(random.random_range(ms));
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(time) => true,
    }
}

impl fmt::Display for Faults<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        write!(
            f,
            "{} kills ({} ends of processes in all), {} zombies, {} guests, {} times a sink disturbed, {} sessions of PostgreSQL ended, {} times answers of Kafka lost, killed and restarted: PostgreSQL {}, Kafka {}, registry {}; PostgreSQL paused {} times",
            of(&self.kills),
            self.members.crashes(),
            of(&self.zombies),
            of(&self.guests),
            of(&self.sinks),
            of(&self.backends),
            of(&self.cuts),
            of(&self.postgres),
            of(&self.kafka),
            of(&self.registry),
            of(&self.stalls),
        )
    }
}
