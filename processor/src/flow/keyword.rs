//! Keywords: words that mean something when they are the whole message.

mod opt_out;
#[cfg(test)]
mod tests;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;
use unicode_properties::UnicodeEmoji;

use super::read::Expected;
use super::{Answer, COLD, Conversation, Flow, Role};

pub(super) use opt_out::opt_outs;

/// Takes an opt-out back in every flow, beside the words of its document.
pub(super) const START: &str = "START";

/// `word` as messages are compared with it.
pub(super) fn key(word: &str) -> String {
    let letters: String = letters(word).collect();
    if letters.is_empty() {
        as_written(word)
    } else {
        letters
    }
}

/// Signs alone have no letters to compare.
fn as_written(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Whether `text` as a whole is one of `keys`. Reads a text that is none only to its first letters,
/// and copies nothing.
fn is_one_of(keys: &[String], text: &str) -> bool {
    match letters(text).next() {
        Some(first) => keys
            .iter()
            .any(|key| key.starts_with(first) && letters(text).eq(key.chars())),
        None => !text.is_empty() && keys.contains(&as_written(text)),
    }
}

/// The letters and digits of `text` without accents, in one case, width and style. What may stand
/// around or between them (signs, spaces, emoji, formatting) is left out.
pub(super) fn letters(text: &str) -> impl Iterator<Item = char> {
    text.char_indices()
        .filter(|&(at, c)| !is_emoji(c, text.get(at + c.len_utf8()..).unwrap_or_default()))
        .map(|(_, c)| c)
        .nfkd()
        .filter(|&c| is_letter(c))
        // By way of upper case, all forms of a letter meet: ß and ss, ς and σ, ı and i.
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
}

/// Whether `c` before `rest` is an emoji, also one made of a letter or a digit, as ℹ and 1️⃣ are.
fn is_emoji(c: char, rest: &str) -> bool {
    if c.is_ascii() {
        return c.is_ascii_digit() && rest.trim_start_matches('\u{fe0f}').starts_with('\u{20e3}');
    }
    c.is_emoji_char()
}

/// Whether a decomposed character is a letter or digit, and no accent, vowel point or mark that only
/// lengthens or quotes a word.
fn is_letter(c: char) -> bool {
    c.is_alphanumeric()
        && !matches!(canonical_combining_class(c), 10..=36 | 200..)
        && !matches!(
            c,
            '\u{2b9}'..='\u{2ff}' | '\u{640}' | '\u{115f}' | '\u{1160}'
        )
}

impl Flow {
    /// Whether `answer` as a whole is one of `keys`: its text, its caption, or what a button that
    /// the flow itself does not have carries.
    pub(super) fn is_said(&self, keys: &[String], answer: &Answer) -> bool {
        let payload = match answer {
            Answer::Choice { id: Some(id), .. } if !self.has_option(id) => Some(id.as_str()),
            _ => None,
        };
        let said = answer.keyword().into_iter().chain(payload);
        !keys.is_empty() && said.into_iter().any(|text| is_one_of(keys, text))
    }

    /// Whether the lead wants no more messages. What the document does not list as a keyword may be
    /// an option of the open question.
    pub(super) fn is_opt_out(&self, conversation: &Conversation, answer: &Answer) -> bool {
        self.is_said(&self.keywords.stop, answer)
            || (self.is_said(&self.keywords.opt_out, answer)
                && !self.is_open_option(conversation, answer))
    }

    /// Whether one of its choices has the option `value`.
    fn has_option(&self, value: &str) -> bool {
        self.steps.iter().any(|step| match &step.role {
            Role::Ask(question) => match &question.expected {
                Expected::Choice(choices) => choices.iter().any(|it| it.value == value),
                _ => false,
            },
            _ => false,
        })
    }

    fn is_open_option(&self, conversation: &Conversation, answer: &Answer) -> bool {
        let state = match &conversation.aside.left_off {
            Some(left_off) if conversation.state == COLD => left_off,
            _ => &conversation.state,
        };
        let Some(Role::Ask(question)) = self.step(state).map(|step| &step.role) else {
            return false;
        };
        let (Expected::Choice(choices), Some(text)) = (&question.expected, answer.keyword()) else {
            return false;
        };
        choices.iter().any(|choice| {
            let mut names = choice.words.iter().chain([&choice.value]);
            names.any(|name| letters(text).eq(letters(name)))
        })
    }
}
