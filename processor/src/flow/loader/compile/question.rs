//! Compiles a question with its texts and expressions.

use super::choice::{MAX_BUTTON_TITLE, choices};
use super::{next, score};
use crate::flow::document::Expect;
use crate::flow::expression::{Expression, VALUE};
use crate::flow::field::Fields;
use crate::flow::loader::check::Outline;
use crate::flow::loader::expectation::{Asked, check_units, expected};
use crate::flow::loader::phrase::{Scope, ensure_length, phrase};
use crate::flow::loader::schedule::check_schedule;
use crate::flow::loader::{Fault, fault};
use crate::flow::prompt::Phrase;
use crate::flow::read::Expected;
use crate::flow::{Asks, FilledField, Question};

/// Compiles the question of `outline`, where `after` has the fields that can be read after the answer.
pub(super) fn compile(
    outline: &Outline<'_>,
    asked: &Asked<'_>,
    retry: Option<Phrase>,
    scope: &Scope<'_>,
    after: &Fields,
) -> Result<Question, Fault> {
    let step = outline.step;
    let mut expected = expected(asked.expect)?;
    let asks = match asked.expect {
        Expect::Choice(choice) => {
            let (asks, choices) = choices(choice, (&outline.state.value, step), scope)?;
            expected = Expected::Choice(choices);
            asks
        }
        Expect::Form(form) => {
            let button = phrase(&form.button, scope)?;
            ensure_length(&button, MAX_BUTTON_TITLE, &form.button, "a form's button")?;
            Asks::Form {
                id: form.id.value.clone(),
                button,
            }
        }
        Expect::Number(number) => {
            check_units(number, scope.languages)?;
            Asks::Plainly
        }
        _ => Asks::Plainly,
    };
    check_schedule(asked.expect, scope.known)?;
    let mut seen = scope.known.clone();
    match &asked.kind {
        Some(kind) => seen.insert(VALUE.to_owned(), kind.clone()),
        None => asked.fill(&mut seen),
    }
    let valid = step.valid.as_ref().map(|valid| {
        Expression::condition(&valid.value, &seen).map_err(|reason| fault(valid, reason))
    });
    Ok(Question {
        expected,
        asks,
        retry,
        is_optional: step.optional,
        asks_if_unknown: step.asks_if_unknown(),
        fills: asked
            .fills()
            .map(|filled| FilledField {
                name: filled.name.value.clone(),
                is_certain: filled.is_certain,
            })
            .collect(),
        fill: asked.fill.map(|fill| fill.value.clone()),
        valid: valid.transpose()?,
        score: score(outline, after)?,
        next: next(outline, after)?,
        limit: outline.limit,
        at_limit: outline.at_limit.map(ToOwned::to_owned),
    })
}
