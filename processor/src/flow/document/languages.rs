//! Texts and lists of words, for all languages or one by one.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, json_schema};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::{Item, OneOrMany, entries};

/// A text, or one for each language of the flow.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub(in crate::flow) enum LocalizedText {
    One(#[schemars(extend("minLength" = 1, "contentMediaType" = "text/plain"))] String),
    Each(
        #[schemars(with = "BTreeMap<String, String>")]
        #[schemars(extend("additionalProperties" = {
            "type": "string",
            "minLength": 1,
            "contentMediaType": "text/plain",
        }))]
        Vec<(Spanned<String>, Spanned<String>)>,
    ),
}

/// A list of words, or one for each language of the flow.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub(in crate::flow) enum LocalizedWords {
    One(
        #[schemars(with = "Vec<String>")]
        #[schemars(extend("items" = {"type": "string", "minLength": 1}))]
        Vec<Spanned<String>>,
    ),
    Each(
        #[schemars(with = "BTreeMap<String, Vec<String>>")]
        #[schemars(extend("additionalProperties" = {
            "type": "array",
            "items": {"type": "string", "minLength": 1},
        }))]
        Vec<(Spanned<String>, Vec<Spanned<String>>)>,
    ),
}

impl LocalizedWords {
    /// Returns the words of all languages.
    pub(in crate::flow) fn all(&self) -> Vec<&Spanned<String>> {
        match self {
            Self::One(words) => words.iter().collect(),
            Self::Each(each) => each.iter().flat_map(|(_, words)| words).collect(),
        }
    }
}

/// One language, or several.
pub(in crate::flow) type Languages = OneOrMany<Language>;

/// The tag of a language, such as `en` or `pt-BR`.
#[derive(Debug, Deserialize)]
pub(in crate::flow) struct Language(pub(in crate::flow) Spanned<String>);

impl Item for Language {
    const NAME: &'static str = "Languages";
    const EXPECTED: &'static str = "a language such as en, or a list of them";

    fn text() -> Schema {
        json_schema!({ "type": "string", "pattern": "^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$" })
    }
}

const IN_QUOTES: &str = "put a text that begins with `{`, `[` or another sign in quotes";

impl<'de> Deserialize<'de> for LocalizedText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = LocalizedText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a text, or one for each language; {IN_QUOTES}")
            }

            fn visit_str<E>(self, text: &str) -> Result<LocalizedText, E> {
                Ok(LocalizedText::One(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LocalizedText, A::Error> {
                let mut each = Vec::new();
                while let Some(language) = map.next_key()? {
                    let text: Option<Spanned<String>> = map.next_value()?;
                    let text = text.ok_or_else(|| {
                        A::Error::custom(format!("a language has no text here; {IN_QUOTES}"))
                    })?;
                    each.push((language, text));
                }
                Ok(LocalizedText::Each(each))
            }
        }

        deserializer.deserialize_any(TextVisitor)
    }
}

impl<'de> Deserialize<'de> for LocalizedWords {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordsVisitor;

        impl<'de> Visitor<'de> for WordsVisitor {
            type Value = LocalizedWords;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of words, or one for each language")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, words: A) -> Result<LocalizedWords, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(words)).map(LocalizedWords::One)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<LocalizedWords, A::Error> {
                entries(map).map(LocalizedWords::Each)
            }
        }

        deserializer.deserialize_any(WordsVisitor)
    }
}
