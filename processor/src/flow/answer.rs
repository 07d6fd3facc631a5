//! What the fold reads of an input's content.

use leadstream_schemas::Content;
use serde::{Deserialize, Serialize};

/// Longer answers are cut: journals and rows stay small, whatever a lead sends.
pub(super) const MAX_CHARS: usize = 1_000;

/// Longer forms are no answer: cut JSON could not be read.
const MAX_FORM_BYTES: usize = 8_000;

/// An input's content as the fold reads it. Kept in a lead's journal (MessagePack), so variants
/// and trailing fields may be added and nothing else changed; the names are stored, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    #[serde(rename = "t")]
    Text(String),
    /// A tapped button or list row.
    #[serde(rename = "c")]
    Choice { id: Option<String>, title: String },
    /// What never is an answer: reactions, edits, revocations, notices.
    #[serde(rename = "i")]
    Ignored,
    /// Media and whatever else no question takes.
    #[serde(rename = "o")]
    Other,
    /// A submitted form: JSON as the provider gave it.
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
    /// A person of the business begins the flow anew.
    #[serde(rename = "x")]
    Restart,
    /// A person of the business says who looks after the lead.
    #[serde(rename = "a")]
    Assign(Option<String>),
    /// Media with a caption, which may be a keyword and else is no answer.
    #[serde(rename = "m")]
    Captioned(String),
    /// A person of the business writes to the lead, through Leadstream.
    #[serde(rename = "s")]
    Say {
        body: String,
        /// Whether the provider takes free texts only for 24 hours after the lead's last message.
        has_window: bool,
    },
}

/// A location in units of 1e-7 degrees: what is stored is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub latitude: i32,
    pub longitude: i32,
    pub name: Option<String>,
    pub address: Option<String>,
}

impl Place {
    /// None for what is nowhere on Earth. Degrees.
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

impl Answer {
    /// What it says, cleaned; none when it says nothing. A choice says its title.
    pub(super) fn text(&self) -> Option<String> {
        let text = match self {
            Self::Text(text) | Self::Choice { title: text, .. } => clean(text),
            Self::Ignored
            | Self::Other
            | Self::Captioned(_)
            | Self::Form(_)
            | Self::Place(_)
            | Self::Takeover
            | Self::Release
            | Self::Restart
            | Self::Assign(_)
            | Self::Say { .. } => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    /// The text of which the whole may be a keyword.
    pub(super) fn keyword(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Choice { title: text, .. } | Self::Captioned(text) => {
                Some(text)
            }
            _ => None,
        }
    }
}

impl From<&Content> for Answer {
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
            | Content::Erase { .. } => Self::Ignored,
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
                caption: Some(caption),
                ..
            } => Self::Captioned(clean(caption)),
            Content::Form { .. }
            | Content::Media { .. }
            | Content::Contacts { .. }
            | Content::Order { .. }
            | Content::Unsupported { .. }
            | Content::Unknown => Self::Other,
        }
    }
}

/// As typed, without blanks around it and without control characters (JSONB takes no NUL), cut to
/// [`MAX_CHARS`]. Cleaning twice changes nothing.
pub(super) fn clean(text: &str) -> String {
    let text = text.trim_matches(is_blank);
    // Nearly every answer: short, and nothing in it to leave out.
    if text.len() <= MAX_CHARS && !text.chars().any(is_left_out) {
        return text.to_owned();
    }
    let kept: String = text
        .chars()
        .filter(|&c| !is_left_out(c))
        .take(MAX_CHARS)
        .collect();
    kept.trim_end_matches(is_blank).to_owned()
}

fn is_left_out(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

/// Whitespace, and characters that show nothing.
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::input::MediaType;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_kept_as_typed_but_for_blanks_around_it_and_control_characters() {
        let answer = |body: &str| Answer::from(&Content::Text { body: body.into() });
        assert_eq!(
            answer("\n John  Doe\u{200b} "),
            Answer::Text("John  Doe".into())
        );
        assert_eq!(answer("Jo\0hn\r\nDoe"), Answer::Text("John\nDoe".into()));
        assert_eq!(answer(" \u{200b}\u{feff} "), Answer::Text(String::new()));
        assert_eq!(answer(&"ü".repeat(5000)), Answer::Text("ü".repeat(1000)));
    }

    #[test]
    fn a_choice_says_its_title() {
        let answer = Answer::from(&Content::Choice {
            id: Some("budget-high".into()),
            title: " 5000 ".into(),
            description: None,
        });
        assert_eq!(answer.text().as_deref(), Some("5000"));
    }

    #[test]
    fn what_is_no_message_is_ignored_and_what_is_no_text_is_other() {
        let message_id = String::from("wamid.1");
        let ignored = [
            Content::Reaction {
                message_id: message_id.clone(),
                emoji: None,
            },
            Content::CallPermission {
                granted: true,
                expires_at: None,
            },
            Content::Edit {
                message_id: message_id.clone(),
                body: "John".into(),
            },
            Content::Revoke { message_id },
            Content::System {
                event: "user_changed_number".into(),
                wa_id: None,
                user_id: None,
            },
        ];
        for content in &ignored {
            assert_eq!(Answer::from(content), Answer::Ignored, "{content:?}");
        }
        let other = [
            Content::Media {
                media: MediaType::Voice,
                id: None,
                url: None,
                mime_type: None,
                sha256: None,
                caption: None,
                filename: None,
            },
            Content::Location {
                latitude: f64::NAN,
                longitude: 2.0,
                name: None,
                address: None,
            },
            Content::Form {
                name: None,
                response_json: " ".repeat(8_001),
            },
            Content::Contacts {
                contacts: Vec::new(),
            },
            Content::Order {
                catalog_id: None,
                items: Vec::new(),
                text: None,
            },
            Content::Unsupported {
                provider_type: None,
            },
            Content::Unknown,
        ];
        for content in &other {
            let answer = Answer::from(content);
            assert_eq!(answer, Answer::Other, "{content:?}");
            assert_eq!(answer.text(), None);
        }
    }

    #[test]
    fn a_location_a_form_and_a_take_over_are_told_apart() {
        let location = Content::Location {
            latitude: 52.520_008,
            longitude: -13.404_954,
            name: Some(" Berlin ".into()),
            address: Some(" ".into()),
        };
        let place = Place {
            latitude: 525_200_080,
            longitude: -134_049_540,
            name: Some("Berlin".into()),
            address: None,
        };
        assert_eq!(Answer::from(&location), Answer::Place(place));
        let form = Content::Form {
            name: None,
            response_json: "{}".into(),
        };
        assert_eq!(Answer::from(&form), Answer::Form("{}".into()));
        let takeover = Content::Takeover {
            body: Some("I am Ann".into()),
        };
        assert_eq!(Answer::from(&takeover), Answer::Takeover);
    }

    #[test]
    fn the_stored_form_is_small_and_fixed() {
        let stored = |answer: &Answer| rmp_serde::to_vec(answer).unwrap();
        assert_eq!(stored(&Answer::Ignored), b"\xa1i");
        assert_eq!(stored(&Answer::Other), b"\xa1o");
        assert_eq!(stored(&Answer::Takeover), b"\xa1p");
        assert_eq!(stored(&Answer::Release), b"\xa1r");
        assert_eq!(stored(&Answer::Restart), b"\xa1x");
        let assigned = Answer::Assign(Some("ana".into()));
        assert_eq!(stored(&assigned), b"\x81\xa1a\xa3ana");
        let said = Answer::Say {
            body: "Hi".into(),
            has_window: true,
        };
        assert_eq!(stored(&said), b"\x81\xa1s\x92\xa2Hi\xc3");
        assert_eq!(stored(&Answer::Form("{}".into())), b"\x81\xa1f\xa2{}");
        let captioned = Answer::Captioned("Hi".into());
        assert_eq!(stored(&captioned), b"\x81\xa1m\xa2Hi");
        let place = Answer::Place(Place {
            latitude: 1,
            longitude: 2,
            name: None,
            address: None,
        });
        assert_eq!(stored(&place), b"\x81\xa1l\x94\x01\x02\xc0\xc0");
        assert_eq!(stored(&Answer::Text("Hi".into())), b"\x81\xa1t\xa2Hi");
        let choice = Answer::Choice {
            id: None,
            title: "Hi".into(),
        };
        assert_eq!(stored(&choice), b"\x81\xa1c\x92\xc0\xa2Hi");
        for answer in [
            Answer::Ignored,
            Answer::Other,
            Answer::Text("Hi".into()),
            Answer::Takeover,
            Answer::Release,
            Answer::Restart,
            Answer::Assign(None),
            assigned,
            captioned,
            said,
            place,
            choice,
        ] {
            let back: Answer = rmp_serde::from_slice(&stored(&answer)).unwrap();
            assert_eq!(back, answer);
        }
    }

    proptest! {
        #[test]
        fn cleaning_twice_changes_nothing(text in "(?s).{0,40}") {
            let once = clean(&text);
            prop_assert_eq!(clean(&once), once);
        }
    }
}
