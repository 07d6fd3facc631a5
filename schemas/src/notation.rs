//! Reads phone numbers as people write them, and knows the two notations of mobile numbers in countries
//! that changed theirs. WhatsApp keeps the notation with which an account began, so one person has
//! either, and programs write both.
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

/// Zeros of the scripts whose digits people type in numbers.
const ZEROS: [char; 8] = ['0', '٠', '۰', '०', '০', '๐', '၀', '０'];

/// Returns the digits of a phone number in international notation, however people and programs write
/// it: with `+` or `00`, with blanks and punctuation, in digits of other scripts, with `tel:`, and as a
/// link or an id of WhatsApp. Returns none for anything else.
#[must_use]
pub fn international_digits(text: &str) -> Option<String> {
    let text = text.trim();
    let prefixes = ["https://wa.me/", "wa.me/", "whatsapp:", "tel:"];
    let text = prefixes
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
        .unwrap_or(text);
    let suffixes = ["@s.whatsapp.net", "@c.us"];
    let text = suffixes
        .iter()
        .find_map(|suffix| text.strip_suffix(suffix))
        .unwrap_or(text);
    // A trunk zero that is dialled only within the country.
    let text = text.replace("(0)", "");
    let mut digits = String::with_capacity(text.len());
    let mut is_marked = false;
    for char in text.chars() {
        if let Some(digit) = digit(char) {
            digits.push(digit);
        } else if matches!(char, '+' | '＋') && digits.is_empty() && !is_marked {
            is_marked = true;
        } else if !is_separator(char) || (char == '/' && digits.is_empty()) {
            // A slash ahead of the digits ends the name of an account.
            return None;
        }
    }
    let digits = match digits.strip_prefix("00") {
        Some(rest) if !is_marked => rest.to_owned(),
        _ => digits,
    };
    (7..=15).contains(&digits.len()).then_some(digits)
}

fn digit(char: char) -> Option<char> {
    let value = ZEROS.iter().find_map(|zero| {
        let value = u32::from(char).checked_sub(u32::from(*zero))?;
        (value < 10).then_some(value)
    })?;
    char::from_digit(value, 10)
}

/// Returns whether a character stands between the digits of a number. Directions of writing are copied
/// along from other programs.
fn is_separator(char: char) -> bool {
    char.is_whitespace()
        || matches!(
            char,
            '-' | '.' | '(' | ')' | '/' | '\u{2010}'..='\u{2015}' | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
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
    use super::{international_digits, other_notation, present_notation};

    #[test]
    fn a_number_is_read_in_any_notation() {
        for (written, expected) in [
            ("4915112345678", "4915112345678"),
            ("+4915112345678", "4915112345678"),
            ("+49 151 12345678", "4915112345678"),
            ("+49 (0) 151 / 1234-5678", "4915112345678"),
            ("0049 151 12345678", "4915112345678"),
            ("+1 (415) 555-2671", "14155552671"),
            ("1.415.555.2671", "14155552671"),
            ("+55 (11) 98765-0001", "5511987650001"),
            ("+55\u{a0}11\u{a0}8765\u{2011}0001", "551187650001"),
            ("+33 6 12 34 56 78", "33612345678"),
            ("+971 50 123 4567", "971501234567"),
            ("\u{202a}+972 50-123-4567\u{202c}", "972501234567"),
            ("+٩٦٦ ٥٠ ١٢٣ ٤٥٦٧", "966501234567"),
            ("+۹۸ ۹۱۲ ۳۴۵ ۶۷۸۹", "989123456789"),
            ("+९१ ९८७६५ ४३२१०", "919876543210"),
            ("＋８１ ９０－１２３４", ""),
            ("＋８１ ９０-１２３４-５６７８", "819012345678"),
            ("+7 (912) 345-67-89", "79123456789"),
            ("tel:+49-151-12345678", "4915112345678"),
            ("whatsapp:+14155552671", "14155552671"),
            ("https://wa.me/14155552671", "14155552671"),
            ("14155552671@s.whatsapp.net", "14155552671"),
            (" +683 4123 \n", "6834123"),
        ] {
            let expected = (!expected.is_empty()).then_some(expected);
            assert_eq!(
                international_digits(written).as_deref(),
                expected,
                "{written}"
            );
        }
        for other in [
            "",
            "+",
            "12345",
            "+49",
            "US.13491208655302741918",
            "888777666555444333",
            "49151 12345678 ext 5",
            "49+15112345678",
            "++4915112345678",
            "eu/4915112345678",
            "/4915112345678",
            "group@g.us",
            "0x4915112345",
        ] {
            assert_eq!(international_digits(other), None, "{other}");
        }
    }

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
