//! Checks and compiles a document to a flow. Reports every error with its place, so that a loaded flow
//! cannot fail.

mod assign;
mod beside;
mod check;
mod compile;
mod compute;
mod expectation;
mod graph;
mod head;
mod names;
mod phrase;
mod referral;
mod schedule;

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde_saphyr::{Location, MessageFormatter, Spanned, UserMessageFormatter};

use super::Flow;
use super::document::Document;
use compile::compile;

const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
/// The limit of expressions, which keeps a load within two seconds.
const MAX_EXPRESSIONS: usize = 500;

/// The first error of a flow document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {reason}")]
pub struct FlowError {
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The column in characters, from 1.
    pub column: u64,
    /// The reason and the remedy.
    pub reason: String,
}

/// An error or a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub at: FlowError,
    /// True for an error, false for a warning.
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

/// The result of a check.
#[derive(Debug)]
pub struct Checked {
    /// The flow; none if there are errors.
    pub flow: Option<Flow>,
    /// The errors and warnings in the document's order.
    pub findings: Vec<Finding>,
}

/// A reason with its place.
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

/// Shortens a reason, which may quote long parts of the document.
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

/// Parses the document; an error has line, column and reason.
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
            // References to anchors could multiply a small document.
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

/// Returns the parser's reason, and adds a remedy where it has none. YAML parses a text that begins
/// with a placeholder as a mapping.
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
        serde_saphyr::Error::Unexpected {
            expected: "mapping start",
            ..
        } => {
            reason.push_str("; write `name: value` pairs here");
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

/// The faults so far.
#[derive(Debug, Default)]
struct Faults {
    errors: Vec<Fault>,
    warnings: Vec<Fault>,
}

impl Faults {
    /// Returns the value, or collects the fault.
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

/// Checks that `whole` has from 1 to `most` of `parts`.
fn ensure_count<T>(
    count: usize,
    most: usize,
    at: &Spanned<T>,
    (whole, parts): (&str, &str),
) -> Result<(), Fault> {
    ensure((1..=most).contains(&count), at, || {
        format!("{whole} has from 1 to {most} {parts}, not {count}")
    })
}

/// Parses a number within `range`; else the fault is `reason` after the written text.
fn parse_within<T: FromStr + PartialOrd>(
    written: &Spanned<String>,
    range: RangeInclusive<T>,
    reason: impl FnOnce() -> String,
) -> Result<T, Fault> {
    let number = written.value.parse().ok().filter(|it| range.contains(it));
    number.ok_or_else(|| fault(written, format!("`{}` is no {}", written.value, reason())))
}

fn fault<T>(at: &Spanned<T>, reason: String) -> Fault {
    (at.referenced, reason)
}

#[cfg(test)]
mod tests;
