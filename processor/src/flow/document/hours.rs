//! The working hours of a flow.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::{Item, OneOrMany};

/// The times of each day, and the holidays.
#[derive(Debug, Default)]
pub(in crate::flow) struct HoursDocument {
    /// `mon`, or `mon-fri`, with `09:00-18:00`, or a list of such times.
    pub(in crate::flow) days: Vec<(Spanned<String>, Spanned<Times>)>,
    /// Days without working hours: `2026-12-25`, or `12-25` for every year.
    pub(in crate::flow) holidays: Vec<Spanned<String>>,
}

/// One time, or several.
pub(in crate::flow) type Times = OneOrMany<Time>;

/// A part of a day, such as `09:00-18:00`.
#[derive(Debug, Deserialize)]
pub(in crate::flow) struct Time(pub(in crate::flow) Spanned<String>);

impl Item for Time {
    const NAME: &'static str = "WorkingTimes";
    const EXPECTED: &'static str = "a time such as 09:00-18:00, or a list of them";

    fn text() -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$" })
    }
}

impl<'de> Deserialize<'de> for HoursDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HoursVisitor;

        impl<'de> Visitor<'de> for HoursVisitor {
            type Value = HoursDocument;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the times of each day, such as {mon-fri: 09:00-18:00}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HoursDocument, A::Error> {
                let mut hours = HoursDocument::default();
                while let Some(days) = map.next_key::<Spanned<String>>()? {
                    if days.value == "holidays" {
                        hours.holidays = map.next_value()?;
                    } else {
                        hours.days.push((days, map.next_value()?));
                    }
                }
                Ok(hours)
            }
        }

        deserializer.deserialize_map(HoursVisitor)
    }
}

impl JsonSchema for HoursDocument {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WorkingHours".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let day = "(mon|tue|wed|thu|fri|sat|sun)";
        let times = generator.subschema_for::<Times>();
        let patterns = BTreeMap::from([(format!("^{day}(-{day})?$"), times)]);
        json_schema!({
            "description": "The times of each day, and the holidays.",
            "type": "object",
            "properties": { "holidays": {
                "description": "Days without working hours: `2026-12-25`, or `12-25` for every year.",
                "type": "array",
                "items": { "type": "string", "pattern": "^([0-9]{4}-)?[0-9]{2}-[0-9]{2}$" },
            } },
            "patternProperties": patterns,
            "additionalProperties": false,
        })
    }
}
