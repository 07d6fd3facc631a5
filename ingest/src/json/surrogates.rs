//! Repairs JSON whose texts were cut within a character.

use std::borrow::Cow;

/// The length of an escape such as `\u00e9`.
const ESCAPE: usize = 6;

/// Returns `json` with U+FFFD in place of each half of a surrogate pair. Senders that cut texts at
/// a number of UTF-16 units write such halves. No text can hold one, so it would hide its message.
pub(super) fn without_half_surrogates(json: &str) -> Cow<'_, str> {
    let mut repaired = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = json.get(at..).and_then(|rest| rest.find('\\')) {
        let start = at + found;
        let is_half = match utf16_unit(json, start) {
            None => {
                at = start + 2;
                continue;
            }
            Some(0xD800..=0xDBFF) => {
                let low = utf16_unit(json, start + ESCAPE);
                let is_pair = matches!(low, Some(0xDC00..=0xDFFF));
                at = start + if is_pair { 2 * ESCAPE } else { ESCAPE };
                !is_pair
            }
            Some(unit) => {
                at = start + ESCAPE;
                matches!(unit, 0xDC00..=0xDFFF)
            }
        };
        if is_half {
            repaired.push_str(json.get(copied..start).unwrap_or_default());
            repaired.push_str(r"\ufffd");
            copied = at;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    repaired.push_str(json.get(copied..).unwrap_or_default());
    Cow::Owned(repaired)
}

/// Returns the UTF-16 unit of the escape `\uXXXX` that begins at `start`.
fn utf16_unit(json: &str, start: usize) -> Option<u16> {
    let digits = json.get(start..start + ESCAPE)?.strip_prefix(r"\u")?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::without_half_surrogates;

    #[test]
    fn half_of_a_pair_becomes_the_replacement_character() {
        for (json, expected) in [
            (r#""Ana\ud83d""#, r#""Ana\ufffd""#),
            (r#""\udc00Ana""#, r#""\ufffdAna""#),
            (r#""\uD83D\uD83D\uDE00""#, r#""\ufffd\uD83D\uDE00""#),
            (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\u0041""#, r#""\ufffd\u0041""#),
            (r#""\ud83d\n\ude00""#, r#""\ufffd\n\ufffd""#),
            (r#""Zoë 👍\ud83d é""#, r#""Zoë 👍\ufffd é""#),
            (r#"{"k\udfff":"\ud800"}"#, r#"{"k\ufffd":"\ufffd"}"#),
            (r#""\\\ud83d""#, r#""\\\ufffd""#),
        ] {
            assert_eq!(without_half_surrogates(json), expected);
            serde_json::from_str::<serde_json::Value>(expected).unwrap();
        }
    }

    #[test]
    fn whole_texts_are_borrowed() {
        for json in [
            "",
            "{}",
            r#""caf\u00e9 \/ \ud83d\ude00""#,
            r#""a backslash before the word \\ud83d""#,
            r#""\uD7FF\uE000""#,
            r"\",
            r"\ud8",
            r"\u+123",
            "\\é",
        ] {
            let whole = without_half_surrogates(json);
            assert!(matches!(whole, Cow::Borrowed(same) if same == json));
        }
    }

    proptest! {
        #[test]
        fn any_text_of_utf_16_units_can_be_read(units in prop::collection::vec(any::<u16>(), 0..20)) {
            let escapes: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let json = format!("\"{escapes}\"");
            let text: String = serde_json::from_str(&without_half_surrogates(&json)).unwrap();
            prop_assert_eq!(text, String::from_utf16_lossy(&units));
        }
    }
}
