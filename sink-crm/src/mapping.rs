//! The mapping file: what each CRM is sent of a lead. Reading it, and applying it, is pure.

mod document;
mod fit;
mod render;

#[cfg(test)]
pub(crate) use document::Field;
pub use document::json_schema;
pub(crate) use document::{Filter, Kind, Mapping, Several, Target};
pub(crate) use fit::{Described, problems};
pub(crate) use render::{Rendered, render, wants};

/// The mapping of an installation that has none of its own.
pub(crate) const DEFAULT: &str = include_str!("../crm.yaml");
