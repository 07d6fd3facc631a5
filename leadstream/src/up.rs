//! Runs `leadstream up`: shows what the local environment does.

mod conversation;
mod screen;

use std::io::{self, IsTerminal};

use leadstream_local::up::{self, Args, Event};

use screen::Screen;

use crate::terminal::{Ink, Style, show};

/// Runs until a signal, or with `--once` until the conversation is checked.
///
/// # Errors
/// Returns the reason why a part cannot run, with the remedy; with `--once` also a wrong result.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let style = Style::stdout();
    up::run(args, &move |event| show(&text(event, style))).await
}

fn text(event: Event<'_>, style: Style) -> String {
    match event {
        Event::Up(overview) => {
            // Progress leaves the cursor at the end of its last line.
            let end = if io::stderr().is_terminal() { "\n" } else { "" };
            format!("{end}{}", Screen(overview).render(style))
        }
        Event::NotPlayed(why) => format!("\nNo conversation is played: {why}.\n"),
        Event::Began { wa_id, number } => conversation::opening(wa_id, number, style),
        Event::Observed(seen) => conversation::line(&seen, style),
        Event::Checked => conversation::checked(style),
        Event::ServiceEnded {
            name,
            status,
            log,
            pause,
        } => {
            let log = log.display();
            let seconds = pause.as_secs();
            let said =
                format!("{name} ended ({status}) and starts again in {seconds} s; its log: {log}");
            format!("\n{}\n", style.paint(Ink::Bad, &said))
        }
        Event::ServiceRestarted { name } => {
            format!(
                "{}\n",
                style.paint(Ink::Good, &format!("{name} is ready again"))
            )
        }
        Event::Failed(error) => {
            let reason = format!("{error:#}");
            format!("\n{}\n", style.paint(Ink::Bad, &reason))
        }
        Event::Waiting { data_dir, file } => screen::closing(data_dir, file, style),
    }
}
