//! Reads one element of `messages[]` or `message_echoes[]`.

use leadstream_schemas::id::phone;
use leadstream_schemas::{Content, InputKind, LeadInput, Platform, Timestamp};
use serde_json::value::RawValue;

use super::identity::Ids;
use super::wire::{Message, System};
use super::{ValueContext, content};
use crate::item::{Class, Ignored, Item};
use crate::json::{object, timestamp};

/// Reads one element of a list; `item` is its position in the body.
pub(super) type Read = fn(&ValueContext<'_>, &RawValue, u32, Timestamp) -> Result<Item, Class>;

/// The longest accepted provider id; the longest seen are below 200 bytes.
pub(super) const MAX_MESSAGE_ID: usize = 512;

/// Reads a message of a person to the business.
pub(super) fn read(
    context: &ValueContext<'_>,
    raw: &RawValue,
    item: u32,
    received_at: Timestamp,
) -> Result<Item, Class> {
    let message: Message<'_> = object(raw).ok_or(Class::Malformed)?;
    if message.group_id.get().is_some() {
        return Ok(Item::Ignored(Ignored::Group));
    }
    if is_echo(context, &message) {
        return read_echo(context, raw, item, received_at);
    }
    let system = message.system.and_then(object::<System<'_>>);
    let own = match &system {
        Some(system) => Ids::before(&message, system),
        None => Ids::of([message.from.get(), message.from_user_id.get()]),
    };
    let content = content::read(&message);
    record(context, raw, &message, item, received_at, own, content)
}

/// Reads a message that a person of the business wrote in the business's own app.
pub(super) fn read_echo(
    context: &ValueContext<'_>,
    raw: &RawValue,
    item: u32,
    received_at: Timestamp,
) -> Result<Item, Class> {
    let message: Message<'_> = object(raw).ok_or(Class::Malformed)?;
    if message.group_id.get().is_some() {
        return Ok(Item::Ignored(Ignored::Group));
    }
    // A reaction says nothing, and the lead still waits for the next question.
    if message.kind.get() == Some("reaction") {
        return Ok(Item::Ignored(Ignored::OwnReaction));
    }
    let to = Ids::of([message.to.get(), message.to_user_id.get()]);
    let body = match content::read(&message) {
        Content::Edit { body, .. } => Some(body).filter(|body| !body.is_empty()),
        _ => content::words(&message),
    };
    let content = Content::Takeover { body };
    record(context, raw, &message, item, received_at, to, content)
}

/// Returns whether the business's own number wrote the message to a person.
fn is_echo(context: &ValueContext<'_>, message: &Message<'_>) -> bool {
    let from = message.from.get().and_then(phone);
    let has_recipient = message.to.get().is_some() || message.to_user_id.get().is_some();
    has_recipient && from.is_some_and(|from| from == context.phone)
}

fn record(
    context: &ValueContext<'_>,
    raw: &RawValue,
    message: &Message<'_>,
    item: u32,
    received_at: Timestamp,
    lead: Ids<'_>,
    content: Content,
) -> Result<Item, Class> {
    let number = context.number.ok_or(Class::NoNumber)?;
    let id = message.id.within(MAX_MESSAGE_ID).ok_or(Class::NoId)?;
    let contact = lead.contact(&context.contacts);
    let ids = lead.with(contact);
    if ids.is_empty() {
        return Err(Class::NoSender);
    }
    let sent_at = message.timestamp.integer().and_then(timestamp);
    Ok(Item::Input(Box::new(LeadInput {
        id: id.into(),
        kind: InputKind::Message,
        platform: Platform::WhatsappCloud,
        number: number.to_owned(),
        sender: ids.sender(contact),
        sent_at: sent_at.ok_or(Class::BadTimestamp)?,
        received_at,
        item,
        content,
        referral: content::referral(message),
        raw: Some(raw.to_owned()),
    })))
}
