//! The lexicon of words beside a number, in lower case. Apostrophes and hyphens separate words: "it's"
//! is "it" and "s".

mod lists;

use std::sync::LazyLock;

use foldhash::HashMap;

use super::compact;
use super::currency::CURRENCIES;
use super::period::Period;
use crate::flow::keyword::letters;
use lists::{MEANINGS, MULTIPLIERS};

/// The effect of a word on the number beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Has no effect.
    Filler,
    /// Has no effect before the number; starts a period after it ("7500 a month").
    Article,
    /// Requires a period next.
    Per,
    /// The name of a period, which may be counted ("3 month").
    Period(Period),
    /// A word for "in each period".
    Periodic(Period),
    /// Makes the number an approximation.
    About,
    /// The codes that the word may mean.
    Currency(&'static [&'static str]),
    /// A bound, a negation or a count.
    Unclear,
}

/// Returns the effect of `word`; none for an unknown word.
pub(super) fn meaning(word: &str) -> Option<Meaning> {
    static LEXICON: LazyLock<HashMap<String, Meaning>> = LazyLock::new(|| {
        let currencies = CURRENCIES
            .iter()
            .map(|&(codes, words)| (Meaning::Currency(codes), words));
        lexicon(MEANINGS.into_iter().chain(currencies))
    });
    LEXICON.get(word).copied()
}

/// Returns the power of ten by which a word directly after a number multiplies it.
pub(super) fn multiplier(word: &str) -> Option<u32> {
    static LEXICON: LazyLock<HashMap<String, u32>> = LazyLock::new(|| {
        let mut known = lexicon(MULTIPLIERS.into_iter());
        let listed = compact::multipliers();
        let plain = listed.iter().filter_map(|(word, exponent)| {
            let plain: String = letters(word).collect();
            (plain.is_ascii() && !listed.contains_key(&plain)).then_some((plain, *exponent))
        });
        for (word, exponent) in listed.clone().into_iter().chain(plain) {
            if meaning(&word).is_none() {
                known.entry(word).or_insert(exponent);
            }
        }
        known
    });
    LEXICON.get(word).copied()
}

/// Returns the currency beside which a letter multiplies ("₹2.5L", "50 т.р."), and the multiplier's
/// name.
pub(super) fn letter_multiplier(letter: &str) -> Option<(&'static str, &'static str)> {
    Some(match letter {
        "l" => ("inr", "lakh"),
        "t" => ("eur", "thousand"),
        "т" => ("rub", "thousand"),
        "b" => ("try", "thousand"),
        "g" => ("usd", "thousand"),
        "w" => ("cny", "万"),
        "mi" => ("brl", "million"),
        "mm" => ("usd", "million"),
        _ => return None,
    })
}

/// Returns the words of `lists`, with and without accents.
fn lexicon<T: Copy>(lists: impl Iterator<Item = (T, &'static str)>) -> HashMap<String, T> {
    let entries: Vec<(&str, T)> = lists
        .flat_map(|(value, words)| words.split_whitespace().map(move |word| (word, value)))
        .collect();
    let listed = entries
        .iter()
        .map(|&(word, value)| (word.to_owned(), value));
    let mut lexicon: HashMap<String, T> = listed.collect();
    for (word, value) in entries {
        let plain: String = letters(word).collect();
        if plain.len() > 1 && plain.is_ascii() {
            lexicon.entry(plain).or_insert(value);
        }
    }
    lexicon
}

/// Returns whether the filler `word` may follow a comparative: "superior a 500", "mehr als".
pub(super) fn is_than(word: &str) -> bool {
    matches!(
        word,
        "a" | "à"
            | "de"
            | "que"
            | "than"
            | "di"
            | "che"
            | "als"
            | "wie"
            | "чем"
            | "von"
            | "van"
            | "of"
            | "la"
            | "do"
    )
}

/// Returns whether the filler `word` introduces a purpose: "$5000 for ads".
pub(super) fn is_for(word: &str) -> bool {
    matches!(
        word,
        "for"
            | "on"
            | "in"
            | "para"
            | "pour"
            | "für"
            | "voor"
            | "для"
            | "dla"
            | "untuk"
            | "cho"
            | "на"
    )
}

/// Returns whether the filler `word` is a bound after a number: "5000 and up", "5000元以上".
pub(super) fn is_bound_after(word: &str) -> bool {
    matches!(word, "up" | "上" | "상")
}

/// Returns whether the filler `word` may be a unit after a number: "R$ 5 mi", "5 d", "5 mon".
pub(super) fn is_no_filler_after(word: &str) -> bool {
    matches!(word, "mi" | "mon" | "d" | "s" | "j" | "te")
}

#[cfg(test)]
mod tests {
    use foldhash::HashSet;

    use super::*;

    #[test]
    fn each_word_is_listed_once_as_messages_are_read() {
        let mut seen = HashSet::default();
        let lists = MEANINGS.iter().map(|(_, words)| *words);
        let words = lists.chain(CURRENCIES.iter().map(|(_, words)| *words));
        for word in words.flat_map(str::split_whitespace) {
            assert!(seen.insert(word), "{word} is listed twice");
            assert_eq!(word.to_lowercase(), word);
            assert!(meaning(word).is_some());
        }
    }
}
