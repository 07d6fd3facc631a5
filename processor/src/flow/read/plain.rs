//! Brings texts into one form, whether people type them, copy them or dictate them.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Returns `text` in compatibility form with ASCII digits, dashes and spaces, and without what shows
/// nothing: `＋49‑170` becomes `+49-170`, `٠٥` becomes `05`.
pub(super) fn plain(text: &str) -> String {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return text.to_owned();
    }
    text.nfkc()
        .filter(|&c| !is_invisible(c))
        .map(|c| match c.general_category() {
            GeneralCategory::DecimalNumber => digit(c).unwrap_or(c),
            GeneralCategory::DashPunctuation => '-',
            _ if c == '\u{2212}' => '-',
            _ if c.is_whitespace() && c != '\n' => ' ',
            _ => c,
        })
        .collect()
}

/// Returns the ASCII digit of a decimal digit of any script. Unicode keeps ten digits in a row.
fn digit(c: char) -> Option<char> {
    if c.is_ascii_digit() {
        return Some(c);
    }
    let is_digit = |code: u32| {
        char::from_u32(code).is_some_and(|c| c.general_category() == GeneralCategory::DecimalNumber)
    };
    // Digits of mathematical styles follow each other without a gap; NFKC has replaced them.
    let code = u32::from(c);
    let value = (0..=9).take_while(|below| is_digit(code - below)).last()?;
    char::from_digit(value, 10)
}

/// Returns whether a character shows nothing: marks of direction, joiners, variation selectors.
fn is_invisible(c: char) -> bool {
    matches!(c.general_category(), GeneralCategory::Format)
        || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{20e3}')
        || (c.is_control() && c != '\n' && c != '\t' && c != '\r')
}

/// Returns `text` without accents and vowel points, in one case, for comparisons.
pub(super) fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfkd()
        .filter(|c| c.general_category() != GeneralCategory::NonspacingMark)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        // Hangul syllables become one character again.
        .nfc()
        .collect()
}

/// Returns the runs of letters and the runs of digits in a plain text.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    pieces(text)
        .into_iter()
        .filter(|piece| piece.chars().any(char::is_alphanumeric))
}

/// Returns the text in runs of letters, runs of digits, and single signs.
pub(super) fn pieces(text: &str) -> Vec<String> {
    let kind = |c: char| match c {
        c if c.is_ascii_digit() => 1,
        c if c.is_alphabetic() || is_mark(c) => 2,
        _ => 0,
    };
    let mut pieces: Vec<String> = Vec::new();
    let mut last = 0;
    for c in text.chars() {
        let now = kind(c);
        match pieces.last_mut() {
            Some(piece) if now != 0 && now == last => piece.push(c),
            _ => pieces.push(c.to_string()),
        }
        last = now;
    }
    pieces
}

fn is_mark(c: char) -> bool {
    matches!(
        c.general_category(),
        GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark
    )
}
