//! Holds the credentials of the business numbers, and reads them again while the service runs.

use std::sync::Arc;
use std::time::Duration;

use leadstream_schemas::Platform;
use leadstream_service::config::WasenderArgs;
use leadstream_service::{ConfigError, NumberSecrets, Secret};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// How often the files of the credentials are read.
const READ: Duration = Duration::from_secs(5);
/// The shortest time between two reads, however many requests ask for one.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// The settings that hold the credentials.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) access_token: Option<Secret>,
    pub(crate) access_tokens: Option<Secret>,
    pub(crate) wasender: WasenderArgs,
}

/// The credentials of the numbers. `Debug` prints none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// The token of each number of the Cloud API without an own one.
    access_token: Option<Secret>,
    access_tokens: NumberSecrets,
    /// By session.
    api_keys: NumberSecrets,
}

impl Source {
    /// Reads the settings, and the files that they name.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read, if a list is wrong, or if nothing is set.
    pub(crate) fn read(&self) -> Result<Credentials, ConfigError> {
        let credentials = self.parse()?;
        if credentials.is_empty() {
            return Err(ConfigError::new(
                "META_ACCESS_TOKEN",
                "is not set, nor are META_ACCESS_TOKENS and WASENDER_API_KEY: nothing could be sent; example: META_ACCESS_TOKEN=EAAG0123456789",
            ));
        }
        Ok(credentials)
    }

    /// Reads the settings, of which none may be set.
    pub(crate) fn parse(&self) -> Result<Credentials, ConfigError> {
        Ok(Credentials {
            access_token: Secret::resolve(self.access_token.clone(), "META_ACCESS_TOKEN")?,
            access_tokens: NumberSecrets::resolve(
                self.access_tokens.clone(),
                "META_ACCESS_TOKENS",
                None,
                "106540352242922=EAAG…,106540352242923=EAAG…",
            )?,
            api_keys: self.wasender.sessions()?,
        })
    }
}

impl Credentials {
    pub(crate) fn is_empty(&self) -> bool {
        self.access_token.is_none() && self.access_tokens.is_empty() && self.api_keys.is_empty()
    }

    /// Returns the numbers and sessions with a credential of their own.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = &str> {
        let own = self.access_tokens.iter().chain(self.api_keys.iter());
        own.map(|(number, _)| number)
    }

    /// Returns whether `number` has a credential, its own or the one of all.
    pub(crate) fn has(&self, number: &str) -> bool {
        self.is_session(number) || self.of(Platform::WhatsappCloud, number).is_some()
    }

    /// Returns the credential with which `number` sends.
    pub(crate) fn of(&self, platform: Platform, number: &str) -> Option<&Secret> {
        match platform {
            Platform::WhatsappCloud => self
                .access_tokens
                .get(number)
                .or(self.access_token.as_ref()),
            Platform::Wasender => self.api_keys.get(number),
        }
    }

    /// Returns whether `number` is a configured session of WASenderApi.
    pub(crate) fn is_session(&self, number: &str) -> bool {
        self.api_keys.get(number).is_some()
    }

    /// Returns whether `number` sends with the same credentials in `other`.
    pub(crate) fn same_for(&self, number: &str, other: &Self) -> bool {
        [Platform::WhatsappCloud, Platform::Wasender]
            .into_iter()
            .all(|platform| self.of(platform, number) == other.of(platform, number))
    }
}

/// The credentials in force. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct CredentialStore {
    current: watch::Receiver<Arc<Credentials>>,
    wanted: Arc<Notify>,
}

impl CredentialStore {
    /// Returns the credentials now.
    pub(crate) fn current(&self) -> Arc<Credentials> {
        Arc::clone(&self.current.borrow())
    }

    /// Returns a receiver of changes.
    pub(crate) fn changes(&self) -> watch::Receiver<Arc<Credentials>> {
        self.current.clone()
    }

    /// Asks for another read of the files, because WhatsApp refused a credential.
    pub(crate) fn read_again(&self) {
        self.wanted.notify_one();
    }
}

/// Reads the files of the credentials from time to time, and when a request asks for it.
#[derive(Debug)]
pub(crate) struct CredentialReader {
    source: Source,
    current: watch::Sender<Arc<Credentials>>,
    wanted: Arc<Notify>,
}

impl CredentialReader {
    /// Reads the credentials for the first time.
    ///
    /// # Errors
    /// Returns the errors of [`Source::read`].
    pub(crate) fn new(source: Source) -> Result<(Self, CredentialStore), ConfigError> {
        let (current, receiver) = watch::channel(Arc::new(source.read()?));
        let wanted = Arc::<Notify>::default();
        let store = CredentialStore {
            current: receiver,
            wanted: Arc::clone(&wanted),
        };
        let reader = Self {
            source,
            current,
            wanted,
        };
        Ok((reader, store))
    }

    /// Reads until shutdown. A file that is wrong leaves the credentials as they are.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut told = None;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(READ) => {}
                () = self.wanted.notified() => {}
            }
            told = self.read(told.as_ref());
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(LEAST_PAUSE) => {}
            }
        }
    }

    /// Reads once. Logs an error unless it is the one in `told`, and returns it.
    fn read(&self, told: Option<&ConfigError>) -> Option<ConfigError> {
        match self.source.read() {
            Ok(read) => {
                let changed = self.current.send_if_modified(|known| {
                    let changed = **known != read;
                    if changed {
                        *known = Arc::new(read);
                    }
                    changed
                });
                if changed {
                    tracing::info!("the credentials of the whatsapp numbers have changed");
                }
                None
            }
            Err(error) => {
                if told != Some(&error) {
                    tracing::error!(error = %error, "the credentials of the whatsapp numbers stay as they are");
                }
                Some(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::Platform;
    use leadstream_service::Secret;
    use leadstream_service::config::WasenderArgs;

    use super::{CredentialReader, Source};

    fn source(token: Option<&str>, tokens: &str, keys: &str) -> Source {
        Source {
            access_token: token.map(Secret::new),
            access_tokens: Some(Secret::new(tokens)),
            wasender: WasenderArgs {
                wasender_api_key: Some(Secret::new(keys)),
            },
        }
    }

    #[test]
    fn a_number_sends_with_its_own_token_or_else_with_the_common_one() {
        let read = source(Some("common"), "501=own", "sales=key")
            .read()
            .unwrap();
        let of = |platform, number| read.of(platform, number).map(Secret::expose);
        assert_eq!(of(Platform::WhatsappCloud, "501"), Some("own"));
        assert_eq!(of(Platform::WhatsappCloud, "502"), Some("common"));
        assert_eq!(of(Platform::Wasender, "sales"), Some("key"));
        assert_eq!(of(Platform::Wasender, "501"), None);
        assert!(read.is_session("sales") && !read.is_session("501"));
        let printed = format!("{read:?}");
        for secret in ["own", "common", "key\""] {
            assert!(!printed.contains(secret), "{printed}");
        }
        let alone = source(None, "", "key").read().unwrap();
        assert!(alone.is_session("default"));
        assert!(alone.of(Platform::WhatsappCloud, "501").is_none());
    }

    #[test]
    fn a_change_of_one_number_changes_no_other() {
        let before = source(None, "501=a,502=b", "").read().unwrap();
        let after = source(None, "501=a,502=c", "").read().unwrap();
        assert!(before.same_for("501", &after));
        assert!(!before.same_for("502", &after));
    }

    #[test]
    fn nothing_to_send_with_is_an_error() {
        let error = source(None, " ", ",").read().unwrap_err();
        assert_eq!(error.variable(), "META_ACCESS_TOKEN");
    }

    #[test]
    fn a_new_token_is_taken_and_a_wrong_list_keeps_the_old_one() {
        let (mut reader, store) = CredentialReader::new(source(None, "501=a", "")).unwrap();
        let token = || {
            let current = store.current();
            let token = current.of(Platform::WhatsappCloud, "501");
            token.map(|token| token.expose().to_owned())
        };
        reader.source = source(None, "501=b", "");
        assert_eq!(reader.read(None), None);
        assert_eq!(token().as_deref(), Some("b"));
        reader.source = source(None, "hunter2", "");
        let error = reader.read(None).unwrap();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert_eq!(token().as_deref(), Some("b"));
    }
}
