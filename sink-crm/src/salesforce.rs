//! Salesforce: leads by collections upsert over an external id that holds the lead id.

mod auth;
mod client;
mod config;
mod customers;
mod erase;
mod metadata;
mod people;
mod request;
mod response;
mod schema;
mod soql;

pub(crate) use client::Salesforce;
pub use config::SalesforceArgs;
pub(crate) use config::SalesforceSettings;
