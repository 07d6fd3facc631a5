//! The requests for a person that a flow document need not list: "human please", "quiero hablar con
//! alguien".

mod words;

use foldhash::HashSet;

use super::{Spoken, contains, is_one_of, key, spaced};
use words::{CALLS, PHRASES, REFUSALS, VOCABULARIES};

/// No longer message is read as a request, in bytes.
const MAX_REQUEST: usize = 120;

/// Short messages that answer a question such as "Who reads it?", in spite of their words.
const ANSWERS: [&str; 2] = [" a human ", " a person "];

/// The words with which leads ask for a person, in the flow's languages and in English, as
/// [`key`] returns them.
#[derive(Debug, Default)]
pub(in crate::flow) struct PersonWords {
    /// Every word that a request may have. A message with another word is none.
    known: HashSet<String>,
    /// The words of which a request has one.
    named: HashSet<String>,
    /// Words for a human being, which ask for one by themselves.
    humans: Vec<String>,
    /// Words for a person, which may also count people: "una persona".
    persons: Vec<String>,
    /// Names of jobs, which may also be answers: "agent".
    jobs: Vec<String>,
    /// Words such as "somebody", which ask only with a verb of talking.
    others: Vec<String>,
    talk: Vec<String>,
    want: Vec<String>,
    /// The words for one, before a person.
    ones: Vec<String>,
    /// Wishes for a call: "call me".
    calls: Vec<String>,
    /// Refusals of a call or a person, in words that requests have as well.
    refusals: Vec<String>,
    /// Whole messages with other words, or of languages that put no spaces between words.
    phrases: Vec<String>,
}

/// How surely a message asks for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Sure,
    /// The name of a job, or a wish for a call: an answer to a question for a text.
    Unsure,
}

/// The words of one language.
struct Vocabulary {
    languages: &'static [&'static str],
    /// Separated by commas, because one may have several words.
    humans: &'static str,
    persons: &'static str,
    jobs: &'static str,
    others: &'static str,
    /// Separated by spaces.
    talk: &'static str,
    want: &'static str,
    ones: &'static str,
    fillers: &'static str,
}

impl PersonWords {
    /// Returns the words for a flow's languages, without what `is_free` refuses.
    pub(in crate::flow) fn new(languages: &[String], is_free: impl Fn(&String) -> bool) -> Self {
        let spoken = Spoken::new(languages);
        let is_spoken = |tags: &[&str]| spoken.any(tags);
        let listed = |text: &str| -> Vec<String> { text.split(',').map(key).collect() };
        let spaced = |text: &str| -> Vec<String> { text.split_whitespace().map(key).collect() };
        let mut all = Self::default();
        for spoken in VOCABULARIES.iter().filter(|it| is_spoken(it.languages)) {
            for (list, words) in [
                (&mut all.humans, listed(spoken.humans)),
                (&mut all.persons, listed(spoken.persons)),
                (&mut all.jobs, listed(spoken.jobs)),
                (&mut all.others, listed(spoken.others)),
                (&mut all.talk, spaced(spoken.talk)),
                (&mut all.want, spaced(spoken.want)),
                (&mut all.ones, spaced(spoken.ones)),
            ] {
                let words = words.into_iter().filter(|it| !it.is_empty() && is_free(it));
                list.extend(words);
            }
            all.known.extend(spaced(spoken.fillers));
        }
        let single = |lists: &[&Vec<String>]| -> HashSet<String> {
            let words = lists.iter().copied().flatten();
            words
                .flat_map(|words| words.split(' ').map(ToOwned::to_owned))
                .collect()
        };
        let of_language = |table: &[(&[&str], &str)]| -> Vec<String> {
            let spoken = table.iter().filter(|(tags, _)| is_spoken(tags));
            spoken
                .flat_map(|(_, words)| listed(words))
                .filter(&is_free)
                .collect()
        };
        all.calls = of_language(CALLS);
        all.refusals = of_language(REFUSALS);
        all.phrases = of_language(PHRASES);
        all.named = single(&[
            &all.humans,
            &all.persons,
            &all.jobs,
            &all.others,
            &all.calls,
        ]);
        all.known.extend(all.named.iter().cloned());
        all.known.extend(single(&[&all.talk, &all.want, &all.ones]));
        all
    }

    /// Returns whether `text` as a whole asks for a person. Most texts are excluded by their first
    /// word.
    pub(super) fn request(&self, text: &str) -> Option<Request> {
        if text.len() > MAX_REQUEST {
            return None;
        }
        let Some(said) = spaced(&self.known, text).filter(|it| it.len() > 2) else {
            let asks = is_one_of(&self.phrases, text).then_some(Request::Sure);
            return asks.or_else(|| is_one_of(&self.calls, text).then_some(Request::Unsure));
        };
        if !said.split(' ').any(|word| self.named.contains(word))
            || ANSWERS.contains(&said.as_str())
        {
            return None;
        }
        let has = |list: &[String]| list.iter().any(|it| contains(&said, it));
        if has(&self.refusals) {
            return None;
        }
        let talks = has(&self.talk);
        if has(&self.humans) || (talks && (has(&self.jobs) || has(&self.others))) {
            return Some(Request::Sure);
        }
        if has(&self.persons) {
            let counts_one = !talks && !has(&self.want) && has(&self.ones);
            return (!counts_one).then_some(Request::Sure);
        }
        (has(&self.jobs) || has(&self.calls)).then_some(Request::Unsure)
    }
}

#[cfg(test)]
mod tests;
