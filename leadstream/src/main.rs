//! The `leadstream` command: every service and tool is a subcommand.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    leadstream::cli::Cli::parse().run()
}
