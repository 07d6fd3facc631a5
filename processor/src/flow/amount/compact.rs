//! Derives the words for thousands, millions and the like in the languages of CLDR: "tusind", "χιλιάδες", "triệu".

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;
use icu_decimal::CompactDecimalFormatter;
use icu_locale_core::Locale;
use unicode_normalization::UnicodeNormalization;

use super::letters::{decimal_digit, is_letter};

const LANGUAGES: [&str; 66] = [
    "en", "en-IN", "es", "es-MX", "pt", "pt-PT", "fr", "de", "it", "nl", "ru", "uk", "be", "pl",
    "tr", "ar", "he", "fa", "hi", "bn", "ur", "ta", "te", "mr", "gu", "kn", "ml", "pa", "id", "ms",
    "vi", "th", "fil", "sw", "am", "af", "da", "sv", "nb", "fi", "is", "cs", "sk", "hu", "ro",
    "bg", "sr", "sr-Latn", "hr", "sl", "mk", "sq", "el", "lt", "lv", "et", "ca", "gl", "eu", "az",
    "kk", "uz", "ka", "hy", "ne", "si",
];

/// Digits before the word that a language may inflect it by.
const COUNTS: [u64; 6] = [1, 2, 3, 5, 11, 21];

/// Words that mean something else in another language: "mine" in Italian, "to me" in Romanian.
const OTHERWISE: [&str; 2] = ["mia", "mie"];

/// Shorter abbreviations mean different things in different languages.
const LEAST_CHARS: usize = 3;

/// A billion is ten to the power of 9 or 12, and people mix them up.
const MOST: u32 = 9;

/// Returns the exponent of ten of each word that has the same in all languages.
pub(super) fn multipliers() -> HashMap<String, u32> {
    let mut meanings: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    let locales: Vec<Locale> = LANGUAGES
        .iter()
        .filter_map(|tag| tag.parse().ok())
        .collect();
    for formatter in locales.iter().flat_map(formatters) {
        for (exponent, count) in (3..=12).flat_map(|exponent| COUNTS.map(|count| (exponent, count)))
        {
            let Some(number) = 10_i64
                .checked_pow(exponent)
                .and_then(|unit| unit.checked_mul(i64::try_from(count).ok()?))
            else {
                continue;
            };
            let text = formatter.format(&number.into()).to_string();
            if let Some((word, exponent)) = word(&text, number.unsigned_abs()) {
                meanings.entry(word).or_default().insert(exponent);
            }
        }
    }
    meanings
        .into_iter()
        .filter(|(word, exponents)| exponents.len() == 1 && !OTHERWISE.contains(&word.as_str()))
        .filter_map(|(word, exponents)| Some((word, exponents.first().copied()?)))
        .filter(|(_, exponent)| *exponent <= MOST)
        .collect()
}

fn formatters(locale: &Locale) -> impl Iterator<Item = CompactDecimalFormatter> + use<> {
    let short = CompactDecimalFormatter::try_new_short(locale.into(), Default::default());
    let long = CompactDecimalFormatter::try_new_long(locale.into(), Default::default());
    short.into_iter().chain(long)
}

/// Returns the one word beside the digits of a compact number, and its exponent of ten.
fn word(text: &str, number: u64) -> Option<(String, u32)> {
    let text: String = text
        .nfc()
        .flat_map(char::to_lowercase)
        .map(|c| decimal_digit(c).unwrap_or(c))
        .collect();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let has_decimals = |(before, after): (&str, &str)| {
        before.ends_with(|c: char| c.is_ascii_digit())
            && after.starts_with(|c: char| c.is_ascii_digit())
    };
    if text.contains([',', '٫']) || text.split_once('.').is_some_and(has_decimals) {
        return None;
    }
    let unit = number.checked_div(digits.parse().ok()?)?;
    let exponent = unit
        .checked_ilog10()
        .filter(|it| 10_u64.checked_pow(*it) == Some(unit))?;
    let mut words = text
        .split(|c: char| !is_letter(c))
        .filter(|word| !word.is_empty());
    let (word, next) = (words.next()?, words.next());
    (next.is_none() && word.chars().count() >= LEAST_CHARS).then(|| (word.to_owned(), exponent))
}
