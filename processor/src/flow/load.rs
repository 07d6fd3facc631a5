//! From a document to a flow: everything that could go wrong later is refused here, with its place.

mod assign;
mod check;
mod graph;
mod head;
mod question;

use std::fmt;

use serde_saphyr::{Location, MessageFormatter, Spanned, UserMessageFormatter};

use super::document::{Document, Expect, Steps, Words};
use super::expression::Expression;
use super::field::Fields;
use super::prompt::{MAX_BODY, MAX_INTERACTIVE_BODY, Phrase, Template};
use super::{Flow, FlowStep, Next, Role};
use check::{Outline, OutlineRole, Place, check_states, outline};
use graph::Graph;

const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
/// Each expression is parsed and evaluated: so many keep a load within a second or two.
const MAX_EXPRESSIONS: usize = 500;

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

/// Something that a check found in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub at: FlowError,
    /// Whether the document is refused for it; else it only looks wrong.
    pub is_error: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FlowError {
            file,
            line,
            column,
            reason,
        } = &self.at;
        let class = if self.is_error { "error" } else { "warning" };
        write!(f, "{file}:{line}:{column}: {class}: {reason}")
    }
}

/// What a check came to.
#[derive(Debug)]
pub struct Checked {
    /// None when there are errors.
    pub flow: Option<Flow>,
    /// In the document's order.
    pub findings: Vec<Finding>,
}

/// A reason at a place, before the file's name is known.
type Fault = (Location, String);

pub(super) fn first_error(file: &str, text: &str) -> Result<Flow, FlowError> {
    let Checked { flow, findings } = check(file, text);
    if let Some(flow) = flow {
        return Ok(flow);
    }
    let first = findings.into_iter().find(|finding| finding.is_error);
    Err(first.map_or_else(
        || FlowError {
            file: file.to_owned(),
            line: 1,
            column: 1,
            reason: "the document is no flow".to_owned(),
        },
        |finding| finding.at,
    ))
}

pub(super) fn check(file: &str, text: &str) -> Checked {
    let finding = |is_error, (line, column, reason): (u64, u64, String)| Finding {
        at: FlowError {
            file: file.to_owned(),
            line: line.max(1),
            column: column.max(1),
            reason: shortened(reason),
        },
        is_error,
    };
    let document = match read(text) {
        Ok(document) => document,
        Err(place) => {
            return Checked {
                flow: None,
                findings: vec![finding(true, place)],
            };
        }
    };
    let mut faults = Faults::default();
    let flow = compile(&document, &mut faults).filter(|_| faults.errors.is_empty());
    let at = |(place, reason): Fault| (place.line(), place.column(), reason);
    let errors = faults.errors.into_iter().map(|it| finding(true, at(it)));
    let warnings = faults.warnings.into_iter().map(|it| finding(false, at(it)));
    let mut findings: Vec<Finding> = errors.chain(warnings).collect();
    findings.sort_by_key(|finding| (finding.at.line, finding.at.column));
    findings.dedup();
    Checked { flow, findings }
}

/// A reason may quote what is written, however long that is.
fn shortened(reason: String) -> String {
    const MOST: usize = 600;
    let length = reason.chars().count();
    if length <= MOST {
        return reason;
    }
    let begin: String = reason.chars().take(MOST / 2).collect();
    let end: String = reason.chars().skip(length - MOST / 2).collect();
    format!("{begin} … {end}")
}

/// Line, column and reason of an error.
fn read(text: &str) -> Result<Document, (u64, u64, String)> {
    if text.len() > MAX_DOCUMENT_BYTES {
        let reason = format!(
            "the document has {} bytes, at most {MAX_DOCUMENT_BYTES} are allowed; shorten it",
            text.len()
        );
        return Err((1, 1, reason));
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
    serde_saphyr::from_str_with_options(text, options).map_err(|source| {
        let (line, column) = source
            .location()
            .map_or((1, 1), |at| (at.line(), at.column()));
        (line, column, document_reason(&source))
    })
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

/// What was found so far.
#[derive(Debug, Default)]
struct Faults {
    errors: Vec<Fault>,
    warnings: Vec<Fault>,
}

impl Faults {
    /// The value, or none with its fault noted.
    fn note<T>(&mut self, outcome: Result<T, Fault>) -> Option<T> {
        outcome.map_err(|fault| self.errors.push(fault)).ok()
    }
}

fn compile(document: &Document, faults: &mut Faults) -> Option<Flow> {
    let head = head::head(document, faults);
    let Steps(steps) = &document.steps.value;
    check_states(document, faults);
    let outlines: Vec<Option<Outline<'_>>> = steps
        .iter()
        .map(|(state, step)| faults.note(outline(document, state, step)))
        .collect();
    let (Some(head), true) = (head, faults.errors.is_empty()) else {
        return None;
    };
    let outlines: Vec<Outline<'_>> = outlines.into_iter().flatten().collect();
    let graph = Graph::of(&document.start.value, &outlines, faults)?;
    let compiled: Vec<Option<FlowStep>> = outlines
        .iter()
        .map(|outline| {
            let known = graph.arrivals.get(outline.state.value.as_str())?;
            let scope = Scope {
                languages: &head.languages,
                known,
            };
            faults.note(compile_step(outline, &scope))
        })
        .collect();
    let flow = head.into_flow(document, compiled.into_iter().flatten().collect(), faults)?;
    check_lengths(&flow, &outlines, &graph, faults);
    Some(flow)
}

/// What the texts and expressions of a step may use.
struct Scope<'a> {
    languages: &'a [String],
    /// The fields that are filled on arrival.
    known: &'a Fields,
}

fn compile_step(outline: &Outline<'_>, scope: &Scope<'_>) -> Result<FlowStep, Fault> {
    let step = outline.step;
    let known = scope.known;
    let prompt = step
        .prompt
        .as_ref()
        .map(|prompt| phrase(prompt, scope))
        .transpose()?;
    let retry = || {
        step.retry
            .as_ref()
            .map(|retry| phrase(retry, scope))
            .transpose()
    };
    let role = match &outline.role {
        OutlineRole::End => Role::End { retry: retry()? },
        OutlineRole::Pass => Role::Pass {
            score: score(outline, known)?,
            next: next(outline, known)?,
        },
        OutlineRole::Ask(asked) => Role::Ask(question::compile(outline, asked, retry()?, scope)?),
    };
    Ok(FlowStep {
        state: outline.state.value.clone(),
        prompt,
        completes: step.completes,
        assign: assign::compile(step.assign.as_ref(), known)?,
        role,
    })
}

fn score(outline: &Outline<'_>, known: &Fields) -> Result<Option<Expression>, Fault> {
    let compile = |score: &Spanned<String>| {
        Expression::score(&score.value, known).map_err(|reason| fault(score, reason))
    };
    outline.step.score.as_ref().map(compile).transpose()
}

fn next(outline: &Outline<'_>, known: &Fields) -> Result<Next, Fault> {
    let cases = outline
        .cases
        .iter()
        .map(|(condition, to)| {
            let compiled = Expression::condition(&condition.value, known)
                .map_err(|reason| fault(condition, reason))?;
            Ok((compiled, (*to).to_owned()))
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    Ok(Next {
        cases,
        otherwise: outline.otherwise.unwrap_or_default().to_owned(),
    })
}

/// A text in all of the flow's languages, whose placeholders are filled.
fn phrase(words: &Spanned<Words>, scope: &Scope<'_>) -> Result<Phrase, Fault> {
    let templates = match &words.value {
        Words::One(text) => {
            if scope.languages.len() > 1 {
                return Err(fault(
                    words,
                    format!(
                        "the text is in one language, and the flow is in {}; write one for each, as in `{{{}: …}}`",
                        scope.languages.join(", "),
                        scope.languages.join(": …, ")
                    ),
                ));
            }
            vec![template(words, text, scope)?]
        }
        Words::Each(each) => {
            check_languages(
                words,
                &each.iter().map(|(language, _)| language),
                scope.languages,
            )?;
            scope
                .languages
                .iter()
                .filter_map(|language| each.iter().find(|(tag, _)| tag.value == *language))
                .map(|(_, text)| template(text, &text.value, scope))
                .collect::<Result<Vec<_>, Fault>>()?
        }
    };
    Ok(Phrase(templates))
}

/// Each of the flow's languages is there, and no other.
fn check_languages<'a, T>(
    at: &Spanned<T>,
    written: &(impl Iterator<Item = &'a Spanned<String>> + Clone),
    languages: &[String],
) -> Result<(), Fault> {
    for tag in written.clone() {
        ensure(languages.contains(&tag.value), tag, || {
            format!(
                "`{}` is none of the flow's languages ({}); add it to `language`, or put the text in quotes if it is none",
                tag.value,
                languages.join(", ")
            )
        })?;
    }
    match languages
        .iter()
        .find(|language| !written.clone().any(|tag| tag.value == **language))
    {
        Some(missing) => Err(fault(at, format!("`{missing}` is missing here; add it"))),
        None => Ok(()),
    }
}

fn template<T>(at: &Spanned<T>, text: &str, scope: &Scope<'_>) -> Result<Template, Fault> {
    let template = Template::parse(text).map_err(|reason| fault(at, reason))?;
    if let Some(unknown) = template
        .fields()
        .find(|field| !scope.known.contains_key(*field))
    {
        return Err(fault(
            at,
            format!(
                "not every way to here fills `{unknown}`: no step before this one fills `{unknown}` for certain; correct the placeholder, or `fill` it earlier"
            ),
        ));
    }
    Ok(template)
}

/// Every text that can be said is within WhatsApp's limit, with what is said before it.
fn check_lengths(flow: &Flow, outlines: &[Outline<'_>], graph: &Graph<'_>, faults: &mut Faults) {
    let longest = |phrase: Option<&Phrase>| phrase.map_or(0, Phrase::longest);
    let messages = [&flow.messages.nudge, &flow.messages.started];
    let opening = messages.map(|phrase| longest(phrase.as_ref()));
    let opening = opening.into_iter().max().unwrap_or_default();
    let length = |state: &str| {
        flow.step(state)
            .map_or(0, |step| longest(step.prompt.as_ref()))
    };
    for (outline, step) in outlines.iter().zip(&flow.steps) {
        let is_tapped = matches!(&step.role, Role::Ask(question) if !matches!(question.asks, super::Asks::Plainly));
        let most = if is_tapped {
            MAX_INTERACTIVE_BODY
        } else {
            MAX_BODY
        };
        let before = graph.said_before(&step.state, &length);
        let is_asked = matches!(step.role, Role::Ask(_));
        let before = before.max(if is_asked && opening > 0 {
            opening + 2
        } else {
            0
        });
        let retry = match &step.role {
            Role::Ask(question) => longest(question.retry.as_ref()),
            Role::End { retry } => longest(retry.as_ref()),
            Role::Pass { .. } => 0,
        };
        let found = (before + longest(step.prompt.as_ref())).max(retry);
        if found > most {
            let place = outline
                .step
                .prompt
                .as_ref()
                .map_or(outline.state.referenced, |it| it.referenced);
            faults.errors.push((
                place,
                format!(
                    "what is said here can reach {found} characters, with what comes before it (each placeholder counts 200), and WhatsApp takes {most}{}; shorten it",
                    if is_tapped { " with buttons, lists and forms" } else { "" }
                ),
            ));
        }
    }
}

/// The types that a step can expect, for errors.
const fn is_nothing(expect: Option<&Spanned<Expect>>) -> bool {
    match expect {
        None => true,
        Some(expect) => matches!(expect.value, Expect::Nothing),
    }
}

fn ensure<T>(holds: bool, at: &Spanned<T>, reason: impl FnOnce() -> String) -> Result<(), Fault> {
    if holds {
        Ok(())
    } else {
        Err(fault(at, reason()))
    }
}

fn fault<T>(at: &Spanned<T>, reason: String) -> Fault {
    (at.referenced, reason)
}

impl Place for Document {
    fn steps(&self) -> &[(Spanned<String>, super::document::StepDocument)] {
        &self.steps.value.0
    }
}

#[cfg(test)]
mod tests;
