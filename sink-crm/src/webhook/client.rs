//! Sends events to a receiver.

use chrono::Utc;
use leadstream_schemas::LeadEvent;
use reqwest::Client;
use serde_json::Value;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP};

use super::config::WebhookSettings;
use super::request::{event_body, message_id};
use super::response::classify_status;
use crate::crm::{BatchResponse, Class, Crm, Failure, Prepared, Quota};
use crate::crm_name::CrmName;
use crate::http::{HttpResponse, call_for_status};
use crate::ledger::OrderedEvents;
use crate::mapping::wants;

pub(crate) struct Webhook {
    http: Client,
    settings: WebhookSettings,
}

impl Webhook {
    pub(crate) const fn new(http: Client, settings: WebhookSettings) -> Self {
        Self { http, settings }
    }

    /// Sends an event, signed.
    async fn deliver(&self, lead: &Prepared) -> Result<HttpResponse, Failure> {
        let halt = |error: &dyn std::fmt::Display| Failure::new(Class::Halt, error.to_string());
        let payload = lead.body.to_string();
        let id = message_id(&lead.body);
        let at = Utc::now().timestamp();
        let signers = self.settings.signers().map_err(|error| halt(&error))?;
        let signatures: Result<Vec<String>, _> = signers
            .iter()
            .map(|signer| signer.sign(&id, at, payload.as_bytes()))
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
        call_for_status(request).await
    }
}

impl Crm for Webhook {
    type Delivery = OrderedEvents;
    const NAME: CrmName = CrmName::Webhook;
    const BATCH: usize = 1;

    /// Checks the settings only: a receiver has no schema to read.
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
        event_body(event)
    }

    fn upsert_body(&self, leads: &[&Prepared]) -> Value {
        leads.first().map_or(Value::Null, |lead| lead.body.clone())
    }

    async fn upsert(&self, leads: &[&Prepared]) -> BatchResponse {
        let [lead] = leads else {
            return Failure::new(Class::Halt, "a webhook carries one event").into();
        };
        match self.deliver(lead).await {
            Ok(response) => {
                let after = response.retry_after(Utc::now());
                BatchResponse {
                    result: classify_status(response.status, after),
                    after,
                    quota: Quota::default(),
                }
            }
            Err(failure) => failure.into(),
        }
    }
}
