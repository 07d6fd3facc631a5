//! Parses the digits and separators of a number in any locale.

/// `digits / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numeral {
    pub(super) digits: u64,
    /// The number of digits after the decimal point.
    pub(super) scale: u32,
    /// True if thousands (or lakhs) are grouped.
    pub(super) is_grouped: bool,
    /// The number of digits as written.
    pub(super) length: usize,
}

impl Numeral {
    /// A number without a decimal point.
    pub(super) fn whole_of(digits: u64) -> Self {
        Self {
            digits,
            scale: 0,
            is_grouped: false,
            length: digits.to_string().len(),
        }
    }

    /// Returns the part before the decimal point.
    pub(super) fn whole(self) -> u64 {
        10_u64
            .checked_pow(self.scale)
            .map_or(0, |unit| self.digits / unit)
    }
}

/// The Arabic decimal separator, which never groups.
pub(super) const ARABIC_DECIMAL: char = '٫';

/// Parses digits with separators between them: `.`, `,`, `'` and the space (which only group) and
/// [`ARABIC_DECIMAL`]. Returns none if no locale gives them a meaning.
pub(super) fn read(written: &str) -> Option<Numeral> {
    let separators: Vec<char> = written.chars().filter(|c| !c.is_ascii_digit()).collect();
    let parts: Vec<&str> = written.split(|c: char| !c.is_ascii_digit()).collect();
    let (groups, decimals) = match parts.split_last() {
        Some((last, groups)) if has_decimals(&separators, &parts) => (groups, *last),
        _ => (parts.as_slice(), ""),
    };
    let grouping = separators.get(..groups.len().checked_sub(1)?)?;
    if !are_groups(grouping, groups) {
        return None;
    }
    let whole = groups.concat();
    if whole.len() > 1 && whole.starts_with('0') {
        return None;
    }
    let digits = format!("{whole}{decimals}");
    Some(Numeral {
        digits: digits.parse().ok()?,
        scale: u32::try_from(decimals.len()).ok()?,
        is_grouped: groups.len() > 1,
        length: digits.len(),
    })
}

/// Returns whether the last separator is a decimal point.
fn has_decimals(separators: &[char], parts: &[&str]) -> bool {
    match (separators, parts) {
        ([.., ARABIC_DECIMAL], _) => true,
        // "2'500,000"
        (['\'', '.' | ','], [_, _, last]) => last.len() != 3,
        (['.' | ','], [first, second]) => second.len() != 3 || !is_first_group(first, 3),
        ([others @ .., last @ ('.' | ',')], _) => !others.is_empty() && !others.contains(last),
        _ => false,
    }
}

/// Returns whether one kind of separator makes groups of three (7.500.000) or, with commas, of lakhs
/// (1,50,000).
fn are_groups(separators: &[char], groups: &[&str]) -> bool {
    let [first, middle @ .., last] = groups else {
        return groups.len() == 1;
    };
    let is_one_kind = separators
        .windows(2)
        .all(|pair| pair.first() == pair.last())
        && !separators.contains(&ARABIC_DECIMAL);
    // In Latin America, an apostrophe follows the millions.
    let is_one_kind = is_one_kind || matches!(separators, ['\'', '.' | ',']);
    let is_western = is_first_group(first, 3) && middle.iter().all(|group| group.len() == 3);
    let is_indian = separators.first() == Some(&',')
        && is_first_group(first, 2)
        && middle.iter().all(|group| group.len() == 2);
    is_one_kind && last.len() == 3 && (is_western || is_indian)
}

fn is_first_group(group: &str, most: usize) -> bool {
    (1..=most).contains(&group.len()) && !group.starts_with('0')
}
