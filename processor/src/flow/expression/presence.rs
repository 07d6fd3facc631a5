//! `has(field)`: whether a field has a value, and what a condition thereby proves.

use cel::Env;
use cel::common::ast::{Expr, IdedExpr, operators};
use cel::parser::Macro;

use super::{MAX_SOURCE, parsed};

/// The prefix of the variables that say whether a field has a value. No field's name has a colon.
const PREFIX: &str = "has:";

/// The name of the macro.
const HAS: &str = "has";

/// The reason why `has` takes nothing but a name.
pub(super) const WRONG_HAS: &str = "`has` takes the name of a field, without quotes";

/// Returns CEL's standard functions with `has(field)` as the only macro. CEL's own `has` takes a member
/// of a message, and its other macros are loops.
pub(super) fn environment() -> Env {
    let mut env = Env::default().with_stdlib();
    let has = Macro::global(HAS, 1, |helper, _, args| {
        let Some(field) = args.pop() else {
            return Ok(None);
        };
        match field.expr {
            Expr::Ident(name) => Ok(Some(helper.next_expr(Expr::Ident(variable(&name))))),
            _ => Err(helper.new_error(field.id, WRONG_HAS)),
        }
    });
    // The environment has no macro yet, so this is never a second one.
    let added = env.add_macro(has);
    debug_assert!(added.is_ok());
    env
}

/// Returns the variable that says whether `field` has a value.
pub(super) fn variable(field: &str) -> String {
    format!("{PREFIX}{field}")
}

/// Returns the field about which `variable` says whether it has a value.
pub(super) fn asked(variable: &str) -> Option<&str> {
    variable.strip_prefix(PREFIX)
}

/// The fields that have a value for certain after a condition.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::flow) struct Presence {
    /// The fields if the condition holds.
    pub(in crate::flow) if_true: Vec<String>,
    /// The fields if it does not hold.
    pub(in crate::flow) if_false: Vec<String>,
}

impl Presence {
    /// Returns what the condition `source` proves. A condition that cannot be parsed proves nothing.
    pub(in crate::flow) fn by(source: &str) -> Self {
        if !source.contains(HAS) || source.chars().count() > MAX_SOURCE {
            return Self::default();
        }
        let presence = parsed(source, |node| {
            super::depth(node, super::MAX_DEPTH)?;
            Ok(Self::of(node))
        });
        presence.map_or_else(|_| Self::default(), |(_, presence)| presence)
    }

    pub(super) fn of(node: &IdedExpr) -> Self {
        let call = match &node.expr {
            Expr::Ident(name) => {
                return Self {
                    if_true: asked(name).map(ToOwned::to_owned).into_iter().collect(),
                    if_false: Vec::new(),
                };
            }
            Expr::Call(call) => call,
            _ => return Self::default(),
        };
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_NOT, [one]) => {
                let one = Self::of(one);
                Self {
                    if_true: one.if_false,
                    if_false: one.if_true,
                }
            }
            (operators::LOGICAL_AND, [one, other]) => {
                let (one, other) = (Self::of(one), Self::of(other));
                Self {
                    if_true: either(one.if_true, other.if_true),
                    if_false: both(one.if_false, &other.if_false),
                }
            }
            (operators::LOGICAL_OR, [one, other]) => {
                let (one, other) = (Self::of(one), Self::of(other));
                Self {
                    if_true: both(one.if_true, &other.if_true),
                    if_false: either(one.if_false, other.if_false),
                }
            }
            _ => Self::default(),
        }
    }
}

/// Returns the fields of `one` and those of `other`.
pub(super) fn either(mut one: Vec<String>, other: Vec<String>) -> Vec<String> {
    one.extend(other);
    one
}

fn both(mut one: Vec<String>, other: &[String]) -> Vec<String> {
    one.retain(|field| other.contains(field));
    one
}
