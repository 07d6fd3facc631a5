//! Checks the forms of WhatsApp's ids of people.

/// Digits of the longest phone number (E.164).
const MAX_PHONE: usize = 15;
/// Characters of a user id behind its country.
const MAX_USER_ID: usize = 128;

/// Returns the digits of a phone number, without a leading plus. No number begins with 0.
#[must_use]
pub fn phone(text: &str) -> Option<&str> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (is_number(digits) && digits.len() <= MAX_PHONE).then_some(digits)
}

/// Returns whether `text` is a number in digits, without leading zeros.
#[must_use]
pub fn is_number(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns whether `text` has the form of a business-scoped user id: a country, a dot, letters and
/// digits, as in `US.13491208655302741918`. A parent's has a further dot, as in
/// `US.ENT.11815799212886844830`. Words such as `US.undefined` have no digit.
#[must_use]
pub fn is_user_id(text: &str) -> bool {
    let Some((country, id)) = text.split_once('.') else {
        return false;
    };
    country.len() == 2
        && country.bytes().all(|byte| byte.is_ascii_alphabetic())
        && id.len() <= MAX_USER_ID
        && id.bytes().any(|byte| byte.is_ascii_digit())
        && id
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::{is_user_id, phone};

    #[test]
    fn a_user_id_has_a_country_and_digits() {
        let longest = format!("US.{}", "1".repeat(128));
        for id in [
            "US.13491208655302741918",
            "DE.1",
            "us.A1b2",
            "US.ENT.11815799212886844830",
            &longest,
        ] {
            assert!(is_user_id(id), "{id}");
        }
        let too_long = format!("{longest}1");
        for junk in [
            "",
            " ",
            "null",
            "undefined",
            "None",
            "NaN",
            "0",
            ".",
            "US.",
            "US.null",
            "U.1",
            "USA.1",
            "12.345",
            "US. 1",
            "US.1 ",
            "US.1_2",
            "US..1",
            "US.1.",
            "13491208655302741918",
            "US13491208655302741918",
            "[object Object]",
            "[object Object].1",
            &too_long,
        ] {
            assert!(!is_user_id(junk), "{junk}");
        }
    }

    #[test]
    fn a_phone_number_is_digits() {
        assert_eq!(phone("+4915780000003"), Some("4915780000003"));
        assert_eq!(phone("4915780000003"), Some("4915780000003"));
        for junk in [
            "",
            "+",
            "0",
            "000",
            "-1",
            "++49",
            "49 1",
            "null",
            "13491208655302741918",
        ] {
            assert_eq!(phone(junk), None, "{junk}");
        }
    }
}
