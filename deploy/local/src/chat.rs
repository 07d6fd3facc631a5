//! Runs `leadstream chat`: a lead's phone beside a running `leadstream up`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use leadstream_sandbox::{SandboxClient, SentMessage};
use tokio::sync::mpsc;

use crate::phone::{Phone, SendError, random_wa_id};
use crate::stack_file::StackFile;

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

/// Sends line by line, and waits for the reply to each.
async fn script(
    mut phone: Phone,
    mut lines: mpsc::Receiver<String>,
    show: &Show,
) -> anyhow::Result<()> {
    while let Some(line) = lines.recv().await {
        show(Event::Lead(&line));
        phone.send(&line, SEND_WITHIN, resent(show)).await?;
        let replies = phone.delivered(REPLY_WITHIN).await?;
        if replies.is_empty() {
            let seconds = REPLY_WITHIN.as_secs();
            show(Event::Note(&format!("no reply within {seconds} s")));
        }
        for reply in &replies {
            show(Event::Bot(&text_of(reply)));
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
    loop {
        tokio::select! {
            line = lines.recv() => {
                let Some(line) = line else { break };
                match phone.send(&line, SEND_WITHIN, resent(show)).await {
                    Err(error @ SendError::NotAccepted { .. }) => {
                        show(Event::Note(&error.to_string()));
                    }
                    sent => sent?,
                }
            }
            replies = phone.delivered(LISTEN) => {
                let replies = replies
                    .context("the stack does not answer any more; has `leadstream up` ended?")
                    .inspect_err(|_| show(Event::Ended))?;
                for reply in &replies {
                    show(Event::Bot(&text_of(reply)));
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

fn resent(show: &Show) -> impl Fn(&str) {
    move |why| show(Event::Note(&format!("{why}; sending it again")))
}

fn text_of(message: &SentMessage) -> String {
    let without = || format!("(a message of type {})", message.kind);
    let text = message.text.clone().unwrap_or_else(without);
    let payload = &message.payload;
    let header = &payload["interactive"]["header"]["image"]["link"];
    let image = payload["image"]["link"].as_str().or(header.as_str());
    let image = image.map(|image| format!("[image] {image}"));
    let parameters = &payload["interactive"]["action"]["parameters"];
    let link = parameters["url"].as_str().map(|url| {
        let title = parameters["display_text"].as_str().unwrap_or_default();
        format!("[{title}] {url}")
    });
    let parts: Vec<String> = image.into_iter().chain([text]).chain(link).collect();
    parts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_shows_its_image_and_link() {
        let message = |payload: serde_json::Value| SentMessage {
            seq: 1,
            phone_number_id: "1".into(),
            to: "2".into(),
            kind: "interactive".into(),
            text: Some("Choose".into()),
            biz_opaque_callback_data: None,
            wamid: "wamid.1".into(),
            received_at: chrono::DateTime::UNIX_EPOCH,
            payload,
        };
        let image = serde_json::json!({ "link": "https://a.example/a.png" });
        let parameters =
            serde_json::json!({ "display_text": "Open", "url": "https://a.example/b" });
        let headed = serde_json::json!({
            "interactive": { "header": { "image": image }, "action": { "parameters": parameters } },
        });
        assert_eq!(
            text_of(&message(headed)),
            "[image] https://a.example/a.png\n\nChoose\n\n[Open] https://a.example/b"
        );
        let alone = text_of(&message(serde_json::json!({ "image": image })));
        assert_eq!(alone, "[image] https://a.example/a.png\n\nChoose");
        assert_eq!(text_of(&message(serde_json::Value::Null)), "Choose");
    }

    #[test]
    fn a_number_is_taken_in_any_notation() {
        assert_eq!(wa_id("+1 (555) 123-4567").as_deref(), Ok("15551234567"));
        assert_eq!(wa_id("4915112345678").as_deref(), Ok("4915112345678"));
        for wrong in ["", "12345", "John", "1234567890123456", "+1 555 CALL"] {
            assert!(wa_id(wrong).is_err(), "{wrong}");
        }
    }
}
