//! The signed webhook (Standard Webhooks): any receiver gets every event, in order per lead.

mod client;
mod request;
mod response;

pub(crate) use client::{Webhook, WebhookSettings};
