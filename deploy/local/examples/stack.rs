//! Starts the local stack, prints its addresses, and keeps it up until Ctrl-C.
//!
//! `cargo run -p leadstream-local --example stack -- [data folder]`

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program"
)]

use std::{error::Error, process::ExitCode};

use leadstream_local::{LocalError, Progress, Stack, StackOptions};

#[tokio::main]
async fn main() -> ExitCode {
    let data_dir = std::env::args().nth(1).unwrap_or(".leadstream".to_owned());
    match run(data_dir).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            if let Some(cause) = error.source() {
                eprintln!("  {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(data_dir: String) -> Result<(), LocalError> {
    let options = StackOptions {
        progress: Progress::stderr(),
        ..StackOptions::new(data_dir)
    };
    let stack = tokio::select! {
        stack = Stack::start(options) => stack?,
        // Dropping the start kills what it has started so far.
        _ = tokio::signal::ctrl_c() => return Ok(()),
    };
    println!("kafka            {}", stack.kafka());
    println!("schema registry  {}", stack.schema_registry());
    println!("database         {}", stack.database_url());
    println!("data and logs    {}", stack.data_dir().display());
    let failure = tokio::select! {
        error = stack.failed() => Err(error),
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    stack.stop().await;
    failure
}
