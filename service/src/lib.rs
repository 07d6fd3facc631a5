//! The common parts of every Leadstream service: lifecycle, health, telemetry, an HTTP server with
//! limits, retry policy, settings, secrets and the migration check. The crate knows nothing about
//! leads or Kafka.

pub mod budget;
pub mod config;
mod config_error;
mod count;
pub mod database;
pub mod failpoint;
pub mod lifecycle;
pub mod metrics;
pub mod migrations;
mod number_secrets;
pub mod ops;
pub mod pooler;
pub mod process;
mod retry;
mod secret;
pub mod server;
mod telemetry;

pub use config_error::ConfigError;
pub use count::counted;
pub use lifecycle::{Context, ServiceArgs};
pub use number_secrets::NumberSecrets;
pub use retry::{RetryPolicy, retry_after, wait_until_available};
pub use secret::Secret;
pub use telemetry::LogLimiter;
