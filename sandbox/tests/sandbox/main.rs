//! Tests the sandbox over HTTP: every endpoint's vendor behaviour, and every fault.

mod crm_faults;
mod crm_setup;
mod faults;
mod fixtures;
mod graph;
mod hubspot;
mod media;
mod openapi;
mod salesforce;
mod sdk;
mod state;
mod support;
mod templates;
mod wasender;
