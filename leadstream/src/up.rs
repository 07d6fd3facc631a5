//! `leadstream up`: everything on this machine, from servers to services, and one conversation to
//! watch.

mod args;
mod demo;
mod environment;
mod screen;
mod secrets;
mod settings;
mod site;

use std::future::pending;
use std::io::{self, IsTerminal};
use std::path::Path;

use anyhow::{Context, bail};
use leadstream_local::{Progress, Stack};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub(crate) use args::Args;
use screen::Screen;
use settings::Settings;
use site::Site;

use crate::stack_file::StackFile;
use crate::terminal::{Ink, Style, show};

/// Runs until a signal, or with `--once` until the conversation is checked.
///
/// # Errors
/// What keeps a part from running, with how to mend it; with `--once` what came out wrong.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let interrupted = interrupted()?;
    let mut settings = Settings::resolve(args)?;
    if settings.args.webhook_address.port() == 0 {
        settings.args.webhook_address = site::free(settings.args.webhook_address)?;
    }
    if !settings.args.data_dir.exists() {
        // On a first start nothing of an earlier one can hold the port: told before the downloads.
        site::free(settings.args.webhook_address)?;
    }
    let progress = Progress::stderr();
    let stack = tokio::select! {
        biased;
        () = interrupted.cancelled() => bail!("interrupted before everything was up"),
        stack = Stack::start(settings.stack_options(progress.clone())) => stack?,
    };
    let mut site = Site::new(&stack, &settings, &progress);
    let outcome = tokio::select! {
        biased;
        () = interrupted.cancelled() => None,
        error = stack.failed() => Some(Err(error.into())),
        outcome = live(&mut site, &stack, &settings) => Some(outcome),
    };
    let was_up = StackFile::path(stack.data_dir()).exists();
    let step = progress.step("end");
    step.doing("services, then servers");
    let ended = site.stop().await;
    stack.stop().await;
    step.done("everything has ended, the data is kept");
    match outcome {
        Some(outcome) => outcome.and(ended),
        None if settings.args.once => bail!("interrupted before the conversation was checked"),
        None if !was_up => bail!("interrupted before everything was up"),
        None => ended,
    }
}

/// Cancelled by Ctrl-C, SIGTERM, or the end of the terminal.
fn interrupted() -> anyhow::Result<CancellationToken> {
    let token = CancellationToken::new();
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let mut received = signal(kind).context("signals cannot be watched")?;
        let token = token.clone();
        tokio::spawn(async move {
            received.recv().await;
            token.cancel();
        });
    }
    Ok(token)
}

/// Brings everything up and keeps it so; returns when something failed, or after `--once`.
async fn live(site: &mut Site<'_>, stack: &Stack, settings: &Settings) -> anyhow::Result<()> {
    let file = Box::pin(site.start()).await?;
    let style = Style::stdout();
    if io::stderr().is_terminal() {
        // Progress leaves the cursor at the end of its last line.
        show("\n");
    }
    show(&Screen::new(stack, settings, &file).render(style));
    tokio::select! {
        biased;
        error = site.died() => Err(error.into()),
        outcome = conversation(stack, settings, &file, style) => outcome,
    }
}

/// Plays the conversation where it may be played, then waits for ever unless it was `--once`.
async fn conversation(
    stack: &Stack,
    settings: &Settings,
    file: &StackFile,
    style: Style,
) -> anyhow::Result<()> {
    let played = match &settings.no_demo {
        Some(why) => {
            show(&format!("\nNo conversation is played: {why}.\n"));
            Ok(())
        }
        None => {
            demo::run(
                &settings.args.kafka,
                file,
                &stack.data_dir().join("logs"),
                style,
            )
            .await
        }
    };
    if settings.args.once {
        return played;
    }
    if let Err(error) = played {
        let told = format!("{error:#}");
        show(&format!("\n{}\n", style.paint(Ink::Bad, &told)));
    }
    show(&screen::closing(&settings.args.data_dir, file, style));
    pending().await
}

/// The program as the user called it, so that printed commands can be copied.
fn program() -> String {
    std::env::args()
        .next()
        .unwrap_or_else(|| "leadstream".to_owned())
}

/// `--data-dir` where it is needed to find the stack again.
fn data_dir_flag(data_dir: &Path) -> String {
    if data_dir == Path::new(".leadstream") {
        String::new()
    } else {
        format!(" --data-dir {}", data_dir.display())
    }
}
