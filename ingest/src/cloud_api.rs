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

/// The business numbers that are ours, by `phone_number_id`. By default, every number with a valid
/// signature is ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers(BTreeSet<String>);

impl Numbers {
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
    let envelope: Envelope<'_> = serde_json::from_str(body).map_err(|error| {
        if error.is_data() {
            EXPECTED
        } else {
            EnvelopeError::NotJson
        }
    })?;
    if envelope.object.get() != Some("whatsapp_business_account") {
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
            self.change(account, raw)?;
        }
        Ok(())
    }

    fn change(&mut self, account: &str, raw: &RawValue) -> Done {
        let change =
            object::<Change<'_>>(raw).and_then(|change| Some((change.field.to_owned()?, change)));
        let Some((field, change)) = change else {
            return self.dead(Topic::LeadInputs, account, raw, Class::Malformed);
        };
        match field.as_str() {
            // A person of the business wrote it in the business's own app.
            "messages" | "smb_message_echoes" => match object::<Value<'_>>(change.value) {
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

    fn value(&mut self, account: &str, field: String, value: &Value<'_>, raw: &RawValue) -> Done {
        let number = value.metadata.as_ref().and_then(wire::Metadata::number);
        let (messages, echoes, statuses) = if field == "messages" {
            (&value.messages, &None, &value.statuses)
        } else {
            (&None, &value.message_echoes, &None)
        };
        if number.is_some_and(|number| !self.numbers.ours(number)) {
            let lists = [messages, echoes, statuses];
            let items: usize = lists.into_iter().flatten().map(Vec::len).sum();
            for _ in 0..items.max(1) {
                self.items.push(Item::Ignored(Ignored::ForeignNumber))?;
            }
            return Ok(());
        }
        let context = ValueContext {
            account,
            number,
            contacts: contacts(value),
        };
        for raw in messages.iter().flatten() {
            self.message(&context, raw, message::read)?;
        }
        for raw in echoes.iter().flatten() {
            self.message(&context, raw, message::read_echo)?;
        }
        for raw in statuses.iter().flatten() {
            self.status(&context, raw)?;
        }
        if messages.is_none() && echoes.is_none() && statuses.is_none() {
            return self.notice(account, number, field, raw);
        }
        let Some(errors) = value.errors else {
            return Ok(());
        };
        // Only the errors: the items beside them have records of their own.
        match RawValue::from_string(format!("{{\"errors\":{errors}}}")) {
            Ok(errors) => self.notice(account, number, field, &errors),
            Err(_) => self.dead(
                Topic::ProviderNotices,
                context.key(),
                errors,
                Class::Malformed,
            ),
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
    contacts: Vec<Contact<'a>>,
}

impl ValueContext<'_> {
    fn key(&self) -> &str {
        self.number.unwrap_or(self.account)
    }
}

/// Returns the contacts. An unreadable contact counts as missing, because its message names the
/// sender, too.
fn contacts<'a>(value: &Value<'a>) -> Vec<Contact<'a>> {
    let raws = value.contacts.iter().flatten();
    raws.filter_map(|raw| object::<Contact<'_>>(raw)).collect()
}
