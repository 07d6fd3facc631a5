//! Builds the content of the lead's messages, as Meta's webhooks have it. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::line::{Action, FileKind};
use super::seen::Seen;
use crate::phone::Content;

/// A file that the sandbox keeps.
#[derive(Clone, Debug)]
pub(super) struct Uploaded {
    pub(super) id: String,
    pub(super) file: File,
}

/// A file, from the disk or a sample.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) mime_type: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// A picture of one pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xff\xff?\0\x05\xfe\x02\xfe\xa75\x81\x84\0\0\0\0IEND\xaeB`\x82";
const SAMPLE: &[u8] = b"a sample of leadstream chat\n";

impl File {
    pub(super) fn sample(kind: FileKind) -> Self {
        let (name, bytes) = match kind {
            FileKind::Image => ("sample.png", PNG),
            FileKind::Document => ("sample.txt", SAMPLE),
            FileKind::Voice | FileKind::Audio => ("sample.ogg", SAMPLE),
            FileKind::Video => ("sample.mp4", SAMPLE),
            FileKind::Sticker => ("sample.webp", SAMPLE),
        };
        Self::new(name, bytes.to_vec())
    }

    pub(super) fn new(name: &str, bytes: Vec<u8>) -> Self {
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        Self {
            name: name.to_owned(),
            mime_type: mime_type(&extension.to_lowercase()),
            bytes,
        }
    }
}

/// Returns the type that WhatsApp gives to files of this extension.
fn mime_type(extension: &str) -> &'static str {
    match extension {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "webp" => "image/webp",
        "ogg" | "opus" => "audio/ogg; codecs=opus",
        "mp3" => "audio/mpeg",
        "m4a" => "audio/mp4",
        "aac" => "audio/aac",
        "amr" => "audio/amr",
        "mp4" => "video/mp4",
        "3gp" => "video/3gpp",
        "txt" => "text/plain",
        "pdf" => "application/pdf",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xls" => "application/vnd.ms-excel",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _ => "application/octet-stream",
    }
}

/// Returns the message for an action. A file must be uploaded before.
///
/// # Errors
/// Returns the reason why the lead cannot do this now.
pub(super) fn content(
    action: Action,
    seen: &Seen,
    uploaded: Option<&Uploaded>,
) -> Result<Content, String> {
    match action {
        Action::Text(body) => Ok(Content::text(&body)),
        Action::Tap(wanted) => tap(&wanted, seen),
        Action::Form(mut answers) => {
            let Some((token, wamid)) = &seen.form else {
                return Err("the bot has sent no form".to_owned());
            };
            answers.insert("flow_token".to_owned(), json!(token));
            let reply = json!({
                "name": "flow",
                "body": "Sent",
                "response_json": Value::Object(answers).to_string(),
            });
            Ok(interactive("nfm_reply", &reply, wamid))
        }
        Action::File { kind, caption, .. } => {
            let Some(uploaded) = uploaded else {
                return Err("the file was not kept by the sandbox".to_owned());
            };
            Ok(file(kind, caption, uploaded))
        }
        Action::Location {
            latitude,
            longitude,
            name,
        } => {
            let mut value = json!({ "latitude": latitude, "longitude": longitude });
            if let Some(name) = name {
                value["name"] = json!(name);
            }
            Ok(Content::new("location", value))
        }
        Action::React(emoji) => {
            let Some(target) = &seen.bot else {
                return Err("the bot has said nothing yet".to_owned());
            };
            let mut value = json!({ "message_id": target });
            if let Some(emoji) = emoji {
                value["emoji"] = json!(emoji);
            }
            Ok(Content::new("reaction", value))
        }
        Action::Edit(body) => {
            let Some(target) = &seen.own else {
                return Err("you have sent no text yet".to_owned());
            };
            let message = json!({ "type": "text", "text": { "body": body } });
            let value = json!({ "original_message_id": target, "message": message });
            Ok(Content::new("edit", value))
        }
    }
}

fn tap(wanted: &str, seen: &Seen) -> Result<Content, String> {
    let Some(choice) = &seen.choice else {
        return Err("the bot has sent no buttons or rows".to_owned());
    };
    let Some(option) = choice.find(wanted) else {
        let count = choice.options.len();
        return Err(format!(
            "there is no option {wanted}; write a number from 1 to {count}, or a title"
        ));
    };
    Ok(interactive(choice.reply, option, &choice.wamid))
}

fn interactive(kind: &str, reply: &Value, target: &str) -> Content {
    let value = json!({ "type": kind, kind: reply });
    Content::new("interactive", value).answering(target)
}

fn file(kind: FileKind, caption: Option<String>, uploaded: &Uploaded) -> Content {
    let file = &uploaded.file;
    let mut value = json!({
        "id": uploaded.id,
        "mime_type": file.mime_type,
        "sha256": STANDARD.encode(Sha256::digest(&file.bytes)),
    });
    let name = match kind {
        FileKind::Image => "image",
        FileKind::Document => {
            value["filename"] = json!(file.name);
            "document"
        }
        FileKind::Voice | FileKind::Audio => {
            value["voice"] = json!(kind == FileKind::Voice);
            "audio"
        }
        FileKind::Video => "video",
        FileKind::Sticker => {
            value["animated"] = json!(false);
            "sticker"
        }
    };
    if let Some(caption) = caption {
        value["caption"] = json!(caption);
    }
    Content::new(name, value)
}

#[cfg(test)]
mod tests {
    use leadstream_sandbox::webhook::{BusinessNumber, MetaWebhook, Person};

    use super::super::line::{Line, parse};
    use super::super::seen::tests::{buttons, list, message};
    use super::*;

    fn seen(messages: &[leadstream_sandbox::SentMessage]) -> Seen {
        let mut seen = Seen {
            own: Some("wamid.own".to_owned()),
            ..Seen::default()
        };
        for message in messages {
            seen.receive(message);
        }
        seen
    }

    /// Returns the message of the webhook for a line.
    fn sent(line: &str, seen: &Seen) -> Result<Value, String> {
        let Line::Send(action) = parse(line) else {
            panic!("{line} is not sent")
        };
        let uploaded = match &action {
            Action::File { kind, .. } => Some(Uploaded {
                id: "77".to_owned(),
                file: File::sample(*kind),
            }),
            _ => None,
        };
        let content = content(action, seen, uploaded.as_ref())?;
        let webhook = content.add_to(
            MetaWebhook::new(&BusinessNumber::new("1")),
            &Person::new("49", "Ann"),
            "wamid.x",
            7,
        );
        let body: Value = serde_json::from_slice(&webhook.to_bytes()).unwrap();
        Ok(body["entry"][0]["changes"][0]["value"]["messages"][0].clone())
    }

    fn everything_seen() -> Seen {
        let parameters = json!({ "flow_cta": "Fill in", "flow_token": "t-1" });
        let form = json!({ "interactive": { "action": { "parameters": parameters } } });
        seen(&[message(form), buttons()])
    }

    #[test]
    fn a_tap_answers_its_message() {
        let tapped = sent("/tap 1", &seen(&[list()])).unwrap();
        let expected = json!({
            "context": { "from": "15550783881", "id": "wamid.1" }, "from": "49", "id": "wamid.x",
            "timestamp": "7", "type": "interactive", "interactive": { "type": "list_reply",
            "list_reply": { "id": "x", "title": "2", "description": "for two" } },
        });
        assert_eq!(tapped, expected);
        let tapped = sent("/tap größer", &everything_seen()).unwrap();
        let reply = json!({ "id": "b", "title": "Größer" });
        let expected = json!({ "type": "button_reply", "button_reply": reply });
        assert_eq!(tapped["interactive"], expected);
    }

    #[test]
    fn a_form_has_the_answers_and_its_token() {
        let form = sent("/form {\"rooms\": 3}", &everything_seen()).unwrap();
        let reply = &form["interactive"]["nfm_reply"];
        let answers: Value =
            serde_json::from_str(reply["response_json"].as_str().unwrap()).unwrap();
        assert_eq!(answers, json!({ "rooms": 3, "flow_token": "t-1" }));
    }

    #[test]
    fn what_refers_to_nothing_is_not_sent() {
        for (line, why) in [
            ("/tap 1", "no buttons"),
            ("/form {}", "no form"),
            ("/react 👍", "said nothing"),
            ("/edit x", "sent no text"),
        ] {
            let refused = sent(line, &Seen::default()).unwrap_err();
            assert!(refused.contains(why), "{line}: {refused}");
        }
        let refused = sent("/tap 3", &everything_seen()).unwrap_err();
        assert!(refused.contains("from 1 to 2"), "{refused}");
    }

    /// Checks that each member of `sent` is in the recording, with the same type.
    fn assert_within(sent: &Value, recorded: &Value, at: &str) {
        match (sent, recorded) {
            (Value::Object(sent), Value::Object(recorded)) => {
                for (name, value) in sent {
                    let at = format!("{at}/{name}");
                    let found = recorded.get(name);
                    assert!(found.is_some(), "{at} is in no webhook of Meta");
                    assert_within(value, &recorded[name], &at);
                }
            }
            _ => assert_eq!(
                std::mem::discriminant(sent),
                std::mem::discriminant(recorded),
                "{at}"
            ),
        }
    }

    #[test]
    fn messages_have_the_members_of_recorded_ones() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = folder.join("../../../shared/fixtures/meta-pywa");
        if !folder.is_dir() {
            let required = std::env::var("FIXTURES").is_ok_and(|value| value == "required");
            assert!(!required, "no recordings at {}", folder.display());
            eprintln!("skipped: no recordings at {}", folder.display());
            return;
        }
        for (line, name) in [
            ("Hi", "message__text"),
            ("/tap 1", "callback_selection__description"),
            ("/form {}", "flow_completion__completion"),
            ("/image", "message__image"),
            ("/document -- see", "message__document"),
            ("/voice", "message__voice"),
            ("/audio", "message__audio"),
            ("/video -- see", "message__video"),
            ("/sticker", "message__static_sticker"),
            ("/location 1.5 2.5 Park", "message__chosen_location"),
            ("/location 1.5 2.5", "message__current_location"),
            ("/react 👍", "message__reaction"),
            ("/react", "message__unreaction_no_emoji"),
            ("/edit x", "edited_message__image"),
        ] {
            let seen = if line == "/tap 1" {
                seen(&[list()])
            } else {
                everything_seen()
            };
            let mut sent = sent(line, &seen).unwrap();
            if let Some(edited) = sent.pointer_mut("/edit/message") {
                // The recorded one is of a caption.
                assert_eq!(edited["text"], json!({ "body": "x" }));
                edited.as_object_mut().unwrap().remove("text");
            }
            let text = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
            let recorded: Value = serde_json::from_slice(&text).unwrap();
            let recorded = &recorded["entry"][0]["changes"][0]["value"]["messages"][0];
            assert_within(&sent, recorded, name);
            assert_eq!(sent["type"], recorded["type"], "{name}");
        }
    }
}
