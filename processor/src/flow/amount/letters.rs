//! Classifies digits and letters of all scripts.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Returns the ASCII form of a digit of another script. Each range begins with the script's zero.
pub(super) fn decimal_digit(c: char) -> Option<char> {
    const ZEROS: [char; 15] = [
        '٠', '۰', '߀', '०', '০', '੦', '૦', '୦', '௦', '౦', '೦', '൦', '๐', '໐', '༠',
    ];
    ZEROS.iter().find_map(|&zero| {
        let digit = u32::from(c).checked_sub(u32::from(zero))?;
        char::from_digit(digit, 10)
    })
}

/// Returns whether `c` is a letter, or a mark between letters of Indic scripts and decomposed
/// accents.
pub(super) fn is_letter(c: char) -> bool {
    c.is_alphabetic()
        || matches!(
            c.general_category(),
            GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark
        )
}

/// Returns whether `c` is a word of its own: an ideograph or a Hangul syllable.
pub(super) fn stands_alone(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
}
