//! Defines the scenarios: each runs on empty servers, and returns samples of its figures.

mod bare;
mod crm;
mod due;
mod engine;
mod latency;
mod node;
mod overload;
mod paced;
mod pgbench;
mod process;
mod produce;
mod soak;
mod spending;
mod steady;
mod webhooks;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use leadstream_schemas::Timestamp;

use super::generator::Spent;
use super::measurement::{Contender, Figure, Overload, Sample, Traffic};
use super::site::Servers;
use super::traffic::{self, Conversations};

/// Webhooks that are sent over and over where their ids need not differ, each of another lead.
const POOL: usize = 16_384;

/// A scenario, or a group of them.
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
    /// That rate while the broker is paused for some seconds
    Stall,
    /// Batches into PostgreSQL without Kafka
    Sql,
    /// The same batches from pgbench
    Pgbench,
    /// A preloaded topic through Node, a transaction for each message
    Plain,
    /// A preloaded topic through Node, a transaction for each batch
    Batched,
    /// The same, sending events and replies
    Sending,
    /// A preloaded topic through the processor
    Processor,
    /// A preloaded topic through two processors
    Pair,
    /// A preloaded topic of one partition through the processor
    Narrow,
    /// As pgbench; one lead has half of the traffic
    HotPgbench,
    /// As batched; one lead has half of the traffic
    HotBatched,
    /// As processor; one lead has half of the traffic
    HotProcessor,
    /// Inputs at a steady rate, from Kafka to the committed row
    Paced,
    /// Single inputs into PostgreSQL, one after another
    Commit,
    /// Webhooks at a steady rate, to the committed row
    Latency,
    /// The same while 10,000 timers come due at once; only by name
    Due,
    /// Webhooks through ingest at a steady rate for minutes; only by name
    Soak,
    /// Changed leads through sink-crm at HubSpot's limit of 190 requests per 10 s
    CrmLimited,
    /// Changed leads through sink-crm as fast as can be
    CrmFree,
    /// Changed leads at a steady rate, to the request to a CRM
    CrmLatency,
    /// All from producer to stall
    Ingest,
    /// All from sql to paced
    Engine,
    /// The three of sink-crm; only by name
    Crm,
}

/// The size of the load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Webhooks and records of the scenarios that run as fast as they can.
    pub(super) messages: usize,
    /// Inputs that are worked off.
    pub(super) inputs: usize,
    /// Leads that write them.
    pub(super) leads: usize,
    /// Inputs a second of the paced scenario.
    pub(super) input_rate: usize,
    /// Webhooks a second of the steady scenario.
    pub(super) rate: usize,
    /// The length of scenarios with a steady rate.
    pub(super) seconds: usize,
    /// Webhooks a second where ingest is alone.
    pub(super) ingest_rate: usize,
    /// The factor of a burst over that rate.
    pub(super) burst_factor: usize,
    pub(super) soak_minutes: usize,
    /// Leads that changed, for CRMs.
    pub(super) crm_leads: usize,
    /// Leads that change a second, for CRMs.
    pub(super) crm_rate: usize,
}

impl Scenario {
    const INGEST: [Self; 6] = [
        Self::Producer,
        Self::Bare,
        Self::Webhooks,
        Self::Steady,
        Self::Burst,
        Self::Stall,
    ];
    const ENGINE: [Self; 12] = [
        Self::Sql,
        Self::Pgbench,
        Self::Plain,
        Self::Batched,
        Self::Sending,
        Self::Processor,
        Self::Pair,
        Self::Narrow,
        Self::HotPgbench,
        Self::HotBatched,
        Self::HotProcessor,
        Self::Paced,
    ];
    const CRM: [Self; 3] = [Self::CrmLimited, Self::CrmFree, Self::CrmLatency];
    /// Measured by default.
    pub(super) const ALL: [Self; 4] = [Self::Ingest, Self::Engine, Self::Commit, Self::Latency];

    /// Returns the scenarios of a name; one run of them, in order, is a round.
    pub(super) fn members(self) -> Vec<Self> {
        match self {
            Self::Ingest => Self::INGEST.to_vec(),
            Self::Engine => Self::ENGINE.to_vec(),
            Self::Crm => Self::CRM.to_vec(),
            alone => vec![alone],
        }
    }

    pub(super) fn is_engine(self) -> bool {
        Self::ENGINE.contains(&self)
    }

    pub(super) fn is_ingest(self) -> bool {
        Self::INGEST.contains(&self) || self == Self::Soak
    }

    /// Returns the name by which the command line selects it.
    pub(super) fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Returns the system that processes a topic in this scenario, and its traffic.
    const fn drain(self) -> Option<(Contender, Traffic)> {
        Some(match self {
            Self::Pgbench => (Contender::Pgbench, Traffic::Uniform),
            Self::Plain => (Contender::Plain, Traffic::Uniform),
            Self::Batched => (Contender::Batched, Traffic::Uniform),
            Self::Sending => (Contender::Sending, Traffic::Uniform),
            Self::Processor => (Contender::Processor, Traffic::Uniform),
            Self::Pair => (Contender::Pair, Traffic::Uniform),
            Self::Narrow => (Contender::Narrow, Traffic::Uniform),
            Self::HotPgbench => (Contender::Pgbench, Traffic::Hot),
            Self::HotBatched => (Contender::Batched, Traffic::Hot),
            Self::HotProcessor => (Contender::Processor, Traffic::Hot),
            _ => return None,
        })
    }

    /// Runs it once, under a name that no other run has; of a group each member is run by itself.
    pub(super) async fn run(
        self,
        servers: &Servers<'_>,
        name: &str,
        load: &Load,
    ) -> anyhow::Result<Vec<Sample>> {
        if let Some((contender, traffic)) = self.drain() {
            return match contender {
                Contender::Pgbench => Box::pin(pgbench::run(servers, name, load, traffic)).await,
                Contender::Plain | Contender::Batched | Contender::Sending => {
                    Box::pin(node::run(servers, name, load, contender, traffic)).await
                }
                Contender::Processor | Contender::Pair | Contender::Narrow => {
                    Box::pin(process::run(servers, name, load, contender, traffic)).await
                }
            };
        }
        match self {
            Self::Producer => Box::pin(produce::run(servers, name, load)).await,
            Self::Bare => Box::pin(bare::run(servers, name, load)).await,
            Self::Webhooks => Box::pin(webhooks::run(servers, name, load)).await,
            Self::Steady => Box::pin(steady::run(servers, name, load)).await,
            Self::Burst => Box::pin(overload::run(servers, name, load, Overload::Burst)).await,
            Self::Stall => Box::pin(overload::run(servers, name, load, Overload::Stall)).await,
            Self::Sql => Box::pin(engine::run(servers, name, load)).await,
            Self::Paced => Box::pin(paced::run(servers, name, load)).await,
            Self::Commit => Box::pin(engine::run_alone(servers, name)).await,
            Self::Latency => Box::pin(latency::run(servers, name, load)).await,
            Self::Due => Box::pin(due::run(servers, name, load)).await,
            Self::Soak => Box::pin(soak::run(servers, name, load)).await,
            Self::CrmLimited => Box::pin(crm::limited(servers, name, load)).await,
            Self::CrmFree => Box::pin(crm::free(servers, name, load)).await,
            Self::CrmLatency => Box::pin(crm::latency(servers, name, load)).await,
            _ => Ok(Vec::new()),
        }
    }
}

impl Load {
    /// Returns the conversations to process, or a `share` of them where all would take too long.
    fn conversations(&self, traffic: Traffic, share: usize) -> Conversations {
        Conversations {
            inputs: self.inputs.div_ceil(share),
            leads: self.leads.div_ceil(share),
            traffic,
        }
    }
}

/// Returns the path of a program that a shell would find.
fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// Returns signed requests of `count` webhooks, each of its own lead.
fn requests(address: SocketAddr, secret: &str, count: usize, sent_at: Timestamp) -> Arc<[Vec<u8>]> {
    traffic::greetings(count, sent_at)
        .iter()
        .map(|webhook| traffic::request(address, secret, webhook))
        .collect()
}

/// Returns the processor time of each request as samples: of the server and of the load generator.
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

/// Returns microseconds for each of `count`.
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
