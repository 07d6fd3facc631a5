//! Reads updates of messages: statuses, receipts, edits, deletions, reactions.

use leadstream_schemas::{Content, DeliveryStatus, Echo, InputId, Timestamp, Topic};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::content;
use super::identity::Key;
use super::item_context::{Failure, ItemContext};
use super::wire::{Object, element};
use crate::item::{Class, Ignored, Item};

/// Reads one element of `messages.update` or `message-receipt.update`.
pub(super) fn read(context: &ItemContext<'_>, raw: &RawValue, item: u32) -> Result<Item, Failure> {
    let fail = |class| (Topic::MessageStatuses, class);
    let element = element(raw).ok_or(fail(Class::Malformed))?;
    let key = Key::new(element.object("key").unwrap_or_default(), element.clone());
    if let Some(ignored) = key.ignored() {
        return Ok(Item::Ignored(ignored));
    }
    let number = context.number.ok_or(fail(Class::NoNumber))?;
    let id = InputId::from(format!("{number}/{}", key.id().ok_or(fail(Class::NoId))?));
    let update = element.object("update").unwrap_or_default();
    let sent_at = update.timestamp("messageTimestamp");
    let sent_at = sent_at.or_else(|| element.timestamp("messageTimestamp"));
    let (status, at) = match status(&element, &update) {
        Some((status, at)) => (status, at.or(sent_at)),
        None => match content::change(number, &id, &update) {
            Some(content) => {
                let change = Change {
                    key: &key,
                    about: &element,
                    sent_at: context.moment(sent_at),
                    item,
                };
                return change.record(context, raw, id, content);
            }
            None => (DeliveryStatus::Unknown, sent_at),
        },
    };
    // `fromMe` is not reliable here: people's messages have no statuses.
    let recipient = key.recipient().into_recipient();
    let status = context.status(raw, id, status, context.moment(at), recipient);
    Ok(Item::Status(Box::new(status)))
}

/// Reads one element of `messages.delete`: a key, or an object that holds one.
pub(super) fn read_deleted(
    context: &ItemContext<'_>,
    raw: &RawValue,
    item: u32,
) -> Result<Item, Failure> {
    let element = Object::read(raw).ok_or((Topic::LeadInputs, Class::Malformed))?;
    let own = element.object("key").unwrap_or_else(|| element.clone());
    let key = Key::new(own, element.clone());
    if let Some(ignored) = key.ignored() {
        return Ok(Item::Ignored(ignored));
    }
    let topic = topic(&key);
    let number = context.number.ok_or((topic, Class::NoNumber))?;
    let id = InputId::from(format!(
        "{number}/{}",
        key.id().ok_or((topic, Class::NoId))?
    ));
    let change = Change {
        key: &key,
        about: &element,
        sent_at: context.moment(element.timestamp("messageTimestamp")),
        item,
    };
    let message_id = id.clone();
    change.record(context, raw, id, Content::Revoke { message_id })
}

/// Reads one element of `messages.reaction`: `key` is that of the message reacted to.
/// `reaction.key` is the reaction's own, which may be missing or repeat the other.
pub(super) fn read_reaction(
    context: &ItemContext<'_>,
    raw: &RawValue,
    item: u32,
) -> Result<Item, Failure> {
    let element = Object::read(raw).ok_or((Topic::LeadInputs, Class::Malformed))?;
    let about = Key::new(element.object("key").unwrap_or_default(), element.clone());
    let reaction = element.object("reaction").unwrap_or_default();
    let own = reaction.object("key");
    let own = own.map_or_else(|| about.clone(), |own| Key::new(own, Object::default()));
    if let Some(ignored) = own.ignored().or_else(|| about.ignored()) {
        return Ok(Item::Ignored(ignored));
    }
    if own.is_ours() {
        return Ok(Item::Ignored(Ignored::OwnReaction));
    }
    let topic = Topic::LeadInputs;
    let number = context.number.ok_or((topic, Class::NoNumber))?;
    let target = about.id().ok_or((topic, Class::NoId))?;
    let emoji = reaction.text("text").to_owned();
    let sender = match own.sender() {
        ids if ids.is_empty() => about.sender(),
        ids => ids,
    };
    let reacted_at = reaction.timestamp("senderTimestampMs");
    let id = match own.id() {
        Some(id) if id != target => format!("{number}/{id}"),
        _ => {
            let emoji = emoji.as_deref().unwrap_or_default();
            let millis = reacted_at.map(|at| at.millis().to_string());
            let told = [sender.key(), emoji, millis.as_deref().unwrap_or_default()];
            format!("{number}/{target}/reaction/{}", digest(&told.join("\n")))
        }
    };
    let id = InputId::from(id);
    let sent_at = reacted_at.or_else(|| element.timestamp("messageTimestamp"));
    let sent_at = context.moment(sent_at);
    if sender.is_empty() {
        return Err((topic, Class::NoSender));
    }
    let message_id = format!("{number}/{target}").into();
    let content = Content::Reaction { message_id, emoji };
    let sender = sender.into_sender(&element);
    Ok(Item::Input(Box::new(
        context.input(raw, item, id, sender, sent_at, content),
    )))
}

/// Returns the topic of a dead letter: an update of our own message would have been a status.
fn topic(key: &Key<'_>) -> Topic {
    if key.is_ours() {
        Topic::MessageStatuses
    } else {
        Topic::LeadInputs
    }
}

/// An edit or a deletion.
struct Change<'c, 'a> {
    key: &'c Key<'a>,
    about: &'c Object<'a>,
    sent_at: Timestamp,
    item: u32,
}

impl Change<'_, '_> {
    /// Returns the record. The id of the key may be the changed message's or the change's own. In
    /// the first case the record needs another id, which is the same for a duplicate of the change.
    fn record(
        &self,
        context: &ItemContext<'_>,
        raw: &RawValue,
        id: InputId,
        content: Content,
    ) -> Result<Item, Failure> {
        let id = match &content {
            Content::Edit { message_id, body } if *message_id == id => {
                format!("{id}/edit/{}", digest(body)).into()
            }
            _ => id,
        };
        if self.key.is_ours() {
            let recipient = self.key.recipient().into_recipient();
            let (id, status, echo) = match &content {
                Content::Revoke { message_id } => {
                    (message_id.clone(), DeliveryStatus::Deleted, None)
                }
                _ => (id, DeliveryStatus::Sent, Some(Echo::Session)),
            };
            let mut status = context.status(raw, id, status, self.sent_at, recipient);
            status.body = content::words(content);
            status.echo = echo;
            return Ok(Item::Status(Box::new(status)));
        }
        let sender = self.key.sender();
        if sender.is_empty() {
            return Err((Topic::LeadInputs, Class::NoSender));
        }
        let id = match &content {
            Content::Revoke { message_id } if *message_id == id => format!("{id}/revoke").into(),
            _ => id,
        };
        let sender = sender.into_sender(self.about);
        Ok(Item::Input(Box::new(context.input(
            raw,
            self.item,
            id,
            sender,
            self.sent_at,
            content,
        ))))
    }
}

/// Returns the first 8 hex digits of a text's SHA-256.
fn digest(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hex::encode(hash.get(..4).unwrap_or_default())
}

/// Returns the status in an update, and its time if the update has one.
fn status(
    element: &Object<'_>,
    update: &Object<'_>,
) -> Option<(DeliveryStatus, Option<Timestamp>)> {
    for holder in [element, update] {
        if holder.get("status").is_some() {
            return Some((named(holder.text("status").get()), None));
        }
    }
    [element, update]
        .into_iter()
        .find_map(|holder| match holder.object("receipt") {
            Some(receipt) => Some(of_receipt(&receipt)),
            None => holder
                .text("receipt")
                .get()
                .map(|name| (named(Some(name)), None)),
        })
}

/// Returns the latest state of a receipt.
fn of_receipt(receipt: &Object<'_>) -> (DeliveryStatus, Option<Timestamp>) {
    [
        ("playedTimestamp", DeliveryStatus::Played),
        ("readTimestamp", DeliveryStatus::Read),
        ("receiptTimestamp", DeliveryStatus::Delivered),
    ]
    .into_iter()
    .find_map(|(name, status)| Some((status, Some(receipt.timestamp(name)?))))
    .unwrap_or((DeliveryStatus::Unknown, None))
}

fn named(name: Option<&str>) -> DeliveryStatus {
    match name.unwrap_or_default().to_ascii_lowercase().as_str() {
        "0" | "error" | "failed" => DeliveryStatus::Failed,
        "1" | "pending" => DeliveryStatus::Pending,
        "2" | "sent" | "server_ack" => DeliveryStatus::Sent,
        "3" | "delivered" | "delivery_ack" => DeliveryStatus::Delivered,
        "4" | "read" => DeliveryStatus::Read,
        "5" | "played" => DeliveryStatus::Played,
        "deleted" => DeliveryStatus::Deleted,
        _ => DeliveryStatus::Unknown,
    }
}
