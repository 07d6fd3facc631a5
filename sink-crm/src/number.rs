//! Compares phone numbers as people write them with those of WhatsApp. Pure.

use leadstream_schemas::notation::other_notation;
use phonenumber::metadata::DATABASE;
use phonenumber::{Mode, PhoneNumber, country};

/// Digits of a number at most, by E.164, and some that people add in front.
const LONGEST: usize = 20;

/// The number of a lead, in the forms in which its country writes it.
#[derive(Clone, Debug)]
pub(crate) struct Number {
    country: Option<country::Id>,
    /// One for each form.
    parsed: Vec<PhoneNumber>,
}

impl Number {
    /// Parses a `wa_id`: digits, with the country's code first.
    pub(crate) fn new(wa_id: &str) -> Option<Self> {
        let digits = digits(wa_id)?;
        let other = other_notation(&digits);
        let parsed: Vec<PhoneNumber> = std::iter::once(digits)
            .chain(other)
            .filter_map(|digits| phonenumber::parse(None, format!("+{digits}")).ok())
            .collect();
        let first = parsed.first()?;
        let main = || {
            DATABASE
                .region(&first.country().code())?
                .first()?
                .parse()
                .ok()
        };
        Some(Self {
            country: first.country().id().or_else(main),
            parsed,
        })
    }

    /// Returns whether the text is this number, in any notation, with the country's code or as
    /// written within the country.
    pub(crate) fn is(&self, text: &str) -> bool {
        let Some(digits) = digits(text) else {
            return false;
        };
        let international = text
            .find('+')
            .is_some_and(|plus| !text[..plus].contains(|c: char| c.is_ascii_digit()));
        let readings = [
            Some((None, format!("+{digits}"))),
            digits
                .strip_prefix("00")
                .map(|rest| (None, format!("+{rest}"))),
            (!international).then(|| (self.country, digits.clone())),
        ];
        readings
            .into_iter()
            .flatten()
            .filter_map(|(country, reading)| phonenumber::parse(country, reading).ok())
            .any(|reading| {
                self.parsed.iter().any(|own| {
                    own.code().value() == reading.code().value()
                        && own.national() == reading.national()
                })
            })
    }

    /// Returns the digits within the country, without the prefix of long distance.
    pub(crate) fn national(&self) -> Vec<String> {
        self.parsed
            .iter()
            .map(|number| number.national().to_string())
            .collect()
    }

    /// Returns the number with a plus sign and the country's code.
    pub(crate) fn international(&self) -> Vec<String> {
        self.parsed
            .iter()
            .map(|number| number.format().mode(Mode::E164).to_string())
            .collect()
    }

    /// Returns the digits that are dialled: abroad, within the country, and without its prefix of long
    /// distance.
    pub(crate) fn dialled(&self) -> Vec<String> {
        let notations = self.notations();
        let notations = notations
            .iter()
            .map(|text| text.chars().filter(char::is_ascii_digit).collect());
        let mut dialled: Vec<String> = notations.chain(self.national()).collect();
        dialled.sort_unstable();
        dialled.dedup();
        dialled
    }

    /// Returns the notations in which CRMs and people store the number most often.
    pub(crate) fn notations(&self) -> Vec<String> {
        let mut notations: Vec<String> = self
            .parsed
            .iter()
            .flat_map(|number| {
                let as_in = |mode| number.format().mode(mode).to_string();
                let e164 = as_in(Mode::E164);
                let bare = e164.trim_start_matches('+').to_owned();
                let national = as_in(Mode::National);
                let short = national.chars().filter(char::is_ascii_digit).collect();
                [e164, bare, as_in(Mode::International), national, short]
            })
            .collect();
        notations.sort_unstable();
        notations.dedup();
        notations
    }
}

/// Returns the digits of what a person wrote, up to an extension.
fn digits(text: &str) -> Option<String> {
    let digits: String = text
        .trim_start_matches(|letter: char| !letter.is_ascii_digit())
        .chars()
        .take_while(|letter| !letter.is_alphabetic() && !matches!(letter, '#' | ',' | ';'))
        .filter(char::is_ascii_digit)
        .collect();
    (5..=LONGEST).contains(&digits.len()).then_some(digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Number;

    #[test]
    fn a_number_is_known_in_the_notations_that_people_use() {
        for (wa_id, same, others) in [
            (
                "14155552671",
                &[
                    "+1 415-555-2671",
                    "(415) 555-2671",
                    "415.555.2671",
                    "1 415 555 2671",
                    "0014155552671",
                    "+14155552671 ext. 12",
                ][..],
                &["+1 415 555 2672", "555-2671", "+49 415 5552671", "", "none"][..],
            ),
            (
                "4915112345678",
                &[
                    "+49 151 12345678",
                    "0151 12345678",
                    "0151/123 456 78",
                    "0049 151 12345678",
                    "+49 (0) 151 12345678",
                ],
                &["+1 151 1234 5678", "0152 12345678"],
            ),
            (
                "551187654321",
                &[
                    "+55 11 98765-4321",
                    "(11) 98765-4321",
                    "(11) 8765-4321",
                    "+55 11 8765-4321",
                    "5511987654321",
                ],
                &["+55 21 98765-4321"],
            ),
            (
                "5215512345678",
                &["+52 55 1234 5678", "55 1234 5678", "+52 1 55 1234 5678"],
                &["+52 33 1234 5678"],
            ),
            (
                "5491123456789",
                &["+54 9 11 2345-6789", "+54 11 2345-6789"],
                &["+54 11 2345-6780"],
            ),
        ] {
            let number = Number::new(wa_id).unwrap();
            for text in same {
                assert!(number.is(text), "{text} is {wa_id}: {number:?}");
            }
            for text in others {
                assert!(!number.is(text), "{text} is not {wa_id}");
            }
        }
        assert!(Number::new("lid:123").is_none());
        assert!(Number::new("").is_none());
    }

    #[test]
    fn what_is_looked_for_are_the_notations_of_crms() {
        let number = Number::new("14155552671").unwrap();
        assert_eq!(number.national(), ["4155552671"]);
        let notations = number.notations();
        for notation in [
            "+14155552671",
            "14155552671",
            "(415) 555-2671",
            "4155552671",
        ] {
            assert!(
                notations.iter().any(|known| known == notation),
                "{notation}: {notations:?}"
            );
        }
        assert_eq!(
            Number::new("551187654321").unwrap().national(),
            ["1187654321", "11987654321"]
        );
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read(text in "\\PC{0,40}", digits in "[0-9]{5,20}") {
            if let Some(number) = Number::new(&digits) {
                number.is(&text);
                number.notations();
                let written = format!("+{digits}");
                prop_assert!(number.is(&written), "{}", written);
            }
        }
    }
}
