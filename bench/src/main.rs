//! Measures throughput and latency on this machine, and prints each figure with its bound.
//!
//! The services run as child processes of the `leadstream` beside this program. Two scenarios need
//! less than a service. [`workers`] runs the engine's batches in this process, without Kafka, by
//! `leadstream_processor::embedded`. `pgbench` runs the statements of those batches, which
//! [`recorder`] reads from the connection to PostgreSQL. So the engine has no code for the
//! benchmark but that entry point, which no service uses.

mod bare;
mod benchmark;
mod fold;
mod generator;
mod http;
mod machine;
mod measurement;
mod recorder;
mod report;
mod scenario;
mod site;
mod traffic;
mod workers;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use leadstream_service::lifecycle;
use tokio::runtime::Runtime;

/// The allocator of the services, because a part of the comparison runs in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Leadstream's throughput and latency on this machine.
#[derive(Debug, Parser)]
#[command(
    name = "leadstream-bench",
    version,
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    benchmark: benchmark::Args,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verify webhooks and do nothing else: what ingest is compared with
    Bare(bare::Args),
    /// Fold conversations in this process and measure the processor's time for an input
    Fold(fold::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            Some(Command::Bare(args)) => bare::run(args).await,
            Some(Command::Fold(args)) => fold::run(&args),
            None => benchmark::run(cli.benchmark).await,
        }
    });
    // A call to an unavailable Kafka may never return.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&*error),
    }
}

#[expect(clippy::print_stderr, reason = "the error of a command")]
fn failed(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    eprintln!("leadstream-bench: {}", lifecycle::chain(error));
    ExitCode::FAILURE
}
