//! The settings of Meta's Graph API.

use leadstream_schemas::{BaseUrl, Url};

use crate::config_error::ConfigError;
use crate::secret::Secret;

/// Settings of the Cloud API.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "WhatsApp Cloud API")]
pub struct GraphArgs {
    /// System user's token with the permission whatsapp_business_messaging; or
    /// META_ACCESS_TOKEN_FILE
    #[arg(
        long,
        env = "META_ACCESS_TOKEN",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub meta_access_token: Option<Secret>,
    /// Base URL of the Graph API
    #[arg(
        long,
        env = "META_GRAPH_URL",
        hide_env_values = true,
        default_value = "https://graph.facebook.com",
        value_name = "URL"
    )]
    pub meta_graph_url: Secret,
    /// Version of the Graph API, as in its path
    #[arg(
        long,
        env = "META_API_VERSION",
        default_value = "v23.0",
        value_name = "VERSION"
    )]
    pub meta_api_version: String,
}

impl GraphArgs {
    /// Returns the access token; none if it is not set.
    ///
    /// # Errors
    /// Returns the errors of [`Secret::resolve`].
    pub fn access_token(&self) -> Result<Option<Secret>, ConfigError> {
        Secret::resolve(self.meta_access_token.clone(), "META_ACCESS_TOKEN")
    }

    /// Returns the base URL.
    ///
    /// # Errors
    /// Returns an error if it is no http or https URL, or has a query or credentials.
    pub fn base(&self) -> Result<Url, ConfigError> {
        base_url(
            &self.meta_graph_url,
            "META_GRAPH_URL",
            "https://graph.facebook.com",
        )
    }
}

/// Returns the base URL that `variable` holds.
///
/// # Errors
/// Returns an error if it is no http or https URL, or has a query or credentials.
pub fn base_url(value: &Secret, variable: &str, example: &str) -> Result<Url, ConfigError> {
    let base: BaseUrl = value.expose().parse().map_err(|problem| {
        ConfigError::new(
            variable,
            format!("{problem}; example: {variable}={example}"),
        )
    })?;
    Ok(base.url().clone())
}
