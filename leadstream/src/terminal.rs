//! Formats text for the terminal: colour where it helps, lines of 80 columns.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

pub(crate) const COLUMNS: usize = 80;

/// The meaning of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Heading,
    Faint,
    Lead,
    Bot,
    Good,
    Bad,
}

/// Decides whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    colour: bool,
}

impl Style {
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self { colour: false };

    /// Returns colour when standard output is a terminal and NO_COLOR is not set.
    pub(crate) fn stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            colour: io::stdout().is_terminal() && !refused,
        }
    }

    pub(crate) fn paint(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Heading => "1",
            Ink::Faint => "2",
            Ink::Lead => "36",
            Ink::Bot | Ink::Good => "32",
            Ink::Bad => "31",
        };
        if self.colour && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Writes to standard output at once. Ignores a closed output.
pub(crate) fn show(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Breaks `text` at blanks so that it fits between column `indent` and the screen's edge. Lines
/// after the first begin with `indent` blanks. A longer word stays whole.
pub(crate) fn wrap(text: &str, indent: usize) -> String {
    let room = COLUMNS.saturating_sub(indent);
    let mut wrapped = String::with_capacity(text.len());
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > room {
            wrapped.push('\n');
            wrapped.extend(std::iter::repeat_n(' ', indent));
            used = 0;
        } else if used > 0 {
            wrapped.push(' ');
            used += 1;
        }
        wrapped.push_str(word);
        used += length;
    }
    wrapped
}

/// Returns rows below their heads, each column as wide as its widest cell.
pub(crate) fn table<const N: usize>(
    heads: &[&str; N],
    rows: &[[String; N]],
    style: Style,
) -> String {
    let rows = rows.iter().map(|row| row.each_ref().map(String::as_str));
    let rows: Vec<[&str; N]> = rows.collect();
    let mut widths = heads.map(|head| head.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |cells: &[&str; N]| {
        let cells = cells.iter().zip(&widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        line.join("  ").trim_end().to_owned()
    };
    let mut out = style.paint(Ink::Heading, &line(heads));
    out.push('\n');
    for row in &rows {
        out.push_str(&line(row));
        out.push('\n');
    }
    out
}

/// The column at which the values of fields begin.
pub(crate) const VALUES: usize = 12;

/// Writes a name and its value. A long name pushes the value to the right, so that the two stay apart.
pub(crate) fn field(out: &mut String, name: &str, value: &str) {
    let width = (VALUES - 2).max(name.chars().count() + 2);
    let value = wrap(value, VALUES.max(width + 2));
    let _ = writeln!(out, "  {name:<width$}{value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_and_its_value_stay_apart() {
        for (name, expected) in [
            ("lead", "  lead      \"Hi\"\n"),
            ("is called", "  is called  \"Hi\"\n"),
            ("budget_currency", "  budget_currency  \"Hi\"\n"),
            ("największy_budżet", "  największy_budżet  \"Hi\"\n"),
        ] {
            let mut out = String::new();
            field(&mut out, name, "\"Hi\"");
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn long_text_is_indented_on_its_next_lines() {
        let text = "word ".repeat(20);
        let wrapped = wrap(&text, 20);
        let lines: Vec<&str> = wrapped.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].len(), 59);
        assert!(lines[1].starts_with(&format!("{}word", " ".repeat(20))));
        assert_eq!(wrap("short", 20), "short");
        assert_eq!(wrap(&"x".repeat(90), 0), "x".repeat(90));
    }

    #[test]
    fn colour_is_left_out_where_it_is_not_wanted() {
        assert_eq!(Style::PLAIN.paint(Ink::Bad, "no"), "no");
        let coloured = Style { colour: true };
        assert_eq!(coloured.paint(Ink::Bad, "no"), "\x1b[31mno\x1b[0m");
        assert_eq!(coloured.paint(Ink::Bad, ""), "");
    }
}
