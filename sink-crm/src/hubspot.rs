//! HubSpot: contacts by batch upsert over a unique property that holds the lead id.

mod client;
mod request;
mod response;

pub(crate) use client::{Hubspot, HubspotSettings};
