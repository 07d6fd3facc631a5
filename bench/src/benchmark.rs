//! Runs the benchmark: starts servers, runs the scenarios on them, prints the figures.
//!
//! Each round runs all scenarios in turn, so that a machine that becomes slower affects all of
//! them.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the output of a command"
)]

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use leadstream_local::{Progress, Stack, StackOptions};
use leadstream_schemas::Topic;
use leadstream_schemas::registry::{Registry, RegistryAuth, RegistryConfig, SchemaIds};
use tokio::signal::unix::{SignalKind, signal};

use crate::machine::Machine;
use crate::measurement::Sample;
use crate::report::{self, Report};
use crate::scenario::{Load, Scenario};
use crate::site::{self, Servers};
use crate::traffic;

/// Times that all inputs are worked off before anything is measured.
const DRAINS: usize = 3;

/// Settings of the benchmark.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of the servers that are started for it; their data in it is removed first
    #[arg(long, default_value = ".leadstream-bench", value_name = "PATH")]
    data_dir: PathBuf,
    /// Number of rounds
    #[arg(long, default_value = "3", value_name = "COUNT")]
    rounds: NonZeroUsize,
    /// Webhooks that ingest takes as fast as it can
    #[arg(long, default_value = "60000", value_name = "COUNT")]
    messages: NonZeroUsize,
    /// Inputs that are worked off as fast as can be
    #[arg(long, default_value = "300000", value_name = "COUNT")]
    inputs: NonZeroUsize,
    /// Leads that write them; by default a third, so that each completes one conversation
    #[arg(long, value_name = "COUNT")]
    leads: Option<NonZeroUsize>,
    /// Inputs a second of steady load on the processor alone
    #[arg(long, default_value = "1000", value_name = "COUNT")]
    input_rate: NonZeroUsize,
    /// Seconds of steady load
    #[arg(long, default_value = "20", value_name = "SECONDS")]
    seconds: NonZeroUsize,
    /// Webhooks a second of steady load
    #[arg(long, default_value = "500", value_name = "COUNT")]
    rate: NonZeroUsize,
    /// Webhooks a second of steady load where ingest is alone. By default the full speed at which
    /// Meta calls for a number that sends 1,000 messages a second
    #[arg(long, default_value = "3300", value_name = "COUNT")]
    ingest_rate: NonZeroUsize,
    /// Factor of a burst over the ingest rate
    #[arg(long, default_value = "10", value_name = "FACTOR")]
    burst_factor: NonZeroUsize,
    /// Minutes of the soak
    #[arg(long, default_value = "10", value_name = "MINUTES")]
    soak_minutes: NonZeroUsize,
    /// Changed leads that sink-crm brings to the CRMs
    #[arg(long, default_value = "100000", value_name = "COUNT")]
    crm_leads: NonZeroUsize,
    /// Changed leads a second of steady load on sink-crm
    #[arg(long, default_value = "100", value_name = "COUNT")]
    crm_rate: NonZeroUsize,
    /// The leadstream whose services are measured; by default the one beside this program. So two
    /// versions can be measured in turn by the same benchmark
    #[arg(long, value_name = "PATH")]
    services: Option<PathBuf>,
    /// Scenarios, separated by commas; by default all but soak, crm and due
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SCENARIO,…")]
    scenarios: Vec<Scenario>,
    /// Print JSON with every sample instead of a table
    #[arg(long)]
    json: bool,
}

impl Args {
    fn load(&self) -> Load {
        let inputs = self.inputs.get();
        let leads = self.leads.map_or(inputs.div_ceil(3), NonZeroUsize::get);
        Load {
            messages: self.messages.get(),
            inputs,
            leads: leads.min(inputs),
            input_rate: self.input_rate.get(),
            rate: self.rate.get(),
            seconds: self.seconds.get(),
            ingest_rate: self.ingest_rate.get(),
            burst_factor: self.burst_factor.get(),
            soak_minutes: self.soak_minutes.get(),
            crm_leads: self.crm_leads.get(),
            crm_rate: self.crm_rate.get(),
        }
    }

    /// Returns the program whose services are measured.
    fn services(&self) -> anyhow::Result<PathBuf> {
        let path = match &self.services {
            Some(path) => path.clone(),
            None => std::env::current_exe()
                .context("the path of this program")?
                .with_file_name("leadstream"),
        };
        ensure!(
            path.is_file(),
            "{} does not exist: build it with `cargo build --release --package leadstream`, or name another leadstream with --services",
            path.display()
        );
        Ok(path)
    }

    fn scenarios(&self) -> Vec<Scenario> {
        let named: &[Scenario] = if self.scenarios.is_empty() {
            &Scenario::ALL
        } else {
            &self.scenarios
        };
        named.iter().flat_map(|name| name.members()).collect()
    }
}

/// # Errors
/// Returns an error if `leadstream` is missing, servers do not start, a service fails, or on an
/// interruption. No process keeps running.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let machine = Machine::here();
    if machine.build == "debug" {
        eprintln!(
            "WARNING: this is a debug build, several times slower than a release build: its figures say nothing. Use `make bench`."
        );
    }
    let services = args.services()?;
    let progress = Progress::stderr();
    let starting = Stack::start(StackOptions {
        fresh: true,
        progress: progress.clone(),
        ..StackOptions::new(&args.data_dir)
    });
    let stack = tokio::select! {
        stack = starting => stack?,
        // Dropping the start ends what it has started so far.
        error = interrupted() => return Err(error),
    };
    let outcome = tokio::select! {
        outcome = Box::pin(measure(&stack, &services, &args, &progress)) => outcome,
        error = stack.failed() => Err(error.into()),
        error = interrupted() => Err(error),
    };
    stack.stop().await;
    let (samples, notes) = outcome?;
    let report = Report {
        machine,
        load: describe(&args),
        figures: report::rows(&samples),
        notes,
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.text());
    }
    Ok(())
}

/// Returns the samples and the notes.
async fn measure(
    stack: &Stack,
    services: &Path,
    args: &Args,
    progress: &Progress,
) -> anyhow::Result<(Vec<Sample>, Vec<String>)> {
    let servers = Servers::new(stack, services.to_owned(), schema_ids(stack).await?);
    let load = args.load();
    let step = progress.step("warm-up");
    warm_up(&servers, args, &load).await?;
    step.done("the broker has seen load");
    let mut samples = Vec::new();
    for round in 1..=args.rounds.get() {
        for scenario in args.scenarios() {
            let name = format!("{}-{round}", scenario.name());
            let step = progress.step(name.clone());
            let measured = scenario
                .run(&servers, &name, &load)
                .await
                .with_context(|| format!("scenario {}, round {round}", scenario.name()))?;
            step.done(&summary(&measured));
            samples.extend(measured);
        }
    }
    Ok((samples, servers.notes()))
}

/// Warms the broker up. A new broker is slow until its code is compiled, and the compilation takes
/// processor time from the processors. During the first million records its share of an input
/// halves twice.
async fn warm_up(servers: &Servers<'_>, args: &Args, load: &Load) -> anyhow::Result<()> {
    Scenario::Producer.run(servers, "warm-up", load).await?;
    let scenarios = args.scenarios();
    if scenarios.iter().any(|it| it.is_engine()) {
        for drain in 1..=DRAINS {
            let name = format!("warm-up-processor-{drain}");
            Scenario::Processor.run(servers, &name, load).await?;
        }
    }
    if scenarios.iter().any(|it| it.is_ingest()) {
        let name = "warm-up-webhooks";
        Scenario::Webhooks.run(servers, name, load).await?;
    }
    Ok(())
}

fn summary(measured: &[Sample]) -> String {
    let figures = measured.iter().map(|sample| {
        let spec = sample.figure.spec();
        format!(
            "{} {} ({})",
            report::number(sample.value),
            spec.unit,
            spec.name
        )
    });
    figures.collect::<Vec<_>>().join(", ")
}

fn describe(args: &Args) -> String {
    let load = args.load();
    format!(
        "rounds: {}; throughput: {} webhooks of {} bytes, {} inputs of {} leads; latency: {} webhooks/s for {} s; processor alone: {} inputs/s for {} s; ingest alone: {} webhooks/s for {} s, a burst of {} times as many, a soak of {} min; CRMs: {} leads, {}/s for {} s; partitions: {}",
        args.rounds,
        load.messages,
        traffic::WEBHOOK_BYTES,
        load.inputs,
        load.leads,
        load.rate,
        load.seconds,
        load.input_rate,
        load.seconds,
        load.ingest_rate,
        load.seconds,
        load.burst_factor,
        load.soak_minutes,
        load.crm_leads,
        load.crm_rate,
        load.seconds,
        site::PARTITIONS,
    )
}

async fn schema_ids(stack: &Stack) -> anyhow::Result<SchemaIds> {
    let registry = Registry::new(&RegistryConfig {
        urls: vec![stack.schema_registry().parse()?],
        auth: RegistryAuth::None,
        timeout: Duration::from_secs(10),
        ids_file: None,
    })?;
    Ok(registry.resolve("bench.", &Topic::ALL).await?)
}

/// Resolves on Ctrl-C or SIGTERM.
async fn interrupted() -> anyhow::Error {
    match interruption().await {
        Ok(()) => anyhow!("interrupted before everything was measured"),
        Err(error) => anyhow::Error::new(error).context("signals cannot be watched"),
    }
}

pub(super) async fn interruption() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
