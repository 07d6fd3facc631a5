//! The types of ids, offsets and counts, so that none is taken for another.
//!
//! In records, rows and texts each has the form of the value that it holds.

use std::borrow::{Borrow, Cow};
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// Gives a type the JSON Schema of the value that it holds.
macro_rules! plain_schema {
    ($name:ident, $inner:ty) => {
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                <$inner>::schema_name()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                <$inner>::json_schema(generator)
            }
        }
    };
}

/// Defines an id that is a text. Its `Debug` form shows only the end, because ids hold phone
/// numbers.
macro_rules! text_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
        #[serde(transparent)]
        pub struct $name(String);

        plain_schema!($name, String);

        impl $name {
            #[must_use]
            pub const fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let (end, _) = self.0.char_indices().nth_back(2).unwrap_or_default();
                write!(f, concat!(stringify!($name), "(..{})"), &self.0[end..])
            }
        }
    };
}

/// Defines a position or count that is a number.
macro_rules! number {
    ($(#[$meta:meta])* $name:ident($inner:ty)) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        plain_schema!($name, $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

text_id! {
    /// The id of a lead: the identity under which it was first seen.
    LeadId
}

text_id! {
    /// An id under which a provider knows a person, within an account: `<account>/<key>`, in the
    /// default account `<key>`.
    Identity
}

text_id! {
    /// The id of an input: a provider's message id, or a command's own id.
    InputId
}

text_id! {
    /// The name of an account; empty for the default account.
    Account
}

number! {
    /// The number of a topic's partition.
    #[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
    Partition(i32)
}

number! {
    /// The position of a record in its partition.
    #[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
    Offset(i64)
}

number! {
    /// The count of take-overs of a partition.
    #[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
    Epoch(i64)
}

number! {
    /// The count of a lead's events.
    Revision(u64)
}

impl Account {
    pub const DEFAULT: Self = Self(String::new());

    /// Returns whether this is the default account.
    #[must_use]
    pub const fn is_default(&self) -> bool {
        self.0.is_empty()
    }
}

impl LeadId {
    /// Returns the key of the lead's records: the id without its account.
    #[must_use]
    pub fn home_key(&self, account: &Account) -> &str {
        if account.is_default() {
            return &self.0;
        }
        let key = self.0.strip_prefix(account.as_str());
        key.and_then(|key| key.strip_prefix('/')).unwrap_or(&self.0)
    }
}

impl From<&LeadId> for Identity {
    fn from(lead_id: &LeadId) -> Self {
        Self(lead_id.0.clone())
    }
}

impl From<&Identity> for LeadId {
    fn from(identity: &Identity) -> Self {
        Self(identity.0.clone())
    }
}

impl From<Identity> for LeadId {
    fn from(identity: Identity) -> Self {
        Self(identity.0)
    }
}

impl Offset {
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Revision {
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Returns the value of a `bigint` column.
    #[must_use]
    pub fn to_bigint(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    #[must_use]
    pub const fn from_bigint(value: i64) -> Self {
        Self(value.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Account, LeadId, Offset, Partition, Revision};

    #[test]
    fn ids_have_the_form_of_what_they_hold() {
        let lead_id = LeadId::from("eu/4917");
        assert_eq!(serde_json::to_string(&lead_id).unwrap(), r#""eu/4917""#);
        assert_eq!(
            serde_json::from_str::<LeadId>(r#""eu/4917""#).unwrap(),
            lead_id
        );
        let position = (Partition(3), Offset(7).next(), Revision(1));
        assert_eq!(serde_json::to_string(&position).unwrap(), "[3,8,1]");
        assert!(HashSet::from([lead_id]).contains("eu/4917"));
    }

    #[test]
    fn a_lead_s_home_key_is_its_id_within_the_account() {
        let lead_id = LeadId::from("eu/4917");
        assert_eq!(lead_id.home_key(&"eu".into()), "4917");
        assert_eq!(lead_id.home_key(&Account::DEFAULT), "eu/4917");
        assert_eq!(LeadId::from("4917").home_key(&Account::DEFAULT), "4917");
    }

    #[test]
    fn debug_shows_only_the_end_of_an_id() {
        let shown = format!("{:?}", LeadId::from("4915780000123"));
        assert_eq!(shown, "LeadId(..123)");
        assert_eq!(format!("{:?}", LeadId::from("é")), "LeadId(..é)");
        assert_eq!(LeadId::from("4917").to_string(), "4917");
    }
}
