//! Texts and lists of words in one language or several.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

/// A text, or one for each language.
#[derive(Debug)]
pub(in crate::flow) enum Words {
    One(String),
    Each(Vec<(Spanned<String>, Spanned<String>)>),
}

/// A list of words, or one for each language.
#[derive(Debug)]
pub(in crate::flow) enum Lists {
    One(Vec<Spanned<String>>),
    Each(Vec<(Spanned<String>, Vec<Spanned<String>>)>),
}

/// One language, or several.
#[derive(Debug)]
pub(in crate::flow) enum Languages {
    One(String),
    Several(Vec<Spanned<String>>),
}

const IN_QUOTES: &str = "put a text that begins with `{`, `[` or another sign in quotes";

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordsVisitor;

        impl<'de> Visitor<'de> for WordsVisitor {
            type Value = Words;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a text, or one for each language; {IN_QUOTES}")
            }

            fn visit_str<E>(self, text: &str) -> Result<Words, E> {
                Ok(Words::One(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Words, A::Error> {
                let mut each = Vec::new();
                while let Some(language) = map.next_key()? {
                    let text: Option<Spanned<String>> = map.next_value()?;
                    let text = text.ok_or_else(|| {
                        A::Error::custom(format!("a language has no text here; {IN_QUOTES}"))
                    })?;
                    each.push((language, text));
                }
                Ok(Words::Each(each))
            }
        }

        deserializer.deserialize_any(WordsVisitor)
    }
}

impl JsonSchema for Words {
    fn schema_name() -> Cow<'static, str> {
        "Words".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A text, or one for each language of the flow.",
            "oneOf": [
                { "type": "string", "minLength": 1 },
                { "type": "object", "additionalProperties": { "type": "string", "minLength": 1 } },
            ],
        })
    }
}

impl<'de> Deserialize<'de> for Lists {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListsVisitor;

        impl<'de> Visitor<'de> for ListsVisitor {
            type Value = Lists;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of words, or one for each language")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Lists, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = items.next_element()? {
                    words.push(word);
                }
                Ok(Lists::One(words))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Lists, A::Error> {
                let mut each = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    each.push(entry);
                }
                Ok(Lists::Each(each))
            }
        }

        deserializer.deserialize_any(ListsVisitor)
    }
}

impl JsonSchema for Lists {
    fn schema_name() -> Cow<'static, str> {
        "Lists".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let list = json_schema!({ "type": "array", "items": { "type": "string", "minLength": 1 } });
        json_schema!({ "oneOf": [
            list,
            { "type": "object", "additionalProperties": list },
        ] })
    }
}

impl<'de> Deserialize<'de> for Languages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LanguagesVisitor;

        impl<'de> Visitor<'de> for LanguagesVisitor {
            type Value = Languages;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a language such as en, or a list of them")
            }

            fn visit_str<E>(self, tag: &str) -> Result<Languages, E> {
                Ok(Languages::One(tag.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Languages, A::Error> {
                let mut tags = Vec::new();
                while let Some(tag) = items.next_element()? {
                    tags.push(tag);
                }
                Ok(Languages::Several(tags))
            }
        }

        deserializer.deserialize_any(LanguagesVisitor)
    }
}

impl JsonSchema for Languages {
    fn schema_name() -> Cow<'static, str> {
        "Languages".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let tag =
            json_schema!({ "type": "string", "pattern": "^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$" });
        json_schema!({ "oneOf": [tag, { "type": "array", "minItems": 1, "items": tag }] })
    }
}
