//! Finds the option that a message chooses.

mod place;

use std::sync::LazyLock;

use foldhash::HashSet;
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
    sure claro klar naturlich certo конечно em na moro vivo wohne habite abito live in \
    номер вариант nomor nomer yang numara numer cislo szam variant opzione optie opcja optia secenek \
    pilihan het det az το τον την η ο वाला वाली wala wali";

/// Words that join two parts of a name; some write them as "&".
const AND: [&str; 13] = [
    "and", "y", "e", "und", "et", "en", "och", "og", "и", "i", "dan", "va", "oraz",
];

/// Shorter names have neighbours that are one letter away.
const LEAST_FOR_SLIP: usize = 5;

/// Returns the option that `text` names: by a name of it, by its place in the list, or by both. Accents,
/// case, signs and emoji do not matter, except for a sign that changes a number. Returns none where more
/// than one is named, and for words that may say more than a choice.
pub(in crate::flow) fn by_text<'a>(
    choices: &'a [Choice],
    text: &str,
    languages: &[String],
) -> Option<&'a Choice> {
    if let Some(at) = exact(choices, &written(text)) {
        return choices.get(at);
    }
    let said = key(text);
    let is_changed_number = is_changed(text);
    let is_place = !is_changed_number && !is_measured(text);
    let placed = |said: &str| is_place.then(|| placed(choices, said, languages))?;
    let named = |said: &str| exact(choices, said).or_else(|| placed(said));
    let at = named(&said).or_else(|| {
        let bare = without_fillers(&said, choices, |_| false);
        // "Una de las dos" names no place.
        let places = without_fillers(&said, choices, |word| place::is_word(word, languages));
        exact(choices, &bare)
            .or_else(|| placed(&places))
            .or_else(|| spelled(choices, text))
            .or_else(|| repeated(choices, &bare))
            .or_else(|| stretched(choices, &bare))
            .or_else(|| slip(choices, &bare))
    })?;
    let chosen = choices.get(at)?;
    let has_sign = || chosen.names.iter().any(|name| is_changed(name));
    (!is_changed_number || has_sign()).then_some(chosen)
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

/// Returns `said` without fillers that are no part of an option's name and not `kept`.
fn without_fillers(said: &str, choices: &[Choice], kept: impl Fn(&str) -> bool) -> String {
    let is_in_name = |word: &str| {
        let mut names = choices.iter().flat_map(|choice| &choice.names);
        names.any(|name| name.split(' ').any(|part| part == word))
    };
    let words = said
        .split(' ')
        .filter(|word| !FILLERS.contains(word) || is_in_name(word) || kept(word));
    words.collect::<Vec<_>>().join(" ")
}

/// Returns the option of a place in the list, which a name of the same option may follow. A word or
/// number in the name of another option may mean that one.
fn placed(choices: &[Choice], said: &str, languages: &[String]) -> Option<usize> {
    let at = |place: usize| place.checked_sub(1).filter(|at| *at < choices.len());
    if let Some((number, name)) = said.split_once(' ')
        && let Some(at) = number.parse().ok().and_then(at)
        && exact(choices, name) == Some(at)
    {
        return Some(at);
    }
    let at = at(place::place(said, choices.len(), languages)?)?;
    let others = || choices.iter().enumerate().filter(|(of, _)| *of != at);
    let is_in_name = |word: &str| {
        let mut names = others().flat_map(|(_, choice)| &choice.names);
        names.any(|name| name.split(' ').any(|part| part == word))
    };
    (!said.split(' ').any(is_in_name)).then_some(at)
}

/// Returns whether a sign at a number makes it another: "-1", "1%", "<2".
fn is_changed(text: &str) -> bool {
    has_sign(text, &['-', '+', '<', '>', '±'], &['%', '+', '½'])
}

/// Returns whether a sign at a number makes it no place in a list. A list shows "1." and "1)".
fn is_measured(text: &str) -> bool {
    has_sign(
        text,
        &['$', '€', '£', '¥', '₹', '~', '='],
        &['$', '€', '£', '₽', '°'],
    )
}

/// Returns whether one of these signs is directly before or after a number. A dash after a letter or a
/// digit only parts them.
fn has_sign(text: &str, before: &[char], after: &[char]) -> bool {
    let chars: Vec<char> = plain(text).chars().collect();
    let at = |at: Option<usize>| at.and_then(|at| chars.get(at)).copied();
    let is_any = |c: Option<char>, signs: &[char]| c.is_some_and(|c| signs.contains(&c));
    chars.iter().enumerate().any(|(here, c)| {
        let is_parting = || at(here.checked_sub(2)).is_some_and(char::is_alphanumeric);
        c.is_ascii_digit()
            && (is_any(at(here.checked_sub(1)), before) && !is_parting()
                || is_any(at(here.checked_add(1)), after))
    })
}

/// Returns the option that is spelled in single letters, as in "y e s".
fn spelled(choices: &[Choice], text: &str) -> Option<usize> {
    let said: String = words(&plain(text)).collect();
    let mut letters = said.split(' ');
    let is_spelled = said.contains(' ') && letters.all(|it| it.chars().nth(1).is_none());
    is_spelled.then(|| exact(choices, &said.replace(' ', "")))?
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
