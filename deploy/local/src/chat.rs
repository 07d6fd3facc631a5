//! Runs `leadstream chat`: a lead's phone beside a running `leadstream up`.

mod content;
mod line;
mod seen;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use leadstream_sandbox::SandboxClient;
use leadstream_schemas::notation::international_digits;
use tokio::sync::mpsc;

use crate::phone::{Content, Phone, SendError, random_wa_id};
use crate::stack_file::StackFile;
use content::{File, Uploaded};
use line::{Action, Line};
use seen::Seen;

/// The longest time for which a message is offered to the webhook.
const SEND_WITHIN: Duration = Duration::from_secs(60);
/// The longest wait for a reply when lines come from a pipe.
const REPLY_WITHIN: Duration = Duration::from_secs(10);
/// The wait of one request to the sandbox for new messages.
const LISTEN: Duration = Duration::from_secs(20);

/// Settings of `leadstream chat`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Data folder of the running `leadstream up`
    #[arg(
        long,
        env = "LEADSTREAM_DATA_DIR",
        default_value = ".leadstream",
        value_name = "FOLDER"
    )]
    pub data_dir: PathBuf,
    /// The lead's number with country code; without it a new invented one
    #[arg(long, value_name = "NUMBER", value_parser = wa_id)]
    pub phone: Option<String>,
    /// The lead's profile name
    #[arg(long, default_value = "Johnny", value_name = "NAME")]
    pub name: String,
}

/// An event to show.
#[derive(Debug)]
pub enum Event<'a> {
    /// The person may write, as `wa_id` to the business's `number`.
    Began { wa_id: &'a str, number: &'a str },
    /// The chat waits for the next line.
    Prompt,
    /// The person sent this text.
    Lead(&'a str),
    /// The bot sent this text.
    Bot(&'a str),
    /// A note that is no message.
    Note(&'a str),
    /// The list of commands.
    Help(&'static str),
    /// The person stopped writing.
    Ended,
}

/// Receives each event when it happens.
pub type Show = dyn Fn(Event<'_>);

/// Sends each of `lines` and shows the bot's replies, until the lines end. `interactive` lines come
/// from a person, who sees replies when they arrive.
///
/// # Errors
/// Returns an error if no stack runs, if the webhook accepts no message for a minute, or if the
/// sandbox ends.
pub async fn run(
    args: Args,
    lines: mpsc::Receiver<String>,
    interactive: bool,
    show: &Show,
) -> anyhow::Result<()> {
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
    if interactive {
        conversation(phone, number, lines, show).await
    } else {
        script(phone, lines, show).await
    }
}

/// Returns the digits of a phone number in any notation.
///
/// # Errors
/// Returns what is no phone number with country code, and an example.
pub fn wa_id(text: &str) -> Result<String, String> {
    international_digits(text).ok_or_else(|| {
        "not a phone number with country code (7 to 15 digits); example: +1 555 123 4567".to_owned()
    })
}

/// Sends line by line, and waits for the reply to each.
async fn script(
    mut phone: Phone,
    mut lines: mpsc::Receiver<String>,
    show: &Show,
) -> anyhow::Result<()> {
    let mut seen = Seen::default();
    while let Some(line) = lines.recv().await {
        show(Event::Lead(&line));
        let Some(content) = read(&line, &phone, &seen, show).await? else {
            continue;
        };
        let wamid = phone.send(&content, SEND_WITHIN, resent(show)).await?;
        seen.sent(&content, wamid);
        let replies = phone.delivered(REPLY_WITHIN).await?;
        if replies.is_empty() {
            let seconds = REPLY_WITHIN.as_secs();
            show(Event::Note(&format!("no reply within {seconds} s")));
        }
        for reply in &replies {
            show(Event::Bot(&seen.receive(reply)));
        }
    }
    Ok(())
}

/// Prompts for lines, and shows replies when they arrive.
async fn conversation(
    mut phone: Phone,
    number: &str,
    mut lines: mpsc::Receiver<String>,
    show: &Show,
) -> anyhow::Result<()> {
    show(Event::Began {
        wa_id: phone.wa_id(),
        number,
    });
    show(Event::Prompt);
    let mut seen = Seen::default();
    loop {
        tokio::select! {
            line = lines.recv() => {
                let Some(line) = line else { break };
                if let Some(content) = read(&line, &phone, &seen, show).await? {
                    match phone.send(&content, SEND_WITHIN, resent(show)).await {
                        Err(error @ SendError::NotAccepted { .. }) => {
                            show(Event::Note(&error.to_string()));
                        }
                        sent => seen.sent(&content, sent?),
                    }
                }
            }
            replies = phone.delivered(LISTEN) => {
                let replies = replies
                    .context("the stack does not answer any more; has `leadstream up` ended?")
                    .inspect_err(|_| show(Event::Ended))?;
                for reply in &replies {
                    show(Event::Bot(&seen.receive(reply)));
                }
                if replies.is_empty() {
                    continue;
                }
            }
        }
        show(Event::Prompt);
    }
    show(Event::Ended);
    Ok(())
}

/// Returns the message that a line sends, if it sends one; else shows why not, or the help.
async fn read(
    line: &str,
    phone: &Phone,
    seen: &Seen,
    show: &Show,
) -> anyhow::Result<Option<Content>> {
    let action = match line::parse(line) {
        Line::Send(action) => action,
        Line::Help => {
            show(Event::Help(line::HELP));
            return Ok(None);
        }
        Line::Wrong(reason) => {
            show(Event::Note(&reason));
            return Ok(None);
        }
    };
    let uploaded = match file(&action).await {
        Ok(Some(file)) => {
            let id = phone.upload(file.mime_type, file.bytes.clone()).await?;
            Some(Uploaded { id, file })
        }
        Ok(None) => None,
        Err(reason) => {
            show(Event::Note(&reason));
            return Ok(None);
        }
    };
    match content::content(action, seen, uploaded.as_ref()) {
        Ok(content) => Ok(Some(content)),
        Err(reason) => {
            show(Event::Note(&reason));
            Ok(None)
        }
    }
}

/// Returns the file that an action sends: the named one, or a sample.
async fn file(action: &Action) -> Result<Option<File>, String> {
    match action {
        Action::File {
            path: Some(path), ..
        } => {
            let bytes = tokio::fs::read(path).await;
            let bytes = bytes.map_err(|error| format!("{path} cannot be read: {error}"))?;
            let name = Path::new(path).file_name().unwrap_or_default();
            Ok(Some(File::new(&name.to_string_lossy(), bytes)))
        }
        Action::File {
            kind, path: None, ..
        } => Ok(Some(File::sample(*kind))),
        _ => Ok(None),
    }
}

fn resent(show: &Show) -> impl Fn(&str) {
    move |why| show(Event::Note(&format!("{why}; sending it again")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_taken_in_any_notation() {
        assert_eq!(wa_id("+1 (555) 123-4567").as_deref(), Ok("15551234567"));
        assert_eq!(wa_id("4915112345678").as_deref(), Ok("4915112345678"));
        for written in [
            "0049 (0) 151 12345678",
            "tel:+49-151-12345678",
            "https://wa.me/4915112345678",
        ] {
            assert_eq!(wa_id(written).as_deref(), Ok("4915112345678"), "{written}");
        }
        for wrong in ["", "12345", "John", "1234567890123456", "+1 555 CALL"] {
            assert!(wa_id(wrong).is_err(), "{wrong}");
        }
    }
}
