//! The types of fields.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use leadstream_schemas::FieldType;

use crate::yaml::meant;

/// The type of a field, with bounds that every accepted answer keeps.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Number {
        least: f64,
        most: f64,
    },
    /// A text of at most so many characters.
    Text {
        most: usize,
    },
    /// A date as text, such as `2026-12-05`.
    Date,
    /// A time of day as text, such as `14:30`.
    Time,
    /// One of a few texts of at most so many characters, such as the value of an option.
    Choice {
        most: usize,
        values: Arc<Values>,
    },
    /// A location: an object.
    Place,
    /// A reference to a file: an object.
    Media,
    /// True or false: whether people are there.
    Flag,
}

impl From<&Kind> for FieldType {
    fn from(kind: &Kind) -> Self {
        match kind {
            Kind::Number { .. } => Self::Number,
            Kind::Text { .. } => Self::Text,
            Kind::Date => Self::Date,
            Kind::Time => Self::Time,
            Kind::Choice { values, .. } => Self::Choice(values.iter().map(str::to_owned).collect()),
            Kind::Place | Kind::Media => Self::Object,
            Kind::Flag => Self::Flag,
        }
    }
}

/// The values of a text that has only a few, and their titles.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Values {
    values: BTreeSet<String>,
    /// The titles of options by value, in each language. Titles of a flow with one language have none.
    titles: BTreeMap<String, Arc<BTreeMap<String, String>>>,
}

impl Values {
    /// Returns the one value of a constant.
    pub(super) fn only(value: &str) -> Self {
        Self {
            values: BTreeSet::from([value.to_owned()]),
            titles: BTreeMap::new(),
        }
    }

    pub(super) fn untitled(&self) -> Self {
        Self {
            values: self.values.clone(),
            titles: BTreeMap::new(),
        }
    }

    /// Returns the titles in a language by value.
    pub(super) fn titles(&self, language: &str) -> Arc<BTreeMap<String, String>> {
        let titles = self.titles.get(language).or_else(|| self.titles.get(""));
        titles.cloned().unwrap_or_default()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(String::as_str)
    }

    /// Returns whether both have a value in common.
    pub(super) fn meets(&self, other: &Self) -> bool {
        !self.values.is_disjoint(&other.values)
    }

    /// Returns the value that `written` probably means: one that is spelt alike, or whose title it is.
    pub(super) fn meant(&self, written: &str) -> Option<&str> {
        let titles = self.titles.values().flat_map(|titles| titles.iter());
        let lower = written.to_lowercase();
        let mut titled = titles.filter(|(_, title)| title.to_lowercase() == lower);
        let values: Vec<&str> = self.iter().collect();
        meant(written, &values).or_else(|| titled.next().map(|(value, _)| value.as_str()))
    }

    /// Adds a value.
    pub(super) fn add(&mut self, value: &str) {
        self.values.insert(value.to_owned());
    }

    /// Adds the title of a value.
    pub(super) fn add_title(&mut self, language: &str, value: &str, title: String) {
        let titles = self.titles.entry(language.to_owned()).or_default();
        Arc::make_mut(titles).insert(value.to_owned(), title);
    }

    /// Returns the values of both. Where both have a title of a value, the first counts.
    pub(super) fn joined(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.values.extend(other.values.iter().cloned());
        for (language, titles) in &other.titles {
            let known = all.titles.entry(language.clone()).or_default();
            let mut both = BTreeMap::clone(titles);
            both.extend(
                known
                    .iter()
                    .map(|(value, title)| (value.clone(), title.clone())),
            );
            *known = Arc::new(both);
        }
        all
    }
}

/// The fields that can be read at a place of the flow.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields {
    /// The fields that every way to here fills.
    filled: BTreeMap<String, Kind>,
    /// All fields that the flow can fill, wherever it does.
    possible: Arc<BTreeMap<String, Kind>>,
    /// True if expressions may compare a text with a value that it never has, as in documents of
    /// earlier versions.
    is_lenient: bool,
}

impl Fields {
    /// Returns fields of which only some ways fill each.
    pub(super) fn possible_only(possible: &Arc<BTreeMap<String, Kind>>) -> Self {
        Self {
            possible: Arc::clone(possible),
            ..Self::default()
        }
    }

    /// Returns no fields; `is_lenient` says whether expressions may compare a text with a value that it
    /// never has.
    pub(super) fn none(is_lenient: bool) -> Self {
        Self {
            is_lenient,
            ..Self::default()
        }
    }

    pub(super) const fn is_lenient(&self) -> bool {
        self.is_lenient
    }

    /// Returns the fields with those that some way fills, as in `other`.
    pub(super) fn with_possible(mut self, other: &Self) -> Self {
        self.possible = Arc::clone(&other.possible);
        self
    }

    /// Returns the kind of a field that every way to here fills.
    pub(super) fn get(&self, name: &str) -> Option<&Kind> {
        self.filled.get(name)
    }

    /// Returns the kind of a field that some way fills.
    pub(super) fn possible(&self, name: &str) -> Option<&Kind> {
        self.possible.get(name)
    }

    pub(super) fn contains_key(&self, name: &str) -> bool {
        self.filled.contains_key(name)
    }

    /// Returns the types of the fields that some way fills.
    pub(super) fn types(&self) -> BTreeMap<String, FieldType> {
        let fields = self.possible.iter();
        fields
            .map(|(name, kind)| (name.clone(), kind.into()))
            .collect()
    }

    /// Returns the names of the fields that every way to here fills.
    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.filled.keys()
    }

    /// Returns the field that is spelt most like `name`.
    pub(super) fn meant(&self, name: &str) -> Option<&str> {
        let names = self.filled.keys().chain(self.possible.keys());
        meant(name, &names.map(String::as_str).collect::<Vec<_>>())
    }

    /// Returns whether `text` is the value of an option, and not a field.
    pub(super) fn is_value(&self, text: &str) -> bool {
        let kinds = self.filled.values().chain(self.possible.values());
        kinds.into_iter().any(|kind| match kind {
            Kind::Choice { values, .. } => values.iter().any(|value| value == text),
            _ => false,
        })
    }

    pub(super) fn insert(&mut self, name: String, kind: Kind) {
        self.filled.insert(name, kind);
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.filled.remove(name);
    }

    /// Returns the fields that both ways fill.
    pub(super) fn on_both(&self, other: &Self) -> Self {
        let both = |(field, kind): (&String, &Kind)| {
            let joined = kind.joined(other.get(field)?)?;
            Some((field.clone(), joined))
        };
        Self {
            filled: self.filled.iter().filter_map(both).collect(),
            possible: Arc::clone(&self.possible),
            is_lenient: self.is_lenient,
        }
    }
}

/// Returns the field beside `amount` that has the code of its currency.
pub(super) fn currency_field(amount: &str) -> String {
    format!("{amount}_currency")
}

impl Kind {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Number { .. } => "a number",
            Self::Text { .. } | Self::Date | Self::Time | Self::Choice { .. } => "a text",
            Self::Place => "a location",
            Self::Media => "a file",
            Self::Flag => "true or false",
        }
    }

    /// Returns the most characters of a value; none if it is no text.
    pub(super) const fn chars(&self) -> Option<usize> {
        match self {
            Self::Text { most } | Self::Choice { most, .. } => Some(*most),
            Self::Date => Some(10),
            Self::Time => Some(5),
            Self::Number { .. } | Self::Place | Self::Media | Self::Flag => None,
        }
    }

    /// Returns the kind that includes both; none for unlike kinds.
    pub(super) fn joined(&self, other: &Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Number { least: a, most: b }, Self::Number { least: c, most: d }) => {
                Self::Number {
                    least: a.min(*c),
                    most: b.max(*d),
                }
            }
            (Self::Date, Self::Date) => Self::Date,
            (Self::Time, Self::Time) => Self::Time,
            (
                Self::Choice { most, values },
                Self::Choice {
                    most: other,
                    values: others,
                },
            ) => Self::Choice {
                most: *most.max(other),
                values: if values == others {
                    values.clone()
                } else {
                    Arc::new(values.joined(others))
                },
            },
            (Self::Place, Self::Place) => Self::Place,
            (Self::Media, Self::Media) => Self::Media,
            (Self::Flag, Self::Flag) => Self::Flag,
            _ => Self::Text {
                most: self.chars()?.max(other.chars()?),
            },
        })
    }
}
