//! Defines the items of a webhook. Every item ends as exactly one [`Item`]: items = records + dead
//! letters + counted ignores.

use leadstream_schemas::{LeadInput, MessageStatus, ProviderNotice, Topic};

/// The maximal number of items in a webhook: Meta documents 1,000. It bounds the growth of a body.
pub const MAX_ITEMS: usize = 10_000;
/// The maximal nesting of arrays and objects in a body, which common JSON readers can read.
pub const MAX_DEPTH: usize = 100;

/// The longest accepted id in bytes: BSUIDs have up to 128 characters after the country. A
/// contact's ids are repeated in every record of its items, so they have to be short.
pub(crate) const MAX_ID: usize = 160;
/// The longest name of a person in characters; longer names are truncated.
pub(crate) const MAX_NAME_CHARS: usize = 256;

/// The result of reading one item of a webhook.
#[derive(Clone, Debug)]
pub enum Item {
    Input(Box<LeadInput>),
    Status(Box<MessageStatus>),
    Notice(ProviderNotice),
    DeadLetter(DeadLetter),
    Ignored(Ignored),
}

/// The reason why an item is ignored on purpose. It is counted and not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ignored {
    /// It came for a number or session that is not configured as ours.
    ForeignNumber,
    /// It is a group message: not a conversation with the business.
    Group,
    Newsletter,
    /// A status update or a broadcast list.
    Broadcast,
    /// A person of the business reacted to a message, or took the reaction back.
    OwnReaction,
    /// A delivery without the message itself: one that could not be decrypted yet, or only its
    /// key. The message comes under the same id.
    NoContent,
}

impl Ignored {
    pub const ALL: [Self; 6] = [
        Self::ForeignNumber,
        Self::Group,
        Self::Newsletter,
        Self::Broadcast,
        Self::OwnReaction,
        Self::NoContent,
    ];

    /// Returns a short, machine-readable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ForeignNumber => "foreign_number",
            Self::Group => "group",
            Self::Newsletter => "newsletter",
            Self::Broadcast => "broadcast",
            Self::OwnReaction => "own_reaction",
            Self::NoContent => "no_content",
        }
    }
}

/// An item that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The topic whose dead-letter topic receives it.
    pub topic: Topic,
    /// The business number or account that received it.
    pub key: String,
    /// The item's original JSON, with redacted secrets.
    pub bytes: Vec<u8>,
    pub class: Class,
}

/// The reason why an item is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It does not have the shape that the provider documents.
    Malformed,
    NoId,
    NoNumber,
    NoSender,
    BadTimestamp,
    /// Its record would exceed the topic's limit.
    TooLong,
}

impl Class {
    /// Returns a short, machine-readable name.
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

    /// Describes the problem in words that hold nothing of the item.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Malformed => "the item does not have the shape that the provider documents",
            Self::NoId => {
                "the item has no id of at most 512 bytes, so its duplicates could not be recognized"
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

/// The reason why a whole body was refused.
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

/// The items of one body, up to [`MAX_ITEMS`].
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
