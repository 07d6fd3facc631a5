//! The opt-outs that a flow document need not list: "stop", "please stop messaging me", "no me escriban
//! más".

mod phrases;
mod words;

use foldhash::{HashMap, HashSet};

use super::{Spoken, in_languages, key, spaced};
use phrases::OPT_OUTS;
use words::VOCABULARIES;

/// No longer message is read as an opt-out, in bytes.
const MAX_OPT_OUT: usize = 160;

/// What a lead says of its own messages, as [`key`] returns it: no opt-out, in spite of its words.
const OWN: [&str; 28] = [
    "i don t text",
    "i don t write",
    "i don t send",
    "i don t message",
    "i never",
    "i do not text",
    "i do not write",
    "want to write",
    "want to text",
    "want to send",
    "no quiero escribir",
    "no quiero mandar",
    "nao quero escrever",
    "nao quero mandar",
    "ich schreib",
    "will nicht schreiben",
    "mochte nicht schreiben",
    "veux pas ecrire",
    "non voglio scrivere",
    "wil niet schrijven",
    "nie chce pisac",
    "nechci psat",
    "nechcem pisat",
    "vill inte skriva",
    "vil ikke skrive",
    "не хочу писать",
    "не хочу писати",
    "לא רוצה לכתוב",
];

/// Returns the opt-outs in the flow's languages and in English: WhatsApp's own buttons, and words that
/// people write to any business.
pub(in crate::flow) fn opt_outs(languages: &[String]) -> Vec<String> {
    in_languages(OPT_OUTS, languages)
}

/// The words of opt-outs in the flow's languages and in English, as [`key`] returns them.
#[derive(Debug, Default)]
pub(in crate::flow) struct OptOutWords {
    /// Every word that an opt-out may have. A message with another word is none.
    known: HashSet<String>,
    /// The words that an opt-out may have that is no phrase.
    loose: HashSet<String>,
    polite: HashSet<String>,
    /// Words that say nothing else beside an opt-out: "thanks", "no", "messages".
    idle: HashSet<String>,
    /// Opt-outs by themselves, by their first word, the longest first, with a space after each.
    phrases: HashMap<String, Vec<String>>,
    cease: Vec<String>,
    refuse: Vec<String>,
    messages: HashSet<String>,
    contact: HashSet<String>,
    firm: Vec<String>,
}

/// The words of one language.
struct Vocabulary {
    languages: &'static [&'static str],
    /// Words beside an opt-out that change nothing, separated by spaces.
    polite: &'static str,
    /// Words for no, which are idle beside an opt-out, separated by spaces.
    no: &'static str,
    /// What asks to end something, separated by commas.
    cease: &'static str,
    /// What refuses something, separated by commas.
    refuse: &'static str,
    /// Words for messages, separated by spaces. "No messages" may be an answer.
    messages: &'static str,
    /// What a business does with messages, separated by spaces. "Don't send" is an opt-out.
    contact: &'static str,
    /// With what a refusal of messages is an opt-out, separated by commas: "more", "don't want".
    firm: &'static str,
    /// Other words between these, separated by spaces.
    others: &'static str,
}

impl OptOutWords {
    /// Returns the words for a flow's languages; each of `phrases` is an opt-out by itself.
    pub(in crate::flow) fn new<'a>(
        languages: &[String],
        phrases: impl Iterator<Item = &'a String>,
    ) -> Self {
        let listed = |text: &str| -> Vec<String> { text.split(',').map(key).collect() };
        // Signs such as an apostrophe part a word into two.
        let spaced = |text: &str| -> Vec<String> {
            let keys = text.split_whitespace().map(key);
            keys.flat_map(|it| it.split(' ').map(ToOwned::to_owned).collect::<Vec<_>>())
                .collect()
        };
        let spoken = Spoken::new(languages);
        let mut all = Self::default();
        for words in VOCABULARIES.iter().filter(|it| spoken.any(it.languages)) {
            all.polite.extend(spaced(words.polite));
            all.cease.extend(listed(words.cease));
            all.refuse.extend(listed(words.refuse));
            all.messages.extend(spaced(words.messages));
            all.contact.extend(spaced(words.contact));
            all.firm.extend(listed(words.firm));
            all.idle.extend(spaced(words.no));
            all.loose.extend(spaced(words.others));
        }
        for words in [&all.polite, &all.messages] {
            all.idle.extend(words.iter().cloned());
        }
        all.idle.extend(all.refuse.iter().cloned());
        let parts = [&all.cease, &all.refuse, &all.firm].into_iter().flatten();
        let parts = parts.flat_map(|it| it.split(' '));
        all.loose.extend(parts.map(ToOwned::to_owned));
        for words in [&all.idle, &all.contact] {
            all.loose.extend(words.iter().cloned());
        }
        for phrase in phrases {
            let words = phrase.split(' ').map(ToOwned::to_owned);
            all.known.extend(words.clone());
            let same = all.phrases.entry(words.take(1).collect()).or_default();
            same.push(format!("{phrase} "));
        }
        for same in all.phrases.values_mut() {
            same.sort_unstable_by_key(|it| std::cmp::Reverse(it.len()));
        }
        all.known.extend(all.loose.iter().cloned());
        all
    }

    /// Returns whether a clause of `text` is an opt-out, and the other clauses say nothing else. Most
    /// texts are excluded by their first word.
    pub(super) fn is_opt_out(&self, text: &str) -> bool {
        if text.len() > MAX_OPT_OUT {
            return false;
        }
        let mut opts_out = false;
        for clause in without_slipped_ones(text)
            .split([',', '.', ';', ':', '!', '?', '\n', '،', '।', '¡', '¿'])
        {
            let Some(said) = spaced(&self.known, clause) else {
                return false;
            };
            if self.is_phrase(&said) || self.is_composed(&said) {
                opts_out = true;
            } else if !said.split_whitespace().all(|it| self.idle.contains(it)) {
                return false;
            }
        }
        opts_out
    }

    /// Returns `text` without polite words around it, as [`key`] returns it; none if it has none.
    pub(super) fn without_polite(&self, text: &str) -> Option<String> {
        let said = key(text);
        let all: Vec<&str> = said.split(' ').collect();
        let is_kept = |it: &&str| !self.polite.contains(*it);
        let from = all.iter().position(is_kept)?;
        let to = all.iter().rposition(is_kept)?;
        (to - from + 1 < all.len()).then(|| all.get(from..=to).unwrap_or_default().join(" "))
    }

    /// Returns whether `said` has opt-outs and polite words only.
    fn is_phrase(&self, said: &str) -> bool {
        let mut rest = said.trim_start();
        let mut has_phrase = false;
        while !rest.is_empty() {
            let Some((first, after)) = rest.split_once(' ') else {
                return false;
            };
            let mut phrases = self.phrases.get(first).into_iter().flatten();
            let phrase = phrases.find_map(|it| rest.strip_prefix(it.as_str()));
            has_phrase |= phrase.is_some();
            let is_polite = self.polite.contains(first);
            let Some(after) = phrase.or(is_polite.then_some(after)) else {
                return false;
            };
            rest = after;
        }
        has_phrase
    }

    /// Returns whether `said` asks to end messages, or refuses them firmly. "Don't stop" does neither, and
    /// "no messages" may answer a question.
    fn is_composed(&self, said: &str) -> bool {
        let has = |list: &[String]| list.iter().any(|it| super::contains(said, it));
        let has_word = |set: &HashSet<String>| said.split(' ').any(|it| set.contains(it));
        let contacts = has_word(&self.contact);
        let is_loose = |it: &str| it.is_empty() || self.loose.contains(it);
        if !contacts && !has_word(&self.messages) || !said.split(' ').all(is_loose) {
            return false;
        }
        let (ceases, refuses) = (has(&self.cease), has(&self.refuse));
        ceases != refuses
            && (ceases || contacts || has(&self.firm))
            && !OWN.iter().any(|it| super::contains(said, it))
    }
}

/// Returns `text` without the ones of a finger that left the shift key too early: "STOP!!!1".
fn without_slipped_ones(text: &str) -> &str {
    let bare = text.trim_end_matches(|c: char| c == '1' || !c.is_alphanumeric());
    let is_slip = text.get(bare.len()..).is_some_and(|it| it.contains("!1"));
    if is_slip { bare } else { text }
}
