//! The scenarios: each runs on servers that hold nothing, and gives samples of its figures.

mod bare;
mod burst;
mod drain;
mod latency;
mod process;
mod produce;
mod soak;
mod steady;
mod webhooks;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use leadstream_ingest::records::Encoder;
use leadstream_schemas::Timestamp;
use leadstream_stream::Outgoing;

use super::figure::{Figure, Sample};
use super::generator::Spent;
use super::site::Servers;
use super::traffic;

/// Webhooks that are sent over and over where their ids need not differ, each of another lead.
const POOL: usize = 16_384;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Scenario {
    /// Records through the producer alone
    Producer,
    /// Webhooks through a handler that does nothing but verify them
    Bare,
    /// Webhooks through ingest
    Webhooks,
    /// Webhooks through ingest at a steady rate
    Steady,
    /// Many times that rate for some seconds
    Burst,
    /// Batches into PostgreSQL without Kafka
    Sql,
    /// A preloaded topic through the processor
    Processor,
    /// Single inputs into PostgreSQL, one after another
    Commit,
    /// Webhooks at a steady rate, to the committed row
    Latency,
    /// Webhooks through ingest at a steady rate for minutes; only by name
    Soak,
}

/// How much is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Webhooks, records and inputs of the scenarios that run as fast as they can.
    pub(super) messages: usize,
    /// Conversations among which inputs are spread.
    pub(super) leads: usize,
    /// Webhooks a second of the steady scenario.
    pub(super) rate: usize,
    /// How long scenarios of a steady rate last.
    pub(super) seconds: usize,
    /// Webhooks a second where ingest is alone.
    pub(super) ingest_rate: usize,
    /// How many times that a burst is.
    pub(super) burst_factor: usize,
    pub(super) soak_minutes: usize,
}

impl Scenario {
    /// What is measured by default: one run of the list, in its order, is a round.
    pub(super) const ROUND: [Self; 9] = [
        Self::Producer,
        Self::Bare,
        Self::Webhooks,
        Self::Steady,
        Self::Burst,
        Self::Sql,
        Self::Processor,
        Self::Commit,
        Self::Latency,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Bare => "bare",
            Self::Webhooks => "webhooks",
            Self::Steady => "steady",
            Self::Burst => "burst",
            Self::Sql => "sql",
            Self::Processor => "processor",
            Self::Commit => "commit",
            Self::Latency => "latency",
            Self::Soak => "soak",
        }
    }

    /// Runs it once, under a name that no other run has.
    pub(super) async fn run(
        self,
        servers: &Servers<'_>,
        name: &str,
        load: &Load,
    ) -> anyhow::Result<Vec<Sample>> {
        match self {
            Self::Producer => Box::pin(produce::run(servers, name, load)).await,
            Self::Bare => Box::pin(bare::run(servers, name, load)).await,
            Self::Webhooks => Box::pin(webhooks::run(servers, name, load)).await,
            Self::Steady => Box::pin(steady::run(servers, name, load)).await,
            Self::Burst => Box::pin(burst::run(servers, name, load)).await,
            Self::Sql => Box::pin(drain::run(servers, name, load)).await,
            Self::Processor => Box::pin(process::run(servers, name, load)).await,
            Self::Commit => Box::pin(drain::run_alone(servers, name)).await,
            Self::Latency => Box::pin(latency::run(servers, name, load)).await,
            Self::Soak => Box::pin(soak::run(servers, name, load)).await,
        }
    }
}

/// The records that ingest would write to the topics of `prefix` for `webhooks`.
fn records(
    servers: &Servers<'_>,
    prefix: &str,
    webhooks: &[Vec<u8>],
) -> anyhow::Result<Vec<Outgoing>> {
    let encoder = Encoder::new(prefix, &servers.ids)
        .ok_or_else(|| anyhow::anyhow!("the registry gave no id for a topic"))?;
    traffic::records(&encoder, webhooks, Timestamp::now())
}

/// Signed requests of `count` webhooks, each of a lead of its own.
fn requests(address: SocketAddr, secret: &str, count: usize, sent_at: Timestamp) -> Arc<[Vec<u8>]> {
    traffic::greetings(count, sent_at)
        .iter()
        .map(|webhook| traffic::request(address, secret, webhook))
        .collect()
}

/// The processor time that each request took where it was served and where it was generated, as
/// samples of these figures.
fn cpu(spent: &Spent, served: Figure, generated: Figure) -> impl Iterator<Item = Sample> {
    let each = |figure, cpu: Option<f64>| {
        cpu.map(|cpu| Sample::new(figure, micros_each(spent.requests, cpu)))
    };
    [each(served, spent.served), each(generated, spent.generated)]
        .into_iter()
        .flatten()
}

/// `count` of something a second.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn per_second(count: usize, seconds: f64) -> f64 {
    count as f64 / seconds
}

/// Microseconds for each of `count`.
fn micros_each(count: usize, seconds: f64) -> f64 {
    1e6 / per_second(count, seconds)
}

/// `part` of `whole` in per cent.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn share(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole as f64
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn millis(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1000.0
}
