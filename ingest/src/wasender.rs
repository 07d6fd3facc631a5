//! Parses a body of WASenderApi's webhook into items. Pure.
//!
//! Each item ends as exactly one [`Item`]. An item that cannot be understood becomes a dead letter
//! and does not affect the other items. A body holds the session's API key. The key is removed
//! before anything that could be stored is read from the body.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod content;
mod identity;
mod item_context;
mod message;
mod redact;
mod referral;
mod session;
mod update;
mod wire;

#[cfg(test)]
mod tests;

use leadstream_schemas::{Platform, ProviderNotice, Timestamp, Topic};
use serde_json::value::RawValue;

use crate::item::{Class, EnvelopeError, Ignored, Item, Items};
use crate::json;
use item_context::{Failure, ItemContext};
use redact::redact;
use session::Whose;
use wire::{Object, elements};

pub use session::Sessions;

/// The longest event name; longer names are truncated.
const MAX_EVENT: usize = 100;

/// Returns the items of a webhook's body, in order.
///
/// # Errors
/// Returns an error if the body is not JSON, or not the provider's envelope.
pub fn parse(
    body: &[u8],
    sessions: &Sessions,
    received_at: Timestamp,
) -> Result<Vec<Item>, EnvelopeError> {
    const EXPECTED: EnvelopeError =
        EnvelopeError::NotEnvelope("an object with a text `event` is expected");
    let body = json::text(body)?;
    let raw: &RawValue = serde_json::from_str(&body).map_err(|_| EnvelopeError::NotJson)?;
    let envelope = Object::read(raw).ok_or(EXPECTED)?;
    let event = envelope
        .get("event")
        .filter(|raw| raw.get().starts_with('"'));
    let event = event
        .and(envelope.text("event").to_owned())
        .ok_or(EXPECTED)?;
    let sent = SessionIds::of(&envelope, &event);
    let session = Session::of(&sent, sessions);
    let (keys, short): (Vec<&str>, Vec<&str>) =
        session.secrets.iter().partition(|secret| is_key(secret));
    let data = envelope.get("data").map_or("null", RawValue::get);
    let data = redact(data, &keys);
    let event = if keys.iter().any(|key| event.contains(key)) {
        "[redacted]"
    } else {
        &event
    };
    BodyParser {
        whose: session.whose,
        context: ItemContext {
            number: session.whose.name(),
            received_at,
            at: envelope.timestamp("timestamp"),
            secrets: &short,
        },
        event,
        data: serde_json::from_str(&data).map_err(|_| EnvelopeError::NotJson)?,
        items: Items::default(),
    }
    .items()
}

/// Returns whether a text can only be a key. A shorter text may be part of a phone number or of
/// words. So it is removed only from the raw item, after the rest was read.
fn is_key(secret: &str) -> bool {
    const SHORTEST: usize = 12;
    secret.len() >= SHORTEST && !secret.bytes().all(|byte| byte.is_ascii_digit())
}

/// The owner of a body, and the secrets in it that must not be stored.
struct Session<'a> {
    whose: Whose<'a>,
    secrets: Vec<&'a str>,
}

impl<'a> Session<'a> {
    fn of(sent: &'a SessionIds, sessions: &'a Sessions) -> Self {
        let whose = match (&sent.envelope, &sent.data) {
            // The documentation shows ids other than keys here. Such an id identifies no session.
            (None, Some(id)) => match sessions.find(Some(id)) {
                Whose::Foreign => Whose::Unknown,
                whose => whose,
            },
            (id, _) => sessions.find(id.as_deref()),
        };
        let sent = [&sent.envelope, &sent.data].into_iter().flatten();
        let keys = sessions.keys().filter(|key| is_key(key));
        Self {
            whose,
            secrets: sent.map(String::as_str).chain(keys).collect(),
        }
    }
}

/// The texts of a body that name its session.
struct SessionIds {
    envelope: Option<String>,
    /// The id in events about the session itself.
    data: Option<String>,
}

impl SessionIds {
    fn of(envelope: &Object<'_>, event: &str) -> Self {
        let id = |object: &Object<'_>| {
            let id = object.text("sessionId").to_owned();
            id.or_else(|| object.text("session_id").to_owned())
        };
        let about_session = event.starts_with("session.");
        let data = envelope.object("data").filter(|_| about_session);
        Self {
            envelope: id(envelope),
            data: data.as_ref().and_then(id),
        }
    }
}

/// The way to read the items of an event.
enum Kind {
    Messages,
    Sent,
    Updates,
    Deletions,
    Reactions,
    /// Messages that are not part of a conversation with the business.
    IgnoredMessages(Ignored),
    Ignored(Ignored),
    Notice,
}

struct BodyParser<'b> {
    whose: Whose<'b>,
    context: ItemContext<'b>,
    event: &'b str,
    data: &'b RawValue,
    items: Items,
}

impl BodyParser<'_> {
    fn items(mut self) -> Result<Vec<Item>, EnvelopeError> {
        let kind = self.kind();
        let raws = match kind {
            Kind::Messages | Kind::Sent | Kind::Reactions | Kind::IgnoredMessages(_) => {
                elements(self.data, &["messages"])
            }
            Kind::Updates => elements(self.data, &["messages", "updates"]),
            Kind::Deletions => elements(self.data, &["keys", "messages"]),
            Kind::Ignored(_) | Kind::Notice => vec![self.data],
        };
        // Some data of a single message is beside the message.
        let data = match raws.as_slice() {
            [_] => Object::read(self.data).unwrap_or_default(),
            _ => Object::default(),
        };
        for (raw, item) in raws.into_iter().zip(0..) {
            let read = match kind {
                _ if self.whose == Whose::Foreign => Ok(Item::Ignored(Ignored::ForeignNumber)),
                Kind::Messages => message::read(&self.context, raw, item),
                Kind::Sent => message::read_sent(&self.context, raw, &data),
                Kind::Updates => update::read(&self.context, raw, item),
                Kind::Deletions => update::read_deleted(&self.context, raw, item),
                Kind::Reactions => update::read_reaction(&self.context, raw, item),
                Kind::IgnoredMessages(ignored) | Kind::Ignored(ignored) => {
                    Ok(Item::Ignored(ignored))
                }
                Kind::Notice => self.notice(raw),
            };
            let item = read.unwrap_or_else(|failure| self.context.dead(raw, failure));
            self.items.push(item)?;
        }
        Ok(self.items.into_vec())
    }

    fn kind(&self) -> Kind {
        let event = self.event;
        // Some senders use the singular in each name.
        let of_messages = event
            .strip_prefix("messages")
            .or_else(|| event.strip_prefix("message"));
        match of_messages.unwrap_or_default() {
            ".upsert" | ".received" | "-personal.received" => Kind::Messages,
            "-group.received" => Kind::IgnoredMessages(Ignored::Group),
            "-newsletter.received" => Kind::IgnoredMessages(Ignored::Newsletter),
            ".sent" => Kind::Sent,
            ".update" | "-receipt.update" => Kind::Updates,
            ".delete" => Kind::Deletions,
            ".reaction" => Kind::Reactions,
            kind if kind.starts_with('-') && kind.ends_with(".received") => self.unknown_messages(),
            _ if ["group.", "groups.", "group-participant"]
                .iter()
                .any(|it| event.starts_with(it)) =>
            {
                Kind::Ignored(Ignored::Group)
            }
            _ => Kind::Notice,
        }
    }

    /// Treats an unknown event as messages if it holds any.
    fn unknown_messages(&self) -> Kind {
        let mut raws = elements(self.data, &["messages"]).into_iter();
        let holds_any = raws.any(|raw| {
            Object::read(raw).is_some_and(|message| {
                message.object("key").is_some() && message.get("message").is_some()
            })
        });
        if holds_any {
            Kind::Messages
        } else {
            Kind::Notice
        }
    }

    fn notice(&self, raw: &RawValue) -> Result<Item, Failure> {
        let unlike = (Topic::ProviderNotices, Class::Malformed);
        let object = match raw.get() {
            "null" => RawValue::from_string("{}".to_owned()),
            json if json.starts_with('{') => Ok(raw.to_owned()),
            json => RawValue::from_string(format!("{{\"data\":{json}}}")),
        };
        let object = object.map_err(|_| unlike)?;
        Ok(Item::Notice(ProviderNotice {
            platform: Platform::Wasender,
            number: self.context.number.map(str::to_owned),
            field: cut(self.event).to_owned(),
            received_at: self.context.received_at,
            raw: self.context.stored(&object).ok_or(unlike)?,
        }))
    }
}

fn cut(event: &str) -> &str {
    let end = event.floor_char_boundary(MAX_EVENT);
    event.get(..end).unwrap_or_default()
}
