//! Proposes corrections of a line with a likely slip.

/// A corrected line.
pub(super) struct Fix {
    /// The corrected text of the line, and of those up to `end`.
    pub(super) text: String,
    /// The index of the line behind the corrected ones.
    pub(super) end: usize,
    /// The column of the slip, from 0.
    pub(super) column: usize,
    pub(super) reason: String,
}

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
            column: chars(head),
            reason: "a space is missing behind the colon; add it".into(),
        });
        return fixes;
    }
    if !member.value.is_empty() {
        fixes.extend(in_braces(member.head, member.value, index));
        fixes.extend(in_single_quotes(&member, index));
        let end = end_of_text(lines, index, member.indent);
        let mut value = member.value.to_owned();
        for line in lines.get(index + 1..end).into_iter().flatten() {
            value.push(' ');
            value.push_str(line.trim());
        }
        fixes.push(in_quotes(member.head, &value, (index, end)));
    }
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

/// Returns the index of the line behind a text that continues in further lines.
fn end_of_text(lines: &[&str], index: usize, indent: usize) -> usize {
    let continues = |line: &&&str| {
        let text = line.trim_start_matches(' ');
        !text.is_empty() && line.len() - text.len() > indent && member(line).is_none()
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
        column: chars(head),
        reason: reason(value),
    }
}

fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn reason(value: &str) -> String {
    match value.chars().next() {
        Some('"' | '\'') => {
            "the text goes on behind a closing quote; put all of it in quotes of the other kind".into()
        }
        Some(
            sign @ ('{' | '[' | '}' | ']' | '*' | '&' | '!' | '|' | '>' | '%' | '@' | '`' | '-' | '?' | ','),
        ) => format!("`{sign}` has a meaning of its own at the beginning of a text; put the text in quotes"),
        _ => "`:` with a space behind it begins a member; put a text or an expression with it in quotes, as in `score: \"budget > 5000 ? 100 : 50\"`".into(),
    }
}

/// Puts the members of a mapping in braces in quotes, where they need them.
fn in_braces(head: &str, value: &str, index: usize) -> Option<Fix> {
    let inner = value.trim_end().strip_prefix('{')?.strip_suffix('}')?;
    let mut text = format!("{head}{{");
    let mut slip = None;
    for part in parts(inner) {
        let begin = part.len() - part.trim_start_matches([' ', ',']).len();
        let (lead, part) = part.split_at_checked(begin)?;
        text.push_str(lead);
        let found = part.split_once(": ");
        match found.map(|(name, value)| (name, value.trim())) {
            Some((name, value)) if needs_quotes(value) => {
                text.push_str(name);
                text.push_str(": ");
                slip = slip.or_else(|| Some((chars(&text), reason(value))));
                text.push_str(&quoted(value));
            }
            _ => text.push_str(part),
        }
    }
    text.push('}');
    let (column, reason) = slip?;
    Some(Fix {
        text,
        end: index + 1,
        column,
        reason,
    })
}

/// Splits the text in braces before each `, name: `.
fn parts(inner: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut begin = 0;
    for (comma, _) in inner.match_indices(',') {
        let rest = inner.get(comma + 1..).unwrap_or_default().trim_start();
        let name = rest.split(": ").next().unwrap_or_default();
        let is_name = name.len() < rest.len()
            && !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
        if is_name {
            parts.extend(inner.get(begin..comma));
            begin = comma;
        }
    }
    parts.extend(inner.get(begin..));
    parts
}

fn needs_quotes(value: &str) -> bool {
    let begins = value.starts_with(['"', '\'', '{', '[']);
    let signs = ['*', '&', '!', '|', '>', '%', '@', '`'];
    !begins && (value.contains(": ") || value.ends_with(':') || value.starts_with(signs))
        || value.starts_with(['"', '\'']) && !value.ends_with(['"', '\''])
}

/// Replaces double quotes around a value by single ones, because of `\`.
fn in_single_quotes(member: &Member<'_>, index: usize) -> Option<Fix> {
    let inner = member.value.strip_prefix('"')?.strip_suffix('"')?;
    inner.contains('\\').then(|| Fix {
        text: format!("{}{}", member.head, quoted(inner)),
        end: index + 1,
        column: chars(member.head),
        reason: "`\\` has a meaning of its own in double quotes; use single quotes".into(),
    })
}

/// Indents a line as the one before it, or behind it.
fn indented(lines: &[&str], index: usize) -> Vec<Fix> {
    let is_content = |line: &&str| !line.trim().is_empty();
    let width = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let line = lines.get(index).copied().unwrap_or_default();
    let (before, after) = lines.split_at_checked(index).unwrap_or_default();
    let before = before.iter().copied().rev().find(is_content);
    let after = after.iter().copied().skip(1).find(is_content);
    let is = width(line);
    let near = [(before, "above"), (after, "below")].into_iter();
    near.filter_map(|(other, side)| {
        let due = width(other?);
        (1..=2).contains(&is.abs_diff(due)).then(|| Fix {
            text: format!("{}{}", " ".repeat(due), line.trim_start_matches(' ')),
            end: index + 1,
            column: is,
            reason: format!(
                "the line is indented by {is} spaces, and the one {side} it by {due}; indent them alike"
            ),
        })
    })
    .collect()
}

fn chars(text: &str) -> usize {
    text.chars().count()
}
