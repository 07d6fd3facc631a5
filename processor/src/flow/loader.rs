//! Checks and compiles a document to a flow. Reports every error with its place, so that a loaded flow
//! cannot fail.

mod assign;
mod beside;
mod check;
mod compile;
mod compute;
mod currency;
mod expectation;
mod find;
mod graph;
mod head;
mod languages;
mod names;
mod phrase;
mod referral;
mod schedule;
mod template;

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde_saphyr::{Location, Spanned};

use super::Flow;
use crate::yaml;

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
    let Checked { flow, findings } = checked(file, text, false);
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
    checked(file, text, true)
}

fn checked(file: &str, text: &str, is_thorough: bool) -> Checked {
    let (flow, faults) = find::find(text, is_thorough);
    let finding = |is_error, fault: yaml::Fault| Finding {
        at: FlowError {
            file: file.to_owned(),
            line: fault.place.line.max(1),
            column: fault.place.column.max(1),
            reason: shortened(fault.reason),
        },
        is_error,
    };
    let errors = faults.errors.into_iter().map(|it| finding(true, it));
    let mut findings: Vec<Finding> = errors.collect();
    let warnings = faults.warnings.into_iter().map(|it| finding(false, it));
    for warning in warnings {
        let place = |it: &Finding| (it.at.line, it.at.column);
        if !findings
            .iter()
            .any(|it| it.is_error && place(it) == place(&warning))
        {
            findings.push(warning);
        }
    }
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

/// The faults so far.
#[derive(Debug, Default)]
struct Faults {
    /// True for a document that may have been published by an earlier version, which refused less.
    is_lenient: bool,
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
