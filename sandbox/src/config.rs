//! Defines the configuration with which a sandbox starts.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::graph::rules::NumberRules;
use crate::hubspot::owner::Owner;
use crate::hubspot::property::Property;
use crate::salesforce::field::Field;
use crate::secret::Secret;
use crate::wasender::limit::WasenderLimit;
use crate::webhook::BusinessNumber;

const DAY: Duration = Duration::from_secs(86_400);

/// The receiver of status webhooks, and the secret that signs them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Webhook {
    /// Full address, for example `http://127.0.0.1:8080/webhooks/whatsapp`.
    pub url: String,
    /// Secret of the Meta app.
    pub app_secret: Secret,
}

/// The configuration of a sandbox. The default binds a free loopback port and keeps no file.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Address to listen on; port 0 takes a free one.
    pub bind: SocketAddr,
    /// File that keeps messages, contacts and leads over a restart.
    pub state_file: Option<PathBuf>,
    /// The WhatsApp Cloud API.
    pub whatsapp: WhatsappConfig,
    /// WASenderApi.
    pub wasender: WasenderConfig,
    /// HubSpot.
    pub hubspot: HubspotConfig,
    /// Salesforce.
    pub salesforce: SalesforceConfig,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            state_file: None,
            whatsapp: WhatsappConfig::default(),
            wasender: WasenderConfig::default(),
            hubspot: HubspotConfig::default(),
            salesforce: SalesforceConfig::default(),
        }
    }
}

/// The simulated WhatsApp Cloud API.
#[derive(Debug, Clone)]
pub struct WhatsappConfig {
    /// Numbers that may send.
    pub numbers: Vec<BusinessNumber>,
    /// Bearer token of the sends.
    pub access_token: Secret,
    /// The rules of numbers that have any, by `phone_number_id`; can be set later.
    pub rules: BTreeMap<String, NumberRules>,
    /// Receiver of status webhooks; none are posted without one. Can be set later.
    pub webhook: Option<Webhook>,
    /// The time for which a status webhook is repeated that is not answered 200.
    pub retry_for: Duration,
}

impl Default for WhatsappConfig {
    fn default() -> Self {
        Self {
            numbers: vec![BusinessNumber::new("106540352242922")],
            access_token: "sandbox-whatsapp-token".into(),
            rules: BTreeMap::new(),
            webhook: None,
            retry_for: Duration::from_secs(120),
        }
    }
}

/// The simulated WASenderApi.
#[derive(Debug, Clone)]
pub struct WasenderConfig {
    /// Session keys by the names of the sessions.
    pub sessions: BTreeMap<String, Secret>,
    /// Receiver of events; none are posted without one. Can be set later.
    pub webhook: Option<WasenderWebhook>,
    /// The limit of each session; can be set later. `None`: no limit, and no headers.
    pub limit: Option<WasenderLimit>,
}

impl Default for WasenderConfig {
    fn default() -> Self {
        let sessions = [("sales".to_owned(), "sandbox-wasender-key".into())];
        Self {
            sessions: sessions.into(),
            webhook: None,
            limit: Some(WasenderLimit::PAID),
        }
    }
}

/// The receiver of WASenderApi's events.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct WasenderWebhook {
    /// Full address, for example `http://127.0.0.1:8080/webhooks/wasender`.
    pub url: String,
    /// The shared secret, which each event carries.
    pub secret: Secret,
}

/// The simulated HubSpot.
#[derive(Debug, Clone)]
pub struct HubspotConfig {
    /// Bearer token (service key or private app).
    pub access_token: Secret,
    /// Portal (account) id.
    pub portal_id: u64,
    /// Contact properties that exist from the start; see [`Property::defaults`].
    pub properties: Vec<Property>,
    /// Requests allowed in any ten seconds; `None` for no limit.
    pub requests_per_10_seconds: Option<u32>,
    /// Requests allowed a day, counted from the start of the sandbox.
    pub daily_requests: u64,
    /// The length of a day.
    pub day: Duration,
    /// Status of a batch in which some records failed; `None`: that of the path's version, which is
    /// 207 of v3, and 200 of the versions with dates.
    pub partial_failure_status: Option<u16>,
    /// Users who may own contacts.
    pub owners: Vec<Owner>,
    /// Property that holds the revision of what is written, for the log of upserts.
    pub revision: Option<String>,
    /// The time for which a search does not find a new contact.
    pub search_delay: Duration,
}

impl Default for HubspotConfig {
    fn default() -> Self {
        Self {
            access_token: "sandbox-hubspot-token".into(),
            portal_id: 891_936_587,
            properties: Property::defaults(),
            requests_per_10_seconds: Some(190),
            daily_requests: 650_000,
            day: DAY,
            partial_failure_status: None,
            owners: vec![Owner::new("41629779", "ana@example.com")],
            revision: None,
            search_delay: Duration::ZERO,
        }
    }
}

/// The simulated Salesforce.
#[derive(Debug, Clone)]
pub struct SalesforceConfig {
    /// OAuth consumer key.
    pub client_id: Secret,
    /// OAuth consumer secret.
    pub client_secret: Secret,
    /// Fields of the Lead object; see [`Field::defaults`].
    pub fields: Vec<Field>,
    /// Fields of the Contact object; see [`Field::of_contacts`].
    pub contact_fields: Vec<Field>,
    /// Fields of the Account object; see [`Field::of_accounts`].
    pub account_fields: Vec<Field>,
    /// Requests allowed a day, counted from the start of the sandbox.
    pub daily_requests: u64,
    /// The length of a day.
    pub day: Duration,
    /// Field that holds the revision of what is written, for the log of upserts.
    pub revision: Option<String>,
}

impl Default for SalesforceConfig {
    fn default() -> Self {
        Self {
            client_id: "sandbox-salesforce-client".into(),
            client_secret: "sandbox-salesforce-secret".into(),
            fields: Field::defaults(),
            contact_fields: Field::of_contacts(),
            account_fields: Field::of_accounts(),
            daily_requests: 100_000,
            day: DAY,
            revision: None,
        }
    }
}
