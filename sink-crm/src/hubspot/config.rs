//! Settings of HubSpot.

use leadstream_service::{ConfigError, Secret};

use super::auth::Credentials;
use super::version::ApiVersion;
use crate::hosts::{Hosts, path_segment};
use crate::mapping::Target;

/// HubSpot's own domain.
const DOMAINS: &[&str] = &["hubapi.com"];

/// The settings of HubSpot, checked.
#[derive(Debug)]
pub(crate) struct HubspotSettings {
    pub(crate) credentials: Credentials,
    /// Without a final slash.
    pub(crate) api_url: String,
    pub(crate) api_version: ApiVersion,
    pub(crate) id_property: String,
    pub(crate) target: Target,
}

/// Settings of HubSpot.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "HubSpot")]
pub struct HubspotArgs {
    /// Service key or private-app token with the scopes crm.objects.contacts.read,
    /// crm.objects.contacts.write and crm.schemas.contacts.read (to provision:
    /// crm.schemas.contacts.write); or HUBSPOT_ACCESS_TOKEN_FILE
    #[arg(
        long,
        env = "HUBSPOT_ACCESS_TOKEN",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub hubspot_access_token: Option<Secret>,
    /// Client id of an OAuth app, instead of a token
    #[arg(long, env = "HUBSPOT_CLIENT_ID", value_name = "ID")]
    pub hubspot_client_id: Option<String>,
    /// Client secret of that app; or HUBSPOT_CLIENT_SECRET_FILE
    #[arg(
        long,
        env = "HUBSPOT_CLIENT_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub hubspot_client_secret: Option<Secret>,
    /// Refresh token of the app's installation in the portal; or HUBSPOT_REFRESH_TOKEN_FILE
    #[arg(
        long,
        env = "HUBSPOT_REFRESH_TOKEN",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub hubspot_refresh_token: Option<Secret>,
    /// Base URL of HubSpot's API
    #[arg(
        long,
        env = "HUBSPOT_API_URL",
        hide_env_values = true,
        default_value = "https://api.hubapi.com",
        value_name = "URL"
    )]
    pub hubspot_api_url: Secret,
    /// Version of HubSpot's API: a date, or v3, which ends in September 2027
    #[arg(
        long,
        env = "HUBSPOT_API_VERSION",
        default_value = "2026-09",
        value_name = "VERSION"
    )]
    pub hubspot_api_version: String,
    /// Contact property with unique values that holds the lead id
    #[arg(
        long,
        env = "HUBSPOT_ID_PROPERTY",
        default_value = "wa_id",
        value_name = "NAME"
    )]
    pub hubspot_id_property: String,
}

impl HubspotArgs {
    pub(crate) fn settings(
        &self,
        target: Target,
        allowed: &[String],
    ) -> Result<Option<HubspotSettings>, ConfigError> {
        let Some(credentials) = self.credentials()? else {
            return Ok(None);
        };
        let example = "https://api.hubapi.com";
        let hosts = Hosts::new(DOMAINS, allowed);
        Ok(Some(HubspotSettings {
            credentials,
            api_url: hosts.setting(&self.hubspot_api_url, "HUBSPOT_API_URL", example)?,
            api_version: ApiVersion::new(&self.hubspot_api_version)?,
            id_property: path_segment(&self.hubspot_id_property, "HUBSPOT_ID_PROPERTY", "wa_id")?,
            target,
        }))
    }

    /// Secrets in files are read again whenever a token is needed; here they have to be there.
    fn credentials(&self) -> Result<Option<Credentials>, ConfigError> {
        let token = self.hubspot_access_token.clone();
        let has_token = Secret::resolve(token.clone(), "HUBSPOT_ACCESS_TOKEN")?.is_some();
        let client_id = self
            .hubspot_client_id
            .clone()
            .filter(|id| !id.trim().is_empty());
        let secret = self.hubspot_client_secret.clone();
        let has_secret = Secret::resolve(secret.clone(), "HUBSPOT_CLIENT_SECRET")?.is_some();
        let refresh = self.hubspot_refresh_token.clone();
        let has_refresh = Secret::resolve(refresh.clone(), "HUBSPOT_REFRESH_TOKEN")?.is_some();
        if client_id.is_none() && !has_secret && !has_refresh {
            return Ok(has_token.then_some(Credentials::Token(token)));
        }
        if has_token {
            return Err(ConfigError::new(
                "HUBSPOT_ACCESS_TOKEN",
                "is set beside HUBSPOT_CLIENT_ID, HUBSPOT_CLIENT_SECRET or HUBSPOT_REFRESH_TOKEN; keep one kind of credentials",
            ));
        }
        let missing = |variable, example| move || ConfigError::missing(variable, example);
        let client_id = client_id.ok_or_else(missing("HUBSPOT_CLIENT_ID", "7fff1e36-…"))?;
        for (is_there, variable) in [
            (has_secret, "HUBSPOT_CLIENT_SECRET"),
            (has_refresh, "HUBSPOT_REFRESH_TOKEN"),
        ] {
            is_there
                .then_some(())
                .ok_or_else(missing(variable, "na1-1a2b…"))?;
        }
        Ok(Some(Credentials::refresh(client_id, secret, refresh)))
    }
}
