//! Describes edits and revocations of earlier messages.

use leadstream_schemas::{Content, InputId};
use serde::{Deserialize, Serialize};

use crate::flow::TurnInput;

/// An edit or revocation of an earlier message. It is stored with the journal's entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendment {
    pub message_id: InputId,
    /// The new text; none for a revocation.
    pub text: Option<String>,
}

impl Amendment {
    /// Returns whether this amendment makes `earlier` irrelevant.
    pub(super) fn replaces(&self, earlier: &Self) -> bool {
        self.message_id == earlier.message_id && self.text.is_some() == earlier.text.is_some()
    }

    #[must_use]
    pub fn of(content: &Content) -> Option<Self> {
        match content {
            Content::Edit { message_id, body } => {
                let read = TurnInput::from(&Content::Text { body: body.clone() });
                Some(Self {
                    message_id: message_id.clone(),
                    text: match read {
                        TurnInput::Text(text) => Some(text),
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
