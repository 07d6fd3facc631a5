//! A value that YAML writes as one text or as a list.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

#[derive(Debug)]
pub(crate) enum OneOrMany<T> {
    One(String),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// Returns the number of items in the list; 0 for one text.
    pub(in crate::flow) const fn listed(&self) -> usize {
        match self {
            Self::One(_) => 0,
            Self::Many(items) => items.len(),
        }
    }
}

/// An item of such a list.
pub(crate) trait Item {
    /// The name of the value in the JSON Schema.
    const NAME: &'static str;
    /// The expected value, for errors.
    const EXPECTED: &'static str;

    /// Returns the JSON Schema of one text.
    fn text() -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }

    /// Returns the JSON Schema of an item.
    fn item(_: &mut SchemaGenerator) -> Schema {
        Self::text()
    }
}

struct OneOrManyVisitor<T>(PhantomData<T>);

impl<'de, T: Item + Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(OneOrMany::One(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(items)).map(OneOrMany::Many)
    }
}

impl<'de, T: Item + Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(PhantomData))
    }
}

impl<T: Item> JsonSchema for OneOrMany<T> {
    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [
            T::text(),
            { "type": "array", "minItems": 1, "items": T::item(generator) },
        ] })
    }
}
