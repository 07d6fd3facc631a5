//! The signed webhook (Standard Webhooks): any receiver gets every event, in order per lead.

mod client;
mod config;
mod request;
mod response;

pub(crate) use client::Webhook;
pub use config::WebhookArgs;
pub(crate) use config::WebhookSettings;
