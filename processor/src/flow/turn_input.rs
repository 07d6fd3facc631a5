//! The content of an input, as the fold reads it.

use leadstream_schemas::input::MediaType;
use leadstream_schemas::{Content, Platform, Timestamp, UndeliveredClass};
use serde::{Deserialize, Serialize};

/// The limit of a text. Longer texts are cut, so that journals and rows stay small.
pub(super) const MAX_CHARS: usize = 1_000;

/// The providers' names of content that they do not pass on and that concerns an earlier message:
/// edits, reactions, pins.
const NEVER_ANSWERS: [&str; 9] = [
    "edit",
    "revoke",
    "reaction",
    "pin",
    "keep_in_chat",
    "secretEncryptedMessage",
    "encReactionMessage",
    "pinInChatMessage",
    "keepInChatMessage",
];
/// The limit of a provider's id, media type or hash of a file. Longer ones are none.
const MAX_REFERENCE_BYTES: usize = 200;

/// The limit of a form. Longer forms are no answer, because cut JSON cannot be parsed.
const MAX_FORM_BYTES: usize = 8_000;

/// The input of one turn. The journal stores it as MessagePack with the short names: only add
/// variants and trailing fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TurnInput {
    #[serde(rename = "t")]
    Text(String),
    /// A tapped button or list row.
    #[serde(rename = "c")]
    Choice { id: Option<String>, title: String },
    /// Content that is never an answer: reactions, edits, revocations, notices.
    #[serde(rename = "i")]
    Ignored,
    /// Content that no question takes.
    #[serde(rename = "o")]
    Other,
    /// A submitted form: the provider's JSON.
    #[serde(rename = "f")]
    Form(String),
    #[serde(rename = "l")]
    Place(Place),
    /// A person of the business wrote to the lead.
    #[serde(rename = "p")]
    Takeover,
    /// A person of the business gave the lead back to the bot.
    #[serde(rename = "r")]
    Release,
    /// A person of the business restarts the flow.
    #[serde(rename = "x")]
    Restart,
    /// A person of the business assigns the lead.
    #[serde(rename = "a")]
    Assign(Option<String>),
    /// Media with a caption, as earlier versions stored it. The caption may be a keyword; it is no
    /// answer.
    #[serde(rename = "m")]
    Captioned(String),
    /// A person of the business writes to the lead, through Leadstream.
    #[serde(rename = "s")]
    Say {
        body: String,
        /// True if the provider takes free texts only for 24 hours after the lead's last message.
        has_window: bool,
        /// The template that is sent outside these 24 hours, or at any time if there is no text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        template: Option<String>,
    },
    #[serde(rename = "d")]
    Media(Box<Media>),
    /// A reply did not reach the lead.
    #[serde(rename = "u")]
    Undelivered(Undelivered),
}

/// Why a reply did not reach its lead. Stored as a MessagePack array: add fields only at the end, with
/// a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undelivered {
    pub class: UndeliveredClass,
    /// WhatsApp's error code.
    pub code: Option<i64>,
    /// Since when the bot waits for the answer to the reply; none if the reply asks nothing.
    pub asked_at: Option<Timestamp>,
}

/// A reference to a file that WhatsApp keeps, with what the provider says of it. Stored as a
/// MessagePack array: add fields only at the end, with a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    pub kind: MediaType,
    /// The Cloud API's media id.
    pub id: Option<String>,
    pub mime_type: Option<String>,
    pub sha256: Option<String>,
    /// The size in bytes.
    pub size: Option<u64>,
    pub file_name: Option<String>,
    /// The caption. It may be a keyword.
    pub caption: Option<String>,
}

/// A location in units of 1e-7 degrees: integers are stored and compared exactly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub latitude: i32,
    pub longitude: i32,
    pub name: Option<String>,
    pub address: Option<String>,
}

impl Place {
    /// Returns the location of a latitude and longitude in degrees; none if they are out of range.
    #[must_use]
    pub fn new(
        latitude: f64,
        longitude: f64,
        name: Option<&str>,
        address: Option<&str>,
    ) -> Option<Self> {
        let is_real = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "180 degrees in these units fit"
        )]
        let units = |degrees: f64| (degrees * 1e7).round() as i32;
        is_real.then(|| Self {
            latitude: units(latitude),
            longitude: units(longitude),
            name: name.map(clean).filter(|name| !name.is_empty()),
            address: address.map(clean).filter(|address| !address.is_empty()),
        })
    }
}

impl TurnInput {
    /// Returns the cleaned text, or the title of a choice; none if it is empty.
    pub(super) fn text(&self) -> Option<String> {
        let text = match self {
            Self::Text(text) | Self::Choice { title: text, .. } => clean(text),
            Self::Ignored
            | Self::Other
            | Self::Captioned(_)
            | Self::Media(_)
            | Self::Form(_)
            | Self::Place(_)
            | Self::Takeover
            | Self::Release
            | Self::Restart
            | Self::Assign(_)
            | Self::Say { .. }
            | Self::Undelivered(_) => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    /// Returns what the lead wrote, as a text that shows whether two messages are alike.
    pub(super) fn words(&self) -> &str {
        match self {
            Self::Form(text) => text,
            other => other.keyword().unwrap_or_default(),
        }
    }

    /// Returns the text that may be a keyword as a whole.
    pub(super) fn keyword(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Choice { title: text, .. } | Self::Captioned(text) => {
                Some(text)
            }
            Self::Media(media) => media.caption.as_deref(),
            _ => None,
        }
    }
}

impl TurnInput {
    /// Returns the input of a command's content; none for other content and for an erasure.
    #[must_use]
    pub fn command(content: &Content, platform: Platform) -> Option<Self> {
        Some(match content {
            Content::Restart => Self::Restart,
            Content::Release => Self::Release,
            Content::Assign { assignee } => Self::Assign(assignee.clone()),
            Content::Say { body, template } => Self::Say {
                body: body.clone(),
                has_window: platform == Platform::WhatsappCloud,
                template: template.clone(),
            },
            _ => return None,
        })
    }

    /// Returns the input of a delivery's content; none for other content.
    #[must_use]
    pub const fn delivery(content: &Content) -> Option<Self> {
        match content {
            Content::Undelivered {
                class,
                code,
                asked_at,
                ..
            } => Some(Self::Undelivered(Undelivered {
                class: *class,
                code: *code,
                asked_at: *asked_at,
            })),
            _ => None,
        }
    }

    /// Returns whether the provider sent the input: it is no command and no delivery. Only such an
    /// input begins a conversation, and only its sender says who the lead is.
    #[must_use]
    pub const fn is_from_provider(&self) -> bool {
        !self.is_command() && !matches!(self, Self::Undelivered(_))
    }

    /// Returns whether the input is a command.
    #[must_use]
    pub const fn is_command(&self) -> bool {
        matches!(
            self,
            Self::Restart | Self::Release | Self::Assign(_) | Self::Say { .. }
        )
    }

    /// Returns whether the lead itself wrote the input.
    #[cfg(test)]
    pub(super) const fn is_of_the_lead(&self) -> bool {
        self.is_from_provider() && !matches!(self, Self::Ignored | Self::Takeover)
    }
}

impl From<&Content> for TurnInput {
    fn from(content: &Content) -> Self {
        match content {
            Content::Text { body } => Self::Text(clean(body)),
            Content::Choice { id, title, .. } => Self::Choice {
                id: id.as_deref().map(clean),
                title: clean(title),
            },
            Content::Reaction { .. }
            | Content::CallPermission { .. }
            | Content::Edit { .. }
            | Content::Revoke { .. }
            | Content::System { .. }
            | Content::Merge { .. }
            | Content::Restart
            | Content::Release
            | Content::Assign { .. }
            | Content::Say { .. }
            | Content::Erase { .. }
            | Content::Undelivered { .. } => Self::Ignored,
            Content::Unsupported {
                provider_type: Some(kind),
            } if NEVER_ANSWERS.contains(&kind.as_str()) => Self::Ignored,
            Content::Takeover { .. } => Self::Takeover,
            Content::Form { response_json, .. } if response_json.len() <= MAX_FORM_BYTES => {
                Self::Form(response_json.clone())
            }
            Content::Location {
                latitude,
                longitude,
                name,
                address,
            } => Place::new(*latitude, *longitude, name.as_deref(), address.as_deref())
                .map_or(Self::Other, Self::Place),
            Content::Media {
                media,
                id,
                mime_type,
                sha256,
                caption,
                filename,
                size,
                ..
            } => {
                let reference = |text: &Option<String>| {
                    let text = text.as_deref().filter(|it| it.len() <= MAX_REFERENCE_BYTES);
                    text.map(clean).filter(|text| !text.is_empty())
                };
                let words = |text: &Option<String>| {
                    let text = text.as_deref().map(clean);
                    text.filter(|text| !text.is_empty())
                };
                Self::Media(Box::new(Media {
                    kind: *media,
                    id: reference(id),
                    mime_type: reference(mime_type),
                    sha256: reference(sha256),
                    size: *size,
                    file_name: words(filename),
                    caption: words(caption),
                }))
            }
            Content::Form { .. }
            | Content::Contacts { .. }
            | Content::Order { .. }
            | Content::Unsupported { .. }
            | Content::Unknown => Self::Other,
        }
    }
}

/// Trims blanks, removes control characters (JSONB takes no NUL) and cuts to [`MAX_CHARS`]. A second
/// call changes nothing.
pub(super) fn clean(text: &str) -> String {
    let text = text.trim_matches(is_blank);
    // Nearly every text needs no copy without some characters.
    if text.len() <= MAX_CHARS && !text.chars().any(is_removed) {
        return text.to_owned();
    }
    let kept: String = text
        .chars()
        .filter(|&c| !is_removed(c))
        .take(MAX_CHARS)
        .collect();
    kept.trim_end_matches(is_blank).to_owned()
}

fn is_removed(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

/// Returns whether `c` is whitespace or invisible.
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests;
