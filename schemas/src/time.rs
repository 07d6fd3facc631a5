//! Defines a moment in milliseconds since 1970-01-01T00:00:00Z; in JSON as RFC 3339 in UTC.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds since the Unix epoch, UTC. Human-readable formats hold
/// `2026-11-23T10:15:00.123Z`, binary ones the integer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// The wall clock. Only shells call this: decisions take their time as an argument.
    #[must_use]
    pub fn now() -> Self {
        Self(Utc::now().timestamp_millis())
    }

    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// `None` beyond the years that a calendar date can express.
    #[must_use]
    pub const fn datetime(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(at) = self.datetime() else {
            return write!(f, "{} ms", self.0);
        };
        let text = rfc3339(at);
        match text.as_ref().map(|text| str::from_utf8(text)) {
            Some(Ok(text)) => f.write_str(text),
            _ => f.write_str(&at.to_rfc3339_opts(SecondsFormat::Millis, true)),
        }
    }
}

/// Returns the RFC 3339 form of a time in the years 0 to 9999. Every event and reply has several
/// times, and chrono's general form takes many times as long.
fn rfc3339(at: DateTime<Utc>) -> Option<[u8; 24]> {
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let year = u32::try_from(at.year()).ok().filter(|year| *year <= 9999)?;
    let parts = [
        (0..4, year),
        (5..7, at.month()),
        (8..10, at.day()),
        (11..13, at.hour()),
        (14..16, at.minute()),
        (17..19, at.second()),
        (20..23, at.timestamp_subsec_millis()),
    ];
    for (place, mut number) in parts {
        for digit in text[place].iter_mut().rev() {
            *digit += u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
        }
    }
    Some(text)
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Rfc3339)
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

/// Reads a time where it stands in the record, without a copy.
struct Rfc3339;

impl de::Visitor<'_> for Rfc3339 {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an RFC 3339 time")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
        DateTime::parse_from_rfc3339(text)
            .map(|at| Timestamp(at.timestamp_millis()))
            .map_err(|source| de::Error::custom(format!("not an RFC 3339 time: {source}")))
    }
}

impl JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use chrono::SecondsFormat;

    use super::Timestamp;

    #[test]
    fn the_quick_form_is_the_one_of_chrono() {
        let day = 86_400_000;
        let round = [-62_167_219_200_000, 0, 951_782_400_000, 253_402_300_799_999];
        for at in round
            .into_iter()
            .flat_map(|at| [at - 1, at, at + 1, at + 59 * day + 3_723_004])
        {
            let at = Timestamp::from_millis(at);
            let general = at.datetime().unwrap();
            let general = general.to_rfc3339_opts(SecondsFormat::Millis, true);
            assert_eq!(at.to_string(), general);
        }
    }

    #[test]
    fn json_holds_milliseconds_in_utc() {
        let at: Timestamp = serde_json::from_str("\"2026-11-23T11:15:00.123+01:00\"").unwrap();
        assert_eq!(
            serde_json::to_string(&at).unwrap(),
            "\"2026-11-23T10:15:00.123Z\""
        );
    }
}
