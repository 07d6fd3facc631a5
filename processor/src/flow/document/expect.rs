//! The answer that a step expects.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::{Item, LocalizedText, LocalizedWords, OneOrMany};
use crate::flow::read::MediaKind;

/// `text`, or `text: {min: 2}`: a type by its name, or with its settings.
#[derive(Debug)]
pub(in crate::flow) enum Expect {
    Nothing,
    Text(TextDocument),
    Number(Box<NumberDocument>),
    Email,
    Name,
    Phone(PhoneDocument),
    Date(DateDocument),
    Time(TimeDocument),
    Location,
    Media(MediaDocument),
    /// Media of one kind.
    MediaOf(MediaKind),
    Choice(ChoiceDocument),
    Form(FormDocument),
    /// None of these, for this reason. The loader reports it with its place.
    Wrong(String),
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::flow) struct TextDocument {
    /// The minimum of characters: 1 by default.
    #[schemars(with = "Option<u32>")]
    pub(in crate::flow) min: Option<Spanned<String>>,
    /// The maximum of characters: 1,000 by default. Longer messages are cut to 1,000.
    #[schemars(with = "Option<u32>")]
    pub(in crate::flow) max: Option<Spanned<String>>,
    /// A regular expression that matches a part of the text.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) pattern: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::flow) struct NumberDocument {
    /// The minimum: 0 by default.
    #[schemars(with = "Option<f64>")]
    pub(in crate::flow) min: Option<Spanned<String>>,
    #[schemars(with = "Option<f64>")]
    pub(in crate::flow) max: Option<Spanned<String>>,
    /// True if a number with decimals is no answer.
    pub(in crate::flow) whole: bool,
    /// The period of an amount that names none: `month` by default. `none` for a number without a
    /// period.
    #[schemars(with = "Option<String>", extend("enum" = PERIODS))]
    pub(in crate::flow) period: Option<Spanned<String>>,
    /// What an amount of another period leads to: the question again (`ask`, the default), or its
    /// conversion (`convert`).
    #[schemars(with = "Option<String>", extend("enum" = ["ask", "convert"]))]
    pub(in crate::flow) other_periods: Option<Spanned<String>>,
    /// The ISO 4217 codes of currencies that are answers; `any` for all others. The first is the one
    /// of an amount without a currency. The field `<fill>_currency` has the code.
    #[schemars(with = "Option<OneOrMany<CurrencyCode>>")]
    pub(in crate::flow) currency: Option<Spanned<OneOrMany<CurrencyCode>>>,
    /// Words that may stand beside the number as its unit, as in `20 people`: a list, or one list for
    /// each language.
    #[schemars(with = "Option<LocalizedWords>")]
    pub(in crate::flow) units: Option<Spanned<LocalizedWords>>,
    /// False if `about 5000` is no answer.
    pub(in crate::flow) approximate: Option<bool>,
}

/// The names of periods in a document.
pub(in crate::flow) const PERIODS: [&str; 7] =
    ["none", "hour", "day", "week", "month", "quarter", "year"];

/// A code of a currency, or `any`.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(in crate::flow) struct CurrencyCode(pub(in crate::flow) Spanned<String>);

impl Item for CurrencyCode {
    const NAME: &'static str = "Currencies";
    const EXPECTED: &'static str = "the code of a currency, such as BRL, or a list of codes";

    fn item(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<String>()
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::flow) struct PhoneDocument {
    /// The digits of the default country code. Without it, numbers without a country code are no
    /// answer.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) country: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::flow) struct DateDocument {
    /// The order of day and month in `3/4/2026`: `dmy` (the default) or `mdy`.
    #[schemars(with = "Option<String>", extend("enum" = ["dmy", "mdy"]))]
    pub(in crate::flow) order: Option<Spanned<String>>,
    /// The first valid date: `2026-11-23`, `today`, or as far from it as `today+2d`, `today-1w` or
    /// `today-18y`.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) min: Option<Spanned<String>>,
    /// The last valid date.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) max: Option<Spanned<String>>,
    /// True if only days with working hours left are answers.
    #[schemars(with = "Option<bool>")]
    pub(in crate::flow) open: Option<Spanned<bool>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::flow) struct TimeDocument {
    /// `hours`: only times within the working hours are answers.
    #[schemars(with = "Option<String>", extend("enum" = ["hours"]))]
    pub(in crate::flow) within: Option<Spanned<String>>,
    /// The field of a date: the day of the appointment.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) of: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::flow) struct MediaDocument {
    /// The kinds of media that are an answer: all by default. An image, audio or video that is sent
    /// as a document counts as both; a voice note counts as audio, too.
    #[schemars(with = "Option<Vec<MediaKind>>", extend("minItems" = 1))]
    pub(in crate::flow) kinds: Option<Spanned<Vec<Spanned<String>>>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::flow) struct ChoiceDocument {
    /// The options: up to 3 are buttons, up to 10 are a list.
    #[schemars(with = "Vec<OptionDocument>")]
    pub(in crate::flow) options: Spanned<Vec<OptionDocument>>,
    /// The label that opens a list of more than 3 options, up to 20 characters.
    #[schemars(with = "Option<LocalizedText>")]
    pub(in crate::flow) button: Option<Spanned<LocalizedText>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::flow) struct OptionDocument {
    /// The value of the field.
    #[schemars(with = "String")]
    pub(in crate::flow) value: Spanned<String>,
    /// The title, up to 20 characters on a button, up to 24 in a list.
    #[schemars(with = "LocalizedText")]
    pub(in crate::flow) title: Spanned<LocalizedText>,
    /// The text below the title in a list, up to 72 characters.
    #[schemars(with = "Option<LocalizedText>")]
    pub(in crate::flow) description: Option<Spanned<LocalizedText>>,
    /// Other words that choose the option: a list, or one list for each language. A lead may write any
    /// of them.
    #[serde(default)]
    #[schemars(with = "Option<LocalizedWords>")]
    pub(in crate::flow) also: Option<Spanned<LocalizedWords>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::flow) struct FormDocument {
    /// The id that Meta gave the WhatsApp Flow.
    #[schemars(with = "String")]
    pub(in crate::flow) id: Spanned<String>,
    /// The label that opens the form, up to 20 characters.
    #[schemars(with = "LocalizedText")]
    pub(in crate::flow) button: Spanned<LocalizedText>,
    pub(in crate::flow) fields: Vec<FormFieldDocument>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::flow) struct FormFieldDocument {
    /// The name of the component in the form.
    #[schemars(with = "String")]
    pub(in crate::flow) member: Spanned<String>,
    /// The field that the component fills; of the same name by default.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) fill: Option<Spanned<String>>,
    #[serde(default)]
    pub(in crate::flow) expect: FormKind,
    /// True if a form may leave the field out. Later steps read such a field behind `has`.
    #[serde(default)]
    pub(in crate::flow) optional: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::flow) enum FormKind {
    #[default]
    Text,
    Number,
    Email,
    Phone,
    Date,
    Time,
}

const TYPES: &[&str] = &[
    "nothing", "text", "name", "number", "email", "phone", "date", "time", "location", "media",
    "image", "document", "voice", "audio", "video", "choice", "form",
];

fn unknown(name: &str) -> String {
    if name == "photo" {
        return "`photo` is no type of answer; write `image`".into();
    }
    format!(
        "`{name}` is no type of answer; the types are {}",
        TYPES.join(", ")
    )
}

impl<'de> Deserialize<'de> for Expect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ExpectVisitor;

        impl<'de> Visitor<'de> for ExpectVisitor {
            type Value = Expect;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the type of an answer, or one with its settings")
            }

            fn visit_str<E>(self, name: &str) -> Result<Expect, E> {
                Ok(match name {
                    "nothing" => Expect::Nothing,
                    "text" => Expect::Text(TextDocument::default()),
                    "number" => Expect::Number(Box::default()),
                    "email" => Expect::Email,
                    "name" => Expect::Name,
                    "phone" => Expect::Phone(PhoneDocument::default()),
                    "date" => Expect::Date(DateDocument::default()),
                    "time" => Expect::Time(TimeDocument::default()),
                    "location" => Expect::Location,
                    "media" => Expect::Media(MediaDocument::default()),
                    "choice" => Expect::Wrong(
                        "a choice needs its `options`; write `choice: {options: […]}`".into(),
                    ),
                    "form" => Expect::Wrong(
                        "a form needs its `id`, `button` and `fields`; write `form: {…}`".into(),
                    ),
                    other => MediaKind::named(other)
                        .map_or_else(|| Expect::Wrong(unknown(other)), Expect::MediaOf),
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Expect, A::Error> {
                let name: String = map
                    .next_key()?
                    .ok_or_else(|| A::Error::custom("no type of answer is named here"))?;
                let expect = match name.as_str() {
                    "text" => Expect::Text(map.next_value()?),
                    "number" => Expect::Number(map.next_value()?),
                    "phone" => Expect::Phone(map.next_value()?),
                    "date" => Expect::Date(map.next_value()?),
                    "time" => Expect::Time(map.next_value()?),
                    "media" => Expect::Media(map.next_value()?),
                    "choice" => Expect::Choice(map.next_value()?),
                    "form" => Expect::Form(map.next_value()?),
                    plain
                        if matches!(plain, "nothing" | "email" | "name" | "location")
                            || MediaKind::named(plain).is_some() =>
                    {
                        map.next_value::<IgnoredAny>()?;
                        Expect::Wrong(format!("`{name}` has no settings; write `expect: {name}`"))
                    }
                    other => {
                        map.next_value::<IgnoredAny>()?;
                        Expect::Wrong(unknown(other))
                    }
                };
                let is_one = map.next_key::<IgnoredAny>()?.is_none();
                if is_one {
                    return Ok(expect);
                }
                map.next_value::<IgnoredAny>()?;
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Expect::Wrong(
                    "a step expects one type of answer; remove the others".into(),
                ))
            }
        }

        deserializer.deserialize_any(ExpectVisitor)
    }
}

impl JsonSchema for Expect {
    fn schema_name() -> Cow<'static, str> {
        "Expect".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let settings: Vec<serde_json::Value> = [
            ("text", generator.subschema_for::<TextDocument>()),
            ("number", generator.subschema_for::<NumberDocument>()),
            ("phone", generator.subschema_for::<PhoneDocument>()),
            ("date", generator.subschema_for::<DateDocument>()),
            ("time", generator.subschema_for::<TimeDocument>()),
            ("media", generator.subschema_for::<MediaDocument>()),
            ("choice", generator.subschema_for::<ChoiceDocument>()),
            ("form", generator.subschema_for::<FormDocument>()),
        ]
        .into_iter()
        .map(|(name, settings)| {
            serde_json::json!({
                "type": "object",
                "properties": { name: settings },
                "required": [name],
                "additionalProperties": false,
            })
        })
        .collect();
        let named: Vec<&str> = TYPES
            .iter()
            .copied()
            .filter(|name| !matches!(*name, "choice" | "form"))
            .collect();
        json_schema!({ "oneOf": [
            { "enum": named },
            { "anyOf": settings },
        ] })
    }
}
