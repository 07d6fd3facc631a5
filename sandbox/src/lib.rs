//! Simulates WhatsApp, WASenderApi, HubSpot and Salesforce with state, and plays faults that a test orders.
//!
//! One listener serves five parts. `{url}/graph` sends through the WhatsApp Cloud API, and
//! `{url}/wasender` through WASenderApi, both with webhooks. `{url}/hubspot` and `{url}/salesforce`
//! are the CRMs. The control API is `{url}/sandbox`:
//!
//! | request | use |
//! | --- | --- |
//! | `GET /sandbox/messages?to=&after=&wait_ms=` | accepted messages; waits for a first one |
//! | `GET /sandbox/hubspot/contacts?id=` | contacts with the history of their writes |
//! | `GET /sandbox/salesforce/leads?id=` | leads with the history of their writes |
//! | `GET /sandbox/salesforce/contacts?id=` | Contacts of Salesforce, likewise |
//! | `GET /sandbox/salesforce/accounts?id=` | its Accounts |
//! | `POST /sandbox/merge` | merges two records, as a person does in the CRM |
//! | `POST /sandbox/convert` | converts a Lead of Salesforce |
//! | `GET /sandbox/upserts?after=` | upserts in the order of their arrival: keys and revisions |
//! | `POST /sandbox/usage` | requests of the customer's other apps, of the day's pool |
//! | `GET /sandbox/stats` | requests and results by endpoint |
//! | `GET`, `POST`, `DELETE /sandbox/faults` | [`Fault`]s: list, order one, cancel all |
//! | `DELETE /sandbox/faults/{id}` | cancels one |
//! | `PUT /sandbox/webhook` | sets the receiver of status webhooks |
//! | `PUT /sandbox/statuses` | sets the statuses of accepted messages ([`StatusScript`]) |
//! | `PUT /sandbox/numbers/{id}` | sets the rules of a business number ([`NumberRules`]) |
//! | `PUT /sandbox/windows/{person}` | sets the time at which a person's 24 hours end |
//! | `PUT /sandbox/wasender/webhook` | sets the receiver of WASenderApi's events |
//! | `PUT /sandbox/wasender/limit` | sets the limit of its sessions ([`WasenderLimit`]) |
//! | `PUT /sandbox/wasender/sessions/{name}` | changes the connection or the key of a session |
//! | `POST /sandbox/wasender/messages` | a person writes on the session's phone |
//!
//! [`SandboxClient`] calls it; [`webhook`] builds and signs Meta's webhooks.

mod app;
mod client;
mod config;
mod connection;
mod control;
mod credentials;
mod endpoint;
mod exchange;
mod fault;
mod graph;
mod hubspot;
mod lock;
mod media;
mod ordered_faults;
mod people;
mod receipt;
mod received;
mod request;
mod salesforce;
mod secret;
mod server;
mod state;
mod stats;
mod status;
mod status_script;
mod table;
mod usage;
mod vendor_error;
mod vendor_response;
mod wasender;
pub mod webhook;

pub use client::{ClientError, MessageQuery, SandboxClient};
pub use config::{
    HubspotConfig, SalesforceConfig, SandboxConfig, WasenderConfig, WasenderWebhook, Webhook,
    WhatsappConfig,
};
pub use credentials::{Credentials, JwtBearer, OAuthApp};
pub use endpoint::{Endpoint, Vendor};
pub use fault::{Effect, ErrorBody, Fault};
pub use graph::rules::NumberRules;
pub use hubspot::owner::Owner;
pub use hubspot::property::{Property, PropertyOption};
pub use received::{ReceivedRecord, ReceivedUpsert};
pub use salesforce::field::Field;
pub use secret::Secret;
pub use server::{Sandbox, SandboxError};
pub use state::{SentMessage, StateError};
pub use stats::{EndpointStats, HeldStats, Stats, WebhookStats};
pub use status_script::{Stage, StatusScript};
pub use table::{CrmRecord, HISTORY_LIMIT, RecordWrite, Values};
pub use wasender::limit::WasenderLimit;
pub use wasender::session::SessionStatus;
