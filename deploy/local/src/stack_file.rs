//! Reads and writes `stack.json`: the addresses and secrets of a running `leadstream up`, in its data
//! folder. Scripts and the other commands find the stack by it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::private_file;

const NAME: &str = "stack.json";

/// The addresses and secrets of a running stack. It is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackFile {
    /// Bootstrap servers.
    pub kafka: String,
    pub topic_prefix: String,
    pub schema_registry: String,
    /// The URL with user and password.
    pub database_url: String,
    pub webhooks: Webhooks,
    /// The sandbox's business number; `None` when messages go to the real WhatsApp.
    pub phone_number_id: Option<String>,
    pub meta_app_secret: String,
    pub meta_verify_token: String,
    pub wasender_webhook_secret: String,
    /// Base URL of the API, and a token that may do everything there.
    pub api: String,
    pub api_token: String,
    /// Base URL; `None` when WhatsApp and both CRMs are the real ones.
    pub sandbox: Option<String>,
    /// URL of each service's metrics, by its subcommand; further processors have a number.
    pub metrics: BTreeMap<String, String>,
    /// The settings with which services and tools reach the stack, by variable.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The process of `leadstream up`.
    pub pid: u32,
}

impl fmt::Debug for StackFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackFile")
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}

/// Full addresses of the webhooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhooks {
    pub whatsapp: String,
    pub wasender: String,
}

/// No running stack was found, or its file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StackFileError {
    #[error(
        "no stack runs on the data folder {}: start it with `leadstream up`, or name its folder with --data-dir (LEADSTREAM_DATA_DIR)",
        .data_dir.display()
    )]
    NotRunning { data_dir: PathBuf },
    #[error("{} cannot be {doing}: {source}", .path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "{} is not what this version of leadstream writes ({source}): start `leadstream up` of the same version",
        .path.display()
    )]
    Content {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
}

impl StackFile {
    pub(crate) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(NAME)
    }

    /// Returns the stack that runs on `data_dir`.
    ///
    /// # Errors
    /// See [`StackFileError`].
    pub fn find(data_dir: &Path) -> Result<Self, StackFileError> {
        let not_running = || StackFileError::NotRunning {
            data_dir: data_dir.to_owned(),
        };
        let path = Self::path(data_dir);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(not_running()),
            Err(source) => return Err(failed("read", path)(source)),
        };
        let found: Self = serde_json::from_slice(&bytes)
            .map_err(|source| StackFileError::Content { path, source })?;
        // A stack that was killed leaves its file.
        if is_alive(found.pid) {
            Ok(found)
        } else {
            Err(not_running())
        }
    }

    /// # Errors
    /// [`StackFileError::Io`].
    pub(crate) fn write(&self, data_dir: &Path) -> Result<(), StackFileError> {
        let path = Self::path(data_dir);
        serde_json::to_vec_pretty(self)
            .map_err(io::Error::other)
            .and_then(|json| private_file::write(&path, &json))
            .map_err(failed("written", path))
    }

    /// # Errors
    /// [`StackFileError::Io`].
    pub(crate) fn remove(data_dir: &Path) -> Result<(), StackFileError> {
        let path = Self::path(data_dir);
        private_file::remove(&path).map_err(failed("removed", path))
    }
}

pub(crate) fn failed(
    doing: &'static str,
    path: PathBuf,
) -> impl FnOnce(io::Error) -> StackFileError {
    move |source| StackFileError::Io {
        doing,
        path,
        source,
    }
}

fn is_alive(pid: u32) -> bool {
    i32::try_from(pid)
        .ok()
        .filter(|&pid| pid > 0)
        // Another user's process refuses signals, and exists.
        .is_some_and(|pid| kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::Value;

    use super::*;

    pub(crate) fn sample() -> StackFile {
        StackFile {
            kafka: "127.0.0.1:20001".into(),
            topic_prefix: String::new(),
            schema_registry: "http://127.0.0.1:20003/apis/ccompat/v7".into(),
            database_url: "postgres://leadstream:pw@127.0.0.1:20002/leadstream".into(),
            webhooks: Webhooks {
                whatsapp: "http://127.0.0.1:8080/webhooks/whatsapp".into(),
                wasender: "http://127.0.0.1:8080/webhooks/wasender".into(),
            },
            phone_number_id: Some("106540352242922".into()),
            meta_app_secret: "app".into(),
            meta_verify_token: "verify".into(),
            wasender_webhook_secret: "wasender".into(),
            api: "http://127.0.0.1:20006".into(),
            api_token: "token".into(),
            sandbox: Some("http://127.0.0.1:20004".into()),
            metrics: [("ingest".into(), "http://127.0.0.1:20005/metrics".into())].into(),
            settings: [("TOPIC_PREFIX".into(), String::new())].into(),
            pid: std::process::id(),
        }
    }

    #[test]
    fn what_is_written_is_found_again_and_only_its_owner_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        sample().write(dir.path()).unwrap();
        assert!(StackFile::find(dir.path()).unwrap() == sample());

        let files: Vec<_> = fs::read_dir(dir.path()).unwrap().flatten().collect();
        assert_eq!(files.len(), 1);
        for file in files {
            let mode = file.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file:?}");
        }
    }

    #[test]
    fn a_stack_that_is_gone_is_not_found_and_the_error_says_how_to_start_one() {
        let dir = tempfile::tempdir().unwrap();
        let missing = StackFile::find(dir.path()).err().unwrap();
        assert!(missing.to_string().contains("`leadstream up`"), "{missing}");

        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let killed = StackFile {
            pid: ended.id(),
            ..sample()
        };
        killed.write(dir.path()).unwrap();
        assert!(matches!(
            StackFile::find(dir.path()),
            Err(StackFileError::NotRunning { .. })
        ));

        StackFile::remove(dir.path()).unwrap();
        StackFile::remove(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn scripts_find_every_address_and_secret_under_its_name() {
        let json = serde_json::to_value(sample()).unwrap();
        for pointer in [
            "/kafka",
            "/schema_registry",
            "/database_url",
            "/webhooks/whatsapp",
            "/webhooks/wasender",
            "/phone_number_id",
            "/meta_app_secret",
            "/meta_verify_token",
            "/wasender_webhook_secret",
            "/api",
            "/api_token",
            "/sandbox",
            "/metrics/ingest",
            "/settings/TOPIC_PREFIX",
        ] {
            assert!(
                json.pointer(pointer).is_some_and(Value::is_string),
                "{pointer}"
            );
        }
    }

    #[test]
    fn a_file_of_another_kind_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(StackFile::path(dir.path()), "{}").unwrap();
        let error = StackFile::find(dir.path()).err().unwrap().to_string();
        assert!(error.contains("stack.json is not what"), "{error}");
    }
}
