//! Calls the control API, for tests and tools in this process or another.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::{WasenderWebhook, Webhook};
use crate::control::wasender::{PhoneMessage, SessionChange};
use crate::control::{AddedMedia, Ordered, Spent};
use crate::endpoint::Vendor;
use crate::fault::Fault;
use crate::graph::rules::NumberRules;
use crate::received::ReceivedUpsert;
use crate::secret::Secret;
use crate::state::SentMessage;
use crate::stats::Stats;
use crate::status_script::StatusScript;
use crate::table::CrmRecord;
use crate::wasender::limit::WasenderLimit;
use crate::wasender::session::SessionStatus;

/// Longer than the longest wait of the control API.
const ANSWER_LIMIT: Duration = Duration::from_secs(75);

/// The control API cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The base URL is invalid.
    #[error("'{url}' is not the address of a sandbox; an example is http://127.0.0.1:8090")]
    Url {
        /// The given URL.
        url: String,
    },
    /// There was no response, or an unexpected one.
    #[error("the sandbox did not answer as it should; is it running at the given address?")]
    Http(#[from] reqwest::Error),
    /// The sandbox refused the request.
    #[error("the sandbox refused with status {status}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The reason.
        message: String,
    },
}

/// Selects messages.
#[derive(Debug, Clone, Default)]
pub struct MessageQuery {
    /// Recipient: a phone number in any notation, or a BSUID; `None`: any.
    pub to: Option<String>,
    /// Only messages accepted after the one with this `seq`.
    pub after: u64,
    /// The longest wait for a first message, at most a minute.
    pub wait: Duration,
}

/// A client of the control API.
#[derive(Debug, Clone)]
pub struct SandboxClient {
    base: Url,
    http: reqwest::Client,
}

impl SandboxClient {
    /// Returns a client of the sandbox at `url` (without `/sandbox`).
    ///
    /// # Errors
    /// [`ClientError::Url`], [`ClientError::Http`] when the HTTP client cannot be built.
    pub fn new(url: &str) -> Result<Self, ClientError> {
        let base = Url::parse(url).ok().filter(|base| !base.cannot_be_a_base());
        let base = base.ok_or_else(|| ClientError::Url {
            url: url.to_owned(),
        })?;
        let http = reqwest::Client::builder()
            .timeout(ANSWER_LIMIT)
            .no_proxy()
            .build()?;
        Ok(Self { base, http })
    }

    /// Returns accepted messages, oldest first, at most 10,000; empty when none came within the
    /// wait.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn messages(&self, query: &MessageQuery) -> Result<Vec<SentMessage>, ClientError> {
        let after = query.after.to_string();
        let wait = query.wait.as_millis().to_string();
        let mut parameters = vec![("after", after.as_str()), ("wait_ms", wait.as_str())];
        if let Some(to) = &query.to {
            parameters.push(("to", to));
        }
        self.get("messages", &parameters).await
    }

    /// Returns all HubSpot contacts, by id.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn contacts(&self) -> Result<Vec<CrmRecord>, ClientError> {
        self.get("hubspot/contacts", &[]).await
    }

    /// Returns the HubSpot contact with this id or unique value.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn contact(&self, key: &str) -> Result<Option<CrmRecord>, ClientError> {
        let found: Vec<CrmRecord> = self.get("hubspot/contacts", &[("id", key)]).await?;
        Ok(found.into_iter().next())
    }

    /// Returns all Salesforce leads, by id.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn leads(&self) -> Result<Vec<CrmRecord>, ClientError> {
        self.get("salesforce/leads", &[]).await
    }

    /// Returns the Salesforce lead with this id or external id.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn lead(&self, key: &str) -> Result<Option<CrmRecord>, ClientError> {
        let found: Vec<CrmRecord> = self.get("salesforce/leads", &[("id", key)]).await?;
        Ok(found.into_iter().next())
    }

    /// Returns upserts that arrived after the one with this `seq`, oldest first, whatever their
    /// results.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn upserts(&self, after: u64) -> Result<Vec<ReceivedUpsert>, ClientError> {
        self.get("upserts", &[("after", &after.to_string())]).await
    }

    /// Spends requests of the day's pool of HubSpot or Salesforce, as the customer's other apps do.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn spend(&self, vendor: Vendor, requests: u64) -> Result<(), ClientError> {
        let spent = Spent { vendor, requests };
        send(self.request(Method::POST, "usage", &[]).json(&spent))
            .await
            .map(drop)
    }

    /// Returns counts since the sandbox started.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn stats(&self) -> Result<Stats, ClientError> {
        self.get("stats", &[]).await
    }

    /// Orders a fault and returns its id.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn order(&self, fault: &Fault) -> Result<u64, ClientError> {
        let request = self.request(Method::POST, "faults", &[]).json(fault);
        let ordered: Ordered = send(request).await?.json().await?;
        Ok(ordered.id)
    }

    /// Returns the faults that are not used up, by id.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn faults(&self) -> Result<BTreeMap<u64, Fault>, ClientError> {
        self.get("faults", &[]).await
    }

    /// Cancels one fault, if it is not used up.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn cancel(&self, id: u64) -> Result<(), ClientError> {
        send(self.request(Method::DELETE, &format!("faults/{id}"), &[]))
            .await
            .map(drop)
    }

    /// Cancels all faults and closes the held connections.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn clear_faults(&self) -> Result<(), ClientError> {
        send(self.request(Method::DELETE, "faults", &[]))
            .await
            .map(drop)
    }

    /// Sets the receiver of status webhooks; `None` ends them.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_webhook(&self, webhook: Option<&Webhook>) -> Result<(), ClientError> {
        self.put("webhook", &webhook).await
    }

    /// Sets the statuses that accepted messages get from now on.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_statuses(&self, script: &StatusScript) -> Result<(), ClientError> {
        self.put("statuses", script).await
    }

    /// Sets the rules of a business number, in place of its former ones.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_number_rules(
        &self,
        phone_number_id: &str,
        rules: &NumberRules,
    ) -> Result<(), ClientError> {
        self.put(&format!("numbers/{phone_number_id}"), rules).await
    }

    /// Sets the time at which the 24 hours after a person's last message end. `None` keeps the window
    /// open, as that of everybody is at first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_window_end(
        &self,
        person: &str,
        end: Option<DateTime<Utc>>,
    ) -> Result<(), ClientError> {
        self.put(&format!("windows/{person}"), &end).await
    }

    /// Sets the receiver of WASenderApi's events; `None` ends them.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_wasender_webhook(
        &self,
        webhook: Option<&WasenderWebhook>,
    ) -> Result<(), ClientError> {
        self.put("wasender/webhook", &webhook).await
    }

    /// Sets the limit of each WASenderApi session.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_wasender_limit(
        &self,
        limit: Option<WasenderLimit>,
    ) -> Result<(), ClientError> {
        self.put("wasender/limit", &limit).await
    }

    /// Changes the connection of a WASenderApi session; the webhook receives its event.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_session_status(
        &self,
        session: &str,
        status: SessionStatus,
    ) -> Result<(), ClientError> {
        let change = SessionChange {
            status: Some(status),
            api_key: None,
        };
        self.put(&format!("wasender/sessions/{session}"), &change)
            .await
    }

    /// Replaces the key of a WASenderApi session.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_session_key(&self, session: &str, api_key: &str) -> Result<(), ClientError> {
        let change = SessionChange {
            status: None,
            api_key: Some(Secret::from(api_key)),
        };
        self.put(&format!("wasender/sessions/{session}"), &change)
            .await
    }

    /// Writes to a person on the phone of a WASenderApi session, past the API.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn write_on_phone(
        &self,
        session: &str,
        to: &str,
        text: &str,
    ) -> Result<(), ClientError> {
        let message = PhoneMessage {
            session: session.to_owned(),
            to: to.to_owned(),
            text: text.to_owned(),
        };
        let request = self.request(Method::POST, "wasender/messages", &[]);
        send(request.json(&message)).await.map(drop)
    }

    /// Sets the message templates of each WABA, as Meta lists them. Without any, every template exists.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_templates(&self, templates: &[Value]) -> Result<(), ClientError> {
        send(self.request(Method::PUT, "templates", &[]).json(templates))
            .await
            .map(drop)
    }

    /// Keeps a file that a lead is to send, and returns its media id.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn add_media(&self, mime_type: &str, bytes: Vec<u8>) -> Result<String, ClientError> {
        let request = self.request(Method::POST, "media", &[]);
        let request = request.header(CONTENT_TYPE, mime_type).body(bytes);
        let added: AddedMedia = send(request).await?.json().await?;
        Ok(added.id)
    }

    async fn put(&self, path: &str, body: &(impl Serialize + Sync)) -> Result<(), ClientError> {
        send(self.request(Method::PUT, path, &[]).json(body))
            .await
            .map(drop)
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, ClientError> {
        Ok(send(self.request(Method::GET, path, query))
            .await?
            .json()
            .await?)
    }

    fn request(&self, method: Method, path: &str, query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.base.clone();
        url.set_path(&format!(
            "{}/sandbox/{path}",
            self.base.path().trim_end_matches('/')
        ));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.http.request(method, url)
    }
}

async fn send(request: RequestBuilder) -> Result<reqwest::Response, ClientError> {
    let response = request.send().await.map_err(reqwest::Error::without_url)?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status().as_u16();
    let message = response.text().await.map_err(reqwest::Error::without_url)?;
    Err(ClientError::Refused { status, message })
}
