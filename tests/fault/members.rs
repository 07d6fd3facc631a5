//! Runs the processes under test, and restarts each one that ends, as an orchestrator does.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{bail, ensure};
use leadstream_harness::{Site, peak_bytes};
use leadstream_local::deployment::Service;
use leadstream_local::{Process, ProcessSpec};

/// The number of inputs in a lead's journal: so few that some are evicted and some come too late.
pub(crate) const JOURNAL: usize = 8;
pub(crate) const FLOW: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fault/flow.yaml");

/// The failpoints of one processor, besides the faults from outside.
const FAILPOINTS: &str = "load=error:0.002,fold=abort:0.0005,begin=error:0.001,fence=abort:0.0005,\
    write=error:0.001,write=abort:0.0005,commit=abort:0.001,committed=error:0.002,\
    publish=abort:0.001,published=error:0.001,acknowledged=abort:0.0005,forget=error:0.01,\
    takeover=abort:0.02,committed=delay:0.002";

/// The failpoints of one sink: between the rows and the offsets, the claim and the request, the answer
/// and the outcome, behind the outcome, between an end and the input about it, behind that input, and
/// between statuses and their offsets.
const SINK_FAILPOINTS: &str = "consumed=abort:0.002,consumed=error:0.002,claimed=abort:0.0002,\
    claimed=delay:0.002,claimed=error:0.005,answered=abort:0.0002,recorded=abort:0.0005,\
    recorded=error:0.001,ended=abort:0.02,ended=error:0.01,reported=abort:0.06,reported=error:0.02,\
    raised=abort:0.001,raised=error:0.002";

pub(crate) struct Member {
    name: String,
    spec: ProcessSpec,
    process: Mutex<Arc<Process>>,
}

impl Member {
    fn start(site: &Site<'_>, name: &str, spec: ProcessSpec) -> anyhow::Result<Self> {
        let process = Arc::new(site.world.stack.spawn(&spec)?);
        Ok(Self {
            name: name.to_owned(),
            spec,
            process: Mutex::new(process),
        })
    }

    pub(crate) fn process(&self) -> Arc<Process> {
        let process = self.process.lock();
        Arc::clone(&process.unwrap_or_else(PoisonError::into_inner))
    }
}

pub(crate) struct Members {
    /// The time at which the failpoints end, in seconds since 1970.
    until: u64,
    pub(crate) processors: Vec<Member>,
    pub(crate) sinks: Vec<Member>,
    pub(crate) ingest: Member,
    crashes: AtomicUsize,
}

impl Members {
    /// Starts three processors, one of which reaches Kafka through the proxy, two sinks of WhatsApp, and
    /// ingest.
    pub(crate) fn start(site: &Site<'_>, time: Duration) -> anyhow::Result<Self> {
        let until = (SystemTime::UNIX_EPOCH.elapsed()? + time).as_secs();
        let proxy = site.world.proxy.address().to_string();
        let processors = ["processor-a", "processor-b", "processor-c"]
            .iter()
            .map(|name| {
                let spec = processor(site, name, until);
                let spec = match *name {
                    "processor-c" => spec.env("KAFKA_BOOTSTRAP_SERVERS", &proxy),
                    _ => spec,
                };
                Member::start(site, name, spec)
            })
            .collect::<anyhow::Result<_>>()?;
        let sinks = ["sink-whatsapp-a", "sink-whatsapp-b"]
            .iter()
            .map(|name| Member::start(site, name, sink(site, name, until)))
            .collect::<anyhow::Result<_>>()?;
        let ingest = service(site, Service::Ingest, "ingest");
        Ok(Self {
            until,
            processors,
            sinks,
            ingest: Member::start(site, "ingest", ingest)?,
            crashes: AtomicUsize::new(0),
        })
    }

    /// Restarts each process that ended by a signal, or successfully. Returns an error when one gives
    /// up by itself.
    pub(crate) async fn supervise(&self, site: &Site<'_>) -> anyhow::Result<()> {
        let all = self.all();
        futures::future::try_join_all(all.map(|member| self.keep_running(site, member))).await?;
        bail!("nothing is left to supervise")
    }

    fn all(&self) -> impl Iterator<Item = &Member> {
        let sinks = self.processors.iter().chain(&self.sinks);
        sinks.chain([&self.ingest])
    }

    async fn keep_running(&self, site: &Site<'_>, member: &Member) -> anyhow::Result<()> {
        loop {
            let process = member.process();
            let status = process.wait().await;
            if !(status.success() || stopped_too_late(&process)) {
                crashed(&member.name, &process, status)?;
            }
            self.crashes.fetch_add(1, Ordering::Relaxed);
            let next = Arc::new(site.world.stack.spawn(&member.spec)?);
            *member
                .process
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = next;
        }
    }

    /// Returns how to run one more processor.
    pub(crate) fn guest(&self, site: &Site<'_>) -> ProcessSpec {
        processor(site, "guest", self.until)
    }

    /// Returns how often a signal ended a process.
    pub(crate) fn crashes(&self) -> usize {
        self.crashes.load(Ordering::Relaxed)
    }

    /// Returns the peak memory of any processor since its start.
    pub(crate) fn peak_bytes(&self) -> anyhow::Result<u64> {
        let mut peak = 0;
        for member in &self.processors {
            peak = peak.max(peak_bytes(&member.process())?);
        }
        Ok(peak)
    }

    /// Stops all processes gracefully.
    pub(crate) async fn stop(&self) -> anyhow::Result<()> {
        for member in self.all() {
            let process = member.process();
            let status = process.stop().await;
            ensure!(
                status.success() || crashed(&member.name, &process, status).is_ok(),
                "{} ended with {status}: {}",
                member.name,
                process.log_tail()
            );
        }
        Ok(())
    }
}

fn processor(site: &Site<'_>, name: &str, until: u64) -> ProcessSpec {
    service(site, Service::Processor, name)
        .env("PROCESSOR_JOURNAL_LENGTH", JOURNAL.to_string())
        .env("PROCESSOR_PUBLISH_FLOW_FILE", FLOW)
        .env("LEADSTREAM_FAILPOINTS", FAILPOINTS)
        .env("LEADSTREAM_FAILPOINTS_UNTIL", until.to_string())
}

fn sink(site: &Site<'_>, name: &str, until: u64) -> ProcessSpec {
    service(site, Service::SinkWhatsapp, name)
        .env("SINK_WHATSAPP_REQUEST_TIMEOUT", "2s")
        .env("LEADSTREAM_FAILPOINTS", SINK_FAILPOINTS)
        .env("LEADSTREAM_FAILPOINTS_UNTIL", until.to_string())
        .grace(Duration::from_secs(40))
}

fn service(site: &Site<'_>, service: Service, name: &str) -> ProcessSpec {
    let any_port = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
    let name = format!("{}-{name}", site.name);
    site.deployment.service(service, &name, any_port)
}

/// Returns whether a process had to stop while its work needed a server that was unavailable.
pub(crate) fn stopped_too_late(process: &Process) -> bool {
    process.log_tail().contains("did not finish within")
}

/// # Errors
/// Returns an error if no signal ended the process. SIGTERM ends a process that has only just
/// begun.
pub(crate) fn crashed(name: &str, process: &Process, status: ExitStatus) -> anyhow::Result<()> {
    if matches!(status.signal(), Some(6 | 9 | 15)) {
        return Ok(());
    }
    bail!("{name} gave up with {status}: {}", process.log_tail())
}
