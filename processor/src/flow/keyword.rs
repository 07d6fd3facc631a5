//! Keywords: words that mean something when they are the whole message.

mod lookalike;
mod opt_out;
mod person;
mod skip;
#[cfg(test)]
mod tests;

use foldhash::HashSet;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};
use unicode_properties::UnicodeEmoji;

use super::read::{Expected, Scalar};
use super::{COLD, Conversation, Flow, Keywords, Question, Role, START as NOT_BEGUN, TurnInput};

pub(super) use opt_out::{OptOutWords, opt_outs};
pub(super) use person::PersonWords;
use person::Request;
pub(super) use skip::{declines, skips};

/// The keyword that revokes an opt-out in every flow, beside the words of its document.
pub(super) const START: &str = "START";

impl Keywords {
    /// Returns whether `text` is a keyword, as on a button of a template.
    pub(super) fn has(&self, text: &str) -> bool {
        let word = key(text);
        let lists = [
            &self.restart,
            &self.stop,
            &self.opt_out,
            &self.start,
            &self.human,
            &self.back,
            &self.skip,
        ];
        let change = self.change.iter().map(|(words, _)| words);
        lists
            .into_iter()
            .chain(change)
            .any(|words| words.contains(&word))
    }
}

/// Returns the key that messages are compared with: the letters of `word`, one space between words.
pub(super) fn key(word: &str) -> String {
    let words: String = words(word).collect();
    if words.is_empty() {
        // Signs alone have no letters.
        as_written(word)
    } else {
        words
    }
}

/// The languages of a flow, and English.
struct Spoken<'a>(Vec<&'a str>);

impl<'a> Spoken<'a> {
    fn new(languages: &'a [String]) -> Self {
        let primary = |tag: &'a String| tag.split('-').next().unwrap_or_default();
        Self(languages.iter().map(primary).chain(["en"]).collect())
    }

    fn any(&self, languages: &[&str]) -> bool {
        languages.iter().any(|it| self.0.contains(it))
    }
}

/// Returns the words of `text` with a space around each, if all of them are `known`, perhaps by their
/// usual spelling.
fn spaced(known: &HashSet<String>, text: &str) -> Option<String> {
    let mut said = String::with_capacity(text.len() + 2);
    said.push(' ');
    let mut start = said.len();
    for c in words(text).chain([' ']) {
        if c == ' ' {
            let word = said.get(start..)?;
            if !word.is_empty() && !known.contains(word) {
                let usual = lookalike::usual(word, known)?;
                said.replace_range(start.., &usual);
            }
            start = said.len() + 1;
        }
        said.push(c);
    }
    Some(said)
}

/// Returns whether `said`, with a space around each word, has the words of `phrase`.
fn contains(said: &str, phrase: &str) -> bool {
    said.match_indices(phrase).any(|(at, _)| {
        let before = said.get(..at).is_some_and(|it| it.ends_with(' '));
        let after = said.get(at + phrase.len()..);
        before && after.is_some_and(|it| it.starts_with(' '))
    })
}

/// Returns the keys of the words in the flow's languages and in English.
fn in_languages(table: &[(&[&str], &[&str])], languages: &[String]) -> Vec<String> {
    let spoken = Spoken::new(languages);
    let mut keys: Vec<String> = table
        .iter()
        .filter(|(languages, _)| spoken.any(languages))
        .flat_map(|(_, words)| words.iter().map(|word| key(word)))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn as_written(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Returns whether `text` as a whole is one of `keys`. Does not allocate; most texts are excluded by
/// their first two letters.
fn is_one_of(keys: &[String], text: &str) -> bool {
    let begins = beginning(text);
    if begins == [None; 2] {
        return !text.is_empty() && keys.contains(&as_written(text));
    }
    keys.iter().any(|key| {
        let mut letters = key.chars().filter(|&c| c != ' ');
        [letters.next(), letters.next()] == begins && is_same(key, text)
    })
}

/// Returns the first two of the [`letters`] of `text`.
fn beginning(text: &str) -> [Option<char>; 2] {
    if text.is_ascii() {
        let mut letters = text.bytes().filter(u8::is_ascii_alphanumeric);
        return [(); 2].map(|()| letters.next().map(|c| c.to_ascii_lowercase().into()));
    }
    let mut letters = letters(text);
    [letters.next(), letters.next()]
}

/// Returns whether `text` has the letters of `key`. It may be parted only between the words of `key`
/// ("opt-out") or after each letter ("S T O P"): "Hu Man" is a name.
pub(super) fn is_same(key: &str, text: &str) -> bool {
    let mut key = key.chars().peekable();
    let (mut is_parted, mut length, mut longest) = (false, 0, 0);
    for c in words(text) {
        let is_break = key.next_if_eq(&' ').is_some();
        if c == ' ' {
            is_parted |= !is_break;
            length = 0;
        } else if key.next() == Some(c) {
            length += 1;
            longest = length.max(longest);
        } else {
            return false;
        }
    }
    key.next().is_none() && (!is_parted || longest == 1)
}

/// Returns the letters and digits of `text` without accents, in one case, width and style.
pub(super) fn letters(text: &str) -> impl Iterator<Item = char> {
    words(text).filter(|&c| c != ' ')
}

/// Returns the [`letters`] of `text`, with one space where signs, spaces or emoji part them.
pub(super) fn words(text: &str) -> impl Iterator<Item = char> {
    // Most messages are ASCII, which needs no tables.
    let (ascii, other) = if text.is_ascii() {
        (text, "")
    } else {
        ("", text)
    };
    ascii_words(ascii).chain(unicode_words(other))
}

fn ascii_words(text: &str) -> impl Iterator<Item = char> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    words.enumerate().flat_map(|(at, word)| {
        let space = (at > 0).then_some(' ');
        space
            .into_iter()
            .chain(word.chars().map(|c| c.to_ascii_lowercase()))
    })
}

fn unicode_words(text: &str) -> impl Iterator<Item = char> {
    let plain = text
        .char_indices()
        .map(|(at, c)| {
            let rest = text.get(at + c.len_utf8()..).unwrap_or_default();
            if is_emoji(c, rest) { ' ' } else { c }
        })
        .nfkd()
        .filter(|&c| is_letter(c) || is_break(c));
    let (mut has_begun, mut is_parted) = (false, false);
    let parted = plain.flat_map(move |c| {
        let letter = Some(c).filter(|&c| is_letter(c));
        let space = Some(' ').filter(|_| letter.is_some() && is_parted);
        has_begun |= letter.is_some();
        is_parted = letter.is_none() && has_begun;
        space.into_iter().chain(letter)
    });
    // Upper case first unites all forms of a letter: ß and ss, ς and σ, ı and i.
    parted
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
}

/// Returns whether `c` before `rest` is an emoji. Some are made of a letter or a digit: ℹ, 1️⃣.
fn is_emoji(c: char, rest: &str) -> bool {
    if c.is_ascii() {
        return c.is_ascii_digit() && rest.trim_start_matches('\u{fe0f}').starts_with('\u{20e3}');
    }
    c.is_emoji_char()
}

/// Returns whether a decomposed character is a letter or digit. Accents, vowel points and marks that
/// only lengthen or quote a word are none.
fn is_letter(c: char) -> bool {
    c.is_alphanumeric()
        && !matches!(canonical_combining_class(c), 10..=36 | 200..)
        && !matches!(
            c,
            '\u{2b9}'..='\u{2ff}' | '\u{640}' | '\u{115f}' | '\u{1160}'
        )
}

/// Returns whether a decomposed character parts letters. Accents and invisible characters do not.
fn is_break(c: char) -> bool {
    !c.is_alphanumeric()
        && !is_combining_mark(c)
        && !matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// The answer that a lead wants to correct.
#[derive(Clone, Copy, Debug)]
pub(super) enum Correction<'a> {
    /// The answer to the question before the open one.
    Before,
    /// The answer to this step.
    Of(&'a str),
}

impl Flow {
    /// Returns whether the whole input is one of `keys`: its text, its caption, or the title or payload
    /// of a button that the flow does not have. A button of the flow says what its option says.
    pub(super) fn is_keyword(&self, keys: &[String], input: &TurnInput) -> bool {
        let is = |text: &str| is_one_of(keys, text);
        if keys.is_empty() {
            return false;
        }
        match self.foreign_payload(input) {
            Some(payload) => input.keyword().is_some_and(is) || is(payload),
            None => input.keyword().is_some_and(is) && !self.is_own_tap(input),
        }
    }

    /// Returns whether the lead wants no more messages. A word that the document does not list as a
    /// keyword may be an option of the open question.
    pub(super) fn is_opt_out(&self, conversation: &Conversation, input: &TurnInput) -> bool {
        let keywords = &self.keywords;
        let payload = self.foreign_payload(input);
        let mut texts = input.keyword().into_iter().chain(payload);
        self.is_keyword(&keywords.stop, input)
            || ((self.is_keyword(&keywords.opt_out, input)
                || (texts.any(|text| keywords.opt_out_words.is_opt_out(text))
                    && !self.is_listed(input)))
                && !self.is_option(conversation, input))
    }

    /// Returns whether the document lists the input as a keyword with another meaning.
    fn is_listed(&self, input: &TurnInput) -> bool {
        let keywords = &self.keywords;
        let lists = [
            &keywords.restart,
            &keywords.start,
            &keywords.human,
            &keywords.back,
            &keywords.skip,
        ];
        let changes = keywords.change.iter().map(|(words, _)| words);
        let mut lists = lists.into_iter().chain(changes);
        lists.any(|keys| self.is_keyword(keys, input))
    }

    /// Returns whether the lead asks for a person. What the document does not list as a keyword may be
    /// an option of the open question, the name of a job that answers it, or the word that chose the
    /// flow.
    pub(super) fn asks_for_person(&self, conversation: &Conversation, input: &TurnInput) -> bool {
        if self.is_keyword(&self.keywords.human, input) {
            return true;
        }
        let payload = self.foreign_payload(input);
        let texts = input.keyword().into_iter().chain(payload);
        let person = &self.keywords.person;
        let Some(request) = texts.filter_map(|text| person.request(text)).next() else {
            return false;
        };
        let is_first = conversation.state == NOT_BEGUN;
        let chose_flow = is_first && self.is_keyword(&self.chosen_by.keywords, input);
        let takes_text = self.open_question(conversation).is_some_and(|question| {
            matches!(question.expected, Expected::Scalar(Scalar::Text { .. }))
        });
        !chose_flow
            && !self.is_option(conversation, input)
            && (request == Request::Sure || !takes_text)
    }

    /// Returns whether a lead can correct its answers.
    pub(super) fn takes_corrections(&self) -> bool {
        !self.keywords.back.is_empty() || !self.keywords.change.is_empty()
    }

    /// Returns which answer the lead wants to correct; none if the input says nothing of the kind.
    pub(super) fn correction(
        &self,
        conversation: &Conversation,
        input: &TurnInput,
    ) -> Option<Correction<'_>> {
        if !self.takes_corrections() {
            return None;
        }
        let keywords = &self.keywords;
        let mut changes = keywords.change.iter();
        let correction = if self.is_keyword(&keywords.back, input) {
            Correction::Before
        } else {
            let (_, state) = changes.find(|(words, _)| self.is_keyword(words, input))?;
            Correction::Of(state)
        };
        (!self.is_option(conversation, input)).then_some(correction)
    }

    /// Returns whether the input skips the open question, whatever the question takes.
    pub(super) fn is_skip(&self, conversation: &Conversation, input: &TurnInput) -> bool {
        self.says(&self.keywords.skip, input) && !self.is_option(conversation, input)
    }

    /// Returns whether the input skips the open question, provided that it is no answer.
    pub(super) fn is_decline(&self, input: &TurnInput) -> bool {
        self.says(&self.keywords.decline, input)
    }

    /// Returns whether the whole input is one of `keys`, with or without polite words around it.
    fn says(&self, keys: &[String], input: &TurnInput) -> bool {
        if keys.is_empty() {
            return false;
        }
        let polite = &self.keywords.opt_out_words;
        let bare = || polite.without_polite(input.keyword()?);
        self.is_keyword(keys, input) || bare().is_some_and(|bare| keys.contains(&bare))
    }

    /// Returns the payload of a button that the flow does not have.
    fn foreign_payload<'a>(&self, input: &'a TurnInput) -> Option<&'a str> {
        match input {
            TurnInput::Choice { id: Some(id), .. } if !self.has_button(id) => Some(id),
            _ => None,
        }
    }

    /// Returns whether the input is a tap on a button of the flow.
    fn is_own_tap(&self, input: &TurnInput) -> bool {
        matches!(input, TurnInput::Choice { id: Some(id), .. } if self.has_button(id))
    }

    fn open_question(&self, conversation: &Conversation) -> Option<&Question> {
        let state = match &conversation.internal.resume_step {
            Some(step) if conversation.state == COLD => step,
            _ => &conversation.state,
        };
        match &self.step(state)?.role {
            Role::Ask(question) => Some(question),
            _ => None,
        }
    }

    /// Returns whether the input is an option: of the open question, or tapped in any question.
    fn is_option(&self, conversation: &Conversation, input: &TurnInput) -> bool {
        if self.is_own_tap(input) {
            return true;
        }
        let question = self.open_question(conversation);
        let Some((Expected::Choice(choices), text)) =
            question.map(|it| &it.expected).zip(input.keyword())
        else {
            return false;
        };
        let is_named = |text: &str| choices.iter().any(|choice| choice.is_named(text));
        let bare = || self.keywords.opt_out_words.without_polite(text);
        is_named(text) || bare().is_some_and(|bare| is_named(&bare))
    }
}
