//! HubSpot: contacts by batch upsert over a unique property that holds the lead id.

mod client;
mod credentials;
mod portal;
mod provision;
mod quota;
mod read;
mod request;
mod response;
mod schema;
mod search;

pub(crate) use client::{Hubspot, HubspotSettings};
pub(crate) use credentials::Credentials;
