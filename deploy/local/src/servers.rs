//! Kafka, the schema registry and PostgreSQL: where they come from, how each is run, and the stack
//! of all three.

mod access;
mod artefacts;
mod data_dir;
mod kafka;
mod managed;
mod maven;
pub(crate) mod ports;
mod postgres;
mod preflight;
mod registry;
pub(crate) mod stack;
