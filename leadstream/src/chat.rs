//! `leadstream chat`: the terminal is a lead's phone.

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use leadstream_sandbox::{SandboxClient, SentMessage};
use tokio::sync::mpsc;

use crate::phone::{Phone, SendError, random_wa_id};
use crate::stack_file::StackFile;
use crate::terminal::{Ink, Style, show, wrap};

/// How long a message is offered to the webhook.
const SEND_WITHIN: Duration = Duration::from_secs(60);
/// How long a reply is waited for when lines come from a pipe.
const REPLY_WITHIN: Duration = Duration::from_secs(10);
/// One question to the sandbox for new messages.
const LISTEN: Duration = Duration::from_secs(20);

/// Settings of `leadstream chat`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Data folder of the running `leadstream up`
    #[arg(
        long,
        env = "LEADSTREAM_DATA",
        default_value = ".leadstream",
        value_name = "FOLDER"
    )]
    pub(crate) data_dir: PathBuf,
    /// The lead's number with country code; without it a new made-up one
    #[arg(long, value_name = "NUMBER", value_parser = wa_id)]
    pub(crate) phone: Option<String>,
    /// The lead's profile name
    #[arg(long, default_value = "Johnny", value_name = "NAME")]
    pub(crate) name: String,
}

/// Sends each line of standard input and prints what the bot answers, until the input ends.
///
/// # Errors
/// No running stack; a webhook that refuses, or takes nothing for a minute; an ended sandbox.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let file = StackFile::find(&args.data_dir)?;
    let (Some(number), Some(sandbox)) = (&file.phone_number_id, &file.sandbox) else {
        bail!(
            "this stack sends to the real WhatsApp: write to your business number from a phone instead"
        );
    };
    let wa_id = args.phone.unwrap_or_else(random_wa_id);
    let phone = Phone::new(
        &file.webhooks.whatsapp,
        &file.meta_app_secret,
        number,
        SandboxClient::new(sandbox)?,
        wa_id,
        &args.name,
    )
    .await?;
    let style = Style::stdout();
    if io::stdin().is_terminal() {
        interactive(phone, number, style).await
    } else {
        piped(phone, style).await
    }
}

/// Digits of a phone number in any notation.
fn wa_id(text: &str) -> Result<String, String> {
    let digits: String = text
        .chars()
        .filter(|character| !matches!(character, '+' | ' ' | '-' | '(' | ')' | '.' | '/'))
        .collect();
    let valid = (7..=15).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
    valid.then_some(digits).ok_or_else(|| {
        "not a phone number with country code (7 to 15 digits); example: +1 555 123 4567".to_owned()
    })
}

/// Sends line by line; each one's reply is waited for before the next.
async fn piped(mut phone: Phone, style: Style) -> anyhow::Result<()> {
    let mut lines = lines();
    while let Some(line) = lines.recv().await {
        show(&said(Ink::Lead, "lead", &line, style));
        phone.send(&line, SEND_WITHIN, told(style)).await?;
        let replies = phone.delivered(REPLY_WITHIN).await?;
        if replies.is_empty() {
            let seconds = REPLY_WITHIN.as_secs();
            show(&note(&format!("no reply within {seconds} s"), style));
        }
        for reply in replies {
            show(&said(Ink::Bot, "bot", &text_of(&reply), style));
        }
    }
    Ok(())
}

/// Prompts for lines; replies are printed whenever they come.
async fn interactive(mut phone: Phone, number: &str, style: Style) -> anyhow::Result<()> {
    let wa_id = phone.wa_id().to_owned();
    show(&note(
        &format!("you are {wa_id}, writing to {number}; Ctrl-D ends, --phone {wa_id} goes on"),
        style,
    ));
    let prompt = style.paint(Ink::Lead, "lead  ");
    show(&prompt);
    let mut lines = lines();
    loop {
        tokio::select! {
            line = lines.recv() => {
                let Some(line) = line else { break };
                match phone.send(&line, SEND_WITHIN, told(style)).await {
                    Err(error @ SendError::NotTaken { .. }) => {
                        show(&note(&error.to_string(), style));
                    }
                    sent => sent?,
                }
            }
            replies = phone.delivered(LISTEN) => {
                let replies = replies
                    .context("the stack does not answer any more; has `leadstream up` ended?")
                    .inspect_err(|_| show("\n"))?;
                for reply in &replies {
                    // Over the prompt, which then follows anew.
                    let text = said(Ink::Bot, "bot", &text_of(reply), style);
                    show(&format!("\r{text}"));
                }
                if replies.is_empty() {
                    continue;
                }
            }
        }
        show(&prompt);
    }
    show("\n");
    Ok(())
}

/// Lines of standard input that are not blank. Read on a thread of its own, because reading cannot
/// be cancelled and would keep the program from ending.
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

fn told(style: Style) -> impl Fn(&str) {
    move |why| show(&note(&format!("{why}; sending it again"), style))
}

fn text_of(message: &SentMessage) -> String {
    let without = || format!("(a message of type {})", message.kind);
    message.text.clone().unwrap_or_else(without)
}

fn said(ink: Ink, who: &str, text: &str, style: Style) -> String {
    let who = style.paint(ink, &format!("{who:<6}"));
    format!("{who}{}\n", wrap(text, 6))
}

fn note(text: &str, style: Style) -> String {
    let text = wrap(&format!("({text})"), 6);
    format!("      {}\n", style.paint(Ink::Faint, &text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_taken_in_any_notation() {
        assert_eq!(wa_id("+1 (555) 123-4567").as_deref(), Ok("15551234567"));
        assert_eq!(wa_id("4915112345678").as_deref(), Ok("4915112345678"));
        for wrong in ["", "12345", "John", "1234567890123456", "+1 555 CALL"] {
            assert!(wa_id(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_long_answer_goes_on_below_itself() {
        let text = said(Ink::Bot, "bot", &"word ".repeat(30), Style::PLAIN);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("bot   word"));
        assert!(lines[1].starts_with("      word"));
        assert!(lines.iter().all(|line| line.chars().count() <= 80));
    }
}
