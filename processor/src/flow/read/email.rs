//! Reads the e-mail address in a text.

use unicode_script::{Script, UnicodeScript};

use super::plain::plain;

/// RFC 5321.
pub(super) const MAX_BYTES: usize = 254;

/// The word for `@` where people spell an address out, in lower case. English needs a dot in words,
/// too: "at" has other meanings.
const AT: [&str; 7] = [
    "@",
    "arroba",
    "arobase",
    "chiocciola",
    "klammeraffe",
    "собака",
    "małpa",
];

/// The word for a dot, in lower case.
const DOT: [&str; 7] = ["dot", "punto", "ponto", "punkt", "point", "точка", "kropka"];

/// Top-level domains that are reserved for documents and tests (RFC 2606). Mail to them reaches nobody.
const RESERVED: [&str; 2] = ["example", "test"];

/// Providers whose misspellings are asked for again: mail to them would go to a stranger.
const PROVIDERS: [&str; 9] = [
    "gmail.com",
    "googlemail.com",
    "hotmail.com",
    "outlook.com",
    "yahoo.com",
    "icloud.com",
    "live.com",
    "proton.me",
    "protonmail.com",
];

/// Domains that exist and look like a misspelling.
const REAL: [&str; 6] = [
    "mail.com",
    "email.com",
    "ymail.com",
    "gmx.com",
    "live.co",
    "me.com",
];

/// Returns the one address in `text`, without marks, quotes and words around it. Returns none for
/// several addresses, and for one that is misspelt for sure.
pub(super) fn read(text: &str) -> Option<String> {
    let text = joined(&plain(text));
    let mut found = None;
    for (at, _) in text.match_indices('@') {
        let address = address(text.get(..at)?, text.get(at + 1..)?)?;
        if found
            .replace(address.clone())
            .is_some_and(|other| other != address)
        {
            return None;
        }
    }
    found
}

/// Returns the text with `@` and dots for the words that mean them, and without spaces beside them.
fn joined(text: &str) -> String {
    let is_spelt = !text.contains('@');
    let text = if is_spelt {
        without_brackets(text)
    } else {
        text.to_owned()
    };
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let has_dot = words.iter().any(|word| DOT.contains(&word.as_str()));
    let mut joined = String::new();
    let mut joins = false;
    for (written, word) in text.split_whitespace().zip(&words) {
        let is_open = is_spelt && !joined.is_empty() && !joined.contains('@');
        let sign = match word.as_str() {
            "at" if is_open && has_dot => "@",
            word if is_open && AT.contains(&word) => "@",
            word if is_spelt && joined.contains('@') && DOT.contains(&word) => ".",
            _ => written,
        };
        let is_part = sign.starts_with('@') || (joined.contains('@') && is_dotted(sign));
        if !joined.is_empty() && !joins && !is_part {
            joined.push(' ');
        }
        joined.push_str(sign);
        joins = sign.ends_with('@') || sign == ".";
    }
    joined
}

/// Returns the text with words for the signs that some write in brackets: `ann[at]gmail(dot)com`.
fn without_brackets(text: &str) -> String {
    let mut text = text.to_lowercase();
    for (open, close) in [('(', ')'), ('[', ']'), ('{', '}'), ('<', '>')] {
        text = text
            .replace(&format!("{open}at{close}"), " @ ")
            .replace(&format!("{open}@{close}"), " @ ")
            .replace(&format!("{open}dot{close}"), " dot ");
    }
    text
}

/// Returns whether a word is the end of a domain: `.com`.
fn is_dotted(word: &str) -> bool {
    word.strip_prefix('.')
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_alphanumeric))
}

/// Returns the address around an `@`.
fn address(before: &str, after: &str) -> Option<String> {
    let local = local(before);
    let domain = domain(after);
    // Formatting around the address: "_ann@gmail.com_".
    let rest = after.get(domain.len()..)?;
    let local = match local.chars().next() {
        Some(mark @ ('*' | '_' | '~' | '`' | '\'')) if rest.starts_with(mark) => local.get(1..)?,
        _ => local,
    };
    let local = local
        .trim_matches('.')
        .trim_start_matches(['-', '\'', '*', '~', '`', '&', '!', '#', '%', '^']);
    let domain = domain.trim_end_matches(['.', '-']).to_lowercase();
    let is_local = (1..=64).contains(&local.len()) && !local.contains("..");
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_domain =
        is_below_known(&domain) && domain.split('.').all(is_label) && !is_misspelt(&domain);
    let address = format!("{local}@{domain}");
    (is_local && is_domain && address.len() <= MAX_BYTES).then_some(address)
}

/// Returns whether the domain is below one that anybody can have a name in. A misspelt ending, such as
/// `.con`, is none; nor is the last part of a handle, such as `@ann.lee`.
fn is_below_known(domain: &str) -> bool {
    let is_known =
        |suffix: psl::Suffix<'_>| suffix.is_known() || RESERVED.iter().any(|name| suffix == *name);
    psl::suffix(domain.as_bytes())
        .is_some_and(|suffix| is_known(suffix) && suffix.as_bytes().len() < domain.len())
}

/// Returns the end of `text` that can be the part before the `@`, in one script.
fn local(text: &str) -> &str {
    let mut script = None;
    let start = text
        .char_indices()
        .rev()
        .take_while(|&(_, c)| {
            (c.is_alphanumeric() || "._%+-'&!#$*^~`".contains(c)) && is_of(&mut script, c)
        })
        .last()
        .map_or(text.len(), |(at, _)| at);
    text.get(start..).unwrap_or_default()
}

/// Returns the beginning of `text` that can be a domain, each label in one script.
fn domain(text: &str) -> &str {
    let mut script = None;
    let end = text
        .char_indices()
        .find(|&(_, c)| {
            if c == '.' {
                script = None;
            }
            !((c.is_alphanumeric() || matches!(c, '.' | '-')) && is_of(&mut script, c))
        })
        .map_or(text.len(), |(at, _)| at);
    // A full stop and the next sentence.
    text.get(..end).unwrap_or_default()
}

/// Returns whether `c` is of the script of the letters before it; digits and signs are of each.
fn is_of(script: &mut Option<Script>, c: char) -> bool {
    let own = match c.script() {
        Script::Common | Script::Inherited => return true,
        // Japanese mixes three.
        Script::Hiragana | Script::Katakana => Script::Han,
        own => own,
    };
    *script.get_or_insert(own) == own
}

/// Returns whether a domain is that of a known provider but for one slip of a finger.
fn is_misspelt(domain: &str) -> bool {
    !PROVIDERS.contains(&domain)
        && !REAL.contains(&domain)
        && PROVIDERS.iter().any(|provider| is_slip(domain, provider))
}

/// Returns whether `typed` is `meant` with a letter left out, doubled or swapped with the next, or
/// with another ending of `.com`.
fn is_slip(typed: &str, meant: &str) -> bool {
    let (typed, meant): (Vec<char>, Vec<char>) = (typed.chars().collect(), meant.chars().collect());
    let same = typed.iter().zip(&meant).take_while(|(a, b)| a == b).count();
    let tail = |chars: &[char], skipped: usize| {
        chars
            .get(same + skipped..)
            .map(<[char]>::to_vec)
            .unwrap_or_default()
    };
    let is_left_out = tail(&typed, 0) == tail(&meant, 1);
    let is_added = tail(&typed, 1) == tail(&meant, 0)
        && typed.get(same) == same.checked_sub(1).and_then(|at| typed.get(at));
    let is_swapped = typed.len() == meant.len()
        && typed.get(same) == meant.get(same + 1)
        && typed.get(same + 1) == meant.get(same)
        && tail(&typed, 2) == tail(&meant, 2);
    let is_end = typed.ends_with(&['.', 'c', 'o', 'n'])
        && typed.len() == meant.len()
        && same + 1 == typed.len();
    is_left_out || is_added || is_swapped || is_end
}
