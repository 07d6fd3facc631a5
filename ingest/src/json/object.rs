//! Reads the members of an object.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Text, object};

/// An object's members in their order. Every member is read on its own, so that a wrong one hides
/// no other. The last of a repeated member counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    pub(crate) fn read(raw: &'a RawValue) -> Option<Self> {
        object(raw)
    }

    /// Returns a member's value, if it is there and not null.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let member = self.0.iter().rev().find(|(member, _)| member == name);
        member
            .map(|(_, raw)| *raw)
            .filter(|raw| raw.get() != "null")
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.members().map(|(name, _)| name)
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, raw)| (name.as_ref(), *raw))
    }

    /// Returns a member that is an object.
    pub(crate) fn object(&self, name: &str) -> Option<Self> {
        Self::read(self.get(name)?)
    }

    /// Returns the elements of a member that is an array.
    pub(crate) fn array(&self, name: &str) -> Vec<&'a RawValue> {
        self.get(name).and_then(array).unwrap_or_default()
    }

    /// Returns a member that is a text or number; empty otherwise.
    pub(crate) fn text(&self, name: &str) -> Text<'a> {
        let text = self.get(name).map(RawValue::get);
        text.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }

    /// Returns the text like [`Self::text`], with the blanks that a person wrote.
    pub(crate) fn verbatim(&self, name: &str) -> Option<String> {
        self.text(name).verbatim().map(str::to_owned)
    }

    /// Returns whether a member means true, in any form that senders use.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)?.get() {
            "true" | "\"true\"" => Some(true),
            "false" | "\"false\"" => Some(false),
            _ => None,
        }
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

pub(crate) fn array(raw: &RawValue) -> Option<Vec<&RawValue>> {
    if !raw.get().starts_with('[') {
        return None;
    }
    serde_json::from_str(raw.get()).ok()
}
