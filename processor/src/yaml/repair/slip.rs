//! A correction, and the words for texts that need quotes.

/// A corrected line.
pub(super) struct Fix {
    /// The corrected text of the line, and of those up to `end`.
    pub(super) text: String,
    /// The index of the line behind the corrected ones.
    pub(super) end: usize,
    /// The columns of the slips, from 0, with their reasons.
    pub(super) slips: Vec<(usize, String)>,
}

pub(super) fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// Returns why a text needs quotes.
pub(super) fn reason(value: &str) -> String {
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
