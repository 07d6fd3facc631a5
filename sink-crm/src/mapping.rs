//! The mapping file: what each CRM gets of a lead. Parsing and applying it is pure.

mod document;
mod fit;
mod render;
mod role;

#[cfg(test)]
pub(crate) use document::Field;
pub use document::json_schema;
pub(crate) use document::{Filter, Kind, Mapping, OnMultipleMatches, Target};
pub(crate) use fit::{Described, problems};
pub(crate) use render::{Rendered, render, wants};
pub(crate) use role::FieldRole;

/// The default mapping.
pub(crate) const DEFAULT: &str = include_str!("../crm.yaml");
