//! Finds the WASenderApi session, that is a linked phone number, to which a webhook belongs.

use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq;

use crate::comma_list::entries;

/// The name of a session without a name.
pub(super) const DEFAULT: &str = "default";
/// Far below the length of a key, so that a key in a name's place is detected.
const MAX_NAME: usize = 32;
const EXAMPLE: &str = "example: sales=KEY,support=KEY, or only KEY where there is one session";

/// The sessions that are ours, by the API key that WASenderApi repeats as `sessionId`. By default
/// none is configured, and every webhook belongs to the session `default`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Sessions(Vec<Session>);

#[derive(Clone, PartialEq, Eq)]
struct Session {
    name: String,
    key: String,
}

/// The owner of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose<'s> {
    Ours(&'s str),
    /// The webhook has no key, and there are several sessions.
    Unknown,
    Foreign,
}

impl<'s> Whose<'s> {
    pub(super) const fn name(self) -> Option<&'s str> {
        match self {
            Self::Ours(name) => Some(name),
            Self::Unknown | Self::Foreign => None,
        }
    }
}

impl Sessions {
    /// Returns the session of a key. Compares with every key, each in constant time.
    pub(super) fn find(&self, key: Option<&str>) -> Whose<'_> {
        match (self.0.as_slice(), key) {
            ([], _) => Whose::Ours(DEFAULT),
            ([only], None) => Whose::Ours(&only.name),
            (_, None) => Whose::Unknown,
            (sessions, Some(key)) => sessions.iter().fold(Whose::Foreign, |found, session| {
                let same: bool = session.key.as_bytes().ct_eq(key.as_bytes()).into();
                if same {
                    Whose::Ours(&session.name)
                } else {
                    found
                }
            }),
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|session| session.key.as_str())
    }
}

/// Reads `KEY`, or `name=KEY,name=KEY`. Errors name an entry by its position, because any part of
/// it may be a key.
impl FromStr for Sessions {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        let entries: Vec<&str> = entries(list).collect();
        let alone = entries.len() == 1;
        let mut sessions: Vec<Session> = Vec::with_capacity(entries.len());
        for (entry, place) in entries.into_iter().zip(1..) {
            let session = session(entry, alone)
                .map_err(|problem| format!("session {place} of the list {problem}; {EXAMPLE}"))?;
            if sessions.iter().any(|other| other.name == session.name) {
                return Err(format!(
                    "session {place} of the list has the name of an earlier one; {EXAMPLE}"
                ));
            }
            if sessions.iter().any(|other| other.key == session.key) {
                return Err(format!(
                    "session {place} of the list has the key of an earlier one; {EXAMPLE}"
                ));
            }
            sessions.push(session);
        }
        Ok(Self(sessions))
    }
}

fn session(entry: &str, alone: bool) -> Result<Session, &'static str> {
    let (name, key) = match entry.split_once('=') {
        Some((name, key)) => (name.trim(), key.trim()),
        None if alone => (DEFAULT, entry),
        None => return Err("has no name, which each needs where there are several"),
    };
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(letter) {
        return Err(
            "has a name that is not 1 to 32 of letters, digits, `-`, `_` and `.` (write default=KEY for a key that holds `=`)",
        );
    }
    // The padding of an encoded key is no key.
    if key.trim_matches('=').is_empty() {
        return Err("has a name but no key behind its `=`");
    }
    if key.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("has a blank within its key");
    }
    Ok(Session {
        name: name.to_owned(),
        key: key.to_owned(),
    })
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sessions({} sessions)", self.0.len())
    }
}
