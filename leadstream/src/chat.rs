//! Runs `leadstream chat`: the terminal is a lead's phone.

use std::io::{self, BufRead, IsTerminal};

use leadstream_local::chat::{self, Args, Event};
use tokio::sync::mpsc;

use crate::terminal::{Ink, Style, show, wrap};

/// Sends each line of standard input and prints the bot's replies, until the input ends.
///
/// # Errors
/// Returns an error if no stack runs, if the webhook refuses or accepts nothing for a minute, or if
/// the sandbox ends.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let (style, interactive) = (Style::stdout(), io::stdin().is_terminal());
    let print = move |event: Event<'_>| show(&text(&event, interactive, style));
    chat::run(args, lines(), interactive, &print).await
}

fn text(event: &Event<'_>, interactive: bool, style: Style) -> String {
    match event {
        Event::Began { wa_id, number } => {
            let text = format!(
                "you are {wa_id}, writing to {number}; /help lists what there is beside text; Ctrl-D ends, --phone {wa_id} goes on"
            );
            note(&text, style)
        }
        Event::Prompt => style.paint(Ink::Lead, "lead  "),
        Event::Lead(line) => speech(Ink::Lead, "lead", line, style),
        Event::Bot(reply) => {
            // Overwrites the prompt, which is then printed again.
            let over = if interactive { "\r" } else { "" };
            format!("{over}{}", speech(Ink::Bot, "bot", reply, style))
        }
        Event::Note(text) => note(text, style),
        Event::Help(text) => (*text).to_owned(),
        Event::Ended => "\n".to_owned(),
    }
}

/// Reads the lines of standard input that are not blank. Uses its own thread, because reading
/// cannot be cancelled and would keep the program from ending.
fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let lines = io::stdin().lock().lines().map_while(Result::ok);
        for line in lines.filter(|line| !line.trim().is_empty()) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn speech(ink: Ink, who: &str, text: &str, style: Style) -> String {
    let who = style.paint(ink, &format!("{who:<6}"));
    let lines: Vec<String> = text.lines().map(|line| wrap(line, 6)).collect();
    let text = lines.join("\n      ").replace("\n      \n", "\n\n");
    format!("{who}{text}\n")
}

fn note(text: &str, style: Style) -> String {
    let text = wrap(&format!("({text})"), 6);
    format!("      {}\n", style.paint(Ink::Faint, &text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reply_is_indented_on_its_next_lines() {
        let text = speech(Ink::Bot, "bot", &"word ".repeat(30), Style::PLAIN);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("bot   word"));
        assert!(lines[1].starts_with("      word"));
        assert!(lines.iter().all(|line| line.chars().count() <= 80));
        let options = speech(Ink::Bot, "bot", "Which?\n\n[1] A\n[2] B", Style::PLAIN);
        assert_eq!(options, "bot   Which?\n\n      [1] A\n      [2] B\n");
    }
}
