//! Edits and revocations of earlier messages.

use leadstream_schemas::Content;
use serde::{Deserialize, Serialize};

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
