//! What became of messages: statuses, receipts, edits, deletions, reactions.

use leadstream_schemas::{Content, DeliveryStatus, Timestamp, Topic};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::content;
use super::identity::Key;
use super::scope::{Failure, Scope};
use super::wire::Object;
use crate::item::{Class, Item};

/// One of `messages.update` or `message-receipt.update`.
pub(super) fn read(scope: &Scope<'_>, raw: &RawValue, item: u32) -> Result<Item, Failure> {
    let fail = |class| (Topic::MessageStatuses, class);
    let element = Object::read(raw).ok_or(fail(Class::Malformed))?;
    // Receipts stand one level deeper.
    let element = match element.object("message") {
        Some(inner) if element.get("key").is_none() && inner.get("key").is_some() => inner,
        _ => element,
    };
    let key = Key::new(element.object("key").unwrap_or_default(), element.clone());
    if let Some(ignored) = key.ignored() {
        return Ok(Item::Ignored(ignored));
    }
    let number = scope.number.ok_or(fail(Class::NoNumber))?;
    let id = format!("{number}/{}", key.id().ok_or(fail(Class::NoId))?);
    let update = element.object("update").unwrap_or_default();
    let sent_at = update.timestamp("messageTimestamp");
    let sent_at = sent_at.or_else(|| element.timestamp("messageTimestamp"));
    let (status, at) = match told(&element, &update) {
        Some((status, at)) => (status, at.or(sent_at)),
        None => match content::change(number, &id, &update) {
            Some(content) => {
                let change = Change {
                    key: &key,
                    about: &element,
                    sent_at: scope.moment(sent_at),
                    item,
                };
                return change.record(scope, raw, id, content);
            }
            None => (DeliveryStatus::Unknown, sent_at),
        },
    };
    // `fromMe` cannot be relied on here: people's messages have no statuses.
    let recipient = key.recipient().into_recipient();
    let status = scope.status(raw, id, status, scope.moment(at), recipient);
    Ok(Item::Status(Box::new(status)))
}

/// One of `messages.delete`: a key, or what holds one.
pub(super) fn read_deleted(scope: &Scope<'_>, raw: &RawValue, item: u32) -> Result<Item, Failure> {
    let element = Object::read(raw).ok_or((Topic::LeadInputs, Class::Malformed))?;
    let own = element.object("key").unwrap_or_else(|| element.clone());
    let key = Key::new(own, element.clone());
    if let Some(ignored) = key.ignored() {
        return Ok(Item::Ignored(ignored));
    }
    let topic = topic(&key);
    let number = scope.number.ok_or((topic, Class::NoNumber))?;
    let id = format!("{number}/{}", key.id().ok_or((topic, Class::NoId))?);
    let change = Change {
        key: &key,
        about: &element,
        sent_at: scope.moment(element.timestamp("messageTimestamp")),
        item,
    };
    let message_id = id.clone();
    change.record(scope, raw, id, Content::Revoke { message_id })
}

/// One of `messages.reaction`: `key` is that of the message reacted to, `reaction.key` the
/// reaction's own, which may be missing or repeat the other.
pub(super) fn read_reaction(scope: &Scope<'_>, raw: &RawValue, item: u32) -> Result<Item, Failure> {
    let element = Object::read(raw).ok_or((Topic::LeadInputs, Class::Malformed))?;
    let about = Key::new(element.object("key").unwrap_or_default(), element.clone());
    let reaction = element.object("reaction").unwrap_or_default();
    let own = reaction.object("key");
    let own = own.map_or_else(|| about.clone(), |own| Key::new(own, Object::default()));
    if let Some(ignored) = own.ignored().or_else(|| about.ignored()) {
        return Ok(Item::Ignored(ignored));
    }
    let topic = topic(&own);
    let number = scope.number.ok_or((topic, Class::NoNumber))?;
    let target = about.id().ok_or((topic, Class::NoId))?;
    let emoji = reaction.text("text").to_owned();
    let sender = match own.sender() {
        ids if ids.is_empty() => about.sender(),
        ids => ids,
    };
    let told_at = reaction.timestamp("senderTimestampMs");
    let id = match own.id() {
        Some(id) if id != target => format!("{number}/{id}"),
        _ => {
            let emoji = emoji.as_deref().unwrap_or_default();
            let millis = told_at.map(|at| at.millis().to_string());
            let told = [sender.key(), emoji, millis.as_deref().unwrap_or_default()];
            format!("{number}/{target}/reaction/{}", digest(&told.join("\n")))
        }
    };
    let sent_at = told_at.or_else(|| element.timestamp("messageTimestamp"));
    let sent_at = scope.moment(sent_at);
    if own.is_ours() {
        let recipient = match own.recipient() {
            ids if ids.is_empty() => about.recipient(),
            ids => ids,
        };
        let recipient = recipient.into_recipient();
        let mut status = scope.status(raw, id, DeliveryStatus::Sent, sent_at, recipient);
        status.body = emoji;
        return Ok(Item::Status(Box::new(status)));
    }
    if sender.is_empty() {
        return Err((topic, Class::NoSender));
    }
    let message_id = format!("{number}/{target}");
    let content = Content::Reaction { message_id, emoji };
    let sender = sender.into_sender(&element);
    Ok(scope.input(raw, item, id, sender, sent_at, content))
}

/// Where a dead letter belongs: what is ours would have been a status.
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
    /// `id` is that of the key, which may be the changed message's or the change's own. In the first
    /// case the record needs another, and the same one when the change is told again.
    fn record(
        &self,
        scope: &Scope<'_>,
        raw: &RawValue,
        id: String,
        content: Content,
    ) -> Result<Item, Failure> {
        if self.key.is_ours() {
            let recipient = self.key.recipient().into_recipient();
            let (id, status) = match &content {
                Content::Revoke { message_id } => (message_id.clone(), DeliveryStatus::Deleted),
                _ => (id, DeliveryStatus::Sent),
            };
            let mut status = scope.status(raw, id, status, self.sent_at, recipient);
            status.body = content::words(content);
            return Ok(Item::Status(Box::new(status)));
        }
        let sender = self.key.sender();
        if sender.is_empty() {
            return Err((Topic::LeadInputs, Class::NoSender));
        }
        let id = match &content {
            Content::Edit { message_id, body } if *message_id == id => {
                format!("{id}/edit/{}", digest(body))
            }
            Content::Revoke { message_id } if *message_id == id => format!("{id}/revoke"),
            _ => id,
        };
        let sender = sender.into_sender(self.about);
        Ok(scope.input(raw, self.item, id, sender, self.sent_at, content))
    }
}

/// The first 8 hex digits of a text's SHA-256.
fn digest(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hex::encode(hash.get(..4).unwrap_or_default())
}

/// The status that an update tells, and when it came to be where that is told.
fn told(element: &Object<'_>, update: &Object<'_>) -> Option<(DeliveryStatus, Option<Timestamp>)> {
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

/// The furthest that a receipt has come.
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
