//! Edits and revocations of earlier messages.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use leadstream_schemas::Content;
use serde::{Deserialize, Serialize};

use super::journal::Entry;
use crate::flow::Answer;

/// An input that changes what an earlier message says. Stored with the journal's entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendment {
    pub message_id: String,
    /// Its new text; none: it was revoked.
    pub text: Option<String>,
}

impl Amendment {
    /// Whether it makes `earlier` count no more.
    pub(super) fn replaces(&self, earlier: &Self) -> bool {
        self.message_id == earlier.message_id && self.text.is_some() == earlier.text.is_some()
    }

    #[must_use]
    pub fn of(content: &Content) -> Option<Self> {
        match content {
            Content::Edit { message_id, body } => {
                let read = Answer::from(&Content::Text { body: body.clone() });
                Some(Self {
                    message_id: message_id.clone(),
                    text: match read {
                        Answer::Text(text) => Some(text),
                        _ => Some(String::new()),
                    },
                })
            }
            Content::Revoke { message_id } => Some(Self {
                message_id: message_id.clone(),
                text: None,
            }),
            _ => None,
        }
    }
}

/// What edits and revocations make of messages.
#[derive(Default)]
pub(super) struct Amended<'a> {
    /// The newest text by message, in the order of the edits.
    texts: BTreeMap<&'a str, &'a str>,
    revoked: BTreeSet<&'a str>,
}

impl<'a> Amended<'a> {
    /// `entries` in order.
    pub(super) fn of(entries: impl Iterator<Item = &'a Entry>) -> Self {
        let mut amended = Self::default();
        for amendment in entries.filter_map(|entry| entry.amends.as_ref()) {
            match &amendment.text {
                Some(text) => {
                    amended.texts.insert(&amendment.message_id, text);
                }
                None => {
                    amended.revoked.insert(&amendment.message_id);
                }
            }
        }
        amended
    }

    /// The answer that counts. Only texts and captions are edited. Nobody takes a command back but
    /// by another one.
    pub(super) fn answer<'b>(&self, entry: &'b Entry) -> Cow<'b, Answer> {
        if entry.answer.is_command() {
            return Cow::Borrowed(&entry.answer);
        }
        let id = entry.order.id.as_str();
        if self.revoked.contains(id) {
            return Cow::Owned(Answer::Ignored);
        }
        match (self.texts.get(id), &entry.answer) {
            (Some(text), Answer::Text(_)) => Cow::Owned(Answer::Text((*text).to_owned())),
            (Some(text), Answer::Captioned(_)) => Cow::Owned(Answer::Captioned((*text).to_owned())),
            (_, answer) => Cow::Borrowed(answer),
        }
    }
}
