//! Secrets of a local deployment: random, and stored in its data folder.

use std::path::Path;
use std::{fs, io};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::private_file;

const NAME: &str = "secrets.json";

/// Secrets in place of those that Meta and WASenderApi would issue.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Secrets {
    pub(super) meta_app_secret: String,
    pub(super) meta_verify_token: String,
    pub(super) wasender_webhook_secret: String,
    /// Missing in older folders: generated again at each start.
    #[serde(default = "random")]
    pub(super) api_token: String,
    /// Empty in older folders: no erasure works there.
    #[serde(default)]
    pub(super) erasure_key: String,
}

/// Returns a random secret as long as Meta's.
fn random() -> String {
    format!("{:032x}", rand::random::<u128>())
}

impl Secrets {
    fn random() -> Self {
        Self {
            meta_app_secret: random(),
            meta_verify_token: random(),
            wasender_webhook_secret: random(),
            api_token: random(),
            erasure_key: random(),
        }
    }

    /// Returns the secrets of `data_dir`; creates them at the first call.
    pub(super) fn of(data_dir: &Path) -> anyhow::Result<Self> {
        let path = data_dir.join(NAME);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| unusable(&path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = Self::random();
                private_file::write(&path, &serde_json::to_vec_pretty(&made)?)
                    .with_context(|| format!("{} cannot be written", path.display()))?;
                Ok(made)
            }
            Err(error) => Err(error).with_context(|| unusable(&path)),
        }
    }
}

fn unusable(path: &Path) -> String {
    format!(
        "the local secrets in {} cannot be read; remove the file to have new ones",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_folder_keeps_its_secrets_and_another_has_others() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = Secrets::of(one.path()).unwrap();
        assert!(Secrets::of(one.path()).unwrap() == first);
        assert!(Secrets::of(two.path()).unwrap() != first);
        assert_eq!(first.meta_app_secret.len(), 32);
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(NAME), "{").unwrap();
        let error = Secrets::of(dir.path()).err().unwrap().to_string();
        assert!(error.contains("secrets.json cannot be read"), "{error}");
    }
}
