//! Makes tombstones, keyed hashes of the ids of an erased person. A replay or a late duplicate of
//! the person's messages does not bring them back. Without the key nobody can find out who the
//! person was.

use hmac::{Hmac, Mac};
use leadstream_schemas::{Identity, Revision, Timestamp};
use leadstream_service::ConfigError;
use leadstream_service::Secret;
use sha2::Sha256;

/// The setting that holds the erasure keys.
pub const VARIABLE: &str = "ERASURE_KEY";

/// The least length of a key; shorter keys can be guessed.
const LEAST_BYTES: usize = 16;

/// The input of the hash that distinguishes keys. No id has a NUL.
const FINGERPRINT_INPUT: &[u8] = b"\0leadstream erasure key";

/// The HMAC-SHA256 of an id under one of the keys.
pub type Tombstone = Vec<u8>;

/// The content of a tombstone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErasureRecord {
    /// The time up to which inputs sent by the person are dropped.
    pub until: Timestamp,
    /// The last revision of the lead that had the id as its own; otherwise 0.
    pub last_revision: Revision,
}

impl ErasureRecord {
    /// Keeps the greater of each value.
    pub fn join(&mut self, other: Self) {
        self.until = self.until.max(other.until);
        self.last_revision = self.last_revision.max(other.last_revision);
    }
}

/// The erasure keys: the first makes new tombstones, and all of them recognize existing ones.
#[derive(Clone, Default)]
pub struct ErasureKeys(Vec<Hmac<Sha256>>);

impl std::fmt::Debug for ErasureKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ErasureKeys({})", self.0.len())
    }
}

impl ErasureKeys {
    /// Reads `ERASURE_KEY` or the file that `ERASURE_KEY_FILE` names: one key, or several with
    /// commas between, the newest first.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or a key is too short.
    pub fn resolve(value: Option<Secret>) -> Result<Self, ConfigError> {
        let Some(secret) = Secret::resolve(value, VARIABLE)? else {
            return Ok(Self::default());
        };
        Self::parse(secret.expose())
    }

    fn parse(list: &str) -> Result<Self, ConfigError> {
        let key = |key: &str| {
            let error = || {
                ConfigError::new(
                    VARIABLE,
                    format!(
                        "holds a key of less than {LEAST_BYTES} characters; make one with `openssl rand -hex 32`"
                    ),
                )
            };
            if key.len() < LEAST_BYTES {
                return Err(error());
            }
            Hmac::new_from_slice(key.as_bytes()).map_err(|_| error())
        };
        list.split(',')
            .map(|it| key(it.trim()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Returns whether there are no keys; without keys nobody can be erased.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the tombstone to make for `identity`, an id within its account; none without keys.
    #[must_use]
    pub fn tombstone(&self, identity: &Identity) -> Option<Tombstone> {
        self.0
            .first()
            .map(|key| hash(key, identity.as_str().as_bytes()))
    }

    /// Returns every tombstone that `identity` may have.
    pub fn tombstones(&self, identity: &Identity) -> impl Iterator<Item = Tombstone> {
        self.0
            .iter()
            .map(|key| hash(key, identity.as_str().as_bytes()))
    }

    /// Returns a check value for each key, the newest first; it reveals nothing of the key.
    pub fn fingerprints(&self) -> impl Iterator<Item = Vec<u8>> {
        self.0.iter().map(|key| hash(key, FINGERPRINT_INPUT))
    }
}

fn hash(key: &Hmac<Sha256>, bytes: &[u8]) -> Vec<u8> {
    key.clone()
        .chain_update(bytes)
        .finalize()
        .into_bytes()
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "an older key of the company";
    const NEW: &str = "a newer key of the company";

    #[test]
    fn a_tombstone_is_known_under_every_key_and_made_with_the_first() {
        let old = ErasureKeys::parse(OLD).unwrap();
        let both = ErasureKeys::parse(&format!("{NEW}, {OLD}")).unwrap();
        let made = old.tombstone(&"4917".into()).unwrap();
        assert_eq!(made.len(), 32);
        assert!(both.tombstones(&"4917".into()).any(|it| it == made));
        assert_ne!(both.tombstone(&"4917".into()), Some(made));
        assert!(
            both.fingerprints()
                .any(|it| Some(it) == old.fingerprints().next())
        );
        assert_ne!(old.tombstone(&"4918".into()), old.tombstone(&"4917".into()));
    }

    #[test]
    fn a_short_key_is_refused_and_no_key_is_printed() {
        for list in ["", "short", &format!("{NEW},short")] {
            let error = ErasureKeys::parse(list).unwrap_err().to_string();
            assert!(
                error.contains("ERASURE_KEY") && !error.contains(NEW),
                "{error}"
            );
        }
        assert!(ErasureKeys::resolve(None).unwrap().is_empty());
        let keys = ErasureKeys::parse(NEW).unwrap();
        assert_eq!(format!("{keys:?}"), "ErasureKeys(1)");
    }
}
