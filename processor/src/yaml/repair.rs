//! Parses a text although it is no YAML: corrects a slip in a copy, reports it, and goes on.

mod braces;
mod fix;
mod slip;

use std::cmp::Reverse;

use granit_parser::{ErrorKind, ScanError};
use serde_json::Value as Json;

use super::tree::{self, Node, Unreadable};
use super::{Faults, Place, shape};
use fix::is_content;
use slip::Fix;

/// The most slips that are corrected in one text.
const MAX_SLIPS: usize = 50;

/// A line and a column.
type Position = (usize, usize);

/// How far a text can be read, and then the number of its faults.
type Merit = (Position, Reverse<usize>);

/// The most lines above an error in which its cause is looked for.
const MAX_ABOVE: usize = 100;

/// A text without slips, and the places and reasons of these.
struct Correction {
    slips: Vec<(Place, String)>,
    text: String,
}

const TABS: &str = "a tab indents this line; YAML takes spaces only";

/// Parses `text`, which should fit `schema`. Returns the tree and its text without slips, or none if it
/// is no YAML behind a fault that cannot be corrected.
pub(super) fn parse(text: &str, schema: &Json, faults: &mut Faults) -> Option<(Node, String)> {
    let mut text = text.to_owned();
    for _ in 0..=MAX_SLIPS {
        let mut found = Faults::default();
        let error = match tree::parse(&text, &mut found) {
            Ok(node) => {
                if let Some(correction) = plainer(&text, schema) {
                    text = add(correction, faults);
                    continue;
                }
                faults.errors.append(&mut found.errors);
                return Some((node, text));
            }
            Err(Unreadable::Empty) => {
                faults.error(Place::BEGIN, "the document is empty");
                return None;
            }
            Err(Unreadable::TooLarge(place)) => {
                faults.error(
                    place,
                    "the document has too many parts, or parts too deep in each other; write it plainly",
                );
                return None;
            }
            Err(Unreadable::Syntax(error)) => error,
        };
        let Some(correction) = corrected(&text, schema, &error) else {
            let mark = error.marker();
            faults.error(tree::at(mark.line(), mark.col()), words(error.kind()));
            return None;
        };
        text = add(correction, faults);
    }
    None
}

/// Adds the slips to the faults, and returns the text without them.
fn add(correction: Correction, faults: &mut Faults) -> String {
    for (place, reason) in correction.slips {
        faults.error(place, reason);
    }
    correction.text
}

/// Returns a text that can be read further than up to `error`.
fn corrected(text: &str, schema: &Json, error: &ScanError) -> Option<Correction> {
    let lines: Vec<&str> = text.split('\n').collect();
    let last = error.marker().line().min(lines.len());
    // A parser often notices a slip in a line behind it.
    let near = (last.saturating_sub(3)..last).rev();
    let near: Vec<usize> = near
        .filter(|&index| lines.get(index).is_some_and(|it| is_content(it)))
        .collect();
    let has_tab = |index: &usize| lines.get(*index).is_some_and(|line| is_tabbed(line));
    if let Some(index) = (last.saturating_sub(3)..=last).find(has_tab) {
        return Some(Correction {
            slips: vec![(tree::at(index + 1, 0), TABS.to_owned())],
            text: without_tabs(&lines),
        });
    }
    let before = position(error);
    let mut fixes: Vec<(usize, Fix)> = Vec::new();
    for &index in &near {
        fixes.extend(fix::prose(&lines, index).map(|fix| (index, fix)));
    }
    for &index in &near {
        fixes.extend(
            fix::fixes(&lines, index)
                .into_iter()
                .map(|fix| (index, fix)),
        );
        fixes.extend(fix::indented_above(&lines, index).map(|fix| (fix.end - 1, fix)));
    }
    for index in last.saturating_sub(MAX_ABOVE)..last {
        let Some(closed) = fix::closed(&lines, index) else {
            continue;
        };
        fixes.extend(fix::in_braces_of(&lines, index).map(|fix| (index, fix)));
        fixes.push((index, closed));
    }
    let is_further = |(reach, _): &Merit, end: usize| *reach > before && reach.0 > end;
    best(&lines, schema, fixes, is_further)
}

/// Returns a text with fewer faults than one that is YAML already.
fn plainer(text: &str, schema: &Json) -> Option<Correction> {
    let before = merit(text, schema);
    if before.1 == Reverse(0) {
        return None;
    }
    let lines: Vec<&str> = text.split('\n').collect();
    let mut fixes: Vec<(usize, Fix)> = Vec::new();
    for index in 0..lines.len() {
        fixes.extend(fix::in_braces_of(&lines, index).map(|fix| (index, fix)));
        fixes.extend(
            fix::moved(&lines, index)
                .into_iter()
                .map(|fix| (index, fix)),
        );
    }
    best(&lines, schema, fixes, |merit, _| *merit > before)
}

/// Returns the correction after which most can be read, the first of equals.
fn best(
    lines: &[&str],
    schema: &Json,
    fixes: Vec<(usize, Fix)>,
    is_better: impl Fn(&Merit, usize) -> bool,
) -> Option<Correction> {
    let mut best: Option<(Merit, Correction)> = None;
    for (index, fix) in fixes {
        let Some(text) = replaced(lines, index, &fix) else {
            continue;
        };
        let merit = merit(&text, schema);
        if is_better(&merit, fix.end) && best.as_ref().is_none_or(|(known, _)| merit > *known) {
            let slips = fix.slips.into_iter();
            let slips = slips.map(|(column, reason)| (tree::at(index + 1, column), reason));
            let slips = slips.collect();
            best = Some((merit, Correction { slips, text }));
        }
    }
    best.map(|(_, correction)| correction)
}

/// Returns how far `text` can be read, and the number of its faults.
fn merit(text: &str, schema: &Json) -> Merit {
    let mut faults = Faults::default();
    match tree::parse(text, &mut faults) {
        Err(Unreadable::Syntax(error)) => (position(&error), Reverse(0)),
        Err(_) => ((usize::MAX, 0), Reverse(usize::MAX)),
        Ok(mut node) => {
            shape::check(&mut node, schema, text, &mut faults);
            ((usize::MAX, 0), Reverse(faults.errors.len()))
        }
    }
}

fn replaced(lines: &[&str], index: usize, fix: &Fix) -> Option<String> {
    let mut lines = lines.to_vec();
    let replaced = lines.get_mut(index..fix.end)?;
    replaced.fill("");
    *replaced.first_mut()? = &fix.text;
    Some(lines.join("\n"))
}

/// Returns the line and column of the first error.
fn reach(text: &str) -> Position {
    match tree::parse(text, &mut Faults::default()) {
        Err(Unreadable::Syntax(error)) => position(&error),
        _ => (usize::MAX, 0),
    }
}

fn position(error: &ScanError) -> Position {
    (error.marker().line(), error.marker().col())
}

fn is_tabbed(line: &str) -> bool {
    let text = line.trim_start();
    let indent = line.len() - text.len();
    line.get(..indent).is_some_and(|it| it.contains('\t'))
}

/// Returns the text with spaces for tabs. How many a tab stands for is tried.
fn without_tabs(lines: &[&str]) -> String {
    let untabbed = |spaces: Option<usize>| {
        let mut before = 0;
        let untabbed = |line: &&str| {
            let text = line.trim_start();
            let indent = line.get(..line.len() - text.len()).unwrap_or_default();
            if let Some(spaces) = spaces {
                return format!("{}{text}", indent.replace('\t', &" ".repeat(spaces)));
            }
            if !indent.contains('\t') {
                before = if text.is_empty() {
                    before
                } else {
                    indent.len()
                };
                return (*line).to_owned();
            }
            format!("{}{text}", " ".repeat(before))
        };
        lines.iter().map(untabbed).collect::<Vec<_>>().join("\n")
    };
    let texts = [Some(2), Some(4), None].map(untabbed);
    // Of equals the last one.
    texts
        .into_iter()
        .rev()
        .max_by_key(|text| reach(text))
        .unwrap_or_default()
}

/// Words an error that cannot be corrected.
fn words(kind: &ErrorKind) -> String {
    use ErrorKind as E;
    match kind {
        E::UnclosedQuotedScalar
        | E::InvalidQuotedScalarIndent
        | E::DocumentIndicatorInQuotedScalar
        | E::InvalidTrailingSingleQuotedScalar
        | E::InvalidTrailingDoubleQuotedScalar => {
            "a quote here is not closed; close it, and write a quote within single quotes twice".into()
        }
        E::UnclosedFlowCollection { open } => {
            format!("`{open}` is not closed; close it, or put a text that begins with it in quotes")
        }
        E::UnexpectedEofFlowSequence
        | E::UnexpectedEofFlowMapping
        | E::UnexpectedEofImplicitFlowMapping
        | E::ExpectedFlowMappingSeparator
        | E::ExpectedFlowSequenceSeparator
        | E::MismatchedFlowCollectionEnd { .. }
        | E::MisplacedFlowCollectionEnd
        | E::InvalidFlowScalarIndent => {
            "a bracket or brace is not closed here, or a comma between the parts in it is missing; correct it, or put a text with brackets in quotes".into()
        }
        E::UnexpectedCharacter { character } => {
            format!("a text cannot begin with `{character}`; put it in quotes")
        }
        E::TabNotAllowed
        | E::TabInBlockIndentation
        | E::TabInIndentation
        | E::TabInPlainScalar
        | E::TabAtBlockScalarStart => TABS.into(),
        E::UnknownQuotedScalarEscape
        | E::InvalidQuotedScalarHexEscape
        | E::InvalidUnicodeEscape => {
            "`\\` has a meaning of its own in double quotes; use single quotes".into()
        }
        _ => "this line does not fit the lines above it; check its indentation, its colon with a space behind it, and its quotes".into(),
    }
}
