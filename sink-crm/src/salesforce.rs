//! Salesforce: leads by collections upsert over an external id that holds the lead id.

mod client;
mod request;
mod response;
mod session;

pub(crate) use client::{Salesforce, SalesforceSettings};
pub(crate) use session::Login;
