//! The settings of WASenderApi's sessions.

use crate::config_error::ConfigError;
use crate::number_secrets::NumberSecrets;
use crate::secret::Secret;

/// The sessions of WASenderApi.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "WASenderApi")]
pub struct WasenderArgs {
    /// API key of the WASenderApi session, or name=key of several separated by commas or lines. Records
    /// carry the name, `default` without one. Webhooks of other sessions are counted and skipped; or
    /// WASENDER_API_KEY_FILE
    #[arg(
        long,
        env = "WASENDER_API_KEY",
        hide_env_values = true,
        value_name = "[NAME=]SECRET,…"
    )]
    pub wasender_api_key: Option<Secret>,
}

impl WasenderArgs {
    /// The name of a session without a name.
    pub const DEFAULT_SESSION: &str = "default";

    /// Returns the key of each session.
    ///
    /// # Errors
    /// Returns the errors of [`NumberSecrets::resolve`].
    pub fn sessions(&self) -> Result<NumberSecrets, ConfigError> {
        NumberSecrets::resolve(
            self.wasender_api_key.clone(),
            "WASENDER_API_KEY",
            Some(Self::DEFAULT_SESSION),
            "sales=KEY,support=KEY, or only KEY where there is one session",
        )
    }
}
