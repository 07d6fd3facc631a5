//! The fields that a step computes.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::entries;

/// CEL expressions by the field that each computes, in the document's order.
#[derive(Debug, JsonSchema)]
pub(in crate::flow) struct Compute(
    #[schemars(with = "BTreeMap<String, String>", extend("minProperties" = 1))]
    pub(in crate::flow) Vec<(Spanned<String>, Spanned<String>)>,
);

impl<'de> Deserialize<'de> for Compute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ComputeVisitor;

        impl<'de> Visitor<'de> for ComputeVisitor {
            type Value = Compute;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from fields to CEL expressions")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Compute, A::Error> {
                entries(map).map(Compute)
            }
        }

        deserializer.deserialize_map(ComputeVisitor)
    }
}
