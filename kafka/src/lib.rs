//! Kafka as Leadstream's services use it: the consumer loop, the producer, dead letters and client
//! settings. The crate knows nothing about leads.

pub mod consumer;
pub mod dead_letter;
mod error_log;
pub mod intake;
pub mod partitioner;
pub mod producer;
mod settings;
pub mod topic;
pub mod trace;

pub use consumer::{ConsumerHandle, ConsumerLoop, Fetched, Record, WorkerEvent};
pub use intake::{Intake, IntakeError, RecordWriter};
pub use producer::{Delivery, Outgoing, Producer};
pub use settings::{KafkaArgs, MAX_RECORD_BYTES};
pub use trace::TraceContext;
