//! Defines the owners of contacts.

use serde_json::{Value, json};

/// A user of the portal who may own contacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Id.
    pub id: String,
    /// Address.
    pub email: String,
    /// The user was removed from the portal, and cannot own contacts any more.
    pub archived: bool,
}

impl Owner {
    /// Returns an owner who is active.
    pub fn new(id: &str, email: &str) -> Self {
        Self {
            id: id.to_owned(),
            email: email.to_owned(),
            archived: false,
        }
    }

    pub(super) fn body(&self) -> Value {
        json!({
            "id": self.id,
            "email": self.email,
            "type": "PERSON",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "updatedAt": "2026-01-01T00:00:00.000Z",
            "archived": self.archived,
        })
    }
}
