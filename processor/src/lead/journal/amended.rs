//! Applies edits and revocations to a journal's messages.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use leadstream_schemas::InputId;

use super::Entry;
use crate::flow::{Media, TurnInput};

/// The effect of edits and revocations on messages.
#[derive(Default)]
pub(super) struct Amended<'a> {
    /// The newest text by message, in the order of the edits.
    texts: BTreeMap<&'a InputId, &'a str>,
    revoked: BTreeSet<&'a InputId>,
}

impl<'a> Amended<'a> {
    /// Collects the amendments of `entries`, which are in order.
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

    /// Returns the answer that counts. Only texts and captions are edited. Only another command can
    /// undo a command, and nothing undoes a delivery.
    pub(super) fn answer<'b>(&self, entry: &'b Entry) -> Cow<'b, TurnInput> {
        if !entry.answer.is_from_provider() {
            return Cow::Borrowed(&entry.answer);
        }
        let id = &entry.order.id;
        if self.revoked.contains(id) {
            return Cow::Owned(TurnInput::Ignored);
        }
        match (self.texts.get(id), &entry.answer) {
            (Some(text), TurnInput::Text(_)) => Cow::Owned(TurnInput::Text((*text).to_owned())),
            (Some(text), TurnInput::Captioned(_)) => {
                Cow::Owned(TurnInput::Captioned((*text).to_owned()))
            }
            (Some(text), TurnInput::Media(media)) => {
                let caption = Some((*text).to_owned()).filter(|text| !text.is_empty());
                let media = Media::clone(media);
                Cow::Owned(TurnInput::Media(Box::new(Media { caption, ..media })))
            }
            (_, answer) => Cow::Borrowed(answer),
        }
    }
}
