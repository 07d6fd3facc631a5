//! The Cloud API's webhook: bytes in, items out. Pure.
//!
//! Each item ends as exactly one [`Item`]; one that cannot be understood becomes a dead letter and
//! never fails its neighbours.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod identity;
mod message;
mod status;
mod wire;

#[cfg(test)]
mod tests;

use leadstream_schemas::{LeadInput, MessageStatus, Platform, ProviderNotice, Timestamp, Topic};
use serde::Deserialize;
use serde_json::value::RawValue;

use wire::{Change, Concerned, Contact, Entry, Envelope, Value};

/// What one item of a webhook became.
#[derive(Clone, Debug)]
pub enum Item {
    Input(LeadInput),
    Status(MessageStatus),
    Notice(ProviderNotice),
    DeadLetter(DeadLetter),
}

/// An item that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The topic whose dead letters take it.
    pub topic: Topic,
    /// The business number or account that it came for.
    pub key: String,
    /// The item's JSON as it was sent.
    pub bytes: Vec<u8>,
    pub class: Class,
}

/// Why an item is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Not the shape that the provider documents.
    Malformed,
    NoId,
    NoNumber,
    NoSender,
    NoRecipient,
    BadTimestamp,
}

impl Class {
    /// Short and machine-readable.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NoId => "no_id",
            Self::NoNumber => "no_number",
            Self::NoSender => "no_sender",
            Self::NoRecipient => "no_recipient",
            Self::BadTimestamp => "bad_timestamp",
        }
    }

    /// What is wrong, in words that hold nothing of the item.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Malformed => "the item does not have the shape that the Cloud API documents",
            Self::NoId => "the item has no `id`, so that its repeats could not be told apart",
            Self::NoNumber => "`metadata.phone_number_id` is missing beside the item",
            Self::NoSender => "neither the message nor a contact that matches it names its sender",
            Self::NoRecipient => "the status names nobody as its recipient",
            Self::BadTimestamp => {
                "`timestamp` is missing, or no moment in seconds or milliseconds since 1970"
            }
        }
    }
}

/// Why a body was refused as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    #[error("the body is not JSON in UTF-8")]
    NotJson,
    #[error(
        "the body is not a WhatsApp webhook: `object` \"whatsapp_business_account\" and an array `entry` are expected"
    )]
    NotEnvelope,
}

/// The items of a webhook's body, in the order in which they stand.
///
/// # Errors
/// A body that is not JSON, or not the provider's envelope.
pub fn parse(body: &[u8], received_at: Timestamp) -> Result<Vec<Item>, EnvelopeError> {
    let body = std::str::from_utf8(body).map_err(|_| EnvelopeError::NotJson)?;
    let envelope: Envelope<'_> = serde_json::from_str(body).map_err(|error| {
        if error.is_data() {
            EnvelopeError::NotEnvelope
        } else {
            EnvelopeError::NotJson
        }
    })?;
    if envelope.object.get() != Some("whatsapp_business_account") {
        return Err(EnvelopeError::NotEnvelope);
    }
    let mut items = Items {
        received_at,
        messages: 0,
        items: Vec::new(),
    };
    for raw in envelope.entry {
        items.entry(raw);
    }
    Ok(items.items)
}

struct Items {
    received_at: Timestamp,
    /// Messages seen so far in this body.
    messages: u32,
    items: Vec<Item>,
}

impl Items {
    fn entry(&mut self, raw: &RawValue) {
        let Some(entry) = object::<Entry<'_>>(raw) else {
            return self.dead(Topic::LeadInputs, "", raw, Class::Malformed);
        };
        let account = entry.id.get().unwrap_or_default();
        for raw in entry.changes {
            self.change(account, raw);
        }
    }

    fn change(&mut self, account: &str, raw: &RawValue) {
        let change =
            object::<Change<'_>>(raw).and_then(|change| Some((change.field.to_owned()?, change)));
        let Some((field, change)) = change else {
            return self.dead(Topic::LeadInputs, account, raw, Class::Malformed);
        };
        // Other fields hold messages too, which are not for us to answer (echoes, calls).
        if field == "messages" {
            match object::<Value<'_>>(change.value) {
                Some(value) => self.value(account, &value, change.value),
                None => self.dead(Topic::LeadInputs, account, raw, Class::Malformed),
            }
        } else {
            let number = object::<Concerned<'_>>(change.value)
                .and_then(|value| value.metadata?.phone_number_id.to_owned());
            let number = number.as_deref().unwrap_or(account);
            self.notice(number, field, change.value);
        }
    }

    fn value(&mut self, account: &str, value: &Value<'_>, raw: &RawValue) {
        let number = value
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.phone_number_id.get());
        let scope = Scope {
            account,
            number,
            contacts: contacts(value),
        };
        for raw in value.messages.iter().flatten() {
            self.message(&scope, raw);
        }
        for raw in value.statuses.iter().flatten() {
            self.status(&scope, raw);
        }
        let key = number.unwrap_or(account);
        if value.messages.is_none() && value.statuses.is_none() {
            self.notice(key, "messages".to_owned(), raw);
        } else if let Some(errors) = value.errors {
            // Only the errors: the items beside them have records of their own.
            let errors = RawValue::from_string(format!("{{\"errors\":{errors}}}"));
            if let Ok(errors) = errors {
                self.notice(key, "messages".to_owned(), &errors);
            }
        }
    }

    fn message(&mut self, scope: &Scope<'_>, raw: &RawValue) {
        let item = self.messages;
        self.messages += 1;
        match message::read(scope, raw, item, self.received_at) {
            Ok(input) => self.items.push(Item::Input(input)),
            Err(class) => self.dead(Topic::LeadInputs, scope.key(), raw, class),
        }
    }

    fn status(&mut self, scope: &Scope<'_>, raw: &RawValue) {
        match status::read(scope, raw, self.received_at) {
            Ok(status) => self.items.push(Item::Status(status)),
            Err(class) => self.dead(Topic::MessageStatuses, scope.key(), raw, class),
        }
    }

    fn notice(&mut self, number: &str, field: String, raw: &RawValue) {
        if !is_object(raw) {
            return self.dead(Topic::ProviderNotices, number, raw, Class::Malformed);
        }
        self.items.push(Item::Notice(ProviderNotice {
            platform: Platform::WhatsappCloud,
            number: (!number.is_empty()).then(|| number.to_owned()),
            field,
            received_at: self.received_at,
            raw: raw.to_owned(),
        }));
    }

    fn dead(&mut self, topic: Topic, key: &str, raw: &RawValue, class: Class) {
        self.items.push(Item::DeadLetter(DeadLetter {
            topic,
            key: key.to_owned(),
            bytes: raw.get().as_bytes().to_vec(),
            class,
        }));
    }
}

/// What the items of one value share.
struct Scope<'a> {
    account: &'a str,
    number: Option<&'a str>,
    contacts: Vec<Contact<'a>>,
}

impl Scope<'_> {
    fn key(&self) -> &str {
        self.number.unwrap_or(self.account)
    }
}

/// A contact that cannot be read counts as missing: its message names the sender, too.
fn contacts<'a>(value: &Value<'a>) -> Vec<Contact<'a>> {
    let raws = value.contacts.iter().flatten();
    raws.filter_map(|raw| object::<Contact<'_>>(raw)).collect()
}

/// Seconds, or milliseconds where the number is too great for seconds (1e11 s is in the year
/// 5138); `None` before 1970 and after the year 9999.
fn timestamp(number: i64) -> Option<Timestamp> {
    const LAST_MILLISECOND: i64 = 253_402_300_799_999;
    let millis = if number < 100_000_000_000 {
        number.checked_mul(1000)?
    } else {
        number
    };
    (1..=LAST_MILLISECOND)
        .contains(&millis)
        .then(|| Timestamp::from_millis(millis))
}

/// Serde would read an array as a struct, too.
fn object<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    is_object(raw)
        .then(|| serde_json::from_str(raw.get()).ok())
        .flatten()
}

fn is_object(raw: &RawValue) -> bool {
    raw.get().starts_with('{')
}
