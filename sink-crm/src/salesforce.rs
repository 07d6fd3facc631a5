//! Salesforce: leads by collections upsert over an external id that holds the lead id.

mod client;
mod metadata;
mod query;
mod request;
mod response;
mod schema;
mod session;

pub(crate) use client::{Salesforce, SalesforceSettings};
pub(crate) use session::{Flow, Login, key};
