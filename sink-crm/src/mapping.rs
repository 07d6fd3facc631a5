//! The mapping file: what each CRM gets of a lead. Parsing and applying it is pure.

mod answers;
mod document;
mod fit;
mod load;
mod render;
mod role;
mod source;
mod write_rules;

pub use answers::Answers;
#[cfg(test)]
pub(crate) use document::MatchBy;
pub use document::json_schema;
#[cfg(test)]
pub(crate) use document::{Field, WriteRule};
pub(crate) use document::{Filter, Kind, Mapping, OnMultipleMatches, OnRecreated, Target};
#[cfg(test)]
pub(crate) use fit::Problem;
pub(crate) use fit::{Described, Provisioning, describe, problems, word};
pub(crate) use render::{Rendered, render, wants};
pub(crate) use role::FieldRole;
pub(crate) use write_rules::{Guarded, Remote, WrittenFields, decide, needs_read};

/// The default mapping.
pub(crate) const DEFAULT: &str = include_str!("../crm.yaml");
