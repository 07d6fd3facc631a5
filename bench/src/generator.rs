//! Generates load on one thread with its own runtime. It shares the cores with the measured
//! processes. So nothing moves between threads, and one poll of the sockets serves many
//! connections.

mod closed;
mod open;
mod plan;
mod timer;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::future::try_join_all;
use tokio::runtime;
use tokio::task::{LocalSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::http::Connection;
use super::machine::{Meter, cpu_seconds, own_cpu_seconds};

pub(super) use closed::closed;
pub(super) use open::{Observer, Outcome, open};
pub(super) use plan::{Phase, Plan};

/// The receiver of the load.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    /// The process that serves it.
    pub(super) pid: i32,
    /// The maximal number of open connections, one request at a time on each.
    pub(super) connections: usize,
    /// Sent in their order, from the first again after the last.
    pub(super) requests: Arc<[Vec<u8>]>,
}

impl Target {
    fn request(&self, index: usize) -> &[u8] {
        &self.requests[index % self.requests.len()]
    }

    async fn connect(&self) -> anyhow::Result<Vec<Connection>> {
        let connections = (0..self.connections).map(|_| Connection::open(self.address));
        Ok(try_join_all(connections).await?)
    }
}

/// The cost of requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    pub(super) requests: usize,
    pub(super) elapsed: Duration,
    /// Busy cores of the machine.
    pub(super) cores: Option<f64>,
    /// Processor time of the process that served them, in seconds.
    pub(super) served: Option<f64>,
    /// Processor time of the load generator, in seconds.
    pub(super) generated: Option<f64>,
}

/// Measures [`Spent`]; starts and stops on the thread of the generator.
#[derive(Debug)]
struct Gauge {
    meter: Meter,
    pid: i32,
    served: Option<f64>,
    generated: Option<f64>,
}

impl Gauge {
    fn start(pid: i32) -> Self {
        Self {
            meter: Meter::start(),
            pid,
            served: cpu_seconds(pid),
            generated: own_cpu_seconds(),
        }
    }

    fn stop(self, requests: usize) -> Spent {
        let since = |after: Option<f64>, before| Some(after? - before?);
        let served = since(cpu_seconds(self.pid), self.served);
        let generated = since(own_cpu_seconds(), self.generated);
        let (elapsed, cores) = self.meter.stop();
        Spent {
            requests,
            elapsed,
            cores,
            served,
            generated,
        }
    }
}

/// Runs `work` on its own thread, which also ends when nobody waits for it any more.
async fn on_own_thread<T, F>(work: impl FnOnce() -> F + Send + 'static) -> anyhow::Result<T>
where
    T: Send + 'static,
    F: Future<Output = anyhow::Result<T>>,
{
    let unwanted = CancellationToken::new();
    let _guard = unwanted.clone().drop_guard();
    let thread = spawn_blocking(move || {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let work = async { unwanted.run_until_cancelled(work()).await };
        LocalSet::new()
            .block_on(&runtime, work)
            .context("nobody waited for the load")?
    });
    thread.await.context("the load generator ended early")?
}
