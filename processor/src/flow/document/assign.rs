//! Whom a step assigns a lead to.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::Languages;

/// A name, or rules that are tried in order.
#[derive(Debug)]
pub(in crate::flow) enum Assign {
    To(String),
    Rules(Vec<Rule>),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AssignRule")]
pub(in crate::flow) struct Rule {
    /// A CEL expression, true where this rule holds; without it, it always does.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) when: Option<Spanned<String>>,
    /// A name, or several, among whom leads are spread evenly.
    // One text or a list of them, as languages are.
    #[schemars(with = "Names")]
    pub(in crate::flow) to: Spanned<Languages>,
}

impl Assign {
    pub(in crate::flow) const fn rules(&self) -> usize {
        match self {
            Self::To(_) => 0,
            Self::Rules(rules) => rules.len(),
        }
    }
}

impl<'de> Deserialize<'de> for Assign {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AssignVisitor;

        impl<'de> Visitor<'de> for AssignVisitor {
            type Value = Assign;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name, or a list of `when` and `to`")
            }

            fn visit_str<E>(self, name: &str) -> Result<Assign, E> {
                Ok(Assign::To(name.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Assign, A::Error> {
                let mut rules = Vec::new();
                while let Some(rule) = items.next_element()? {
                    rules.push(rule);
                }
                Ok(Assign::Rules(rules))
            }
        }

        deserializer.deserialize_any(AssignVisitor)
    }
}

impl JsonSchema for Assign {
    fn schema_name() -> Cow<'static, str> {
        "Assign".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let rule = generator.subschema_for::<Rule>();
        json_schema!({ "oneOf": [
            { "type": "string", "minLength": 1 },
            { "type": "array", "minItems": 1, "items": rule },
        ] })
    }
}

/// For the JSON Schema only.
enum Names {}

impl JsonSchema for Names {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Names".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [
            { "type": "string", "minLength": 1 },
            { "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } },
        ] })
    }
}
