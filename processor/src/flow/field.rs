//! The types of fields.

use std::collections::BTreeMap;

use super::amount::MAX_AMOUNT;

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
    /// A location: an object.
    Place,
}

/// Fields by name.
pub(super) type Fields = BTreeMap<String, Kind>;

impl Kind {
    pub(super) const ANY_NUMBER: Self = Self::Number {
        least: 0.0,
        most: MAX_AMOUNT,
    };

    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Number { .. } => "a number",
            Self::Text { .. } => "a text",
            Self::Place => "a location",
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
            (Self::Text { most }, Self::Text { most: other }) => Self::Text {
                most: *most.max(other),
            },
            (Self::Place, Self::Place) => Self::Place,
            _ => return None,
        })
    }
}
