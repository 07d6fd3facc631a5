//! Settings of the signed webhook.

use leadstream_service::{ConfigError, Secret};
use reqwest::Url;
use standardwebhooks::Webhook as Signer;

use crate::mapping::Filter;

const SECRET: &str = "SINK_CRM_WEBHOOK_SECRET";
const EXAMPLE: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Settings of the signed webhook.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Webhook")]
pub struct WebhookArgs {
    /// URL that receives every event, in order per lead, signed according to Standard Webhooks
    #[arg(
        long,
        env = "SINK_CRM_WEBHOOK_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub sink_crm_webhook_url: Option<Secret>,
    /// Secret in base64, several separated by commas during rotation; or SINK_CRM_WEBHOOK_SECRET_FILE
    #[arg(
        long,
        env = "SINK_CRM_WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub sink_crm_webhook_secret: Option<Secret>,
}

/// The settings of the webhook, checked.
#[derive(Clone, Debug)]
pub(crate) struct WebhookSettings {
    pub(crate) url: Secret,
    /// As given; the secrets may be in a file instead, which is read for each request.
    pub(crate) given_secret: Option<Secret>,
    pub(crate) filter: Filter,
}

impl WebhookArgs {
    pub(crate) fn settings(&self, filter: Filter) -> Result<Option<WebhookSettings>, ConfigError> {
        let url = self.sink_crm_webhook_url.clone();
        let Some(url) = url.filter(|url| !url.is_blank()) else {
            return Ok(None);
        };
        // Its query, its path or a user may be what lets us in, so it is never printed.
        let valid = Url::parse(url.expose().trim())
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !valid {
            return Err(ConfigError::new(
                "SINK_CRM_WEBHOOK_URL",
                "is no http or https URL; example: SINK_CRM_WEBHOOK_URL=https://example.com/leads",
            ));
        }
        let settings = WebhookSettings {
            url,
            given_secret: self.sink_crm_webhook_secret.clone(),
            filter,
        };
        settings.validate()?;
        Ok(Some(settings))
    }
}

impl WebhookSettings {
    /// Returns one signer for each secret; there are several while secrets are rotated.
    ///
    /// # Errors
    /// Returns an error if there is no secret, or one that is no base64.
    pub(super) fn signers(&self) -> Result<Vec<Signer>, ConfigError> {
        let secrets = Secret::require(self.given_secret.clone(), SECRET, EXAMPLE)?;
        let signers: Result<Vec<Signer>, _> = secrets
            .expose()
            .split(',')
            .map(|secret| Signer::new(secret.trim()))
            .collect();
        let problem =
            format!("is no base64 with or without whsec_ before it; example: {SECRET}={EXAMPLE}");
        signers.map_err(|_| ConfigError::new(SECRET, problem))
    }

    /// Checks the secrets.
    ///
    /// # Errors
    /// As [`Self::signers`].
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        self.signers().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use leadstream_service::Secret;

    use super::WebhookSettings;
    use crate::mapping::Filter;

    #[test]
    fn secrets_are_base64_and_several_may_hold_while_they_are_rotated() {
        let signers = |secret: Option<&str>| {
            let settings = WebhookSettings {
                url: Secret::new("https://example.com"),
                given_secret: secret.map(Secret::new),
                filter: Filter::default(),
            };
            settings
                .signers()
                .map(|signers| signers.len())
                .map_err(|error| error.to_string())
        };
        assert_eq!(
            signers(Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, bmV3")),
            Ok(2)
        );
        let error = signers(Some("hunter2!")).unwrap_err();
        assert!(
            error.starts_with("SINK_CRM_WEBHOOK_SECRET is no base64"),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
        assert!(signers(None).unwrap_err().contains("is not set"));
    }
}
