//! The `leadstream` command: every service and tool is a subcommand.

use std::process::ExitCode;

use clap::Parser;

/// Services allocate for every record, on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    leadstream::cli::Cli::parse().run()
}
