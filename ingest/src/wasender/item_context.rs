//! Holds the context that the items of one webhook share.

use std::borrow::Cow;

use leadstream_schemas::{
    Content, DeliveryStatus, InputId, InputKind, LeadInput, MessageStatus, Platform, Recipient,
    Sender, Timestamp, Topic,
};
use serde_json::value::RawValue;

use super::redact::redact;
use crate::item::{Class, DeadLetter, Item};

/// The reason why an item is a dead letter, and its topic.
pub(super) type Failure = (Topic, Class);

pub(super) struct ItemContext<'a> {
    /// The session's name, if it is known.
    pub(super) number: Option<&'a str>,
    pub(super) received_at: Timestamp,
    /// The time of the event, by the provider.
    pub(super) at: Option<Timestamp>,
    /// The secrets that still have to be removed from the raw items.
    pub(super) secrets: &'a [&'a str],
}

impl ItemContext<'_> {
    /// Returns the first known time: of the item, of the event, of the webhook.
    pub(super) fn moment(&self, item: Option<Timestamp>) -> Timestamp {
        item.or(self.at).unwrap_or(self.received_at)
    }

    pub(super) fn input(
        &self,
        raw: &RawValue,
        item: u32,
        id: InputId,
        sender: Sender,
        sent_at: Timestamp,
        content: Content,
    ) -> LeadInput {
        LeadInput {
            id,
            kind: InputKind::Message,
            platform: Platform::Wasender,
            number: self.number.unwrap_or_default().to_owned(),
            sender,
            sent_at,
            received_at: self.received_at,
            item,
            content,
            referral: None,
            raw: self.stored(raw),
        }
    }

    pub(super) fn status(
        &self,
        raw: &RawValue,
        id: InputId,
        status: DeliveryStatus,
        at: Timestamp,
        recipient: Recipient,
    ) -> MessageStatus {
        MessageStatus {
            id: id.into(),
            platform: Platform::Wasender,
            number: self.number.unwrap_or_default().to_owned(),
            status,
            at,
            received_at: self.received_at,
            recipient,
            errors: Vec::new(),
            reply_id: None,
            send_id: None,
            body: None,
            echo: None,
            raw: self.stored(raw),
        }
    }

    pub(super) fn dead(&self, raw: &RawValue, (topic, class): Failure) -> Item {
        Item::DeadLetter(DeadLetter {
            topic,
            key: self.number.unwrap_or_default().to_owned(),
            bytes: self.redacted(raw.get()).into_owned().into_bytes(),
            class,
        })
    }

    /// Returns an item's JSON without secrets.
    pub(super) fn stored(&self, raw: &RawValue) -> Option<Box<RawValue>> {
        match self.redacted(raw.get()) {
            Cow::Borrowed(_) => Some(raw.to_owned()),
            Cow::Owned(redacted) => RawValue::from_string(redacted).ok(),
        }
    }

    fn redacted<'j>(&self, json: &'j str) -> Cow<'j, str> {
        if self.secrets.is_empty() {
            return Cow::Borrowed(json);
        }
        redact(json, self.secrets)
    }
}
