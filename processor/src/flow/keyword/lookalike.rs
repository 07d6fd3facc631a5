//! The usual spelling of a word with stretched letters, or with letters of another script that look
//! alike: "stoppp", or "stop" in Cyrillic letters.

use std::iter::repeat_n;

use foldhash::HashSet;

/// A letter so often in a row is stretched: few words have three.
const LEAST_STRETCHED: usize = 3;

/// Returns the usual spelling of `word` if it is `known`; none if it is not.
pub(super) fn usual(word: &str, known: &HashSet<String>) -> Option<String> {
    let latin = latin(word);
    let spelled = latin.as_deref().unwrap_or(word);
    let is_known = |it: &String| known.contains(it);
    let lengths: &[usize] = if is_stretched(spelled) { &[1, 2] } else { &[] };
    let mut shorter = lengths.iter().map(|&most| shortened(spelled, most));
    shorter.find(is_known).or_else(|| latin.filter(is_known))
}

/// Returns `word` in Latin letters, if each of its letters looks like one; none if it has only such.
fn latin(word: &str) -> Option<String> {
    if word.bytes().all(|byte| byte.is_ascii() && byte != b'0') {
        return None;
    }
    word.chars().map(latin_letter).collect()
}

/// Returns the ASCII letter that a letter in lower case looks like, in lower or in upper case.
const fn latin_letter(c: char) -> Option<char> {
    Some(match c {
        'a'..='z' => c,
        'а' | 'α' | 'ᴀ' => 'a',
        'в' | 'β' | 'ʙ' => 'b',
        'с' | 'ᴄ' => 'c',
        'ԁ' | 'ᴅ' => 'd',
        'е' | 'ε' | 'ᴇ' => 'e',
        'ɢ' => 'g',
        'н' | 'һ' | 'η' | 'ʜ' => 'h',
        'і' | 'ι' | 'ɪ' => 'i',
        'ј' | 'ᴊ' => 'j',
        'к' | 'κ' | 'ᴋ' => 'k',
        'ʟ' => 'l',
        'м' | 'μ' | 'ᴍ' => 'm',
        'ν' | 'ɴ' => 'n',
        '0' | 'о' | 'ο' | 'ᴏ' => 'o',
        'р' | 'ρ' | 'ᴘ' => 'p',
        'ԛ' => 'q',
        'ʀ' => 'r',
        'ѕ' | 'ꜱ' => 's',
        'т' | 'τ' | 'ᴛ' => 't',
        'ᴜ' => 'u',
        'ѵ' | 'ᴠ' => 'v',
        'ԝ' | 'ᴡ' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'υ' | 'ʏ' => 'y',
        'ζ' | 'ᴢ' => 'z',
        _ => return None,
    })
}

/// Returns the runs of one letter in `word`, with their lengths.
fn runs(word: &str) -> impl Iterator<Item = (char, usize)> {
    let mut rest = word.chars().peekable();
    std::iter::from_fn(move || {
        let c = rest.next()?;
        let mut length = 1;
        while rest.next_if_eq(&c).is_some() {
            length += 1;
        }
        Some((c, length))
    })
}

fn is_stretched(word: &str) -> bool {
    runs(word).any(|(c, length)| c.is_alphabetic() && length >= LEAST_STRETCHED)
}

/// Returns `word` with at most `most` of each stretched letter.
fn shortened(word: &str, most: usize) -> String {
    let kept = |(c, length): (char, usize)| {
        let is_stretched = length >= LEAST_STRETCHED;
        repeat_n(c, if is_stretched { most } else { length })
    };
    runs(word).flat_map(kept).collect()
}
