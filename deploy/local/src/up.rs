//! Runs `leadstream up`: everything on this machine, from servers to services, and one conversation
//! to watch.

mod args;
mod demo;
mod environment;
mod event;
mod restart;
mod secrets;
mod settings;
mod site;
mod tool_settings;

use std::future::pending;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub use args::Args;
pub use event::{Event, Label, Observation, Overview, Show};
use settings::Settings;
use site::Site;

use crate::stack_file::StackFile;
use crate::{Progress, Stack, env_file};

/// Runs until a signal, or with `--once` until the conversation is checked.
///
/// # Errors
/// Returns the reason why a part cannot run, with the remedy; with `--once` also a wrong result.
pub async fn run(args: Args, show: &Show) -> anyhow::Result<()> {
    if let Some(file) = std::env::var_os(env_file::READ_FROM) {
        bail!(
            "this shell has the settings of {}, so its servers would count as your own: run `leadstream up` in another shell",
            file.display()
        );
    }
    let interrupted = interrupted()?;
    let mut settings = Settings::resolve(args)?;
    if settings.args.ingest_address.port() == 0 {
        settings.args.ingest_address = site::free(settings.args.ingest_address)?;
    }
    if !settings.args.data_dir.exists() {
        // On a first start nothing of an earlier one can hold the port: told before the downloads.
        site::free(settings.args.ingest_address)?;
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
        outcome = live(&mut site, &stack, &settings, show) => Some(outcome),
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

/// Returns a token that Ctrl-C, SIGTERM, or the end of the terminal cancels.
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

/// Starts everything and supervises it. Returns when a part fails, or after `--once`.
async fn live(
    site: &mut Site<'_>,
    stack: &Stack,
    settings: &Settings,
    show: &Show,
) -> anyhow::Result<()> {
    let file = Box::pin(site.start()).await?;
    show(Event::Up(overview(settings, &file)));
    tokio::select! {
        biased;
        error = site.supervise(show) => Err(error),
        outcome = conversation(stack, settings, &file, show) => outcome,
    }
}

/// Plays the conversation if possible, then waits for the end of the run, unless it was `--once`.
async fn conversation(
    stack: &Stack,
    settings: &Settings,
    file: &StackFile,
    show: &Show,
) -> anyhow::Result<()> {
    let played = match &settings.no_demo {
        Some(why) => {
            show(Event::NotPlayed(why));
            Ok(())
        }
        None => {
            demo::run(
                &settings.args.kafka,
                file,
                &stack.data_dir().join("logs"),
                show,
            )
            .await
        }
    };
    if settings.args.once {
        return played;
    }
    if let Err(error) = played {
        show(Event::Failed(&error));
    }
    show(Event::Waiting {
        data_dir: &settings.args.data_dir,
        file,
    });
    pending().await
}

fn overview<'a>(settings: &'a Settings, file: &'a StackFile) -> Overview<'a> {
    Overview {
        file,
        data_dir: &settings.args.data_dir,
        stand_ins: settings.real.stand_ins(),
    }
}
