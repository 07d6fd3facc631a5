//! Tests across modules, and what tests of several modules share.

pub(crate) mod recordings;
mod sandbox;
mod vendor_requests;
mod webhook_signature;
