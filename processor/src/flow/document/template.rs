//! The templates that a flow sends outside WhatsApp's window.

use std::collections::BTreeMap;
use std::fmt;

use leadstream_schemas::reply::TemplateCategory;
use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::{LocalizedText, mapping};

/// A template that was approved by Meta.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Template")]
pub(in crate::flow) struct TemplateDocument {
    /// The name that the template has at Meta, or one for each language: by default the name here.
    #[schemars(with = "Option<LocalizedText>")]
    pub(in crate::flow) name: Option<Spanned<LocalizedText>>,
    /// The category that it has at Meta.
    #[schemars(with = "TemplateCategory")]
    pub(in crate::flow) category: Spanned<TemplateCategory>,
    /// Meta's code of the language, or one for each language: by default the flow's, such as `pt_BR`
    /// for `pt-BR`.
    #[schemars(with = "Option<LocalizedText>")]
    pub(in crate::flow) language: Option<Spanned<LocalizedText>>,
    /// The value of the placeholder in the header.
    #[schemars(with = "Option<ParametersDocument>")]
    pub(in crate::flow) header: Option<Spanned<ParametersDocument>>,
    /// The values of the placeholders in the body.
    #[schemars(with = "Option<ParametersDocument>")]
    pub(in crate::flow) body: Option<Spanned<ParametersDocument>>,
    /// All buttons in their order, each with the value that it needs.
    #[serde(default)]
    #[schemars(with = "Vec<ButtonDocument>")]
    pub(in crate::flow) buttons: Vec<Spanned<ButtonDocument>>,
}

/// The values of placeholders: a list where Meta numbers them, a mapping where it names them. Each is a
/// text, or one for each language.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, rename = "Parameters")]
pub(in crate::flow) enum ParametersDocument {
    Numbered(#[schemars(with = "Vec<LocalizedText>")] Vec<Spanned<LocalizedText>>),
    Named(
        #[schemars(with = "BTreeMap<String, LocalizedText>")]
        Vec<(Spanned<String>, Spanned<LocalizedText>)>,
    ),
}

/// A button. One that is the same for every lead has no member: `{}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Button")]
pub(in crate::flow) struct ButtonDocument {
    /// The end of the address that the button opens. Values are percent-encoded.
    #[schemars(with = "Option<LocalizedText>")]
    pub(in crate::flow) url: Option<Spanned<LocalizedText>>,
    /// What a tap sends back, as if the lead wrote it: by default the title.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) payload: Option<Spanned<String>>,
}

impl<'de> Deserialize<'de> for ParametersDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ParametersVisitor;

        impl<'de> Visitor<'de> for ParametersVisitor {
            type Value = ParametersDocument;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of texts, or a mapping from the names of placeholders to texts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, texts: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(texts))
                    .map(ParametersDocument::Numbered)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                mapping(MapAccessDeserializer::new(map)).map(ParametersDocument::Named)
            }
        }

        deserializer.deserialize_any(ParametersVisitor)
    }
}
