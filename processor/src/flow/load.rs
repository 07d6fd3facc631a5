//! From a document to a flow: everything that could go wrong later is refused here, with its place.

mod assign;
mod check;
mod compile;
mod graph;
mod head;
mod names;
mod phrase;
mod question;

use std::fmt;

use serde_saphyr::{Location, MessageFormatter, Spanned, UserMessageFormatter};

use super::Flow;
use super::document::Document;
use check::Place;
use compile::compile;

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
    /// The value, or none with its fault collected.
    fn collect<T>(&mut self, outcome: Result<T, Fault>) -> Option<T> {
        outcome.map_err(|fault| self.errors.push(fault)).ok()
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
