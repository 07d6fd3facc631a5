//! WASenderApi's webhook: bytes in, items out. Pure.
//!
//! Each item ends as exactly one [`Item`]; one that cannot be understood becomes a dead letter and
//! never fails its neighbours. A body holds the session's API key: it is taken out before anything
//! is read from the body that could be stored.

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
mod message;
mod redact;
mod scope;
mod session;
mod update;
mod wire;

#[cfg(test)]
mod tests;

use leadstream_schemas::{Platform, ProviderNotice, Timestamp, Topic};
use serde_json::value::RawValue;

use crate::item::{Class, EnvelopeError, Ignored, Item, Items};
use crate::json;
use redact::redact;
use scope::{Failure, Scope};
use session::Whose;
use wire::{Object, elements};

pub use session::Sessions;

/// Longer names of events are cut.
const MAX_EVENT: usize = 100;

/// The items of a webhook's body, in the order in which they stand.
///
/// # Errors
/// A body that is not JSON, or not the provider's envelope.
pub fn parse(
    body: &[u8],
    sessions: &Sessions,
    received_at: Timestamp,
) -> Result<Vec<Item>, EnvelopeError> {
    const EXPECTED: EnvelopeError =
        EnvelopeError::NotEnvelope("an object with a text `event` is expected");
    let body = json::text(body)?;
    let raw: &RawValue = serde_json::from_str(body).map_err(|_| EnvelopeError::NotJson)?;
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
    Webhook {
        whose: session.whose,
        scope: Scope {
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

/// Whether a text can be nothing but a key. A shorter one may well be part of a phone number or of
/// words, so it is taken out only of what is stored raw, after the rest was read.
fn is_key(secret: &str) -> bool {
    const SHORTEST: usize = 12;
    secret.len() >= SHORTEST && !secret.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whose a body is, and what it may hold that must not be stored.
struct Session<'a> {
    whose: Whose<'a>,
    secrets: Vec<&'a str>,
}

impl<'a> Session<'a> {
    fn of(sent: &'a SessionIds, sessions: &'a Sessions) -> Self {
        let whose = match (&sent.envelope, &sent.data) {
            // The documentation shows other ids than keys here: such a one tells nothing.
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
    /// As the events about a session itself hold it.
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

/// How the items of an event are read.
enum Kind {
    Messages,
    Sent,
    Updates,
    Deletions,
    Reactions,
    /// Messages that are no conversation with the business.
    IgnoredMessages(Ignored),
    Ignored(Ignored),
    Notice,
}

struct Webhook<'b> {
    whose: Whose<'b>,
    scope: Scope<'b>,
    event: &'b str,
    data: &'b RawValue,
    items: Items,
}

impl Webhook<'_> {
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
        // What the provider says of a single message stands beside it, too.
        let data = match raws.as_slice() {
            [_] => Object::read(self.data).unwrap_or_default(),
            _ => Object::default(),
        };
        for (raw, item) in raws.into_iter().zip(0..) {
            let read = match kind {
                _ if self.whose == Whose::Foreign => Ok(Item::Ignored(Ignored::ForeignNumber)),
                Kind::Messages => message::read(&self.scope, raw, item),
                Kind::Sent => message::read_sent(&self.scope, raw, &data),
                Kind::Updates => update::read(&self.scope, raw, item),
                Kind::Deletions => update::read_deleted(&self.scope, raw, item),
                Kind::Reactions => update::read_reaction(&self.scope, raw, item),
                Kind::IgnoredMessages(ignored) | Kind::Ignored(ignored) => {
                    Ok(Item::Ignored(ignored))
                }
                Kind::Notice => self.notice(raw),
            };
            let item = read.unwrap_or_else(|failure| self.scope.dead(raw, failure));
            self.items.push(item)?;
        }
        Ok(self.items.into_vec())
    }

    fn kind(&self) -> Kind {
        match self.event {
            "messages.upsert" | "messages.received" | "messages-personal.received" => {
                Kind::Messages
            }
            "messages-group.received" => Kind::IgnoredMessages(Ignored::Group),
            "messages-newsletter.received" => Kind::IgnoredMessages(Ignored::Newsletter),
            "message.sent" => Kind::Sent,
            "messages.update" | "message-receipt.update" => Kind::Updates,
            "messages.delete" => Kind::Deletions,
            "messages.reaction" => Kind::Reactions,
            event if event.starts_with("groups.") || event.starts_with("group-participants.") => {
                Kind::Ignored(Ignored::Group)
            }
            event if event.starts_with("messages-") && event.ends_with(".received") => {
                self.unknown_messages()
            }
            _ => Kind::Notice,
        }
    }

    /// An event that does not exist yet is one of messages when it holds any.
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
            number: self.scope.number.map(str::to_owned),
            field: cut(self.event).to_owned(),
            received_at: self.scope.received_at,
            raw: self.scope.stored(&object).ok_or(unlike)?,
        }))
    }
}

fn cut(event: &str) -> &str {
    let end = event.floor_char_boundary(MAX_EVENT);
    event.get(..end).unwrap_or_default()
}
