//! Replaces phrases around an amount by one word, or by nothing.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::letters::stands_alone;

/// Returns the text without phrases that bound or round an amount and leave it as it is. Currencies
/// with full stops become their codes. `text` is in lower case.
pub(super) fn without_phrases(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let found = (!is_within_word(out.chars().next_back()))
            .then(|| BY_FIRST.get(&first)?.iter().find_map(|it| it.replace(rest)))
            .flatten();
        if let Some((instead, after)) = found {
            out.push_str(instead);
            rest = after;
        } else {
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    out
}

struct Phrase {
    phrase: &'static str,
    instead: &'static str,
}

impl Phrase {
    /// Returns the replacement and the text after it, if `text` begins with the phrase.
    fn replace<'a>(&self, text: &'a str) -> Option<(&'static str, &'a str)> {
        let after = text.strip_prefix(self.phrase)?;
        (!is_within_word(after.chars().next())).then_some((self.instead, after))
    }
}

/// Returns whether `c` beside a phrase makes it the part of a longer word.
fn is_within_word(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphabetic() && !stands_alone(c))
}

/// The phrases by their first character, the longest first.
static BY_FIRST: LazyLock<HashMap<char, Vec<Phrase>>> = LazyLock::new(|| {
    let mut by_first: HashMap<char, Vec<Phrase>> = HashMap::new();
    for (instead, phrases) in PHRASES {
        for phrase in phrases.split(", ") {
            for first in phrase.chars().take(1) {
                by_first
                    .entry(first)
                    .or_default()
                    .push(Phrase { phrase, instead });
            }
        }
    }
    for phrases in by_first.values_mut() {
        phrases.sort_by_key(|it| std::cmp::Reverse(it.phrase.len()));
    }
    by_first
});

const PHRASES: [(&str, &str); 10] = [
    (
        "max",
        "no more than, not more than, no mas de, no más de, não mais que, não mais de, nao mais que, \
        nao mais de, nicht mehr als, niet meer dan, pas plus de, non più di, non piu di, не более, \
        не больше, nie więcej niż, inte mer än, ikke mere end, en fazla, tidak lebih dari, không quá",
    ),
    (
        "",
        "más o menos, mas o menos, mais ou menos, più o meno, piu o meno, plus ou moins, more or less, \
        or less, o menos, ou menos, oder weniger, ou moins, o meno, mehr oder weniger, плюс минус, \
        плюс-минус, или меньше, or so",
    ),
    (
        "not",
        "anything but, alles außer, todo menos, tout sauf, tudo menos, tutto tranne",
    ),
    ("元", "人民币, 人民幣, 块钱, 塊錢, 块, 塊"),
    (" sar", "ر.س"),
    (" aed", "د.إ"),
    (" egp", "ج.م"),
    (" kwd", "د.ك"),
    (" mad", "د.م"),
    ("max", "at most, als maximum"),
];
