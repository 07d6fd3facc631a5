//! Runs Kafka, the schema registry and PostgreSQL, alone and as a stack.

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
