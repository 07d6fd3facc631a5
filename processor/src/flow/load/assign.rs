//! Whom a step assigns a lead to, checked.

use serde_saphyr::Spanned;

use super::{Fault, ensure, fault};
use crate::flow::document::{Assign, Languages};
use crate::flow::expression::Expression;
use crate::flow::field::Fields;
use crate::flow::{Assignment, is_assignee};

const MAX_RULES: usize = 20;
const MAX_NAMES: usize = 100;

/// `known` is what is filled for certain on arrival.
pub(super) fn compile(
    assign: Option<&Spanned<Assign>>,
    known: &Fields,
) -> Result<Vec<Assignment>, Fault> {
    let Some(assign) = assign else {
        return Ok(Vec::new());
    };
    let rules = match &assign.value {
        Assign::To(to) => {
            return Ok(vec![Assignment {
                when: None,
                to: vec![name(assign, to)?],
            }]);
        }
        Assign::Rules(rules) => rules,
    };
    ensure((1..=MAX_RULES).contains(&rules.len()), assign, || {
        format!(
            "a step has from 1 to {MAX_RULES} rules to assign by, not {}",
            rules.len()
        )
    })?;
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

fn names(to: &Spanned<Languages>) -> Result<Vec<String>, Fault> {
    match &to.value {
        Languages::One(one) => Ok(vec![name(to, one)?]),
        Languages::Several(several) => {
            ensure((1..=MAX_NAMES).contains(&several.len()), to, || {
                format!("a rule names from 1 to {MAX_NAMES} sales representatives")
            })?;
            several.iter().map(|it| name(it, &it.value)).collect()
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
