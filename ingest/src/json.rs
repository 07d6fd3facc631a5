//! Reads JSON of providers whose documentation is not exact. All values borrow from the body. Parts
//! that must not affect other parts stay raw until they are read.

mod object;
mod surrogates;

use std::borrow::Cow;
use std::fmt;

use leadstream_schemas::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::item::{EnvelopeError, MAX_DEPTH};
use surrogates::without_half_surrogates;

pub(crate) use object::{Object, array};

pub(crate) type List<'a> = Option<Vec<&'a RawValue>>;

/// Returns the body as text, if it is nested no deeper than [`MAX_DEPTH`]. Texts that were cut
/// within a character end with U+FFFD.
pub(crate) fn text(body: &[u8]) -> Result<Cow<'_, str>, EnvelopeError> {
    let body = std::str::from_utf8(body).map_err(|_| EnvelopeError::NotJson)?;
    if depth(body.as_bytes()) > MAX_DEPTH {
        return Err(EnvelopeError::TooDeep);
    }
    Ok(without_half_surrogates(body))
}

/// Returns a lower bound of the nesting of arrays and objects. Invalid JSON is found later.
fn depth(body: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => {
                            bytes.next();
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    deepest
}

/// Reads an object. Serde would also read an array as a struct.
pub(crate) fn object<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    is_object(raw)
        .then(|| serde_json::from_str(raw.get()).ok())
        .flatten()
}

pub(crate) fn is_object(raw: &RawValue) -> bool {
    raw.get().starts_with('{')
}

/// Returns the JSON that a provider put within a text; other JSON is returned unchanged.
pub(crate) fn embedded(raw: &RawValue) -> String {
    let inner = serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned());
    match without_half_surrogates(&inner) {
        Cow::Owned(whole) => whole,
        Cow::Borrowed(_) => inner,
    }
}

/// Reads seconds, or milliseconds if the number is too great for seconds (1e11 s is in the year
/// 5138). Returns `None` before 1970 and after the year 9999.
pub(crate) fn timestamp(number: i64) -> Option<Timestamp> {
    const LAST_MILLISECOND: i64 = 253_402_300_799_999;
    let millis = if number < 100_000_000_000 {
        number.checked_mul(1000)?
    } else {
        number
    };
    (1..=LAST_MILLISECOND)
        .contains(&millis)
        .then(|| Timestamp::from_millis(millis))
}

/// A short text that some senders write as a number. Any other value counts as missing, so that one
/// wrong member does not hide the rest of its item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text<'a>(Cow<'a, str>);

impl Text<'_> {
    /// Returns the text without surrounding blanks; `None` when it is missing or empty.
    pub(crate) fn get(&self) -> Option<&str> {
        Some(self.0.trim()).filter(|text| !text.is_empty())
    }

    /// Returns the text like [`Self::get`], if it has at most `bytes` bytes.
    pub(crate) fn within(&self, bytes: usize) -> Option<&str> {
        self.get().filter(|text| text.len() <= bytes)
    }

    /// Returns the text with its blanks; `None` when it is missing or empty.
    pub(crate) fn verbatim(&self) -> Option<&str> {
        Some(&*self.0).filter(|text| !text.is_empty())
    }

    pub(crate) fn to_owned(&self) -> Option<String> {
        self.get().map(str::to_owned)
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        self.get()?.parse().ok()
    }

    /// Reads a finite number.
    pub(crate) fn number(&self) -> Option<f64> {
        self.get()?
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a number")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }

            fn visit_unit<E>(self) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text<'de>, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Text::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Text::default())
            }
        }

        deserializer.deserialize_any(TextVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::{depth, text};
    use crate::item::EnvelopeError;

    #[test]
    fn depth_counts_brackets_and_not_what_texts_hold() {
        for (body, expected) in [
            ("", 0),
            ("7", 0),
            ("{}", 1),
            (r#"{"a":[{"b":1},[[]]],"c":{}}"#, 4),
            (r#"["[[[[", "\"[[", "\\", [1]]"#, 2),
            (r#""[[["#, 0),
            ("]]][", 1),
        ] {
            assert_eq!(depth(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn a_body_may_nest_a_hundred_levels_and_not_more() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(text(nested(100).as_bytes()).is_ok());
        assert_eq!(text(nested(101).as_bytes()), Err(EnvelopeError::TooDeep));
        assert_eq!(text(b"\xff"), Err(EnvelopeError::NotJson));
    }
}
