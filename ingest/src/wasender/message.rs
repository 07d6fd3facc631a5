//! Reads one message of a `messages.…` event, or of `message.sent`.

use leadstream_schemas::{Content, DeliveryStatus, Echo, LeadInput, Topic};
use serde_json::value::RawValue;

use super::identity::Key;
use super::item_context::{Failure, ItemContext};
use super::wire::{Object, element};
use super::{content, update};
use crate::item::{Class, Ignored, Item, MAX_ID};

/// Reads a message of a person to the business, or of the business to a person.
pub(super) fn read(context: &ItemContext<'_>, raw: &RawValue, item: u32) -> Result<Item, Failure> {
    let message = element(raw).ok_or((Topic::LeadInputs, Class::Malformed))?;
    let key = key(&message);
    if key.is_ours() {
        return from_us(context, raw, &message, &key, None);
    }
    if let Some(ignored) = key.ignored() {
        return Ok(Item::Ignored(ignored));
    }
    let fail = |class| (Topic::LeadInputs, class);
    let number = context.number.ok_or(fail(Class::NoNumber))?;
    let id = key.id().ok_or(fail(Class::NoId))?;
    let sender = key.sender();
    if sender.is_empty() {
        return Err(fail(Class::NoSender));
    }
    let Some(content) = content::read(number, &message) else {
        return if content::is_revoked(&message) {
            update::read_deleted(context, raw, item)
        } else {
            Ok(Item::Ignored(Ignored::NoContent))
        };
    };
    let referral = content::referral(&message);
    let id = format!("{number}/{id}").into();
    let sent_at = context.moment(message.timestamp("messageTimestamp"));
    let sender = sender.into_sender(&message);
    let input = context.input(raw, item, id, sender, sent_at, content);
    Ok(Item::Input(Box::new(LeadInput { referral, ..input })))
}

/// Reads the status of a message that was sent through the provider; `data` holds the provider's
/// statement about it.
pub(super) fn read_sent(
    context: &ItemContext<'_>,
    raw: &RawValue,
    data: &Object<'_>,
) -> Result<Item, Failure> {
    let message = element(raw).ok_or((Topic::MessageStatuses, Class::Malformed))?;
    let key = key(&message);
    from_us(context, raw, &message, &key, Some(data))
}

fn key<'a>(message: &Object<'a>) -> Key<'a> {
    Key::new(message.object("key").unwrap_or_default(), message.clone())
}

/// Returns a status of our own message. Only the service that sends can distinguish a person's
/// words from its own echo, so both become statuses.
fn from_us(
    context: &ItemContext<'_>,
    raw: &RawValue,
    message: &Object<'_>,
    key: &Key<'_>,
    sent: Option<&Object<'_>>,
) -> Result<Item, Failure> {
    if let Some(ignored) = key.ignored() {
        return Ok(Item::Ignored(ignored));
    }
    let fail = |class| (Topic::MessageStatuses, class);
    let number = context.number.ok_or(fail(Class::NoNumber))?;
    let id = key.id().ok_or(fail(Class::NoId))?;
    let recipient = key.recipient().into_recipient();
    let at = context.moment(message.timestamp("messageTimestamp"));
    let content = content::read(number, message);
    match content {
        Some(Content::Revoke { message_id }) => {
            let status = context.status(raw, message_id, DeliveryStatus::Deleted, at, recipient);
            return Ok(Item::Status(Box::new(status)));
        }
        Some(Content::Reaction { .. }) => return Ok(Item::Ignored(Ignored::OwnReaction)),
        _ => {}
    }
    let of_data = |name| sent.and_then(|data| data.flag(name));
    let failed =
        sent.is_some() && message.flag("success").or_else(|| of_data("success")) == Some(false);
    let status = if failed {
        DeliveryStatus::Failed
    } else {
        DeliveryStatus::Sent
    };
    let mut status = context.status(raw, format!("{number}/{id}").into(), status, at, recipient);
    status.echo = match sent {
        Some(_) => Some(Echo::Api),
        // A delivery without content stands for a message that is not there.
        None => content.as_ref().map(|_| Echo::Session),
    };
    status.body = content.and_then(content::words);
    status.send_id = sent.and_then(|data| send_id(message, data));
    Ok(Item::Status(Box::new(status)))
}

/// Returns the id in the response to the send. In `id`, only an integer is that id; a text is
/// WhatsApp's id.
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
