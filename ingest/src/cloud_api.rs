//! Parses a body of the Cloud API's webhook into items. Pure.
//!
//! Each item ends as exactly one [`Item`]. An item that cannot be understood becomes a dead letter
//! and does not affect the other items.

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
mod status;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::str::FromStr;

use leadstream_schemas::{Platform, ProviderNotice, Timestamp, Topic};
use serde_json::value::RawValue;

use crate::comma_list::entries;
use crate::item::{Class, DeadLetter, EnvelopeError, Ignored, Item, Items, MAX_ID};
use crate::json::{self, is_object, object};
use wire::{Change, Concerned, Contact, Entry, Envelope, Value};

/// The `object` of every webhook of WhatsApp.
const OBJECT: &str = "whatsapp_business_account";

/// The business numbers that are ours, by `phone_number_id`. By default, every number with a valid
/// signature is ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers(BTreeSet<String>);

impl Numbers {
    /// Returns the numbers that are set.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Returns whether the number is ours. A signature proves the app, not the number.
    fn ours(&self, number: &str) -> bool {
        self.0.is_empty() || self.0.contains(number)
    }
}

impl FromStr for Numbers {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        entries(list)
            .map(|number| {
                if number.bytes().all(|byte| byte.is_ascii_digit()) {
                    Ok(number.to_owned())
                } else {
                    Err(format!(
                        "`{number}` is no phone_number_id, which has digits only; example: 106540352242922,106540352242923"
                    ))
                }
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Returns the items of a webhook's body, in order.
///
/// # Errors
/// Returns an error if the body is not JSON, or not the provider's envelope.
pub fn parse(
    body: &[u8],
    numbers: &Numbers,
    received_at: Timestamp,
) -> Result<Vec<Item>, EnvelopeError> {
    const EXPECTED: EnvelopeError = EnvelopeError::NotEnvelope(
        "`object` \"whatsapp_business_account\" and an array `entry` are expected",
    );
    let body = json::text(body)?;
    let envelope: Envelope<'_> = serde_json::from_str(&body).map_err(|error| {
        if error.is_data() {
            EXPECTED
        } else {
            EnvelopeError::NotJson
        }
    })?;
    if !is_of_whatsapp(&envelope) {
        return Err(EXPECTED);
    }
    let mut webhook = BodyParser {
        numbers,
        received_at,
        messages: 0,
        items: Items::default(),
    };
    for raw in envelope.entry {
        webhook.entry(raw)?;
    }
    Ok(webhook.items.into_vec())
}

/// Returns whether the envelope, or every entry of an envelope without `object`, is WhatsApp's.
fn is_of_whatsapp(envelope: &Envelope<'_>) -> bool {
    let is_ours = |raw: &RawValue| {
        object::<Entry<'_>>(raw).is_some_and(|entry| entry.object.get() == Some(OBJECT))
    };
    match envelope.object.get() {
        Some(object) => object == OBJECT,
        None => !envelope.entry.is_empty() && envelope.entry.iter().all(|raw| is_ours(raw)),
    }
}

/// An error means that the body holds too many items.
type Done = Result<(), EnvelopeError>;

struct BodyParser<'n> {
    numbers: &'n Numbers,
    received_at: Timestamp,
    /// Messages seen so far in this body.
    messages: u32,
    items: Items,
}

impl BodyParser<'_> {
    fn entry(&mut self, raw: &RawValue) -> Done {
        let Some(entry) = object::<Entry<'_>>(raw) else {
            return self.dead(Topic::LeadInputs, "", raw, Class::Malformed);
        };
        let account = entry.id.within(MAX_ID).unwrap_or_default();
        for raw in entry.changes {
            self.change(account, entry.field.get(), raw)?;
        }
        Ok(())
    }

    fn change(&mut self, account: &str, field: Option<&str>, raw: &RawValue) -> Done {
        let change = object::<Change<'_>>(raw).and_then(|change| {
            let field = change.field.get().or(field)?.to_owned();
            Some((field, change))
        });
        let Some((field, change)) = change else {
            return self.dead(Topic::LeadInputs, account, raw, Class::Malformed);
        };
        match field.as_str() {
            "messages" | "smb_message_echoes" => match Value::read(change.value) {
                Some(value) => self.value(account, field, &value, change.value),
                None => self.dead(Topic::LeadInputs, account, raw, Class::Malformed),
            },
            // Other fields hold messages, too, which are not for us to answer (calls, standby).
            _ => {
                let number = object::<Concerned<'_>>(change.value)
                    .and_then(|value| value.metadata?.number().map(str::to_owned));
                self.notice(account, number.as_deref(), field, change.value)
            }
        }
    }

    /// Reads every member of a value: its items have records of their own, and a notice has the
    /// rest.
    fn value(&mut self, account: &str, field: String, value: &Value<'_>, raw: &RawValue) -> Done {
        let metadata = value.metadata();
        let number = metadata.number();
        let [messages, echoes, statuses] =
            ["messages", "message_echoes", "statuses"].map(|name| value.list(name));
        let items = messages.len() + echoes.len() + statuses.len();
        if number.is_some_and(|number| !self.numbers.ours(number)) {
            let rest = usize::from(value.rest().next().is_some());
            for _ in 0..(items + rest).max(1) {
                self.items.push(Item::Ignored(Ignored::ForeignNumber))?;
            }
            return Ok(());
        }
        if items == 0 {
            return self.notice(account, number, field, raw);
        }
        let context = ValueContext {
            account,
            number,
            phone: metadata.phone(),
            contacts: value.contacts(),
        };
        // A person of the business wrote the echoes in the business's own app.
        let read: message::Read = match field.as_str() {
            "messages" => message::read,
            _ => message::read_echo,
        };
        for raw in messages {
            self.message(&context, raw, read)?;
        }
        for raw in echoes {
            self.message(&context, raw, message::read_echo)?;
        }
        for raw in statuses {
            self.status(&context, raw)?;
        }
        let mut rest: Vec<String> = Vec::new();
        for (name, raw) in value.rest() {
            rest.push(format!("{}:{raw}", serde_json::Value::from(name)));
        }
        if rest.is_empty() {
            return Ok(());
        }
        match RawValue::from_string(format!("{{{}}}", rest.join(","))) {
            Ok(rest) => self.notice(account, number, field, &rest),
            Err(_) => self.dead(Topic::ProviderNotices, context.key(), raw, Class::Malformed),
        }
    }

    fn message(&mut self, context: &ValueContext<'_>, raw: &RawValue, read: message::Read) -> Done {
        let item = self.messages;
        self.messages += 1;
        match read(context, raw, item, self.received_at) {
            Ok(item) => self.items.push(item),
            Err(class) => self.dead(Topic::LeadInputs, context.key(), raw, class),
        }
    }

    fn status(&mut self, context: &ValueContext<'_>, raw: &RawValue) -> Done {
        match status::read(context, raw, self.received_at) {
            Ok(status) => self.items.push(Item::Status(Box::new(status))),
            Err(class) => self.dead(Topic::MessageStatuses, context.key(), raw, class),
        }
    }

    fn notice(
        &mut self,
        account: &str,
        number: Option<&str>,
        field: String,
        raw: &RawValue,
    ) -> Done {
        if number.is_some_and(|number| !self.numbers.ours(number)) {
            return self.items.push(Item::Ignored(Ignored::ForeignNumber));
        }
        let concerned = number.unwrap_or(account);
        if !is_object(raw) {
            return self.dead(Topic::ProviderNotices, concerned, raw, Class::Malformed);
        }
        self.items.push(Item::Notice(ProviderNotice {
            platform: Platform::WhatsappCloud,
            number: (!concerned.is_empty()).then(|| concerned.to_owned()),
            field,
            received_at: self.received_at,
            raw: raw.to_owned(),
        }))
    }

    fn dead(&mut self, topic: Topic, key: &str, raw: &RawValue, class: Class) -> Done {
        self.items.push(Item::DeadLetter(DeadLetter {
            topic,
            key: key.to_owned(),
            bytes: raw.get().as_bytes().to_vec(),
            class,
        }))
    }
}

/// The context that the items of one value share.
struct ValueContext<'a> {
    account: &'a str,
    number: Option<&'a str>,
    /// The digits of the business's own phone number; empty if they are unknown.
    phone: String,
    contacts: Vec<Contact<'a>>,
}

impl ValueContext<'_> {
    fn key(&self) -> &str {
        self.number.unwrap_or(self.account)
    }
}
