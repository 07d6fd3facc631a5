//! What Leadstream's services share: Kafka consumer loop and producer, dead letters, retry policy,
//! configuration, telemetry and lifecycle. Nothing about leads.

pub mod config;
pub mod consumer;
pub mod dead_letter;
pub mod kafka;
pub mod lifecycle;
pub mod migrations;
pub mod ops;
pub mod producer;
pub mod retry;
pub mod secret;
pub mod server;
pub mod telemetry;
pub mod trace;

pub use config::ConfigError;
pub use consumer::{ConsumerHandle, ConsumerLoop, Fetched, LaneEvent, Record};
pub use kafka::KafkaArgs;
pub use leadstream_schemas::BaseUrl;
pub use lifecycle::{Context, ServiceArgs};
pub use producer::{Delivery, Outgoing, Producer};
pub use retry::RetryPolicy;
pub use secret::Secret;
pub use trace::TraceContext;
