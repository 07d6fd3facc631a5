//! Leadstream's engine: each lead's qualification as a state machine committed to PostgreSQL.
//!
//! [`lead`] and [`flow`] are the pure core; [`engine`](self) folds batches of records and commits
//! them; [`run`] is the service.

pub mod baseline;
mod engine;
pub mod explain;
mod failpoint;
pub mod flow;
pub mod flows;
pub mod lead;
mod metrics;
pub mod recover;
mod service;
mod store;
mod upkeep;

pub use service::{Args, Error, load_flows, run};
pub use store::{StoreError, migrate, pool};
