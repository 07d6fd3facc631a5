//! One message of a `messages.…` event, or of `message.sent`.

use leadstream_schemas::{Content, DeliveryStatus, Topic};
use serde_json::value::RawValue;

use super::content;
use super::identity::Key;
use super::scope::{Failure, Scope};
use super::wire::Object;
use crate::item::{Class, Item, MAX_ID};

/// What a person wrote to the business, or the business to a person.
pub(super) fn read(scope: &Scope<'_>, raw: &RawValue, item: u32) -> Result<Item, Failure> {
    let message = Object::read(raw).ok_or((Topic::LeadInputs, Class::Malformed))?;
    let key = key(&message);
    if key.is_ours() {
        return from_us(scope, raw, &message, &key, None);
    }
    if let Some(ignored) = key.ignored() {
        return Ok(Item::Ignored(ignored));
    }
    let fail = |class| (Topic::LeadInputs, class);
    let number = scope.number.ok_or(fail(Class::NoNumber))?;
    let id = key.id().ok_or(fail(Class::NoId))?;
    let sender = key.sender();
    if sender.is_empty() {
        return Err(fail(Class::NoSender));
    }
    let content = content::read(number, &message);
    let id = format!("{number}/{id}");
    let sent_at = scope.moment(message.timestamp("messageTimestamp"));
    let sender = sender.into_sender(&message);
    Ok(scope.input(raw, item, id, sender, sent_at, content))
}

/// What became of a message that was sent through the provider; `data` holds what the provider says
/// of it.
pub(super) fn read_sent(
    scope: &Scope<'_>,
    raw: &RawValue,
    data: &Object<'_>,
) -> Result<Item, Failure> {
    let message = Object::read(raw).ok_or((Topic::MessageStatuses, Class::Malformed))?;
    let key = key(&message);
    from_us(scope, raw, &message, &key, Some(data))
}

fn key<'a>(message: &Object<'a>) -> Key<'a> {
    Key::new(message.object("key").unwrap_or_default(), message.clone())
}

/// Only the service that sends can tell a person's words from an echo of its own, so both become
/// statuses.
fn from_us(
    scope: &Scope<'_>,
    raw: &RawValue,
    message: &Object<'_>,
    key: &Key<'_>,
    sent: Option<&Object<'_>>,
) -> Result<Item, Failure> {
    if let Some(ignored) = key.ignored() {
        return Ok(Item::Ignored(ignored));
    }
    let fail = |class| (Topic::MessageStatuses, class);
    let number = scope.number.ok_or(fail(Class::NoNumber))?;
    let id = key.id().ok_or(fail(Class::NoId))?;
    let recipient = key.recipient().into_recipient();
    let at = scope.moment(message.timestamp("messageTimestamp"));
    let content = content::read(number, message);
    if let Content::Revoke { message_id } = content {
        let status = scope.status(raw, message_id, DeliveryStatus::Deleted, at, recipient);
        return Ok(Item::Status(Box::new(status)));
    }
    let of_data = |name| sent.and_then(|data| data.flag(name));
    let failed =
        sent.is_some() && message.flag("success").or_else(|| of_data("success")) == Some(false);
    let status = if failed {
        DeliveryStatus::Failed
    } else {
        DeliveryStatus::Sent
    };
    let mut status = scope.status(raw, format!("{number}/{id}"), status, at, recipient);
    status.body = content::words(content);
    status.send_id = sent.and_then(|data| send_id(message, data));
    Ok(Item::Status(Box::new(status)))
}

/// The id that the send was answered with. `id` is that only as an integer: as a text it is
/// WhatsApp's.
fn send_id(message: &Object<'_>, data: &Object<'_>) -> Option<String> {
    let integer = |object: &Object<'_>| {
        let raw = object.get("id")?.get();
        raw.parse::<i64>().ok().map(|id| id.to_string())
    };
    let named = |object: &Object<'_>| object.text("msgId").within(MAX_ID).map(str::to_owned);
    named(message)
        .or_else(|| named(data))
        .or_else(|| integer(message))
        .or_else(|| integer(data))
}
