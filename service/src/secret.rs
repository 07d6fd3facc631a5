//! Secrets that are never printed.

use std::fmt;
use std::str::FromStr;

use crate::config_error::ConfigError;

/// A secret setting. `Debug` and `Display` print `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// Returns the secret itself. Pass it only to a client or a MAC, never to code that prints.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// Returns the value of the flag or variable. Otherwise returns the content of the file that
    /// `<variable>_FILE` names, without its final newline.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or if both are set.
    pub fn resolve(value: Option<Self>, variable: &str) -> Result<Option<Self>, ConfigError> {
        let file_variable = format!("{variable}_FILE");
        let Some(path) = std::env::var_os(&file_variable) else {
            return Ok(value.filter(|secret| !secret.0.is_empty()));
        };
        if value.is_some() {
            return Err(ConfigError::new(
                &file_variable,
                format!("is set beside {variable}; keep one of them"),
            ));
        }
        let text = std::fs::read_to_string(&path).map_err(|source| {
            ConfigError::new(
                &file_variable,
                format!("names {}, which cannot be read: {source}", path.display()),
            )
        })?;
        Ok(Some(Self(text.trim_end_matches(['\r', '\n']).to_owned())))
    }

    /// Resolves a required setting like [`Self::resolve`].
    ///
    /// # Errors
    /// Returns the errors of [`Self::resolve`], and an error if the setting is missing.
    pub fn require(
        value: Option<Self>,
        variable: &str,
        example: &str,
    ) -> Result<Self, ConfigError> {
        Self::resolve(value, variable)?.ok_or_else(|| ConfigError::missing(variable, example))
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        Ok(Self(value.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_never_prints() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn a_missing_secret_names_its_variable_and_an_example() {
        let error = Secret::require(None, "META_APP_SECRET", "0123abcd").unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("META_APP_SECRET") && text.contains("0123abcd"),
            "{text}"
        );
    }
}
