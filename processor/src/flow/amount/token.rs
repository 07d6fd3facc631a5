//! Splits a message into numbers, currencies and words.

use super::SMALL;
use super::currency;
use super::letters::{decimal_digit, is_letter, stands_alone};
use super::numeral::{self, ARABIC_DECIMAL, Numeral};
use super::phrase::without_phrases;
use super::words::{self, Meaning};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(Numeral),
    /// A currency sign, with the codes that it may mean.
    Currency(&'static [&'static str]),
    /// A word in lower case.
    Word(String),
    /// A unit that the question takes.
    Unit,
    /// A sign for "about".
    About,
    Slash,
    /// A sign that separates its two sides: a comma, a colon, the end of a line.
    Break,
}

/// Returns the tokens of `text`; none if a sign makes any number in it unclear.
pub(super) fn tokenize(text: &str, units: &[String]) -> Option<Vec<Token>> {
    let chars: Vec<char> = without_phrases(&normalized(text)).chars().collect();
    let mut scanner = Scanner {
        chars: &chars,
        at: 0,
        tokens: Vec::new(),
        units,
    };
    while scanner.at < chars.len() {
        scanner.advance()?;
    }
    Some(scanner.tokens)
}

/// Returns `text` in lower case, with the digits and signs of ASCII.
pub(super) fn normalized(text: &str) -> String {
    text.chars()
        .filter_map(normalize)
        .flat_map(char::to_lowercase)
        .collect()
}

struct Scanner<'a> {
    chars: &'a [char],
    at: usize,
    tokens: Vec<Token>,
    units: &'a [String],
}

impl Scanner<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn previous(&self, back: usize) -> Option<char> {
        self.chars.get(self.at.checked_sub(back)?).copied()
    }

    fn is_digit(&self, ahead: usize) -> bool {
        self.peek(ahead).is_some_and(|c| c.is_ascii_digit())
    }

    fn advance(&mut self) -> Option<()> {
        let c = self.peek(0)?;
        if c.is_ascii_digit() {
            return self.number();
        }
        if is_letter(c) {
            if let Some(length) = self.unit() {
                self.at += length;
                self.tokens.push(Token::Unit);
                return Some(());
            }
            return self.word(c);
        }
        match c {
            '/' if self.is_digit(1) => return None,
            // "₹ 25,000 /-"
            '/' if self.peek(1) == Some('-') && !self.is_digit(2) => self.at += 1,
            '/' => self.tokens.push(Token::Slash),
            '-' => self.dash()?,
            '.' => {
                self.point()?;
                // "5000 €. Thank you"
                if self
                    .previous(1)
                    .is_some_and(|c| currency::by_sign(c).is_some())
                {
                    self.tokens.push(Token::Break);
                }
            }
            ',' => {
                self.point()?;
                self.tokens.push(Token::Break);
            }
            // A word in brackets after a great number cannot be its multiplier.
            '(' if self.is_after_great_number() => self.tokens.push(Token::Break),
            ';' | ':' | '!' | '、' | '\n' => self.tokens.push(Token::Break),
            '~' | '≈' | '∼' => self.tokens.push(Token::About),
            c if is_unclear(c) => return None,
            c => self
                .tokens
                .extend(currency::by_sign(c).map(Token::Currency)),
        }
        self.at += 1;
        Some(())
    }

    /// Returns the length of the longest unit that begins here as a word.
    fn unit(&self) -> Option<usize> {
        let is_within_word = |c: Option<char>| {
            c.is_some_and(|c| (is_letter(c) && !stands_alone(c)) || c.is_ascii_digit())
        };
        let rest = self.chars.get(self.at..)?;
        let plain = |c: char| match c {
            '²' => '2',
            '³' => '3',
            c => c,
        };
        let fits = |unit: &&String| {
            let length = unit.chars().count();
            let is_same = unit.chars().zip(rest).all(|(a, b)| plain(a) == plain(*b));
            is_same && length <= rest.len() && !is_within_word(rest.get(length).copied())
        };
        let is_beginning = !self
            .previous(1)
            .is_some_and(|c| is_letter(c) && !stands_alone(c));
        let found = self.units.iter().filter(|_| is_beginning).filter(fits);
        found.map(|unit| unit.chars().count()).max()
    }

    fn is_after_great_number(&self) -> bool {
        let numeral = self.tokens.iter().rev().find_map(|token| match token {
            Token::Number(numeral) => Some(numeral.whole()),
            _ => None,
        });
        numeral.is_some_and(|whole| whole >= SMALL)
    }

    fn number(&mut self) -> Option<()> {
        let mut written = String::new();
        let mut group = 0;
        while let Some(c) = self.peek(0) {
            if c.is_ascii_digit() {
                group += 1;
            } else if self.is_separator(c, group) {
                group = 0;
            } else {
                break;
            }
            written.push(c);
            self.at += 1;
        }
        self.tokens.push(Token::Number(numeral::read(&written)?));
        self.skip_no_cents();
        Some(())
    }

    /// Returns whether `c`, after `group` digits, continues the number. A space does so only before
    /// exactly three digits.
    fn is_separator(&self, c: char, group: usize) -> bool {
        match c {
            '.' | ',' | '\'' | ARABIC_DECIMAL => self.is_digit(1),
            ' ' => {
                (1..=3).contains(&group)
                    && (1..=3).all(|ahead| self.is_digit(ahead))
                    && !self.is_digit(4)
            }
            _ => false,
        }
    }

    /// Skips a dash that stands for zero cents: `5.000,-`, `5000.–`, `5000/-`, `5000:-`.
    fn skip_no_cents(&mut self) {
        if matches!(self.peek(0), Some('.' | ',' | '/' | ':'))
            && self.peek(1) == Some('-')
            && !self.is_digit(2)
        {
            self.at += 2;
        }
    }

    /// Reads a run of letters. An ideograph or Hangul syllable is a run of its own, because spaces do
    /// not separate them. Returns none if the run may change an adjacent sign or number.
    fn word(&mut self, first: char) -> Option<()> {
        let before = self.previous(1);
        let mut word = String::from(first);
        self.at += 1;
        while let Some(c) = self
            .peek(0)
            .filter(|&c| is_letter(c) && !stands_alone(c) && !stands_alone(first))
        {
            word.push(c);
            self.at += 1;
        }
        match currency::by_dollar_prefix(&word) {
            Some(code) if self.peek(0) == Some('$') => {
                self.at += 1;
                self.tokens.push(Token::Currency(code));
            }
            _ if self.is_glued(&word, before) => return None,
            _ => match parts(&word) {
                Some(parts) => self.tokens.extend(parts.into_iter().map(Token::Word)),
                None => self.tokens.push(Token::Word(word)),
            },
        }
        Some(())
    }

    /// Returns whether `word`, which ends here after `before`, may be a unit of the adjacent
    /// token. An unknown word is one at a sign ("MUS$ 5", "5$L"), a short filler at a number ("5d").
    fn is_glued(&self, word: &str, before: Option<char>) -> bool {
        let is_sign = |c: Option<char>| c.is_some_and(|c| currency::by_sign(c).is_some());
        if words::multiplier(word).is_some() {
            return false;
        }
        if words::letter_multiplier(word).is_some_and(|_| self.is_after_number(word)) {
            return false;
        }
        match words::meaning(word) {
            None => is_sign(before) || is_sign(self.peek(0)),
            Some(Meaning::Filler | Meaning::About) => {
                before.is_some_and(|c| c.is_ascii_digit())
                    && word.chars().count() <= 2
                    && !word.starts_with(stands_alone)
            }
            Some(_) => false,
        }
    }

    /// Returns whether only spaces are between a number and `word`, which ends here.
    fn is_after_number(&self, word: &str) -> bool {
        let start = self.at - word.chars().count();
        let before = self.chars.get(..start).unwrap_or_default();
        let last = before.iter().rev().find(|c| **c != ' ');
        last.is_some_and(char::is_ascii_digit)
    }

    /// Reads a hyphen between letters, or a dash with spaces after a word ("budget - 5000"). Any other
    /// dash may be a sign or a range.
    fn dash(&self) -> Option<()> {
        let before = self.previous(1)?;
        let after = self.peek(1)?;
        let is_hyphen = is_letter(before) && is_letter(after);
        let last = self.tokens.iter().rfind(|token| **token != Token::Break);
        // "budget - 5000", "5000 - is that ok"
        let is_before_word = self.peek(2).is_some_and(is_letter);
        let is_apart = matches!(before, ' ' | '\n')
            && after == ' '
            && (is_before_word || matches!(last, Some(Token::Word(_))));
        (is_hyphen || is_apart).then_some(())
    }

    /// Ends a word or a sentence. Without a word before it and with a digit after it, the meaning is
    /// unclear (".5").
    fn point(&self) -> Option<()> {
        let ends_word = self.previous(1).is_some_and(is_letter);
        (ends_word || !self.is_digit(1)).then_some(())
    }
}

/// Returns the known words that make up a word of a script without spaces: "พันบาท", "くらいです".
fn parts(word: &str) -> Option<Vec<String>> {
    let is_known = |part: &str| words::meaning(part).is_some() || words::multiplier(part).is_some();
    if !word.starts_with(is_without_spaces) || is_known(word) {
        return None;
    }
    let mut parts = Vec::new();
    let mut rest = word;
    while !rest.is_empty() {
        let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
        let mut heads = ends.filter_map(|end| rest.split_at_checked(end));
        let (part, after) = heads.find(|(part, _)| is_known(part))?;
        parts.push(part.to_owned());
        rest = after;
    }
    Some(parts)
}

/// Returns whether words of the letter's script follow each other without spaces: Thai, Lao, Burmese,
/// Khmer and kana.
fn is_without_spaces(c: char) -> bool {
    matches!(
        c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
    )
}

/// Unifies digits of all scripts, spaces, dashes, quotes and fullwidth signs. Removes marks without a
/// width, and marks that make a digit an emoji.
fn normalize(c: char) -> Option<char> {
    let c = match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    };
    match c {
        '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => None,
        '\u{fe0f}' | '\u{20e3}' | '\u{ad}' => None,
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        '\u{2018}' | '\u{2019}' | '\u{02bc}' | '٬' | '`' | '´' => Some('\''),
        '،' => Some(','),
        '。' => Some('.'),
        '〜' => Some('~'),
        '\n' | '\r' | '\u{2028}' | '\u{2029}' => Some('\n'),
        _ if c.is_whitespace() => Some(' '),
        _ => Some(decimal_digit(c).unwrap_or(c)),
    }
}

/// Returns whether `c` marks a percentage, bound, phone number, address, sum or question. Numerals
/// that are no digits, such as ½, count, too, and units in one sign, such as ㎡ and ℃.
fn is_unclear(c: char) -> bool {
    matches!(
        c,
        '%' | '+' | '<' | '>' | '#' | '@' | '&' | '^' | '|' | '\\' | '{' | '}' | '?'
    ) || matches!(
        c,
        '\u{2100}'..='\u{214f}' | '\u{3300}'..='\u{33ff}' | '؟' | '¿' | '٪' | '‰' | '±' | '≤' | '≥' | '→' | '➡' | '×' | '÷' | '°' | '¢'
    ) || c.is_numeric()
}
