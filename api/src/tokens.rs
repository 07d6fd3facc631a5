//! Who may do what: bearer tokens, of which only hashes are known.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// How often a file is looked at.
const LOOK: Duration = Duration::from_secs(1);
const MAX_TOKENS: usize = 1_000;

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Scope {
    #[serde(rename = "leads:read")]
    Read,
    #[serde(rename = "leads:write")]
    Write,
    #[serde(rename = "leads:erase")]
    Erase,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "leads:read",
            Self::Write => "leads:write",
            Self::Erase => "leads:erase",
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("API_TOKEN_HASHES_FILE {}: {reason}", .path.display())]
pub struct TokensError {
    path: PathBuf,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    sha256: String,
    scopes: Vec<Scope>,
    /// None where it is absent; what is there and empty opens nothing.
    #[serde(default, deserialize_with = "given")]
    accounts: Option<Vec<String>>,
}

fn given<'de, D: Deserializer<'de>>(written: D) -> Result<Option<Vec<String>>, D::Error> {
    Vec::deserialize(written).map(Some)
}

/// A token that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) name: String,
    scopes: Vec<Scope>,
    /// None: all.
    accounts: Option<Vec<String>>,
}

impl Bearer {
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Whether it may act on leads of `account`; none: of one that is not known.
    pub(crate) fn reaches(&self, account: Option<&str>) -> bool {
        let Some(accounts) = &self.accounts else {
            return true;
        };
        account.is_some_and(|account| accounts.iter().any(|it| it == account))
    }
}

/// Tokens by their SHA-256.
struct Tokens(Vec<([u8; 32], Bearer)>);

impl Tokens {
    fn parse(text: &str) -> Result<Self, String> {
        let options = serde_saphyr::options! { with_snippet: false };
        let written: Vec<Written> = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| error.without_snippet().to_string())?;
        if written.len() > MAX_TOKENS {
            return Err(format!("it has over {MAX_TOKENS} tokens"));
        }
        let mut tokens: Vec<([u8; 32], Bearer)> = Vec::new();
        for token in written {
            let name = token.name;
            let is_fit = (1..=40).contains(&name.len())
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            if !is_fit {
                return Err("a name has up to 40 letters, digits, `-`, `_` and `.`".to_owned());
            }
            let mut hash = [0; 32];
            hex::decode_to_slice(token.sha256.trim(), &mut hash).map_err(|_| {
                format!("`sha256` of {name} is no SHA-256 in hex; make it with `printf %s TOKEN | sha256sum`")
            })?;
            if tokens
                .iter()
                .any(|(known, it)| *known == hash || it.name == name)
            {
                return Err(format!("the name or the token of {name} is there twice"));
            }
            if token.accounts.as_ref().is_some_and(Vec::is_empty) {
                return Err(format!(
                    "`accounts` of {name} names none; name those that it may act in, '' for the default one, or leave the line out for all"
                ));
            }
            let bearer = Bearer {
                name,
                scopes: token.scopes,
                accounts: token.accounts,
            };
            tokens.push((hash, bearer));
        }
        Ok(Self(tokens))
    }

    /// Takes the same time whichever token it is, and whether it is one.
    fn find(&self, token: &str) -> Option<Bearer> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let mut found = None;
        for (known, bearer) in &self.0 {
            if bool::from(known.ct_eq(&hash)) {
                found = Some(bearer);
            }
        }
        found.cloned()
    }
}

/// A file of tokens, read again when it changes.
pub(crate) struct TokenFile {
    path: PathBuf,
    tokens: RwLock<Tokens>,
    looked: Mutex<(Instant, Option<Stamp>)>,
}

type Stamp = (SystemTime, u64);

impl TokenFile {
    /// # Errors
    /// A file that cannot be read or is none of tokens.
    pub(crate) fn open(path: PathBuf) -> Result<Self, TokensError> {
        let stamp = stamp(&path);
        match read(&path) {
            Ok(tokens) => Ok(Self {
                path,
                tokens: RwLock::new(tokens),
                looked: Mutex::new((Instant::now(), stamp)),
            }),
            Err(reason) => Err(TokensError { path, reason }),
        }
    }

    /// Whose `token` is, by what the file says now.
    pub(crate) fn find(&self, token: &str) -> Option<Bearer> {
        self.refresh(Instant::now());
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens.find(token)
    }

    /// A file that is wrong changes nothing: who could come in still can.
    fn refresh(&self, now: Instant) {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(looked.0) < LOOK {
            return;
        }
        looked.0 = now;
        let found = stamp(&self.path);
        if found == looked.1 {
            return;
        }
        looked.1 = found;
        match read(&self.path) {
            Ok(tokens) => {
                tracing::info!(tokens = tokens.0.len(), "the tokens were read again");
                *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
            }
            Err(reason) => {
                tracing::error!(
                    error = reason,
                    "API_TOKEN_HASHES_FILE is wrong: the tokens stay as they were"
                );
            }
        }
    }
}

fn stamp(path: &std::path::Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn read(path: &std::path::Path) -> Result<Tokens, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
    Tokens::parse(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, token: &str, scopes: &str) -> String {
        let hash = hex::encode(Sha256::digest(token.as_bytes()));
        format!("- {{ name: {name}, sha256: {hash}, scopes: [{scopes}] }}\n")
    }

    #[test]
    fn a_token_is_known_by_its_hash_with_its_scopes() {
        let text = line("desk", "secret", "'leads:read', 'leads:write'");
        let tokens = Tokens::parse(&text).unwrap();
        let desk = tokens.find("secret").unwrap();
        assert_eq!(desk.name, "desk");
        assert!(desk.may(Scope::Read) && desk.may(Scope::Write) && !desk.may(Scope::Erase));
        assert_eq!(tokens.find("Secret"), None);
        assert_eq!(tokens.find(""), None);
    }

    #[test]
    fn a_token_reaches_its_accounts_or_all() {
        let limited = |accounts: &str| {
            let text = line("desk", "secret", "'leads:read'");
            let text = text.replace(" }", &format!(", accounts: {accounts} }}"));
            Tokens::parse(&text).map(|tokens| tokens.find("secret").unwrap())
        };
        let all = [Some(""), Some("eu"), Some("us"), Some("EU"), None];
        for (accounts, expected) in [
            ("[eu]", [false, true, false, false, false]),
            ("['', us]", [true, false, true, false, false]),
        ] {
            let desk = limited(accounts).unwrap();
            assert_eq!(all.map(|it| desk.reaches(it)), expected, "{accounts}");
        }
        let tokens = Tokens::parse(&line("desk", "secret", "'leads:read'")).unwrap();
        let desk = tokens.find("secret").unwrap();
        assert_eq!(all.map(|it| desk.reaches(it)), [true; 5]);
        // A line that names nothing does not open everything.
        for accounts in ["[]", "", "~", "null", "eu"] {
            assert!(limited(accounts).is_err(), "{accounts}");
        }
    }

    #[test]
    fn a_wrong_file_says_what_is_wrong() {
        let twice = line("a", "x", "") + &line("b", "x", "");
        for (text, reason) in [
            ("- { name: a, sha256: abc, scopes: [] }", "is no SHA-256"),
            (
                "- { name: a, sha256: abc, scopes: ['leads:all'] }",
                "leads:all",
            ),
            (&line("'a b'", "x", ""), "a name has"),
            (&twice, "is there twice"),
            ("tokens", "expected"),
        ] {
            let error = Tokens::parse(text).err().unwrap();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_changed_file_counts_and_a_wrong_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.yaml");
        std::fs::write(&path, line("a", "one", "'leads:read'")).unwrap();
        let file = TokenFile::open(path.clone()).unwrap();
        let mut now = Instant::now();
        let mut write = |text: &str| {
            std::fs::write(&path, text).unwrap();
            now += LOOK;
            file.refresh(now);
        };
        write(&(line("a", "two", "'leads:read'") + "# longer\n"));
        assert!(file.find("one").is_none() && file.find("two").is_some());
        write("no tokens");
        assert!(file.find("two").is_some());
        assert!(TokenFile::open(path.clone()).is_err());
    }
}
