//! Defines groups of contact properties.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A group of contact properties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Group {
    pub(crate) name: String,
    label: String,
    #[serde(default = "last")]
    display_order: i64,
}

const fn last() -> i64 {
    -1
}

impl Group {
    /// Returns the group of a property that was there from the start.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            label: name.to_owned(),
            display_order: last(),
        }
    }

    pub(super) fn body(&self) -> Value {
        let mut body = json!(self);
        body["archived"] = json!(false);
        body
    }
}
