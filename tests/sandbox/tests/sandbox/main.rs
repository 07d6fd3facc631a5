//! The sandbox over HTTP: every endpoint as its vendor answers, and every fault.

mod faults;
mod fixtures;
mod graph;
mod hubspot;
mod salesforce;
mod state;
mod support;
