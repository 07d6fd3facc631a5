//! The types of fields.

use std::collections::BTreeMap;
use std::sync::Arc;

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
    /// The value of an option, of at most so many characters.
    Choice {
        most: usize,
        titles: Arc<Titles>,
    },
    /// A location: an object.
    Place,
    /// A reference to a file: an object.
    Media,
    /// True or false: whether people are there.
    Flag,
}

/// The titles of options by value, in each language. Titles of a flow with one language have none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Titles(BTreeMap<String, Arc<BTreeMap<String, String>>>);

impl Titles {
    /// Returns the titles in a language by value.
    pub(super) fn of(&self, language: &str) -> Arc<BTreeMap<String, String>> {
        let titles = self.0.get(language).or_else(|| self.0.get(""));
        titles.cloned().unwrap_or_default()
    }

    /// Adds the title of a value.
    pub(super) fn add(&mut self, language: &str, value: &str, title: String) {
        let titles = self.0.entry(language.to_owned()).or_default();
        Arc::make_mut(titles).insert(value.to_owned(), title);
    }

    /// Returns the titles of both. Where both have one of a value, the first counts.
    fn joined(&self, other: &Self) -> Self {
        let mut all = self.clone();
        for (language, titles) in &other.0 {
            let known = all.0.entry(language.clone()).or_default();
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
}

impl Fields {
    /// Returns fields of which only some ways fill each.
    pub(super) fn possible_only(possible: &Arc<BTreeMap<String, Kind>>) -> Self {
        Self {
            filled: BTreeMap::new(),
            possible: Arc::clone(possible),
        }
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

    /// Returns the names of the fields that every way to here fills.
    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.filled.keys()
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
                Self::Choice { most, titles },
                Self::Choice {
                    most: other,
                    titles: others,
                },
            ) => Self::Choice {
                most: *most.max(other),
                titles: if titles == others {
                    titles.clone()
                } else {
                    Arc::new(titles.joined(others))
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
