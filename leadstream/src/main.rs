//! Starts the `leadstream` command: every service and tool is a subcommand.

mod chat;
mod cli;
mod crm;
mod dead_letters;
mod flow;
mod lead;
#[cfg(test)]
mod metrics_reference;
mod migrate;
mod recover;
#[cfg(test)]
mod reference;
mod terminal;
mod topic_reader;
mod topics;
mod up;

use std::process::ExitCode;

use clap::Parser;

/// Services allocate for every record, on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::Cli::parse().run()
}
