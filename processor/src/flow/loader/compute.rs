//! Checks and compiles computed fields.

use std::collections::BTreeMap;

use serde_saphyr::Spanned;

use super::check::Outline;
use super::{Fault, fault};
use crate::flow::document::StepDocument;
use crate::flow::expression::Expression;
use crate::flow::field::{Fields, Kind};

type Computed<'a> = (&'a Spanned<String>, &'a Spanned<String>);

/// Adds the kinds of all computed fields to those of the answers. Each is computed from answers, from
/// fields that are computed from them, or from `first`, which every step can read.
pub(super) fn add_kinds(
    outlines: &[Outline<'_>],
    first: &Fields,
    kinds: &mut BTreeMap<String, Kind>,
) -> Result<(), Fault> {
    let mut open: Vec<(Computed<'_>, Vec<String>)> = Vec::new();
    for outline in outlines {
        for (field, source) in outline.step.computed() {
            if kinds.contains_key(&field.value) {
                return Err(fault(
                    field,
                    format!(
                        "`{}` is an answer, which nothing may change; compute another field",
                        field.value
                    ),
                ));
            }
            open.push(((field, source), Expression::names(&source.value)));
        }
    }
    while !open.is_empty() {
        let is_open = |name: &String| open.iter().any(|((field, _), _)| field.value == *name);
        let (ready, later): (Vec<_>, Vec<_>) = open
            .iter()
            .cloned()
            .partition(|(_, names)| !names.iter().any(is_open));
        if ready.is_empty() {
            let blocked = later.first().map(|((field, _), _)| *field);
            return blocked.map_or(Ok(()), |field| {
                Err(fault(
                    field,
                    format!(
                        "`{}` is computed from itself, if only through other fields; compute it from answers",
                        field.value
                    ),
                ))
            });
        }
        let mut known = first.clone();
        for (name, kind) in kinds.iter() {
            known.insert(name.clone(), kind.clone());
        }
        for ((field, source), _) in ready {
            let (_, kind) = Expression::computed(&source.value, &known)
                .map_err(|reason| fault(source, reason))?;
            let joined = match kinds.get(&field.value) {
                None => kind,
                Some(earlier) => earlier.joined(&kind).ok_or_else(|| {
                    fault(
                        field,
                        format!(
                            "`{}` is {} in one step and {} in another; give one of them another field",
                            field.value,
                            kind.name(),
                            earlier.name()
                        ),
                    )
                })?,
            };
            kinds.insert(field.value.clone(), joined);
        }
        open = later;
    }
    Ok(())
}

/// Adds what `step` computes to the fields that it knows.
pub(super) fn fill(step: &StepDocument, anywhere: &Fields, known: &mut Fields) {
    for (field, _) in step.computed() {
        if let Some(kind) = anywhere.possible(&field.value) {
            known.insert(field.value.clone(), kind.clone());
        }
    }
}

/// Compiles what `step` computes. An expression may read the fields before it, so that `known` grows.
pub(super) fn compile(
    step: &StepDocument,
    known: &mut Fields,
) -> Result<Vec<(String, Expression)>, Fault> {
    let mut computed = Vec::new();
    for (field, source) in step.computed() {
        let (expression, kind) =
            Expression::computed(&source.value, known).map_err(|reason| fault(source, reason))?;
        let kind = known.possible(&field.value).cloned().unwrap_or(kind);
        known.insert(field.value.clone(), kind);
        computed.push((field.value.clone(), expression));
    }
    Ok(computed)
}
