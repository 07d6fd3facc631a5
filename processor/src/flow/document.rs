//! The flow document as it is written, each part with its place for errors.
//!
//! Parts yet to come fit in without breaking a document: a prompt that is a mapping from language
//! to text, `expect` that is a mapping from an answer type to its settings, a `next` that is a
//! list of conditions.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) name: Spanned<String>,
    /// A number, read as text so that the loader can say what is wrong with it.
    pub(super) version: Spanned<String>,
    pub(super) language: Spanned<String>,
    pub(super) start: Spanned<String>,
    #[serde(default)]
    pub(super) keywords: Keywords,
    pub(super) steps: Spanned<Steps>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keywords {
    #[serde(default)]
    pub(super) restart: Vec<Spanned<String>>,
}

/// The steps by state, in the document's order.
#[derive(Debug)]
pub(super) struct Steps(pub(super) Vec<(Spanned<String>, StepDocument)>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepDocument {
    /// Said on arrival.
    pub(super) prompt: Spanned<String>,
    #[serde(default)]
    pub(super) expect: Expect,
    /// Said instead of the prompt to what is no answer.
    pub(super) retry: Option<Spanned<String>>,
    /// The field that an answer fills.
    pub(super) fill: Option<Spanned<String>>,
    /// A CEL expression, evaluated when an answer is accepted.
    pub(super) score: Option<Spanned<String>>,
    /// The state that an accepted answer leads to.
    pub(super) next: Option<Spanned<String>>,
    /// Whether arriving completes the qualification.
    #[serde(default)]
    pub(super) completes: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Expect {
    #[default]
    Nothing,
    Text,
    Number,
}

impl<'de> Deserialize<'de> for Steps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StepsVisitor;

        impl<'de> Visitor<'de> for StepsVisitor {
            type Value = Steps;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from states to steps")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Steps, A::Error> {
                let mut steps = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    steps.push(entry);
                }
                Ok(Steps(steps))
            }
        }

        deserializer.deserialize_map(StepsVisitor)
    }
}
