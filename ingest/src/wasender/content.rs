//! Reads a message's content by the member that it has. An unknown member is unsupported. So is a
//! member that does not have the documented shape. The raw item is kept in both cases.

use leadstream_schemas::{ContactCard, Content, InputId, MediaType, Referral};
use serde_json::value::RawValue;

use super::referral;
use super::wire::Object;
use crate::json::{embedded, is_object};

/// The longest name of a member.
const MAX_TYPE: usize = 160;
/// More wrappers than messages have in practice.
const MAX_WRAPPERS: usize = 8;

/// The members that wrap a message and describe how it was sent.
const WRAPPERS: [&str; 8] = [
    "ephemeralMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "viewOnceMessageV2Extension",
    "documentWithCaptionMessage",
    "deviceSentMessage",
    "editedMessage",
    "associatedChildMessage",
];

const MEDIA: [(&str, MediaType); 6] = [
    ("imageMessage", MediaType::Image),
    ("videoMessage", MediaType::Video),
    ("ptvMessage", MediaType::Video),
    ("audioMessage", MediaType::Audio),
    ("documentMessage", MediaType::Document),
    ("stickerMessage", MediaType::Sticker),
];

/// The members that say nothing of their own: keys, settings, and a placeholder for a message that
/// is on another device.
const BESIDE: [&str; 5] = [
    "messageContextInfo",
    "senderKeyDistributionMessage",
    "fastRatchetKeySenderKeyDistributionMessage",
    "protocolMessage",
    "placeholderMessage",
];

/// Reads the content of a message, which holds `message` and perhaps `messageBody`. The session's
/// name is put before the ids of other messages, as in records. Returns `None` if there is nothing
/// to read: the delivery is only a stub or a part of the message.
pub(super) fn read(number: &str, message: &Object<'_>) -> Option<Content> {
    let inner = inner(message);
    let has_content = || {
        let is_odd = message.get("message").is_some_and(|it| !is_object(it));
        let mut members = inner.members();
        is_odd || members.any(|(name, raw)| raw.get() != "null" && !BESIDE.contains(&name))
    };
    protocol(number, &inner)
        .or_else(|| reaction(number, &inner))
        .or_else(|| media(message, &inner))
        .or_else(|| location(&inner))
        .or_else(|| contacts(&inner))
        .or_else(|| choice(message, &inner))
        .or_else(|| native_flow(&inner))
        .or_else(|| {
            let body = text(message, &inner).filter(|_| has_content() || !is_stub(message))?;
            Some(Content::Text { body })
        })
        .or_else(|| {
            let provider_type = provider_type(&inner);
            has_content().then_some(Content::Unsupported { provider_type })
        })
}

/// Returns the ad or post that led to a message.
pub(super) fn referral(message: &Object<'_>) -> Option<Referral> {
    referral::read(message, &inner(message))
}

fn inner<'a>(message: &Object<'a>) -> Object<'a> {
    unwrapped(message.object("message").unwrap_or_default())
}

/// Returns whether the delivery says that it stands for something else than a message, such as a
/// message that could not be decrypted yet.
fn is_stub(message: &Object<'_>) -> bool {
    let stub = message.text("messageStubType");
    !matches!(stub.get(), None | Some("0" | "UNKNOWN"))
}

/// Returns whether the delivery stands for a message that was deleted for everyone.
pub(super) fn is_revoked(message: &Object<'_>) -> bool {
    matches!(message.text("messageStubType").get(), Some("1" | "REVOKE"))
}

/// Reads a change of the earlier message `id`: an edit, or a deletion for everyone.
pub(super) fn change(number: &str, id: &InputId, update: &Object<'_>) -> Option<Content> {
    let message = update.object("message").unwrap_or_default();
    let edited = message.object("editedMessage").is_some();
    let inner = unwrapped(message);
    protocol(number, &inner).or_else(|| {
        let message_id = id.clone();
        if edited {
            let body = text_or_caption(&inner)?;
            Some(Content::Edit { message_id, body })
        } else if is_revoked(update) {
            Some(Content::Revoke { message_id })
        } else {
            None
        }
    })
}

/// Returns the text of a content.
pub(super) fn words(content: Content) -> Option<String> {
    let words = match content {
        Content::Text { body } | Content::Edit { body, .. } => Some(body),
        Content::Media { caption, .. } => caption,
        Content::Choice { title, .. } => Some(title),
        _ => None,
    };
    words.filter(|words| !words.is_empty())
}

fn unwrapped<'a>(mut message: Object<'a>) -> Object<'a> {
    for _ in 0..MAX_WRAPPERS {
        let wrapped = WRAPPERS
            .iter()
            .find_map(|name| message.object(name)?.object("message"));
        match wrapped {
            Some(inner) => message = inner,
            None => break,
        }
    }
    message
}

fn text(message: &Object<'_>, inner: &Object<'_>) -> Option<String> {
    message.verbatim("messageBody").or_else(|| plain(inner))
}

fn plain(inner: &Object<'_>) -> Option<String> {
    let extended = inner.object("extendedTextMessage");
    extended
        .and_then(|extended| extended.verbatim("text"))
        .or_else(|| inner.verbatim("conversation"))
}

/// Returns the text or caption.
fn text_or_caption(inner: &Object<'_>) -> Option<String> {
    let caption = || {
        let mut media = MEDIA.iter();
        media.find_map(|(name, _)| inner.object(name)?.verbatim("caption"))
    };
    plain(inner).or_else(caption)
}

/// Reads a message that changes another one.
fn protocol(number: &str, inner: &Object<'_>) -> Option<Content> {
    let protocol = inner.object("protocolMessage")?;
    let message_id = other(number, &protocol)?;
    match protocol.text("type").get()? {
        "0" | "REVOKE" => Some(Content::Revoke { message_id }),
        "14" | "MESSAGE_EDIT" => {
            let edited = unwrapped(protocol.object("editedMessage")?);
            let body = text_or_caption(&edited).unwrap_or_default();
            Some(Content::Edit { message_id, body })
        }
        _ => None,
    }
}

fn reaction(number: &str, inner: &Object<'_>) -> Option<Content> {
    let reaction = inner.object("reactionMessage")?;
    Some(Content::Reaction {
        message_id: other(number, &reaction)?,
        emoji: reaction.text("text").to_owned(),
    })
}

/// Returns the id of the message that a reaction or change concerns.
fn other(number: &str, about: &Object<'_>) -> Option<InputId> {
    let id = about.object("key")?.text("id").to_owned()?;
    Some(format!("{number}/{id}").into())
}

fn media(message: &Object<'_>, inner: &Object<'_>) -> Option<Content> {
    let mut kinds = MEDIA.iter();
    let (media, kind) = kinds.find_map(|(name, kind)| Some((inner.object(name)?, *kind)))?;
    let voice = kind == MediaType::Audio && media.flag("ptt") == Some(true);
    let body = || message.verbatim("messageBody");
    Some(Content::Media {
        media: if voice { MediaType::Voice } else { kind },
        id: None,
        url: media.text("url").to_owned(),
        mime_type: media.text("mimetype").to_owned(),
        sha256: media.sha256("fileSha256"),
        caption: media.verbatim("caption").or_else(body),
        filename: media.text("fileName").to_owned(),
        size: media.size("fileLength"),
    })
}

fn location(inner: &Object<'_>) -> Option<Content> {
    let location = inner
        .object("locationMessage")
        .or_else(|| inner.object("liveLocationMessage"))?;
    Some(Content::Location {
        latitude: location.text("degreesLatitude").number()?,
        longitude: location.text("degreesLongitude").number()?,
        name: location.text("name").to_owned(),
        address: location.text("address").to_owned(),
    })
}

fn contacts(inner: &Object<'_>) -> Option<Content> {
    let contacts = match inner.object("contactMessage") {
        Some(contact) => vec![card(&contact)],
        None => {
            let list = inner.object("contactsArrayMessage")?;
            let contacts = list.array("contacts").into_iter();
            contacts
                .filter_map(|raw| Object::read(raw).map(|contact| card(&contact)))
                .collect()
        }
    };
    Some(Content::Contacts { contacts })
}

fn card(contact: &Object<'_>) -> ContactCard {
    let vcard = contact.text("vcard");
    let lines = vcard.get().unwrap_or_default().lines();
    ContactCard {
        name: contact.text("displayName").to_owned(),
        phones: lines.filter_map(phone).collect(),
    }
}

/// Returns the number of a vCard's line such as `item1.TEL;type=CELL;waid=15550100:+1 555 0100`.
fn phone(line: &str) -> Option<String> {
    let (property, value) = line.split_once(':')?;
    let mut parameters = property.split(';');
    let name = parameters.next()?;
    let name = name.rsplit_once('.').map_or(name, |(_group, name)| name);
    if !name.trim().eq_ignore_ascii_case("TEL") {
        return None;
    }
    let wa_id = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.eq_ignore_ascii_case("waid").then_some(value)
    });
    let value = value.strip_prefix("tel:").unwrap_or(value);
    [wa_id, Some(value)]
        .into_iter()
        .flatten()
        .map(str::trim)
        .find(|phone| !phone.is_empty())
        .map(str::to_owned)
}

fn choice(message: &Object<'_>, inner: &Object<'_>) -> Option<Content> {
    let (id, title, description) = if let Some(button) = inner.object("buttonsResponseMessage") {
        let title = button.text("selectedDisplayText");
        (button.text("selectedButtonId"), title, None)
    } else if let Some(button) = inner.object("templateButtonReplyMessage") {
        let title = button.text("selectedDisplayText");
        (button.text("selectedId"), title, None)
    } else {
        let row = inner.object("listResponseMessage")?;
        let reply = row.object("singleSelectReply").unwrap_or_default();
        let description = row.text("description").to_owned();
        (reply.text("selectedRowId"), row.text("title"), description)
    };
    let body = || message.text("messageBody").to_owned();
    Some(Content::Choice {
        id: id.to_owned(),
        title: title.to_owned().or_else(body).or_else(|| id.to_owned())?,
        description,
    })
}

/// Reads the answer to a native flow: a tapped button or list row, or a form's answers. The answer
/// is JSON within a text, and not always an object.
fn native_flow(inner: &Object<'_>) -> Option<Content> {
    let response = inner.object("interactiveResponseMessage")?;
    let flow = response.object("nativeFlowResponseMessage")?;
    let name = flow.text("name");
    let response_json = embedded(flow.get("paramsJson")?);
    let choice = || {
        let answer: &RawValue = serde_json::from_str(&response_json).ok()?;
        let answer = Object::read(answer)?;
        let is_form = matches!(
            name.get(),
            Some("flow" | "galaxy_message" | "address_message")
        );
        if is_form || answer.get("flow_token").is_some() {
            return None;
        }
        let id = answer.text("id").to_owned()?;
        let mut titles = ["display_text", "title"].into_iter();
        let body = response.object("body");
        let title = body.and_then(|body| body.text("text").to_owned());
        Some(Content::Choice {
            title: title
                .or_else(|| titles.find_map(|title| answer.text(title).to_owned()))
                .unwrap_or_else(|| id.clone()),
            description: answer.text("description").to_owned(),
            id: Some(id),
        })
    };
    choice().or_else(|| {
        Some(Content::Form {
            name: name.to_owned(),
            response_json: response_json.clone(),
        })
    })
}

/// Returns the member that determines the message's type; keys and settings are beside it.
fn provider_type(inner: &Object<'_>) -> Option<String> {
    let names = || {
        inner
            .names()
            .filter(|name| !name.is_empty() && name.len() <= MAX_TYPE)
            .filter(|name| *name != "messageContextInfo")
    };
    let named = || names().filter(|name| name.contains("Message"));
    named()
        .find(|name| *name != "senderKeyDistributionMessage")
        .or_else(|| named().next())
        .or_else(|| names().next())
        .map(str::to_owned)
}
