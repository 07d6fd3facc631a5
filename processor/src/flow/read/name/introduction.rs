//! Finds the name in a sentence that introduces a person: "My name is Ana".

use std::sync::LazyLock;

use foldhash::{HashMap, HashSet};

use super::super::plain::folded;
use super::words::{
    AFTER_NAME, ATTACHED, ENDINGS, INTRODUCTIONS, LABELS, LEADING, NO_SPACES, NO_SPACES_AFTER,
    OF_LANGUAGE, STATES,
};

/// The introductions as folded words, by their first word; the longest come first.
static BY_FIRST: LazyLock<HashMap<String, Vec<Vec<String>>>> = LazyLock::new(|| {
    let mut all: HashMap<String, Vec<Vec<String>>> = HashMap::default();
    for introduction in INTRODUCTIONS.split(',') {
        let words: Vec<String> = introduction.split_whitespace().map(folded).collect();
        if let Some(first) = words.first() {
            all.entry(first.clone()).or_default().push(words);
        }
    }
    for list in all.values_mut() {
        list.sort_by_key(|words| std::cmp::Reverse(words.len()));
    }
    all
});

/// What ends a sentence that introduces a person, as folded words.
static END_WORDS: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| {
    let words = |end: &str| end.split_whitespace().map(folded).collect();
    ENDINGS.split(',').map(words).collect()
});

static LABEL_WORDS: LazyLock<HashSet<String>> = LazyLock::new(|| set(LABELS));
static LEADING_WORDS: LazyLock<HashSet<String>> = LazyLock::new(|| set(LEADING));
static TRAILING_WORDS: LazyLock<HashSet<String>> = LazyLock::new(|| set(AFTER_NAME));
static STATE_WORDS: LazyLock<HashSet<String>> = LazyLock::new(|| set(STATES));

fn set(text: &str) -> HashSet<String> {
    text.split_whitespace().map(folded).collect()
}

/// A word of a text and its place.
struct Word<'a> {
    from: usize,
    to: usize,
    folded: String,
    text: &'a str,
}

/// Returns what follows an introduction in a plain text; none without one.
pub(super) fn after<'a>(text: &'a str, language: &str) -> Option<&'a str> {
    without_spaces(text).or_else(|| in_words(text, language))
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut all = Vec::new();
    let mut at = 0;
    for piece in text.split(char::is_whitespace) {
        let from = at;
        at += piece.len();
        let bare = folded(piece);
        let bare = bare.trim_matches(|c: char| !c.is_alphanumeric());
        if !bare.is_empty() {
            all.push(Word {
                from,
                to: at,
                folded: bare.to_owned(),
                text: piece,
            });
        }
        at += text
            .get(at..)
            .and_then(|rest| rest.chars().next())
            .map_or(0, char::len_utf8);
    }
    all
}

fn in_words<'a>(text: &'a str, language: &str) -> Option<&'a str> {
    let all = words(text);
    for (at, word) in all.iter().enumerate() {
        if let Some(taken) = introduction(all.get(at..)?, language) {
            let mut rest = all.get(at + taken..)?;
            while let [before @ .., last] = rest
                && TRAILING_WORDS.contains(&last.folded)
            {
                rest = before;
            }
            let Some((first, last)) = rest.first().zip(rest.last()) else {
                // The name is missing, or comes in the next message.
                return Some("");
            };
            return within(text, first.from, last.to);
        }
        if !LEADING_WORDS.contains(&word.folded) {
            return by_end(text, &all);
        }
    }
    by_end(text, &all)
}

/// Returns the name of "Ana is my name" and "Ana here"; after a greeting with a comma, the rest.
fn by_end<'a>(text: &'a str, all: &[Word<'a>]) -> Option<&'a str> {
    let (first, last) = (all.first()?, all.last()?);
    // "Is anyone here?"
    if last.text.ends_with(['?', '？', '؟']) {
        return None;
    }
    for end in END_WORDS.iter() {
        let Some(at) = all.len().checked_sub(end.len()).filter(|at| *at > 0) else {
            continue;
        };
        let is_there = all
            .get(at..)?
            .iter()
            .zip(end)
            .all(|(word, end)| word.folded == *end);
        if is_there {
            return within(text, first.from, all.get(at - 1)?.to);
        }
    }
    let second = all.get(1)?;
    let is_greeted =
        LEADING_WORDS.contains(&first.folded) && first.text.ends_with([',', '!', '，', '،']);
    is_greeted.then(|| text.get(second.from..last.to))?
}

/// Returns how many words introduce what follows; none if nothing does.
fn introduction(all: &[Word<'_>], language: &str) -> Option<usize> {
    let first = all.first()?;
    let language = language.split('-').next().unwrap_or_default();
    let of_language = OF_LANGUAGE.iter().find(|(tag, _)| *tag == language);
    if of_language.is_some_and(|(_, words)| all.len() > 1 && words.contains(&&*first.folded)) {
        return Some(1);
    }
    if first.text.ends_with(':') && LABEL_WORDS.contains(&first.folded) {
        return Some(1);
    }
    let list = BY_FIRST.get(&first.folded)?;
    let is_there = |words: &&Vec<String>| {
        words.len() <= all.len() && words.iter().zip(all).all(|(a, b)| *a == b.folded)
    };
    list.iter().find(is_there).map(Vec::len)
}

/// Returns the name within a text, up to the end of its sentence.
fn within(text: &str, from: usize, to: usize) -> Option<&str> {
    let rest = text.get(from..to)?;
    let is_end = |(at, c): &(usize, char)| match c {
        '\n' | ';' | '!' | '(' | '。' | '，' | '،' | '।' => true,
        ',' => rest.get(at + 1..).is_some_and(|after| {
            // "Doe, John" is one name.
            let is_one = after.split_whitespace().count() == 1;
            let is_large = after.trim_start().starts_with(char::is_uppercase);
            after.starts_with(' ') && !(is_one && is_large)
        }),
        '.' => rest.get(at + 1..).is_some_and(|after| {
            let word = rest.get(..*at).and_then(|it| it.rsplit(' ').next());
            after.starts_with(' ') && word.is_some_and(|word| !super::is_short(word))
        }),
        _ => false,
    };
    let end = rest
        .char_indices()
        .find(is_end)
        .map_or(rest.len(), |(at, _)| at);
    let name = rest.get(..end)?.trim();
    let name = ATTACHED
        .iter()
        .find_map(|end| name.strip_suffix(end).filter(|name| !name.is_empty()))
        .unwrap_or(name);
    Some(name.trim())
}

/// Reads an introduction of a language that puts no spaces between words.
fn without_spaces(text: &str) -> Option<&str> {
    if text.is_ascii() {
        return None;
    }
    let text = text.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '。' | '！' | '!' | '.' | '、' | '，')
    });
    let greeted = [
        "你好",
        "您好",
        "こんにちは",
        "はじめまして",
        "안녕하세요",
        "สวัสดีครับ",
        "สวัสดีค่ะ",
        "สวัสดี",
    ];
    let text = greeted
        .iter()
        .find_map(|greeting| text.strip_prefix(greeting))
        .unwrap_or(text)
        .trim_start_matches(|c: char| c.is_whitespace() || !c.is_alphanumeric());
    let after = NO_SPACES.iter().find_map(|start| text.strip_prefix(start));
    let name = after.unwrap_or(text);
    let before = NO_SPACES_AFTER
        .iter()
        .find_map(|end| name.strip_suffix(end).filter(|it| !it.is_empty()));
    (after.is_some() || before.is_some()).then(|| before.unwrap_or(name).trim())
}

/// Returns the words after a greeting; all words if there is nothing after it. "Ola" is a name.
pub(super) fn without_greeting<'a, 'b>(said: &'b [&'a str]) -> &'b [&'a str] {
    let is_other = |word: &&str| !LEADING_WORDS.contains(*word);
    let after = said.iter().position(is_other).unwrap_or(0);
    said.get(after..).unwrap_or(said)
}

/// Returns whether what follows "I am" is a state of the person and no name: "busy", "a plumber".
/// "An Nguyen" is a name.
pub(super) fn is_state(name: &str, said: &[&str]) -> bool {
    let is_name = name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase);
    !is_name
        && said
            .first()
            .is_some_and(|first| STATE_WORDS.contains(*first))
}
