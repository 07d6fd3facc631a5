//! Reads a person's name. Names are of all kinds, so every text is one but what is known to be none:
//! greetings, questions, refusals, numbers, addresses, sentences.

mod introduction;
mod words;

use std::sync::LazyLock;

use foldhash::{HashMap, HashSet};
use regex::Regex;
use unicode_properties::UnicodeEmoji;

use super::plain::{folded, plain};
use crate::flow::amount;

/// The longest name, in characters and in words.
const MAX_NAME: usize = 100;
const MAX_WORDS: usize = 12;

/// A number with so many digits is no part of a name.
const MAX_DIGITS: usize = 4;

/// More words in lower case after the first are a sentence. A keyboard writes only the first word of
/// a name in upper case.
const MAX_SMALL: usize = 4;

/// A name of a script without upper case has no more words.
const MAX_CASELESS: usize = 6;

/// The words of a sentence with which it is no name, if nearly all words are such.
const LEAST_COMMON: usize = 3;

/// Lists of folded words and phrases.
struct Lists {
    /// Whole messages.
    whole: HashSet<String>,
    /// Words that no name has.
    never: HashSet<String>,
    /// Common words of sentences, in lower case.
    common: HashSet<String>,
    /// The beginnings of questions and sentences, by their first word.
    openings: HashMap<String, Vec<String>>,
    /// The words that end in a dot without ending a sentence.
    short: HashSet<String>,
    particles: HashSet<String>,
    /// Phrases within a message.
    phrases: Option<Regex>,
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    let list = |text: &str, by: char| -> Vec<String> {
        text.split(by).map(|it| folded(it.trim())).collect()
    };
    let set = |text: &str, by: char| -> HashSet<String> { list(text, by).into_iter().collect() };
    let mut openings: HashMap<String, Vec<String>> = HashMap::default();
    for opening in list(words::OPENINGS, ',') {
        let first = opening.split(' ').next().unwrap_or_default().to_owned();
        openings.entry(first).or_default().push(opening);
    }
    let phrases = words::PHRASES.iter().map(|it| regex::escape(&folded(it)));
    Lists {
        whole: set(words::WHOLE, ','),
        never: set(words::NEVER, ' '),
        common: set(words::COMMON, ' '),
        openings,
        short: set(words::SHORT, ' '),
        particles: set(words::PARTICLES, ' '),
        phrases: Regex::new(&phrases.collect::<Vec<_>>().join("|")).ok(),
    }
});

/// Returns the name in `text`: the text itself, or what follows "my name is". Returns none for what is
/// no name. `language` is the lead's: "ben" introduces a name in Turkish, and is one elsewhere.
pub(in crate::flow) fn read(text: &str, language: &str) -> Option<String> {
    let plain = plain(text).replace(['’', '‘', 'ʼ'], "'");
    if !plain.chars().any(char::is_alphabetic) || plain.chars().count() > 2 * MAX_NAME {
        return None;
    }
    let (name, is_introduced) = match introduction::after(&plain, language) {
        Some(name) => (tidy(name)?, true),
        None => (tidy(text)?, false),
    };
    is_name(name, is_introduced).then(|| name.to_owned())
}

fn is_name(name: &str, is_introduced: bool) -> bool {
    let folded = folded(&plain(name)).replace(['’', '‘', 'ʼ'], "'");
    let said: Vec<&str> = folded
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .collect();
    let lists = &*LISTS;
    let rest = introduction::without_greeting(&said);
    let (whole, rest) = (said.join(" "), rest.join(" "));
    let fits = (1..=MAX_WORDS).contains(&said.len())
        && name.chars().count() <= MAX_NAME
        && name.chars().any(char::is_alphabetic);
    let openings = rest.split(' ').next().and_then(|it| lists.openings.get(it));
    let opens = |opening: &String| {
        let after = rest.strip_prefix(opening.as_str());
        after.is_some_and(|after| after.is_empty() || after.starts_with(' '))
    };
    fits && !has_number(name)
        && !is_address(&folded)
        && !has_inner_sign(name)
        && !lists.whole.contains(&whole)
        && !lists.whole.contains(&rest)
        && !said.iter().any(|word| lists.never.contains(*word))
        && !openings.is_some_and(|it| it.iter().any(opens))
        && !(is_introduced && introduction::is_state(name, &said))
        && !is_sentence(name, &said)
        && !has_phrase(&folded, said.len())
}

/// Returns whether a phrase that is no part of a name is in the text. One plain word has none.
fn has_phrase(folded: &str, words: usize) -> bool {
    let phrases = LISTS.phrases.as_ref();
    (words > 1 || !folded.is_ascii()) && phrases.is_some_and(|it| it.is_match(folded))
}

/// Returns `text` without quotes, emoji and marks around it; none if a question mark is in it.
fn tidy(text: &str) -> Option<&str> {
    if text.contains(['?', '？', '؟', '¿', '¡', '\u{37e}']) {
        return None;
    }
    let is_mark = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '*' | '_'
                    | '~'
                    | '"'
                    | '“'
                    | '”'
                    | '„'
                    | '«'
                    | '»'
                    | ','
                    | ';'
                    | ':'
                    | '!'
                    | '！'
                    | '。'
                    | '，'
                    | '।'
                    | '؛'
                    | '،'
                    | '\u{200d}'
                    | '\u{fe0f}'
                    | '-'
                    | '–'
                    | '—'
            )
            || (!c.is_ascii() && c.is_emoji_char())
            || matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
    };
    let text = text.trim_matches(is_mark);
    let Some(ended) = text.strip_suffix('.') else {
        return Some(text);
    };
    let last = ended.rsplit(char::is_whitespace).next().unwrap_or_default();
    Some(if is_short(last) {
        text
    } else {
        ended.trim_end_matches(['.', ' '])
    })
}

/// Returns whether a dot after `word` ends no sentence: an initial, or a word such as "jr".
fn is_short(word: &str) -> bool {
    word.chars().count() == 1 || word.contains('.') || LISTS.short.contains(&folded(word))
}

fn has_number(name: &str) -> bool {
    let digits = name.chars().filter(|c| c.is_numeric()).count();
    digits > MAX_DIGITS || (digits > 0 && amount::parse(name).is_some())
}

/// Returns whether an address of the web or of mail is in the text.
fn is_address(folded: &str) -> bool {
    let is_domain = |word: &str| {
        let word = word.split('/').next().unwrap_or_default();
        let end = word.rsplit_once('.').map(|(_, end)| end);
        end.is_some_and(|end| {
            words::DOMAINS.contains(&end.trim_matches(|c: char| !c.is_alphanumeric()))
        })
    };
    folded.contains("://")
        || folded.contains("www.")
        || folded.contains('@')
        || folded.split_whitespace().any(is_domain)
}

/// Returns whether a sentence ends within the text, as in "Thanks. We are closed".
fn has_inner_sign(name: &str) -> bool {
    let mut words = name.split_whitespace().peekable();
    while let Some(word) = words.next() {
        if words.peek().is_none() {
            return false;
        }
        let ended = word.strip_suffix('.');
        let is_end = ended.is_some_and(|word| word.chars().count() > 5 && !is_short(word));
        if is_end || word.ends_with(['!', '…', '！', '。']) {
            return true;
        }
    }
    false
}

/// Returns whether the words are those of a sentence: too many in lower case, or nearly all common.
fn is_sentence(name: &str, said: &[&str]) -> bool {
    let is_small = |word: &str| {
        word.chars()
            .find(|c| c.is_alphabetic())
            .is_some_and(|c| !c.is_uppercase())
    };
    let written = name
        .split_whitespace()
        .filter(|word| word.contains(char::is_alphanumeric));
    let small = said
        .iter()
        .zip(written.clone())
        .skip(1)
        .filter(|(word, written)| {
            written.starts_with(char::is_lowercase) && !LISTS.particles.contains(**word)
        })
        .count();
    let is_caseless = !name.contains(|c: char| c.is_uppercase() || c.is_lowercase());
    if small > MAX_SMALL || (is_caseless && said.len() > MAX_CASELESS) {
        return true;
    }
    let common = said
        .iter()
        .zip(written)
        .enumerate()
        .filter(|(at, (word, written))| {
            LISTS.common.contains(**word) && (*at == 0 || is_small(written))
        })
        .count();
    common >= LEAST_COMMON && common * 5 >= said.len() * 3
}

#[cfg(test)]
mod tests;
