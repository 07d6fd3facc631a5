//! Leadstream's engine: each lead's qualification as a state machine committed to PostgreSQL.
//!
//! The modules import downwards only. [`flow`], [`flows`], [`lead`] and the engine, which folds
//! batches of records, are pure; the store has all SQL; the workers load, commit and publish. [`run`]
//! is the service.

pub mod commanding;
pub mod embedded;
mod engine;
pub mod erasure;
pub mod explain;
pub mod flow;
pub mod flows;
pub mod lead;
mod maintenance;
pub mod messages;
mod metrics;
pub mod publishing;
pub mod recover;
pub mod repartition;
pub mod replaying;
mod service;
mod settings;
pub mod simulator;
mod store;
mod trailing_defaults;
pub mod verifying;
mod worker;
mod yaml;

pub use metrics::METRICS;
pub use service::{Error, run};
pub use settings::{AccountsArgs, Args};
pub use store::{Conversations, MIGRATIONS, StoreError, check, migrate, pool, resume};
