//! Reads the parts of a webhook. Every member is read on its own, so that a wrong one hides no
//! other. The last of a repeated member counts.

use std::borrow::Cow;
use std::fmt;

use leadstream_schemas::Timestamp;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{self, Text, is_object, object};

/// An object's members in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    pub(super) fn read(raw: &'a RawValue) -> Option<Self> {
        object(raw)
    }

    /// Returns a member's value, if it is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let member = self.0.iter().rev().find(|(member, _)| member == name);
        member
            .map(|(_, raw)| *raw)
            .filter(|raw| raw.get() != "null")
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_ref())
    }

    /// Returns a member that is an object.
    pub(super) fn object(&self, name: &str) -> Option<Self> {
        Self::read(self.get(name)?)
    }

    /// Returns the elements of a member that is an array.
    pub(super) fn array(&self, name: &str) -> Vec<&'a RawValue> {
        self.get(name).and_then(array).unwrap_or_default()
    }

    /// Returns a member that is a text or number; empty otherwise.
    pub(super) fn text(&self, name: &str) -> Text<'a> {
        let text = self.get(name).map(RawValue::get);
        text.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }

    /// Returns the text like [`Self::text`], with the blanks that a person wrote.
    pub(super) fn verbatim(&self, name: &str) -> Option<String> {
        self.text(name).verbatim().map(str::to_owned)
    }

    /// Returns whether a member means true, in any form that senders use.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)?.get() {
            "true" | "\"true\"" => Some(true),
            "false" | "\"false\"" => Some(false),
            _ => None,
        }
    }

    pub(super) fn timestamp(&self, name: &str) -> Option<Timestamp> {
        timestamp(self.get(name)?)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), raw)) = map.next_entry::<Name<'de>, &RawValue>()? {
                    members.push((name, raw));
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// A member's name, which is borrowed unless it holds escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}

pub(super) fn array(raw: &RawValue) -> Option<Vec<&RawValue>> {
    if !raw.get().starts_with('[') {
        return None;
    }
    serde_json::from_str(raw.get()).ok()
}

/// Returns the items of an event: those of the first of `lists` that `data` has, else `data`
/// itself. An array holds one item per element.
pub(super) fn elements<'a>(data: &'a RawValue, lists: &[&str]) -> Vec<&'a RawValue> {
    if data.get() == "null" {
        return Vec::new();
    }
    let members = Object::read(data).unwrap_or_default();
    let listed = lists.iter().find_map(|list| members.get(list));
    let items = listed.unwrap_or(data);
    array(items).unwrap_or_else(|| vec![items])
}

/// Reads a moment as a number, as text, or as the parts of a 64-bit integer, which JavaScript
/// lacks.
fn timestamp(raw: &RawValue) -> Option<Timestamp> {
    if is_object(raw) {
        let long = Object::read(raw)?;
        let high = i32::try_from(long.text("high").integer()?).ok()?;
        let low = long.text("low").integer()?;
        // The lower half is written as a signed integer, too.
        let low = u32::try_from(low).or_else(|_| i32::try_from(low).map(i32::cast_unsigned));
        return json::timestamp(i64::from(high) << 32 | i64::from(low.ok()?));
    }
    let text: Text<'_> = serde_json::from_str(raw.get()).ok()?;
    json::timestamp(text.integer()?)
}
