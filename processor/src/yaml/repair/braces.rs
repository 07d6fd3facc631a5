//! Corrects lists and mappings in brackets or braces, in which texts need quotes more often.

use super::slip::{Fix, quoted, reason};

/// The limits of what is corrected. Nobody writes more in one line.
const MAX_DEPTH: usize = 12;
const MAX_BYTES: usize = 4_000;

/// A corrected text, and each slip: its column from 0, and the reason.
#[derive(Debug, PartialEq)]
pub(super) struct Corrected {
    pub(super) text: String,
    pub(super) slips: Vec<(usize, String)>,
}

/// Returns a correction of a line whose value is in brackets or braces.
pub(super) fn fix(head: &str, value: &str, index: usize) -> Option<Fix> {
    let Corrected { text, slips } = corrected(value)?;
    let begin = head.chars().count();
    let slips = slips.into_iter().map(|(at, reason)| (begin + at, reason));
    Some(Fix {
        text: format!("{head}{text}"),
        end: index + 1,
        slips: slips.collect(),
    })
}

/// Corrects `value`, which begins with `{` or `[`; none without a slip, or if its meaning is unclear.
pub(super) fn corrected(value: &str) -> Option<Corrected> {
    if value.len() > MAX_BYTES {
        return None;
    }
    let mut scanner = Scanner {
        rest: value,
        depth: 0,
        column: 0,
        text: String::new(),
        slips: Vec::new(),
        is_loose: false,
    };
    scanner.collection()?;
    scanner.take_blanks();
    while scanner.rest.starts_with(['}', ']']) {
        let sign = scanner.skip()?;
        let reason = format!("`{sign}` closes nothing; remove it");
        scanner.slips.push((scanner.column - 1, reason));
        scanner.take_blanks();
    }
    let is_end = scanner.rest.is_empty() || scanner.rest.starts_with('#');
    scanner.text.push_str(scanner.rest);
    let Scanner { text, slips, .. } = scanner;
    (is_end && !slips.is_empty()).then_some(Corrected { text, slips })
}

/// Reads a value, and writes it without slips.
struct Scanner<'a> {
    rest: &'a str,
    /// The brackets and braces around the rest.
    depth: usize,
    /// The column of the rest, from 0.
    column: usize,
    text: String,
    slips: Vec<(usize, String)>,
    /// True if members may have no space behind the colon.
    is_loose: bool,
}

impl<'a> Scanner<'a> {
    /// Skips a character.
    fn skip(&mut self) -> Option<char> {
        let mut rest = self.rest.chars();
        let skipped = rest.next()?;
        self.rest = rest.as_str();
        self.column += 1;
        Some(skipped)
    }

    /// Skips `length` bytes, and returns them.
    fn skip_text(&mut self, length: usize) -> Option<&'a str> {
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        self.column += text.chars().count();
        Some(text)
    }

    fn take(&mut self, length: usize) -> Option<()> {
        let text = self.skip_text(length)?;
        self.text.push_str(text);
        Some(())
    }

    fn take_blanks(&mut self) {
        let length = self.rest.len() - self.rest.trim_start_matches(' ').len();
        self.take(length).unwrap_or_default();
    }

    fn slip(&mut self, reason: impl Into<String>) {
        self.slips.push((self.column, reason.into()));
    }

    fn collection(&mut self) -> Option<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        self.parts()?;
        self.depth -= 1;
        Some(())
    }

    fn parts(&mut self) -> Option<()> {
        let open = self.rest.chars().next()?;
        let close = if open == '{' { '}' } else { ']' };
        let begin = self.column;
        self.take(1)?;
        loop {
            self.take_blanks();
            match self.rest.chars().next() {
                None => {
                    let reason = format!("`{open}` is not closed; close it with `{close}`");
                    self.slips.push((begin, reason));
                    self.close(close);
                    return Some(());
                }
                Some(sign) if sign == close => return self.take(1),
                // Closes what is around this one.
                Some('}' | ']') => {
                    let reason = format!("`{open}` is not closed; close it with `{close}`");
                    self.slips.push((begin, reason));
                    self.close(close);
                    return Some(());
                }
                Some(',') => self.take(1)?,
                Some(_) if open == '{' => self.member()?,
                Some(_) => self.value(false)?,
            }
        }
    }

    fn close(&mut self, close: char) {
        let written = self.text.trim_end().len();
        self.text.truncate(written);
        if close == '}' {
            self.text.push(' ');
        }
        self.text.push(close);
        if !self.rest.is_empty() {
            self.text.push(' ');
        }
    }

    fn member(&mut self) -> Option<()> {
        let name = name_length(self.rest)?;
        self.take(name)?;
        self.take(1)?;
        if !self.rest.starts_with(' ') && !self.rest.is_empty() {
            self.slip("a space is missing behind the colon; add it");
            self.is_loose = true;
            self.text.push(' ');
        }
        self.take_blanks();
        match self.rest.chars().next() {
            None | Some('}') => Some(()),
            Some(_) => self.value(true),
        }
    }

    /// Reads a value. In a mapping a text goes on behind a comma, unless a member follows.
    fn value(&mut self, is_member: bool) -> Option<()> {
        let end = end_of_text(self.rest, is_member, self.is_loose);
        match self.rest.chars().next()? {
            '{' if is_mapping(self.rest) => self.collection(),
            '[' if is_list(self.rest) => self.collection(),
            quote @ ('"' | '\'') => match end_of_quoted(self.rest, quote) {
                Some(closed) if is_ended(self.rest.get(closed..)?) => {
                    let text = self.rest.get(..closed)?;
                    if quote == '"' && has_wrong_escape(text) {
                        self.slip(
                            "`\\` has a meaning of its own in double quotes; use single quotes",
                        );
                        let inner = text.get(1..text.len() - 1)?;
                        self.text.push_str(&quoted(inner));
                        self.skip_text(closed)?;
                        return Some(());
                    }
                    self.take(closed)
                }
                Some(closed) if is_at_member(self.rest.get(closed..)?) => {
                    self.take(closed)?;
                    self.slip("a comma is missing between the members; add it");
                    self.text.push(',');
                    Some(())
                }
                _ => self.unquoted(end, Some(quote)),
            },
            _ => self.unquoted(end, None),
        }
    }

    /// Reads a text up to `end`, and puts it in quotes if it needs them.
    fn unquoted(&mut self, end: usize, quote: Option<char>) -> Option<()> {
        let text = self.rest.get(..end)?.trim_end();
        let why = match quote {
            Some('\'') if text.get(1..)?.contains('\'') => Some("an apostrophe ends a text in single quotes; write it twice, or put the text in double quotes".to_owned()),
            Some(quote) if !text.get(1..)?.contains(quote) => {
                Some("a quote here is not closed; close it".to_owned())
            }
            Some(_) => Some(reason(text)),
            None => why_quoted(text),
        };
        let Some(why) = why else {
            return self.take(text.len());
        };
        self.slip(why);
        let inner = text.trim_matches(['"', '\'']);
        let inner = if quote.is_some() { inner } else { text };
        self.text.push_str(&quoted(inner));
        self.skip_text(text.len())?;
        Some(())
    }
}

/// Returns why a text in brackets or braces needs quotes; none if it does not.
fn why_quoted(text: &str) -> Option<String> {
    let first = text.chars().next()?;
    let is_sign = matches!(
        first,
        '*' | '&' | '!' | '|' | '>' | '%' | '@' | '`' | '{' | '['
    ) || matches!(first, '-' | '?') && text.chars().nth(1).is_none_or(|c| c == ' ');
    if is_sign || text.contains(": ") || text.ends_with(':') {
        return Some(reason(text));
    }
    if text.starts_with('#') || text.contains(" #") {
        return Some("`#` begins a comment, which cuts the text; put the text in quotes".into());
    }
    let sign = text
        .chars()
        .find(|c| matches!(c, ',' | '[' | ']' | '{' | '}'))?;
    Some(format!(
        "`{sign}` ends a text in brackets or braces; put the text in quotes"
    ))
}

/// Returns the length of the name of a member, which a colon follows.
fn name_length(text: &str) -> Option<usize> {
    let colon = text.find(':')?;
    let name = text.get(..colon)?;
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '"' | '\'');
    (!name.is_empty() && name.chars().all(is_part)).then_some(colon)
}

/// Returns whether a member with a space behind its colon begins here.
fn is_at_member(text: &str) -> bool {
    let text = text.trim_start();
    let behind = name_length(text).and_then(|colon| text.get(colon + 1..));
    behind.is_some_and(|behind| behind.is_empty() || behind.starts_with([' ', '"', '\'']))
}

fn is_mapping(text: &str) -> bool {
    is_at_member(text.get(1..).unwrap_or_default())
}

/// Returns whether what begins with `[` ends where a list does.
fn is_list(text: &str) -> bool {
    let end = text.find(']').and_then(|at| text.get(at + 1..));
    end.is_none_or(is_ended)
}

/// Returns whether a value ends here.
fn is_ended(behind: &str) -> bool {
    let behind = behind.trim_start();
    behind.is_empty() || behind.starts_with([',', '}', ']'])
}

/// Returns the length of a text in quotes, with them.
fn end_of_quoted(text: &str, quote: char) -> Option<usize> {
    let mut signs = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = signs.next() {
        if c == '\\' && quote == '"' {
            signs.next();
        } else if c == quote {
            let is_twice = quote == '\'' && signs.peek().is_some_and(|(_, next)| *next == quote);
            if !is_twice {
                return Some(at + c.len_utf8());
            }
            signs.next();
        }
    }
    None
}

fn has_wrong_escape(text: &str) -> bool {
    let mut signs = text.chars();
    while let Some(c) = signs.next() {
        let is_known = |next: char| "0abtnvfre \"/\\N_LPxuU\t".contains(next);
        if c == '\\' && !signs.next().is_some_and(is_known) {
            return true;
        }
    }
    false
}

/// Returns the length of a text without quotes, or with wrong ones: up to the next member or item, or to
/// the brackets that close what is around it.
fn end_of_text(text: &str, is_member: bool, is_loose: bool) -> usize {
    let is_next = |behind: &str| {
        is_at_member(behind) || is_loose && name_length(behind.trim_start()).is_some()
    };
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        let behind = text.get(at + 1..).unwrap_or_default();
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' if depth > 0 => depth -= 1,
            '}' | ']' => return at,
            ',' if depth == 0 && (!is_member || is_next(behind)) => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_value_has_no_slip() {
        for sound in [
            "{ es: Hola, en: Hi }",
            "{es: Hola, en: Hi}",
            "[a, b, \"c, d\"]",
            "{ es: 'it''s', en: \"a \\\"b\\\"\" }  # a comment",
            "{ number: { min: 1, units: { es: [kWh], en: [kWh] } } }",
            "{}",
            "[]",
            "{ a: }",
        ] {
            assert_eq!(corrected(sound), None, "{sound}");
        }
    }

    #[test]
    fn a_name_alone_is_unclear() {
        for unclear in ["{name}", "{name}, how much?", "{ a b }", "{ : }"] {
            assert_eq!(corrected(unclear), None, "{unclear}");
        }
    }

    #[test]
    fn each_slip_is_corrected_with_its_reason() {
        for (value, text, slips) in [
            (
                "{ es: Hola, ¿cómo?, en: Hi, how? }",
                "{ es: 'Hola, ¿cómo?', en: 'Hi, how?' }",
                &[(6, "`,` ends"), (24, "`,` ends")][..],
            ),
            (
                "{ es: Nota: hola, en: Hi }",
                "{ es: 'Nota: hola', en: Hi }",
                &[(6, "`:` with a space")],
            ),
            (
                "{ es: \"Hola\" en: \"Hi\" }",
                "{ es: \"Hola\", en: \"Hi\" }",
                &[(12, "comma is missing")],
            ),
            (
                "{ es:Hola, en:Hi }",
                "{ es: Hola, en: Hi }",
                &[(5, "space is missing"), (14, "space is missing")],
            ),
            (
                "{ es: \"a \"b\" c\", en: Hi }",
                "{ es: 'a \"b\" c', en: Hi }",
                &[(6, "behind a closing quote")],
            ),
            (
                "{ es: Hola, en: 'What's up?' }",
                "{ es: Hola, en: 'What''s up?' }",
                &[(16, "an apostrophe ends")],
            ),
            (
                "{ es: Hola [nombre], en: Hi }",
                "{ es: 'Hola [nombre]', en: Hi }",
                &[(6, "`[` ends a text")],
            ),
            (
                "{ es: Hola {name}, en: Hi }",
                "{ es: 'Hola {name}', en: Hi }",
                &[(6, "`{` ends a text")],
            ),
            (
                "{ es: {name}, hola, en: Hi }",
                "{ es: '{name}, hola', en: Hi }",
                &[(6, "`{` has a meaning")],
            ),
            (
                "{ es: [name] hola, en: Hi }",
                "{ es: '[name] hola', en: Hi }",
                &[(6, "`[` has a meaning")],
            ),
            (
                "{ es: ? Hola, en: %x }",
                "{ es: '? Hola', en: '%x' }",
                &[(6, "`?` has a meaning"), (18, "`%` has a meaning")],
            ),
            (
                "{ es: El #1, en: Hi }",
                "{ es: 'El #1', en: Hi }",
                &[(6, "`#` begins a comment")],
            ),
            (
                "{ es: Hola, en: Hi } }",
                "{ es: Hola, en: Hi } ",
                &[(21, "`}` closes nothing")],
            ),
            (
                "{ es: Hola, en: Hi",
                "{ es: Hola, en: Hi }",
                &[(0, "`{` is not closed")],
            ),
            (
                "{ es: [parar], en: [stop }",
                "{ es: [parar], en: [stop] }",
                &[(19, "`[` is not closed")],
            ),
            (
                "{ text: { pattern: \"^\\d+$\" } }",
                "{ text: { pattern: '^\\d+$' } }",
                &[(19, "use single quotes")],
            ),
            ("[Note: a, b]", "['Note: a', b]", &[(1, "`:` with a space")]),
            (
                "{ value: a, title: { es: Sí, claro, en: Yes } }",
                "{ value: a, title: { es: 'Sí, claro', en: Yes } }",
                &[(25, "`,` ends")],
            ),
        ] {
            let found = corrected(value).unwrap_or_else(|| panic!("{value} has no slip"));
            assert_eq!(found.text, text, "{value}");
            let columns: Vec<usize> = found.slips.iter().map(|(at, _)| *at).collect();
            let expected: Vec<usize> = slips.iter().map(|(at, _)| *at).collect();
            assert_eq!(columns, expected, "{value}: {:?}", found.slips);
            for ((_, reason), (_, part)) in found.slips.iter().zip(slips) {
                assert!(reason.contains(part), "{value}: {reason}");
            }
        }
    }
}
