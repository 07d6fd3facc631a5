//! Reads the words around the number.

use super::period::Period;
use super::token::Token;
use super::words::{self, Meaning, meaning};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

/// The meaning of the words around the number.
#[derive(Default)]
pub(super) struct Context {
    /// The currencies that fit every mention so far; none without a mention.
    pub(super) currencies: Option<Vec<&'static str>>,
    pub(super) period: Option<Period>,
    pub(super) has_unit: bool,
    pub(super) is_approximate: bool,
    pub(super) has_unknown: bool,
}

impl Context {
    pub(super) fn has_currency(&self) -> bool {
        self.currencies.is_some()
    }

    pub(super) fn may_be(&self, code: &str) -> bool {
        self.currencies
            .as_ref()
            .is_some_and(|codes| codes.contains(&code))
    }

    /// Returns whether no currency was mentioned, or one that may be among `codes`.
    pub(super) fn may_be_one_of(&self, codes: &[&str]) -> bool {
        !self.has_currency() || codes.iter().any(|code| self.may_be(code))
    }

    /// Reads the tokens of one side; none if they make the number unclear.
    pub(super) fn read(&mut self, tokens: &[Token], side: Side) -> Option<()> {
        let mut is_per = false;
        let mut tokens = tokens.iter().peekable();
        while let Some(token) = tokens.next() {
            let word = match token {
                Token::Number(_) => return None,
                Token::Break => continue,
                Token::Slash => {
                    is_per = true;
                    continue;
                }
                Token::About => {
                    self.is_approximate = true;
                    continue;
                }
                // "R$ 0.80 per kWh", "20 people users"
                Token::Unit if is_per || self.has_unit => return None,
                Token::Unit => {
                    self.has_unit = true;
                    continue;
                }
                Token::Currency(codes) => {
                    self.mention(codes)?;
                    continue;
                }
                Token::Word(word) => word.as_str(),
            };
            let mut is_followed_by = |second: &str| {
                let next = |token: &&Token| matches!(token, Token::Word(word) if word == second);
                tokens.next_if(next).is_some()
            };
            // "please", and the short forms of "per month" and "per annum".
            if word == "por" && is_followed_by("favor") {
                continue;
            }
            let period = match word {
                "p" if is_followed_by("m") => Some(Period::Month),
                "p" if is_followed_by("a") => Some(Period::Year),
                // "par an", but "an hour".
                "an" if is_per => Some(Period::Year),
                _ => None,
            };
            if let Some(period) = period {
                self.pay(period)?;
                is_per = false;
                continue;
            }
            match meaning(word) {
                Some(Meaning::Unclear) => return None,
                Some(_) if side == Side::After && words::is_bound_after(word) => return None,
                Some(Meaning::Per) => is_per = true,
                // "7500 a month", but "a budget of 7500".
                Some(Meaning::Article) => is_per |= side == Side::After,
                Some(Meaning::Period(period) | Meaning::Periodic(period)) => {
                    self.pay(period)?;
                    is_per = false;
                }
                Some(Meaning::About) => self.is_approximate = true,
                Some(Meaning::Filler) => {}
                Some(Meaning::Currency(_)) | None if is_per => return None,
                Some(Meaning::Currency(codes)) => self.mention(codes)?,
                None => self.has_unknown = true,
            }
        }
        (!is_per).then_some(())
    }

    /// Notes the period; none if another was noted.
    fn pay(&mut self, period: Period) -> Option<()> {
        let known = *self.period.get_or_insert(period);
        (known == period).then_some(())
    }

    /// Narrows the currencies to `codes`; none if no currency fits every mention.
    fn mention(&mut self, codes: &[&'static str]) -> Option<()> {
        let common: Vec<_> = match &self.currencies {
            None => codes.to_vec(),
            Some(known) => known
                .iter()
                .copied()
                .filter(|code| codes.contains(code))
                .collect(),
        };
        let is_one = !common.is_empty();
        self.currencies = Some(common);
        is_one.then_some(())
    }
}
