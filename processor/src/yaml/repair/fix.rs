//! Proposes corrections of a line with a likely slip.

use super::braces;
use super::slip::{Fix, quoted, reason};

/// A line `- name: value`.
struct Member<'a> {
    /// The text before the value.
    head: &'a str,
    /// The columns before the name.
    indent: usize,
    value: &'a str,
    has_space: bool,
}

/// Returns corrections of the line `index`, the likeliest first.
pub(super) fn fixes(lines: &[&str], index: usize) -> Vec<Fix> {
    let line = lines.get(index).copied().unwrap_or_default();
    let mut fixes = Vec::new();
    let Some(member) = member(line) else {
        let indent = line.len() - line.trim_start_matches([' ', '-']).len();
        let (head, value) = line.split_at_checked(indent).unwrap_or((line, ""));
        fixes.extend(in_braces(head, value, index));
        fixes.extend(below_sign(lines, index));
        if !value.is_empty() {
            fixes.push(in_quotes(head, value, (index, index + 1)));
        }
        return fixes;
    };
    if !member.has_space {
        let (head, value) = (member.head, member.value);
        fixes.push(Fix {
            text: format!("{head} {value}"),
            end: index + 1,
            slips: vec![(
                chars(head),
                "a space is missing behind the colon; add it".into(),
            )],
        });
        return fixes;
    }
    if !member.value.is_empty() {
        fixes.extend(in_braces(member.head, member.value, index));
        fixes.extend(in_single_quotes(&member, index));
        fixes.push(whole_in_quotes(lines, index, &member, false));
    }
    fixes.extend(undashed(line, index));
    fixes.extend(indented(lines, index));
    fixes
}

fn member(line: &str) -> Option<Member<'_>> {
    let name = line.trim_start_matches([' ', '-']);
    let indent = line.len() - name.len();
    let colon = name.find(':')?;
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '"' | '\'');
    let is_member = colon > 0 && name.get(..colon)?.chars().all(is_name);
    let behind = name.get(colon + 1..)?;
    let value = behind.trim_start_matches(' ');
    let has_space = value.len() < behind.len() || value.is_empty();
    let head = line.get(..line.len() - value.len())?;
    is_member.then_some(Member {
        head,
        indent,
        value: value.trim_end(),
        has_space,
    })
}

/// Puts a text in quotes that goes on in further lines, some of which look like members.
pub(super) fn prose(lines: &[&str], index: usize) -> Option<Fix> {
    let member = member(lines.get(index)?)?;
    let end = end_of_text(lines, index, member.indent, false);
    let is_more = end_of_text(lines, index, member.indent, true) > end;
    (is_more && !member.value.is_empty()).then(|| whole_in_quotes(lines, index, &member, true))
}

fn whole_in_quotes(lines: &[&str], index: usize, member: &Member<'_>, is_prose: bool) -> Fix {
    let end = end_of_text(lines, index, member.indent, is_prose);
    let mut value = member.value.to_owned();
    for line in lines.get(index + 1..end).into_iter().flatten() {
        value.push(' ');
        value.push_str(line.trim());
    }
    in_quotes(member.head, &value, (index, end))
}

/// Returns whether a name is written as a word of a sentence, as in `Note: …`.
fn is_word(name: &str) -> bool {
    let mut letters = name.trim().chars();
    letters.next().is_some_and(char::is_uppercase) && letters.next().is_some_and(char::is_lowercase)
}

/// Returns the index of the line behind a text that continues in further lines.
fn end_of_text(lines: &[&str], index: usize, indent: usize, is_prose: bool) -> usize {
    let continues = |line: &&&str| {
        let text = line.trim_start_matches(' ');
        !text.is_empty()
            && line.len() - text.len() > indent
            && member(line).is_none_or(|it| is_prose && is_word(it.head))
    };
    let more = lines.iter().skip(index + 1).take_while(continues).count();
    index + 1 + more
}

/// Puts the whole value in quotes.
fn in_quotes(head: &str, value: &str, (begin, end): (usize, usize)) -> Fix {
    debug_assert!(begin < end, "a fix has at least one line");
    let value = value.split(" #").next().unwrap_or_default().trim_end();
    Fix {
        text: format!("{head}{}", quoted(value)),
        end,
        slips: vec![(chars(head), reason(value))],
    }
}

/// Corrects a value in brackets or braces in a line.
pub(super) fn in_braces_of(lines: &[&str], index: usize) -> Option<Fix> {
    let line = lines.get(index).copied().filter(|it| is_content(it))?;
    let indent = line.len() - line.trim_start_matches([' ', '-']).len();
    let (head, value) = match member(line) {
        Some(member) => (member.head, member.value),
        None => line.split_at_checked(indent)?,
    };
    in_braces(head, value.trim_end(), index)
}

fn in_braces(head: &str, value: &str, index: usize) -> Option<Fix> {
    value
        .starts_with(['{', '['])
        .then(|| braces::fix(head, value, index))?
}

/// Removes the sign of an item where members stand.
fn undashed(line: &str, index: usize) -> Option<Fix> {
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    let member = text.strip_prefix("- ")?;
    Some(Fix {
        text: format!("{}{member}", " ".repeat(indent)),
        end: index + 1,
        slips: vec![(
            indent,
            "`- ` begins an item of a list, and members stand here; remove it".into(),
        )],
    })
}

/// Indents the text below `|` or `>` further than its name.
fn below_sign(lines: &[&str], index: usize) -> Option<Fix> {
    let above = lines.get(index.checked_sub(1)?)?;
    let sign = above.trim_end().trim_end_matches(['-', '+']);
    let (name, line) = (member(above)?, lines.get(index)?);
    let is_below = sign.ends_with(['|', '>']) && name.value.len() <= 2;
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    (is_below && indent <= name.indent).then(|| Fix {
        text: format!("{}{text}", " ".repeat(name.indent + 2)),
        end: index + 1,
        slips: vec![(
            indent,
            "the text below `|` or `>` is indented further than its name; indent it".into(),
        )],
    })
}

/// Closes the quote in a line that has one without an end.
pub(super) fn closed(lines: &[&str], index: usize) -> Option<Fix> {
    let line = lines.get(index)?;
    let at = unclosed(line)?;
    let quote = line.get(at..)?.chars().next()?;
    let text = line.trim_end();
    let inner = text.trim_end_matches(['}', ']', ' ']);
    let behind = text.get(inner.len()..)?;
    Some(Fix {
        text: format!("{inner}{quote}{behind}"),
        end: index + 1,
        slips: vec![(
            chars(line.get(..at)?),
            "a quote here is not closed; close it, and write a quote within single quotes twice"
                .into(),
        )],
    })
}

/// Returns where a quote opens that the line does not close.
fn unclosed(line: &str) -> Option<usize> {
    let mut open: Option<(usize, char)> = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match open {
            Some((_, quote)) if c == quote && before != '\\' => open = None,
            None if matches!(c, '"' | '\'') && matches!(before, ' ' | '{' | '[' | ',') => {
                open = Some((at, c));
            }
            _ => {}
        }
        before = c;
    }
    open.map(|(at, _)| at)
}

/// Indents the name of what stands below it as the lines beside it: one of those above `index` that is
/// less indented than this line.
pub(super) fn indented_above(lines: &[&str], index: usize) -> Option<Fix> {
    let due = width(lines.get(index)?);
    let before = lines.iter().enumerate().take(index).rev();
    let mut names = before.filter(|(_, line)| !line.trim().is_empty() && width(line) < due);
    let (above, line) = names.next()?;
    indented_as(line, above, due)
}

/// Indents a name as lines before it: less where nothing stands below it, and more where what stands
/// below it leaves room.
pub(super) fn moved(lines: &[&str], index: usize) -> Vec<Fix> {
    let line = lines.get(index).copied().unwrap_or_default();
    if !member(line).is_some_and(|it| it.value.is_empty()) {
        return Vec::new();
    }
    let is = width(line);
    let mut below = lines.iter().skip(index + 1).filter(|it| is_content(it));
    let below = below.next().map_or(0, |it| width(it));
    let before = lines.iter().take(index).filter(|it| is_content(it));
    let mut due: Vec<usize> = before.map(|it| width(it)).collect();
    due.sort_unstable();
    due.dedup();
    let is_possible = |due: &usize| *due < is && below == is || *due > is && *due < below;
    let possible = due.into_iter().rev().filter(is_possible);
    possible
        .filter_map(|due| indented_as(line, index, due))
        .collect()
}

fn indented_as(line: &str, index: usize, due: usize) -> Option<Fix> {
    let is = width(line);
    let name = member(line).filter(|it| it.value.is_empty() && it.indent == is)?;
    let name = name.head.trim().trim_end_matches(':');
    Some(Fix {
        text: format!("{}{}", " ".repeat(due), line.trim_start_matches(' ')),
        end: index + 1,
        slips: vec![(
            is,
            format!(
                "`{name}` is indented by {is} spaces, and what stands beside it by {due}; indent them alike"
            ),
        )],
    })
}

fn width(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Replaces double quotes around a value by single ones, because of `\`.
fn in_single_quotes(member: &Member<'_>, index: usize) -> Option<Fix> {
    let inner = member.value.strip_prefix('"')?.strip_suffix('"')?;
    inner.contains('\\').then(|| Fix {
        text: format!("{}{}", member.head, quoted(inner)),
        end: index + 1,
        slips: vec![(
            chars(member.head),
            "`\\` has a meaning of its own in double quotes; use single quotes".into(),
        )],
    })
}

/// Indents a line as the one before it or behind it, or as what is around the one before it.
fn indented(lines: &[&str], index: usize) -> Vec<Fix> {
    let line = lines.get(index).copied().unwrap_or_default();
    let (before, after) = lines.split_at_checked(index).unwrap_or_default();
    let before = before.iter().rev().filter(|it| is_content(it));
    let after = after.iter().skip(1).find(|it| is_content(it));
    let is = width(line);
    let mut due: Vec<(usize, &str)> = Vec::new();
    for line in before {
        let width = width(line);
        if due.last().is_none_or(|(last, _)| width < *last) {
            due.push((
                width,
                if due.is_empty() {
                    "the one above it"
                } else {
                    "lines above it"
                },
            ));
        }
    }
    due.extend(after.map(|line| (width(line), "the one below it")));
    let near = due
        .into_iter()
        .filter(|(due, _)| (1..=2).contains(&is.abs_diff(*due)));
    near.map(|(due, other)| Fix {
        text: format!("{}{}", " ".repeat(due), line.trim_start_matches(' ')),
        end: index + 1,
        slips: vec![(
            is,
            format!("the line is indented by {is} spaces, and {other} by {due}; indent them alike"),
        )],
    })
    .collect()
}

pub(super) fn is_content(line: &str) -> bool {
    let text = line.trim();
    !text.is_empty() && !text.starts_with('#')
}

fn chars(text: &str) -> usize {
    text.chars().count()
}
