//! Parses a text although it is no YAML: corrects a slip in a copy, reports it, and goes on.

mod fix;

use granit_parser::{ErrorKind, ScanError};

use super::tree::{self, Node, Unreadable};
use super::{Faults, Place};

/// The most slips that are corrected in one text.
const MAX_SLIPS: usize = 50;

/// A line and a column.
type Position = (usize, usize);

/// The place and reason of a slip, and the text without it.
type Correction = (Place, String, String);

const TABS: &str = "a tab indents this line; YAML takes spaces only";

/// Parses `text`. Returns none if it is no YAML behind a fault that cannot be corrected.
pub(super) fn parse(text: &str, faults: &mut Faults) -> Option<Node> {
    let mut text = text.to_owned();
    for _ in 0..=MAX_SLIPS {
        let mut found = Faults::default();
        let error = match tree::parse(&text, &mut found) {
            Ok(node) => {
                faults.errors.append(&mut found.errors);
                return Some(node);
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
        let Some((place, reason, corrected)) = corrected(&text, &error) else {
            let mark = error.marker();
            faults.error(tree::at(mark.line(), mark.col()), words(error.kind()));
            return None;
        };
        faults.error(place, reason);
        text = corrected;
    }
    None
}

/// Returns the place and reason of a slip at an error, and the text without it.
fn corrected(text: &str, error: &ScanError) -> Option<Correction> {
    let lines: Vec<&str> = text.split('\n').collect();
    let last = error.marker().line().min(lines.len());
    // A parser often notices a slip in a line behind it.
    let near = (last.saturating_sub(3)..last).rev();
    let near: Vec<usize> = near
        .filter(|&index| lines.get(index).is_some_and(|it| is_content(it)))
        .collect();
    let has_tab = |index: &usize| lines.get(*index).is_some_and(|line| is_tabbed(line));
    if let Some(index) = (last.saturating_sub(3)..=last).find(has_tab) {
        let place = tree::at(index + 1, 0);
        return Some((place, TABS.to_owned(), without_tabs(&lines)));
    }
    let before = position(error);
    let mut best: Option<(Position, Correction)> = None;
    for index in near {
        for fix in fix::fixes(&lines, index) {
            let Some(text) = replaced(&lines, index, &fix) else {
                continue;
            };
            let reach = reach(&text);
            let is_further = reach > before && reach.0 > fix.end;
            if is_further && best.as_ref().is_none_or(|(known, _)| reach > *known) {
                let place = tree::at(index + 1, fix.column);
                best = Some((reach, (place, fix.reason, text)));
            }
        }
    }
    best.map(|(_, corrected)| corrected)
}

fn replaced(lines: &[&str], index: usize, fix: &fix::Fix) -> Option<String> {
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

fn is_content(line: &str) -> bool {
    let text = line.trim();
    !text.is_empty() && !text.starts_with('#')
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
