//! The rules by which a step assigns a lead.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{Item, OneOrMany};

/// A name, or rules that are tried in order.
pub(in crate::flow) type Assign = OneOrMany<Rule>;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AssignRule")]
pub(in crate::flow) struct Rule {
    /// A CEL expression, true if this rule holds; without it the rule always holds.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) when: Option<Spanned<String>>,
    /// A name, or several names among which leads are spread evenly.
    #[schemars(with = "OneOrMany<Assignee>")]
    pub(in crate::flow) to: Spanned<OneOrMany<Assignee>>,
}

/// The name of a sales representative.
#[derive(Debug, Deserialize)]
pub(in crate::flow) struct Assignee(pub(in crate::flow) Spanned<String>);

impl Item for Rule {
    const NAME: &'static str = "Assign";
    const EXPECTED: &'static str = "a name, or a list of `when` and `to`";

    fn item(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Self>()
    }
}

impl Item for Assignee {
    const NAME: &'static str = "Assignees";
    const EXPECTED: &'static str = "a name, or a list of them";
}
