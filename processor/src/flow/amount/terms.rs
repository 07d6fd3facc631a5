//! Says what a question takes as an amount.

use super::period::Period;
use super::token;

/// What a question takes as an amount.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The period of an amount that names none; none if the amount has no period.
    pub period: Option<Period>,
    /// True if an amount of another period is converted.
    pub converts: bool,
    /// The words that may stand beside the number as its unit, as [`Terms::unit`] returns them.
    pub units: Vec<String>,
    /// True if "about 5000" is an answer.
    pub takes_approximations: bool,
    /// The currencies of answers; none if they do not matter.
    pub currency: Option<Currencies>,
}

impl Default for Terms {
    /// Returns the terms of a plain number: a month or no period, no unit, and any currency.
    fn default() -> Self {
        Self {
            period: Some(Period::Month),
            converts: false,
            units: Vec::new(),
            takes_approximations: true,
            currency: None,
        }
    }
}

impl Terms {
    /// Returns a unit as messages are read; none if no message can have it.
    #[must_use]
    pub fn unit(written: &str) -> Option<String> {
        let unit = token::normalized(written.trim());
        unit.starts_with(char::is_alphabetic).then_some(unit)
    }
}

/// The currencies that a question takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Currencies {
    /// ISO 4217 codes. The first is the one of an amount without a currency.
    pub codes: Vec<String>,
    /// True if others are taken, too.
    pub takes_others: bool,
}

impl Currencies {
    /// Returns whether every answer has a currency.
    #[must_use]
    pub const fn is_certain(&self) -> bool {
        !self.codes.is_empty()
    }

    /// Returns the currency of an amount whose text may mean the `meant` ones; none if the text leaves
    /// it open, or means others than the question takes.
    #[must_use]
    pub fn code(&self, meant: Option<&[&str]>) -> Option<String> {
        let Some(meant) = meant else {
            return self.codes.first().cloned();
        };
        let is_meant = |code: &&String| meant.iter().any(|it| it.eq_ignore_ascii_case(code));
        match (self.codes.iter().find(is_meant), meant) {
            (Some(code), _) => Some(code.clone()),
            (None, [only]) if self.takes_others => Some(only.to_ascii_uppercase()),
            _ => None,
        }
    }
}
