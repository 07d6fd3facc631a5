//! Checks and compiles the rules by which a step assigns a lead.

use serde_saphyr::Spanned;

use super::{Fault, ensure, ensure_count, fault};
use crate::flow::document::{Assign, Assignee, OneOrMany};
use crate::flow::expression::Expression;
use crate::flow::field::Fields;
use crate::flow::{Assignment, is_assignee};

const MAX_RULES: usize = 20;
const MAX_NAMES: usize = 100;

/// Compiles the rules. `known` has the fields that are filled for certain on arrival.
pub(super) fn compile(
    assign: Option<&Spanned<Assign>>,
    known: &Fields,
) -> Result<Vec<Assignment>, Fault> {
    let Some(assign) = assign else {
        return Ok(Vec::new());
    };
    let rules = match &assign.value {
        OneOrMany::One(to) => {
            return Ok(vec![Assignment {
                when: None,
                to: vec![name(assign, to)?],
            }]);
        }
        OneOrMany::Many(rules) => rules,
    };
    let parts = ("a step", "rules to assign by");
    ensure_count(rules.len(), MAX_RULES, assign, parts)?;
    let last = rules.len() - 1;
    rules
        .iter()
        .enumerate()
        .map(|(index, rule)| {
            ensure(rule.when.is_some() || index == last, &rule.to, || {
                "the rules after this one are never reached; give it a `when`, or put it last"
                    .into()
            })?;
            let compile = |when: &Spanned<String>| {
                Expression::condition(&when.value, known).map_err(|reason| fault(when, reason))
            };
            Ok(Assignment {
                when: rule.when.as_ref().map(compile).transpose()?,
                to: names(&rule.to)?,
            })
        })
        .collect()
}

fn names(to: &Spanned<OneOrMany<Assignee>>) -> Result<Vec<String>, Fault> {
    match &to.value {
        OneOrMany::One(one) => Ok(vec![name(to, one)?]),
        OneOrMany::Many(several) => {
            ensure((1..=MAX_NAMES).contains(&several.len()), to, || {
                format!("a rule names from 1 to {MAX_NAMES} sales representatives")
            })?;
            several
                .iter()
                .map(|Assignee(it)| name(it, &it.value))
                .collect()
        }
    }
}

fn name<T>(at: &Spanned<T>, written: &str) -> Result<String, Fault> {
    ensure(is_assignee(written), at, || {
        format!(
            "`{}` names no sales representative; use from 1 to {} characters, no blanks around them and no control characters",
            written.chars().take(40).collect::<String>(),
            crate::flow::MAX_ASSIGNEE_CHARS
        )
    })?;
    Ok(written.to_owned())
}
