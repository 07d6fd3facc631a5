//! Requests to a receiver.

use chrono::Utc;
use leadstream_schemas::LeadEvent;
use leadstream_service::{ConfigError, Secret};
use reqwest::Client;
use serde_json::Value;
use standardwebhooks::{
    HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook as Signer,
};

use super::request::{id, prepare};
use super::response::classify;
use crate::crm::{Class, Crm, CrmName, Failure, Prepared, Quota, Reply, Verdict};
use crate::http::call;
use crate::mapping::{Filter, wants};

const SECRET: &str = "SINK_CRM_WEBHOOK_SECRET";
const EXAMPLE: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Settings of the webhook.
#[derive(Clone, Debug)]
pub(crate) struct WebhookSettings {
    pub(crate) url: Secret,
    /// As given; the secrets may stand in a file instead, which is read for each request.
    pub(crate) given_secret: Option<Secret>,
    pub(crate) filter: Filter,
}

pub(crate) struct Webhook {
    http: Client,
    settings: WebhookSettings,
}

impl WebhookSettings {
    /// One signer for each secret: several while they are rotated.
    ///
    /// # Errors
    /// No secret, or one that is no base64.
    fn signers(&self) -> Result<Vec<Signer>, ConfigError> {
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

    /// # Errors
    /// As [`Self::signers`].
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        self.signers().map(drop)
    }
}

impl Webhook {
    pub(crate) const fn new(http: Client, settings: WebhookSettings) -> Self {
        Self { http, settings }
    }

    async fn deliver(&self, lead: &Prepared) -> Verdict {
        let halt = |error: &dyn std::fmt::Display| Failure::new(Class::Halt, error.to_string());
        let payload = lead.body.to_string();
        let id = id(&lead.body);
        let at = Utc::now().timestamp();
        let signers = self.settings.signers().map_err(|error| halt(&error))?;
        let signatures: Result<Vec<String>, _> = signers
            .iter()
            .map(|signer| signer.sign(id, at, payload.as_bytes()))
            .collect();
        let signatures = signatures.map_err(|error| halt(&error))?;
        let request = self
            .http
            .post(self.settings.url.expose().trim())
            .header("Content-Type", "application/json")
            .header(HEADER_WEBHOOK_ID, id)
            .header(HEADER_WEBHOOK_TIMESTAMP, at)
            .header(HEADER_WEBHOOK_SIGNATURE, signatures.join(" "))
            .body(payload);
        let answer = call(request).await?;
        classify(answer.status, answer.retry_after(Utc::now()))
    }
}

impl Crm for Webhook {
    const NAME: CrmName = CrmName::Webhook;
    const BATCH: usize = 1;

    /// A receiver has no schema that could be asked for.
    async fn check(&self) -> Result<Quota, Failure> {
        self.settings
            .validate()
            .map(|()| Quota::default())
            .map_err(|error| Failure::new(Class::Halt, error.to_string()))
    }

    fn wants(&self, event: &LeadEvent) -> bool {
        wants(&self.settings.filter, &event.data)
    }

    fn prepare(&self, event: &LeadEvent) -> Prepared {
        prepare(event)
    }

    fn body(&self, leads: &[&Prepared]) -> Value {
        leads.first().map_or(Value::Null, |lead| lead.body.clone())
    }

    async fn upsert(&self, leads: &[&Prepared]) -> Reply {
        let verdict = match leads {
            [lead] => self.deliver(lead).await,
            _ => Err(Failure::new(Class::Halt, "a webhook carries one event")),
        };
        Reply {
            verdict,
            quota: Quota::default(),
        }
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
