//! Knows the two notations of mobile numbers in countries that changed theirs. WhatsApp keeps the
//! notation with which an account began, so one person has either, and programs write both.
//!
//! | country | today | also |
//! | --- | --- | --- |
//! | Brazil | `55`, area code, `9`, eight digits | without the `9` |
//! | Mexico | `52`, ten digits | `521` |
//! | Argentina | `549`, ten digits | `54` |

use std::borrow::Cow;

/// A number that has two notations, of which one has a digit more.
struct TwoNotations<'a> {
    before: &'a str,
    /// The digit that only one notation has.
    digit: char,
    after: &'a str,
    has_digit: bool,
    /// Whether the country writes the digit today.
    keeps_digit: bool,
}

/// Returns the other notation of a `wa_id`, if its country has two. A number that cannot be a
/// mobile number has one.
#[must_use]
pub fn other_notation(wa_id: &str) -> Option<String> {
    let number = TwoNotations::of(wa_id)?;
    Some(number.written(!number.has_digit))
}

/// Returns a `wa_id` in the notation that its country uses today, with which a phone can call it.
#[must_use]
pub fn present_notation(wa_id: &str) -> Cow<'_, str> {
    match TwoNotations::of(wa_id) {
        Some(number) if number.has_digit != number.keeps_digit => {
            Cow::Owned(number.written(number.keeps_digit))
        }
        _ => Cow::Borrowed(wa_id),
    }
}

impl<'a> TwoNotations<'a> {
    fn of(wa_id: &'a str) -> Option<Self> {
        // Nearly every number of another country ends here.
        let rest = wa_id.strip_prefix('5')?;
        let (country, digit, place, keeps_digit) = match rest.as_bytes().first()? {
            b'5' => ("55", '9', 4, true),
            b'2' => ("52", '1', 2, false),
            b'4' => ("54", '9', 2, true),
            _ => return None,
        };
        let is_number = wa_id.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || !(12..=13).contains(&wa_id.len()) {
            return None;
        }
        let (before, rest) = wa_id.split_at_checked(place)?;
        let has_digit = wa_id.len() == 13;
        let after = if has_digit {
            rest.strip_prefix(digit)?
        } else {
            rest
        };
        let first = after.bytes().next()?;
        let is_mobile = match country {
            // Landlines begin with 2 to 5. One of them with a 9 in front is another person's mobile.
            "55" => !matches!(first, b'0' | b'2'..=b'5') && !before.contains('0'),
            "52" => matches!(first, b'2'..=b'9'),
            _ => matches!(first, b'1'..=b'8'),
        };
        is_mobile.then_some(Self {
            before,
            digit,
            after,
            has_digit,
            keeps_digit,
        })
    }

    fn written(&self, with_digit: bool) -> String {
        let mut number = String::with_capacity(13);
        number.push_str(self.before);
        if with_digit {
            number.push(self.digit);
        }
        number.push_str(self.after);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::{other_notation, present_notation};

    #[test]
    fn a_mobile_number_of_three_countries_has_two_notations() {
        // Today's notation first.
        for (today, before) in [
            ("5511987650001", "551187650001"),
            ("5521998765432", "552198765432"),
            ("5531976543210", "553176543210"),
            ("5585966667777", "558566667777"),
            ("5511912345678", "551112345678"),
            ("5599999999999", "559999999999"),
            ("525512345678", "5215512345678"),
            ("528112345678", "5218112345678"),
            ("529999999999", "5219999999999"),
            ("5491123456789", "541123456789"),
            ("5492615551234", "542615551234"),
            ("5493415551234", "543415551234"),
        ] {
            assert_eq!(other_notation(today).as_deref(), Some(before));
            assert_eq!(other_notation(before).as_deref(), Some(today));
            assert_eq!(present_notation(today), today);
            assert_eq!(present_notation(before), today);
        }
    }

    #[test]
    fn any_other_number_has_one() {
        for number in [
            "",
            "5",
            "55",
            "4915780000003",
            "14155552671",
            // Landlines of Brazil, and the mobiles that only look like them with a 9 in front.
            "551134567890",
            "551124567890",
            "551154567890",
            "5511945678901",
            "5511923456789",
            // Area codes have no 0.
            "551087650001",
            "5501987650001",
            // Too short and too long.
            "55118765000",
            "55119876500011",
            "52551234567",
            "52155123456789",
            // No such numbers of Mexico and Argentina.
            "520012345678",
            "5211012345678",
            "5212012345",
            "540112345678",
            "549912345678",
            // Neighbours of these codes.
            "5115551234567",
            "5311987650001",
            "5611987650001",
            "5711987650001",
            "5811987650001",
            // No digits.
            "55119876500é1",
            "551198765000 ",
            "+551187650001",
            "BR.11987650001",
        ] {
            assert_eq!(other_notation(number), None, "{number}");
            assert_eq!(present_notation(number), number);
        }
    }

    #[test]
    fn the_other_notation_of_the_other_is_the_first() {
        let mut with_two = 0;
        for prefix in [
            "55", "5511", "55119", "552199", "52", "521", "54", "549", "5", "1", "",
        ] {
            for (digit, length) in (0..=9).flat_map(|digit| (9..=15).map(move |it| (digit, it))) {
                let number = format!("{prefix}{digit}");
                let number = format!("{number}{}", "7".repeat(length - number.len()));
                let Some(other) = other_notation(&number) else {
                    assert_eq!(present_notation(&number), number);
                    continue;
                };
                with_two += 1;
                assert_ne!(other, number);
                assert_eq!(present_notation(&other), present_notation(&number));
                assert_eq!(other_notation(&other), Some(number));
            }
        }
        assert!(with_two > 50, "{with_two}");
    }
}
