//! From a document to a flow: everything that could go wrong later is refused here, with its place.

mod check;

use std::collections::BTreeMap;

use serde_saphyr::{MessageFormatter, Spanned, UserMessageFormatter};

use super::document::{Document, StepDocument, Steps};
use super::prompt::Template;
use super::score::Score;
use super::{Flow, FlowStep, Kind, Question};
use check::{Expected, Fault, check_head, check_step, ensure, fault, restart_keywords, version};

const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
/// Why a flow document was refused: the first thing that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {reason}")]
pub struct FlowError {
    pub file: String,
    /// From 1.
    pub line: u64,
    /// From 1, in characters.
    pub column: u64,
    /// What is wrong, and how to mend it.
    pub reason: String,
}

pub(super) fn load(file: &str, text: &str) -> Result<Flow, FlowError> {
    let error = |(line, column, reason)| FlowError {
        file: file.to_owned(),
        line,
        column,
        reason,
    };
    if text.len() > MAX_DOCUMENT_BYTES {
        let reason = format!(
            "the document has {} bytes, at most {MAX_DOCUMENT_BYTES} are allowed; shorten it",
            text.len()
        );
        return Err(error((1, 1, reason)));
    }
    let options = serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        budget: serde_saphyr::budget! {
            max_documents: 1,
            // An anchor's copies would multiply a small document.
            max_anchors: 0,
            max_depth: 16,
            max_nodes: 20_000,
        },
    };
    let document: Document =
        serde_saphyr::from_str_with_options(text, options).map_err(|source| {
            let (line, column) = source
                .location()
                .map_or((1, 1), |at| (at.line(), at.column()));
            error((line, column, document_reason(&source)))
        })?;
    compile(&document).map_err(|(at, reason)| error((at.line(), at.column(), reason)))
}

/// The parser's reason, with a remedy where it has none: YAML takes a text that begins with a
/// placeholder for a mapping.
fn document_reason(source: &serde_saphyr::Error) -> String {
    let source = source.without_snippet();
    let mut reason = UserMessageFormatter.format_message(source).into_owned();
    match source {
        serde_saphyr::Error::Unexpected {
            expected: "string scalar",
            ..
        } => {
            reason.push_str("; put a text that begins with `{`, `[` or another sign in quotes");
        }
        serde_saphyr::Error::Budget { .. } => {
            reason.push_str(
                "; flows are small, flat documents without anchors: write it out plainly",
            );
        }
        _ => {}
    }
    reason
}

fn compile(document: &Document) -> Result<Flow, Fault> {
    check_head(document)?;
    let Steps(steps) = &document.steps.value;
    let questions = steps
        .iter()
        .map(|(state, step)| Ok((state.value.as_str(), check_step(steps, state, step)?)))
        .collect::<Result<Vec<_>, Fault>>()?;
    let arrivals = arrivals(&document.start.value, &questions)?;
    let steps = steps
        .iter()
        .zip(questions)
        .map(|((state, step), (_, question))| {
            let known = arrivals.get(state.value.as_str()).ok_or_else(|| {
                fault(
                    state,
                    format!(
                        "no step leads to `{}`; name it in a `next`, or remove it",
                        state.value
                    ),
                )
            })?;
            compile_step(state, step, question, known)
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    Ok(Flow {
        name: document.name.value.clone(),
        version: version(&document.version)?,
        language: document.language.value.clone(),
        start: document.start.value.clone(),
        restart_keywords: restart_keywords(document)?,
        steps,
    })
}

type Fields = BTreeMap<String, Kind>;

/// The fields that are filled for certain when a lead arrives, by state. Each step has one `next`,
/// so the way from the start is one; where it meets itself again, more is filled.
fn arrivals<'a>(
    start: &'a str,
    steps: &[(&'a str, Option<Expected<'a>>)],
) -> Result<BTreeMap<&'a str, Fields>, Fault> {
    let mut arrivals = BTreeMap::new();
    let mut known = Fields::new();
    let mut state = start;
    while !arrivals.contains_key(state) {
        arrivals.insert(state, known.clone());
        let Some((_, Some(expected))) = steps.iter().find(|(name, _)| *name == state) else {
            break;
        };
        if let Some(fill) = expected.fill {
            let earlier = known.insert(fill.value.clone(), expected.kind);
            ensure(
                earlier.is_none_or(|kind| kind == expected.kind),
                fill,
                || {
                    format!(
                        "`{}` is a text in one step and a number in another; give one of them another field",
                        fill.value
                    )
                },
            )?;
        }
        state = expected.next;
    }
    Ok(arrivals)
}

fn compile_step(
    state: &Spanned<String>,
    step: &StepDocument,
    expected: Option<Expected<'_>>,
    known: &Fields,
) -> Result<FlowStep, Fault> {
    let question = match expected {
        None => None,
        Some(expected) => {
            let mut known = known.clone();
            known.extend(
                expected
                    .fill
                    .map(|fill| (fill.value.clone(), expected.kind)),
            );
            let score = step.score.as_ref().map(|score| {
                Score::compile(&score.value, &known).map_err(|reason| fault(score, reason))
            });
            Some(Question {
                kind: expected.kind,
                fill: expected.fill.map(|fill| fill.value.clone()),
                score: score.transpose()?,
                next: expected.next.to_owned(),
            })
        }
    };
    Ok(FlowStep {
        state: state.value.clone(),
        prompt: template(&step.prompt, known)?,
        retry: step
            .retry
            .as_ref()
            .map(|retry| template(retry, known))
            .transpose()?,
        completes: step.completes,
        question,
    })
}

fn template(text: &Spanned<String>, known: &Fields) -> Result<Template, Fault> {
    let template = Template::parse(&text.value).map_err(|reason| fault(text, reason))?;
    if let Some(unknown) = template.fields().find(|field| !known.contains_key(*field)) {
        return Err(fault(
            text,
            format!(
                "no step before this one fills `{unknown}`; correct the placeholder, or `fill` it earlier"
            ),
        ));
    }
    Ok(template)
}

#[cfg(test)]
mod tests;
