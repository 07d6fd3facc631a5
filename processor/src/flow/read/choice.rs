//! Finds the option that a message chooses.

use std::collections::HashSet;
use std::sync::LazyLock;

use strsim::osa_distance;

use super::plain::plain;
use crate::flow::keyword::words;

/// One of the options of a question.
#[derive(Debug)]
pub(in crate::flow) struct Choice {
    /// The value of the field, and the id of its button.
    pub(in crate::flow) value: String,
    /// Its titles in each language, its value, and other words for it, as [`written`] and [`key`] return
    /// them.
    pub(in crate::flow) names: Vec<String>,
}

impl Choice {
    /// Returns whether `text` is a name of the option.
    pub(in crate::flow) fn is_named(&self, text: &str) -> bool {
        self.names.contains(&written(text)) || self.names.contains(&key(text))
    }
}

static FILLERS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| FILLER_WORDS.split_ascii_whitespace().collect());

/// Words that choose nothing by themselves, as [`key`] returns them.
const FILLER_WORDS: &str = "please pls plz por favor bitte gern gerne s il vous plait svp per favore alsjeblieft \
    graag пожалуиста прошу prosze lutfen tolong xin the a an el la los las un una le les l \
    une der die das den ein eine lo i gli o os as um uma de option opcion opcao scelta \
    numero number nr nummer num n id want would like prefer choose take quiero quisiera \
    prefiero elijo quero queria prefiro escolho ich mochte nehme hatte je veux voudrais \
    prefere choisis vorrei preferisco scelgo voglio выбираю хочу это it is my es mi e meu \
    minha ist mein c est mon thanks thank you gracias obrigado obrigada danke merci grazie \
    спасибо i am m a we are sou soy suis sono bin jestem somos sind wir eu yo io я \
    sure claro klar naturlich certo конечно em na moro vivo wohne habite abito live in";

/// Words that join two parts of a name; some write them as "&".
const AND: [&str; 13] = [
    "and", "y", "e", "und", "et", "en", "och", "og", "и", "i", "dan", "va", "oraz",
];

/// Shorter names have neighbours that are one letter away.
const LEAST_FOR_SLIP: usize = 5;

/// Returns the option that `text` names: by a name of it, by its number in the list, or by both.
/// Accents, case, signs and emoji do not matter. Returns none where more than one is named, and for
/// words that may say more than a choice.
pub(super) fn by_text<'a>(choices: &'a [Choice], text: &str) -> Option<&'a Choice> {
    if let Some(at) = exact(choices, &written(text)) {
        return choices.get(at);
    }
    let said = key(text);
    let named = |said: &str| exact(choices, said).or_else(|| numbered(choices, said));
    let at = named(&said).or_else(|| {
        let bare = without_fillers(&said, choices);
        named(&bare)
            .or_else(|| repeated(choices, &bare))
            .or_else(|| stretched(choices, &bare))
            .or_else(|| slip(choices, &bare))
    })?;
    choices.get(at)
}

/// Returns the text in lower case, with its signs.
pub(in crate::flow) fn written(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Returns the words of `text` as names are compared, without the words that join its parts. Of signs
/// alone, such as an emoji, returns the signs.
pub(in crate::flow) fn key(text: &str) -> String {
    let words: String = words(&plain(text)).collect();
    if words.is_empty() {
        return written(text);
    }
    let mut kept = String::with_capacity(words.len());
    let mut rest = words.split(' ').peekable();
    while let Some(word) = rest.next() {
        let joins = !kept.is_empty() && rest.peek().is_some() && AND.contains(&word);
        if !joins {
            kept.extend((!kept.is_empty()).then_some(' '));
            kept.push_str(word);
        }
    }
    kept
}

fn exact(choices: &[Choice], said: &str) -> Option<usize> {
    choices
        .iter()
        .position(|choice| !said.is_empty() && choice.names.iter().any(|name| name == said))
}

/// Returns `said` without fillers that are no part of an option's name.
fn without_fillers(said: &str, choices: &[Choice]) -> String {
    let is_in_name = |word: &str| {
        let mut names = choices.iter().flat_map(|choice| &choice.names);
        names.any(|name| name.split(' ').any(|part| part == word))
    };
    let kept = said
        .split(' ')
        .filter(|word| !FILLERS.contains(word) || is_in_name(word));
    kept.collect::<Vec<_>>().join(" ")
}

/// Returns the option of a number, which a name of the same option may follow.
fn numbered(choices: &[Choice], said: &str) -> Option<usize> {
    let (number, name) = said.split_once(' ').unwrap_or((said, ""));
    let at = number.parse::<usize>().ok()?.checked_sub(1)?;
    (at < choices.len() && (name.is_empty() || exact(choices, name) == Some(at))).then_some(at)
}

/// Returns the option that each word of `said` names, as in "yes sure".
fn repeated(choices: &[Choice], said: &str) -> Option<usize> {
    let mut named = said.split(' ').map(|word| exact(choices, word));
    let first = named.next()??;
    named.all(|at| at == Some(first)).then_some(first)
}

/// Returns the option whose last letter `said` repeats, as in "yesss".
fn stretched(choices: &[Choice], said: &str) -> Option<usize> {
    let last = said.chars().next_back().filter(|it| it.is_alphabetic())?;
    let stem = said.trim_end_matches(last);
    let is_stretched = !stem.is_empty() && stem.len() + last.len_utf8() < said.len();
    is_stretched.then(|| exact(choices, &format!("{stem}{last}")))?
}

/// Returns the option whose name is one slip of a finger away, if no other is near.
fn slip(choices: &[Choice], said: &str) -> Option<usize> {
    let length = said.chars().count();
    let has_digit = |text: &str| text.contains(char::is_numeric);
    if length < LEAST_FOR_SLIP || has_digit(said) {
        return None;
    }
    let is_near = |choice: &Choice, most: usize| {
        choice.names.iter().any(|name| {
            let of_name = name.chars().count();
            // Another first letter often makes another word: "amanhã" is not "manhã".
            of_name >= LEAST_FOR_SLIP
                && name.chars().next() == said.chars().next()
                && of_name.abs_diff(length) <= most
                && !has_digit(name)
                && osa_distance(said, name) <= most
        })
    };
    let mut near = choices
        .iter()
        .enumerate()
        .filter(|(_, choice)| is_near(choice, 2));
    let (at, choice) = near.next()?;
    (near.next().is_none() && is_near(choice, 1)).then_some(at)
}
