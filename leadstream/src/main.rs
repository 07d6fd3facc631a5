//! Starts the `leadstream` command: every service and tool is a subcommand.

mod chat;
mod cli;
mod crm;
mod dead_letters;
mod doctor;
mod events;
mod flow;
mod health;
mod lead;
mod local_stack;
mod migrate;
mod recover;
mod replay;
mod replies;
mod since;
mod terminal;
#[cfg(test)]
mod tests;
mod topic_reader;
mod topics;
mod up;
mod verify;

use std::process::ExitCode;

/// Services allocate for every record, on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::Cli::of_arguments() {
        Ok(cli) => cli.run(),
        Err(error) => cli::failed(&*error),
    }
}
