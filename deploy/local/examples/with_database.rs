//! Runs a command with an empty PostgreSQL server beside it, whose address it finds in
//! `TEST_DATABASE_URL`. Ends with the command's exit status.
//!
//! `with_database <data folder> <command> [arguments]`

#![expect(clippy::print_stderr, reason = "a command-line program")]

use std::error::Error;
use std::process::ExitCode;

use leadstream_local::{Progress, Stack, StackOptions};
use tokio::process::Command;

#[tokio::main]
async fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(data_dir), Some(program)) = (args.next(), args.next()) else {
        eprintln!("usage: with_database <data folder> <command> [arguments]");
        return ExitCode::FAILURE;
    };
    match run(data_dir, &program, args.collect()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(
    data_dir: String,
    program: &str,
    args: Vec<String>,
) -> Result<ExitCode, Box<dyn Error>> {
    let stack = Stack::start(StackOptions {
        // What is given is not started, and nothing here talks to it.
        kafka: Some("none".to_owned()),
        schema_registry: Some("none".to_owned()),
        fresh: true,
        progress: Progress::stderr(),
        ..StackOptions::new(data_dir)
    })
    .await?;
    let url = stack.database_url();
    let child = Command::new(program)
        .args(args)
        .env("TEST_DATABASE_URL", url)
        .spawn();
    let ended = match child {
        Ok(mut child) => loop {
            tokio::select! {
                ended = child.wait() => break ended,
                // The command gets it as well, and ends first.
                _ = tokio::signal::ctrl_c() => {}
            }
        },
        Err(error) => Err(error),
    };
    stack.stop().await;
    let code = ended?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
