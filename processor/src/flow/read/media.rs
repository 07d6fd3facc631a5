//! Reads media as an answer: a reference to the file, which WhatsApp keeps.

use leadstream_schemas::input::MediaType;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::flow::turn_input::Media;

/// A kind of media that answers a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::flow) enum MediaKind {
    Image,
    Document,
    Voice,
    Audio,
    Video,
}

impl MediaKind {
    pub(in crate::flow) const ALL: [Self; 5] = [
        Self::Image,
        Self::Document,
        Self::Voice,
        Self::Audio,
        Self::Video,
    ];

    /// Returns the name in flow documents.
    pub(in crate::flow) const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Document => "document",
            Self::Voice => "voice",
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }

    pub(in crate::flow) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Returns whether `media` is of this kind. WhatsApp also sends images, audio and videos as
    /// documents, and a voice note is audio.
    fn takes(self, media: &Media) -> bool {
        let is_typed = |group: &str| {
            let start = media
                .mime_type
                .as_ref()
                .and_then(|it| it.get(..group.len()));
            start.is_some_and(|start| start.eq_ignore_ascii_case(group))
        };
        match (self, media.kind) {
            (Self::Image, MediaType::Image)
            | (Self::Document, MediaType::Document)
            | (Self::Voice | Self::Audio, MediaType::Voice)
            | (Self::Audio, MediaType::Audio)
            | (Self::Video, MediaType::Video) => true,
            (Self::Image, MediaType::Document) => is_typed("image/"),
            (Self::Audio, MediaType::Document) => is_typed("audio/"),
            (Self::Video, MediaType::Document) => is_typed("video/"),
            _ => false,
        }
    }
}

/// Returns the reference to `media`, with what the provider says of it; none if it is of no kind in
/// `kinds`.
pub(super) fn read(kinds: &[MediaKind], media: &Media) -> Option<Value> {
    if !kinds.iter().any(|kind| kind.takes(media)) {
        return None;
    }
    let mut value = Map::new();
    value.insert("kind".into(), json!(media.kind));
    for (member, text) in [
        ("id", &media.id),
        ("mime_type", &media.mime_type),
        ("sha256", &media.sha256),
        ("file_name", &media.file_name),
        ("caption", &media.caption),
    ] {
        if let Some(text) = text {
            value.insert(member.into(), json!(text));
        }
    }
    if let Some(size) = media.size {
        value.insert("size".into(), json!(size));
    }
    Some(Value::Object(value))
}
