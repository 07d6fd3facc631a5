//! One of `messages[]`.

use leadstream_schemas::{Content, InputKind, LeadInput, Platform, Timestamp};
use serde_json::value::RawValue;

use super::identity::Ids;
use super::wire::{Message, TextBody};
use super::{Class, Scope, object, timestamp};

pub(super) fn read(
    scope: &Scope<'_>,
    raw: &RawValue,
    item: u32,
    received_at: Timestamp,
) -> Result<LeadInput, Class> {
    let message: Message<'_> = object(raw).ok_or(Class::Malformed)?;
    let number = scope.number.ok_or(Class::NoNumber)?;
    let id = message.id.get().ok_or(Class::NoId)?;
    let own = Ids::of([message.from.get(), message.from_user_id.get()]);
    let contact = own.contact(&scope.contacts);
    let ids = own.with(contact);
    if ids.is_empty() {
        return Err(Class::NoSender);
    }
    let sent_at = message.timestamp.integer().and_then(timestamp);
    Ok(LeadInput {
        id: id.to_owned(),
        kind: InputKind::Message,
        platform: Platform::WhatsappCloud,
        number: number.to_owned(),
        sender: ids.sender(contact),
        sent_at: sent_at.ok_or(Class::BadTimestamp)?,
        received_at,
        item,
        content: content(&message),
        raw: Some(raw.to_owned()),
    })
}

fn content(message: &Message<'_>) -> Content {
    let body = (message.kind.get() == Some("text"))
        .then(|| object::<TextBody<'_>>(message.text?))
        .flatten();
    match body {
        Some(text) => Content::Text {
            body: text.body.into_owned(),
        },
        None => Content::Unsupported {
            provider_type: message.kind.to_owned(),
        },
    }
}
