//! What starts a flow, and what two flows claim both.

use super::keyword::is_same;
use super::{ChosenBy, Flow, keyword};

/// What starts a flow, as its document lists it; nothing if the flow takes every other conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartedBy {
    pub keywords: Vec<String>,
    pub referrals: Vec<String>,
    pub numbers: Vec<String>,
}

/// A word or id that starts two flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// `keyword`, `referral` or `number`.
    pub(crate) kind: &'static str,
    /// The word or id as this flow lists it.
    pub(crate) word: String,
    /// The word or id as the other flow lists it.
    pub(crate) other: String,
}

impl ChosenBy {
    const fn is_empty(&self) -> bool {
        self.referrals.is_empty() && self.keywords.is_empty() && self.numbers.is_empty()
    }
}

impl Flow {
    /// Returns what starts the flow.
    #[must_use]
    pub fn started_by(&self) -> StartedBy {
        StartedBy {
            keywords: self.chosen_by.written_keywords.clone(),
            referrals: self.chosen_by.referrals.clone(),
            numbers: self.chosen_by.numbers.clone(),
        }
    }

    /// Returns whether the flow takes every conversation that no other flow is chosen for.
    #[must_use]
    pub const fn takes_all(&self) -> bool {
        self.chosen_by.is_empty()
    }

    /// Returns a word or id that starts `other`, too. Keywords are compared as those of a lead are.
    pub(crate) fn shared_claim(&self, other: &Self) -> Option<Claim> {
        let (mine, its) = (&self.chosen_by, &other.chosen_by);
        let is_same_word = |one: &str, other: &str| {
            is_same(&keyword::key(one), other) || is_same(&keyword::key(other), one)
        };
        let is_equal = |one: &str, other: &str| one == other;
        shared(
            "keyword",
            &mine.written_keywords,
            &its.written_keywords,
            is_same_word,
        )
        .or_else(|| shared("referral", &mine.referrals, &its.referrals, is_equal))
        .or_else(|| shared("number", &mine.numbers, &its.numbers, is_equal))
    }
}

fn shared(
    kind: &'static str,
    mine: &[String],
    its: &[String],
    is_same: impl Fn(&str, &str) -> bool,
) -> Option<Claim> {
    mine.iter().find_map(|word| {
        let other = its.iter().find(|other| is_same(word, other))?;
        Some(Claim {
            kind,
            word: word.clone(),
            other: other.clone(),
        })
    })
}
