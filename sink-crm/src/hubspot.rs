//! HubSpot: contacts by batch upsert over a unique property that holds the lead id.

mod auth;
mod client;
mod config;
mod erase;
mod properties;
mod provision;
pub(crate) mod request;
mod response;
mod schema;
mod version;

pub(crate) use client::Hubspot;
pub use config::HubspotArgs;
pub(crate) use config::HubspotSettings;
