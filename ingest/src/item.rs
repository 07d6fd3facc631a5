//! What the items of a webhook become. Every item ends as exactly one [`Item`]: items = records +
//! dead letters + counted ignores.

use leadstream_schemas::{LeadInput, MessageStatus, ProviderNotice, Topic};

/// The most items that one webhook may hold: Meta documents 1,000. Bounds what a body can grow to.
pub const MAX_ITEMS: usize = 10_000;
/// How deep arrays and objects may nest in a body: what common JSON readers downstream can take.
pub const MAX_DEPTH: usize = 100;

/// The longest id, in bytes, that is taken for one: BSUIDs have up to 128 characters after the
/// country. A contact's ids stand in every record of its items, so they have to be short.
pub(crate) const MAX_ID: usize = 160;
/// Characters of a person's name; longer ones are cut.
pub(crate) const MAX_NAME_CHARS: usize = 256;

/// What one item of a webhook became.
#[derive(Clone, Debug)]
pub enum Item {
    Input(Box<LeadInput>),
    Status(Box<MessageStatus>),
    Notice(ProviderNotice),
    DeadLetter(DeadLetter),
    Ignored(Ignored),
}

/// Why an item is left out on purpose. Nothing is written; it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ignored {
    /// It came for a number or session that is not configured as ours.
    ForeignNumber,
    /// It was said in a group: not a conversation with the business.
    Group,
    Newsletter,
    /// A status update or a broadcast list.
    Broadcast,
}

impl Ignored {
    pub const ALL: [Self; 4] = [
        Self::ForeignNumber,
        Self::Group,
        Self::Newsletter,
        Self::Broadcast,
    ];

    /// Short and machine-readable.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ForeignNumber => "foreign_number",
            Self::Group => "group",
            Self::Newsletter => "newsletter",
            Self::Broadcast => "broadcast",
        }
    }
}

/// An item that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The topic whose dead letters take it.
    pub topic: Topic,
    /// The business number or account that it came for.
    pub key: String,
    /// The item's JSON as it was sent, secrets redacted.
    pub bytes: Vec<u8>,
    pub class: Class,
}

/// Why an item is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Not the shape that the provider documents.
    Malformed,
    NoId,
    NoNumber,
    NoSender,
    BadTimestamp,
    /// Its record would be longer than the topic takes.
    TooLong,
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
            Self::BadTimestamp => "bad_timestamp",
            Self::TooLong => "too_long",
        }
    }

    /// What is wrong, in words that hold nothing of the item.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Malformed => "the item does not have the shape that the provider documents",
            Self::NoId => {
                "the item has no id of at most 512 bytes, so that its repeats could not be told apart"
            }
            Self::NoNumber => {
                "nothing beside the item says for which number (`metadata.phone_number_id`) or session (`sessionId`) it came"
            }
            Self::NoSender => "neither the message nor a contact that matches it names its sender",
            Self::BadTimestamp => {
                "`timestamp` is missing, or no moment in seconds or milliseconds since 1970"
            }
            Self::TooLong => {
                "the record would be longer than the topic takes; raise max.message.bytes of the topic (`leadstream topics plan` shows it)"
            }
        }
    }
}

/// Why a body was refused as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    #[error("the body is not JSON in UTF-8")]
    NotJson,
    #[error("the body is not the provider's webhook: {0}")]
    NotEnvelope(&'static str),
    #[error("the body nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("the body holds more than {MAX_ITEMS} items")]
    TooManyItems,
}

/// The items of one body, as many as it may hold.
#[derive(Debug, Default)]
pub(crate) struct Items(Vec<Item>);

impl Items {
    pub(crate) fn push(&mut self, item: Item) -> Result<(), EnvelopeError> {
        if self.0.len() == MAX_ITEMS {
            return Err(EnvelopeError::TooManyItems);
        }
        self.0.push(item);
        Ok(())
    }

    pub(crate) fn into_vec(self) -> Vec<Item> {
        self.0
    }
}
