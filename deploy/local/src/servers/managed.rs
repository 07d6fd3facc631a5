//! Manages one server of the stack: its command, its readiness and its process.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use reqwest::Client;
use tokio::{sync::Mutex, time::sleep};

use crate::error::LocalError;
use crate::process::Process;
use crate::process::spec::ProcessSpec;
use crate::server::Server;
use crate::servers::access::Access;
use crate::servers::data_dir::DataDir;
use crate::servers::kafka;
use crate::servers::postgres;
use crate::servers::registry;

const ORPHANS_RETRY: Duration = Duration::from_millis(200);

/// The way to check whether a server is ready.
#[derive(Clone)]
pub(crate) enum Probe {
    Kafka { port: u16 },
    SchemaRegistry { client: Client, url: String },
    Postgres(Access),
}

impl Probe {
    pub(crate) fn schema_registry(url: String) -> Self {
        // Loopback is reached without the environment's proxy.
        let client = Client::builder().no_proxy().build().unwrap_or_default();
        Self::SchemaRegistry { client, url }
    }

    fn server(&self) -> Server {
        match self {
            Self::Kafka { .. } => Server::Kafka,
            Self::SchemaRegistry { .. } => Server::SchemaRegistry,
            Self::Postgres(_) => Server::Postgres,
        }
    }

    fn ready_within(&self) -> Duration {
        match self {
            Self::Kafka { .. } => kafka::READY_WITHIN,
            Self::SchemaRegistry { .. } => registry::READY_WITHIN,
            Self::Postgres(_) => postgres::READY_WITHIN,
        }
    }

    async fn ask(&self) -> Result<(), String> {
        match self {
            Self::Kafka { port } => kafka::probe(*port).await.map_err(|e| e.to_string()),
            Self::SchemaRegistry { client, url } => registry::probe(client, url)
                .await
                .map_err(|e| e.to_string()),
            Self::Postgres(access) => access.probe().await.map_err(|e| e.to_string()),
        }
    }
}

/// A server that this stack started and can restart at the same address.
pub(crate) struct Managed {
    spec: ProcessSpec,
    probe: Probe,
    logs: PathBuf,
    pids: PathBuf,
    process: Mutex<Process>,
}

impl fmt::Debug for Managed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Managed")
            .field("spec", &self.spec)
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

impl Managed {
    /// Starts the server. Returns when it is ready.
    pub(crate) async fn start(
        dir: &DataDir,
        spec: ProcessSpec,
        probe: Probe,
    ) -> Result<Self, LocalError> {
        let (logs, pids) = (dir.logs(), dir.pids());
        let process = launch(&spec, &probe, &logs, &pids).await?;
        Ok(Self {
            spec,
            probe,
            logs,
            pids,
            process: Mutex::new(process),
        })
    }

    pub(crate) fn server(&self) -> Server {
        self.probe.server()
    }

    pub(crate) async fn pid(&self) -> i32 {
        self.process.lock().await.pid()
    }

    pub(crate) async fn stop(&self) {
        self.process.lock().await.stop().await;
    }

    pub(crate) async fn kill(&self) {
        self.process.lock().await.kill().await;
    }

    pub(crate) async fn pause(&self) {
        self.process.lock().await.pause();
    }

    pub(crate) async fn resume(&self) {
        self.process.lock().await.resume();
    }

    /// Restarts the server at the same address.
    pub(crate) async fn restart(&self) -> Result<(), LocalError> {
        let mut process = self.process.lock().await;
        process.stop().await;
        *process = launch(&self.spec, &self.probe, &self.logs, &self.pids).await?;
        Ok(())
    }

    /// Waits until the current process ends. The error describes it with its last lines.
    pub(crate) async fn died(&self) -> LocalError {
        // The wait holds no lock, so that the server can be stopped meanwhile.
        let ended = self.process.lock().await.wait();
        let status = ended.await;
        let process = self.process.lock().await;
        LocalError::Died {
            name: self.server().name().to_owned(),
            status,
            log: process.log().to_owned(),
            tail: process.log_tail(),
        }
    }
}

async fn launch(
    spec: &ProcessSpec,
    probe: &Probe,
    logs: &Path,
    pids: &Path,
) -> Result<Process, LocalError> {
    let within = probe.ready_within();
    let began = Instant::now();
    loop {
        let process = Process::spawn(spec, logs, pids)?;
        match process.ready(within, || probe.ask()).await {
            Ok(()) => return Ok(process),
            Err(LocalError::Exited { tail, .. })
                if tail.contains(postgres::ORPHANS) && began.elapsed() < within =>
            {
                sleep(ORPHANS_RETRY).await;
            }
            Err(error) => return Err(error),
        }
    }
}
