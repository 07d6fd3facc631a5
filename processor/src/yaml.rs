//! Reads documents that people write (YAML): finds everything that is wrong with one in one run, each
//! with its place, in words of the product.
//!
//! 1. [`tree`] parses the text to nodes with their places, and [`repair`] goes on behind a slip.
//! 2. [`shape`] compares the nodes with the JSON Schema of the document's type. So a new member of a
//!    type needs no code here.
//! 3. [`emit`] writes the sound nodes again, and Serde reads them. Each node has a line of its own, so
//!    that a location of Serde leads back to the node.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod emit;
mod repair;
mod shape;
mod tree;
mod words;

use schemars::generate::SchemaSettings;
use schemars::transform::RestrictFormats;
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde_saphyr::Location;

pub(crate) use shape::meant;
pub(crate) use tree::{Node, NodeId, Value};

/// A place in a document, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

impl Place {
    pub(crate) const BEGIN: Self = Self { line: 1, column: 1 };
}

/// What is wrong at a place, and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    pub(crate) place: Place,
    pub(crate) reason: String,
}

/// What is wrong with a document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) errors: Vec<Fault>,
    pub(crate) warnings: Vec<Fault>,
    /// The places of stand-ins, from which nothing can be concluded about the rest.
    pub(crate) doubtful: Vec<Place>,
}

impl Faults {
    fn error(&mut self, place: Place, reason: impl Into<String>) {
        let reason = reason.into();
        self.errors.push(Fault { place, reason });
    }

    fn warn(&mut self, place: Place, reason: impl Into<String>) {
        let reason = reason.into();
        self.warnings.push(Fault { place, reason });
    }

    /// Returns whether an error is at `place`.
    pub(crate) fn has(&self, place: Place) -> bool {
        self.errors.iter().any(|fault| fault.place == place)
    }
}

/// Returns the JSON Schema (draft-07) of a document's type.
pub(crate) fn schema_of<T: JsonSchema>() -> Schema {
    let generator = SchemaSettings::draft07()
        .with_transform(RestrictFormats::default())
        .into_generator();
    generator.into_root_schema_for::<T>()
}

/// Returns a schema as a file has it, with a final newline.
pub(crate) fn pretty(schema: &Schema) -> String {
    let mut text = serde_json::to_string_pretty(schema).unwrap_or_default();
    text.push('\n');
    text
}

/// Parses `text`, and compares it with `schema`. The tree has stand-ins where the document is wrong;
/// none is returned if the text is no YAML.
pub(crate) fn read(text: &str, schema: &Schema, faults: &mut Faults) -> Option<Node> {
    let (mut tree, text) = repair::parse(text, schema.as_value(), faults)?;
    shape::check(&mut tree, schema.as_value(), &text, faults);
    Some(tree)
}

/// A value with the lines of the text from which Serde read it.
#[derive(Debug)]
pub(crate) struct Typed<T> {
    pub(crate) value: T,
    nodes: Vec<(NodeId, Place)>,
}

impl<T> Typed<T> {
    /// Returns the node at `location`, and its place in the document.
    pub(crate) fn node(&self, location: Location) -> Option<(NodeId, Place)> {
        at(&self.nodes, location)
    }
}

fn at(nodes: &[(NodeId, Place)], location: Location) -> Option<(NodeId, Place)> {
    let line = usize::try_from(location.line()).ok()?;
    nodes.get(line.checked_sub(1)?).copied()
}

/// Converts a tree to its type. An error names what the type itself refuses.
pub(crate) fn typed<T: DeserializeOwned>(tree: &Node) -> Result<Typed<T>, Fault> {
    let (text, nodes) = emit::emit(tree);
    let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
    match serde_saphyr::from_str_with_options(&text, options) {
        Ok(value) => Ok(Typed { value, nodes }),
        Err(error) => {
            let place = error.location().and_then(|location| at(&nodes, location));
            Err(Fault {
                place: place.map_or(Place::BEGIN, |(_, place)| place),
                reason: words::refused(&error),
            })
        }
    }
}
