//! Finds the WASenderApi session, that is a linked phone number, to which a webhook belongs.

use leadstream_service::NumberSecrets;
use leadstream_service::config::WasenderArgs;
use subtle::ConstantTimeEq;

/// The name of a session without a name.
pub(super) const DEFAULT: &str = WasenderArgs::DEFAULT_SESSION;

/// The sessions that are ours, by the API key that WASenderApi repeats as `sessionId`. By default
/// none is configured, and every webhook belongs to the session `default`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sessions(NumberSecrets);

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
        let mut sessions = self.0.iter();
        let (first, others) = (sessions.next(), sessions.next().is_some());
        match (first, key) {
            (None, _) => Whose::Ours(DEFAULT),
            (Some((only, _)), None) if !others => Whose::Ours(only),
            (_, None) => Whose::Unknown,
            (_, Some(key)) => self.0.iter().fold(Whose::Foreign, |found, (name, known)| {
                let same: bool = known.expose().as_bytes().ct_eq(key.as_bytes()).into();
                if same { Whose::Ours(name) } else { found }
            }),
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, key)| key.expose())
    }
}

impl From<NumberSecrets> for Sessions {
    fn from(keys: NumberSecrets) -> Self {
        Self(keys)
    }
}

/// Reads `KEY`, or `name=KEY,name=KEY`.
impl std::str::FromStr for Sessions {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        NumberSecrets::parse(list, Some(DEFAULT)).map(Self)
    }
}
