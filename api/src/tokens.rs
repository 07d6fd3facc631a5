//! Reads bearer tokens and their scopes. The file has only hashes of the tokens.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use leadstream_schemas::Account;
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// How often the file is checked for a change.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
const MAX_TOKENS: usize = 1_000;

/// A permission of a token.
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
    /// `None` if the member is absent. An empty list is an error, so that it does not open everything.
    #[serde(default, deserialize_with = "given")]
    accounts: Option<Vec<Account>>,
}

fn given<'de, D: Deserializer<'de>>(written: D) -> Result<Option<Vec<Account>>, D::Error> {
    Vec::deserialize(written).map(Some)
}

/// A valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) name: String,
    scopes: Vec<Scope>,
    /// `None` for all accounts.
    accounts: Option<Vec<Account>>,
}

impl Bearer {
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Returns the only accounts that the token reaches; none for all.
    pub(crate) fn accounts(&self) -> Option<&[Account]> {
        self.accounts.as_deref()
    }

    /// Returns whether the token can reach leads of `account`, which may be unknown.
    pub(crate) fn reaches(&self, account: Option<&Account>) -> bool {
        let Some(accounts) = &self.accounts else {
            return true;
        };
        account.is_some_and(|account| accounts.contains(account))
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
            return Err(format!("the file has over {MAX_TOKENS} tokens"));
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
                format!("`sha256` of {name} is not a SHA-256 in hex; make one with `printf %s TOKEN | sha256sum`")
            })?;
            if tokens
                .iter()
                .any(|(known, it)| *known == hash || it.name == name)
            {
                return Err(format!(
                    "the file has the name or the token of {name} twice"
                ));
            }
            if token.accounts.as_ref().is_some_and(Vec::is_empty) {
                return Err(format!(
                    "`accounts` of {name} is empty; list the accounts that it can reach, '' for the default one, or remove the line for all"
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

    /// Compares every hash, so that the time does not depend on the token.
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
    /// Returns an error if the file cannot be read, or if its content is invalid.
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

    /// Returns the permissions of `token`, from the present file.
    pub(crate) fn find(&self, token: &str) -> Option<Bearer> {
        self.refresh(Instant::now());
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens.find(token)
    }

    /// Reads a changed file. An invalid file changes nothing, so that valid tokens stay valid.
    fn refresh(&self, now: Instant) {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(looked.0) < CHECK_INTERVAL {
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
                tracing::info!(tokens = tokens.0.len(), "API_TOKENS_FILE was read again");
                *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
            }
            Err(reason) => {
                tracing::error!(
                    error = reason,
                    "API_TOKEN_HASHES_FILE is invalid; the tokens stay as they were"
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
        let all = all.map(|it| it.map(Account::from));
        for (accounts, expected) in [
            ("[eu]", [false, true, false, false, false]),
            ("['', us]", [true, false, true, false, false]),
        ] {
            let desk = limited(accounts).unwrap();
            assert_eq!(
                all.each_ref().map(|it| desk.reaches(it.as_ref())),
                expected,
                "{accounts}"
            );
        }
        let tokens = Tokens::parse(&line("desk", "secret", "'leads:read'")).unwrap();
        let desk = tokens.find("secret").unwrap();
        assert_eq!(
            all.each_ref().map(|it| desk.reaches(it.as_ref())),
            [true; 5]
        );
        // A line that names nothing does not open everything.
        for accounts in ["[]", "", "~", "null", "eu"] {
            assert!(limited(accounts).is_err(), "{accounts}");
        }
    }

    #[test]
    fn a_wrong_file_says_what_is_wrong() {
        let twice = line("a", "x", "") + &line("b", "x", "");
        for (text, reason) in [
            ("- { name: a, sha256: abc, scopes: [] }", "is not a SHA-256"),
            (
                "- { name: a, sha256: abc, scopes: ['leads:all'] }",
                "leads:all",
            ),
            (&line("'a b'", "x", ""), "a name has"),
            (&twice, "the name or the token of"),
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
            now += CHECK_INTERVAL;
            file.refresh(now);
        };
        write(&(line("a", "two", "'leads:read'") + "# longer\n"));
        assert!(file.find("one").is_none() && file.find("two").is_some());
        write("no tokens");
        assert!(file.find("two").is_some());
        assert!(TokenFile::open(path.clone()).is_err());
    }
}
