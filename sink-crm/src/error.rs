//! Why the service stopped.

use leadstream_kafka::consumer::ConsumeError;
use leadstream_kafka::producer::ProduceError;
use leadstream_service::config::ConfigError;

use crate::dispatch::DispatchError;
use crate::ledger::{LedgerError, LedgerErrorClass};

/// Why the service stopped. What waiting mends does not stop it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("no HTTP client can be made: {0}")]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    #[error(transparent)]
    Produce(#[from] ProduceError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(
        "the group's committed offset {committed} of {topic} [{partition}] lies outside its log ({low} to {high}): records were deleted before they were read, or the topic was made anew; nothing is skipped and nothing reset. Set the offset of the group by hand (kafka-consumer-groups --reset-offsets) and send the leads' present states by a replay"
    )]
    OffsetOutsideLog {
        topic: String,
        partition: i32,
        committed: i64,
        low: i64,
        high: i64,
    },
    #[error(
        "{run} records in a row of {topic} [{partition}] up to offset {offset} cannot be read: {reason}; this is no single bad record. Check what writes to the topic, then start again"
    )]
    Poison {
        topic: String,
        partition: i32,
        offset: i64,
        run: u32,
        reason: String,
    },
    #[error("a task of the service ended unexpectedly: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Who can mend an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The operator, in the settings or by a command that the text names.
    Operator,
    /// A restart may do.
    Restart,
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Config(_) | Self::OffsetOutsideLog { .. } | Self::Poison { .. } => {
                ErrorClass::Operator
            }
            Self::Ledger(error) if error.class() == LedgerErrorClass::Permanent => {
                ErrorClass::Operator
            }
            Self::Consume(ConsumeError::Config(_) | ConsumeError::OutOfRange { .. })
            | Self::Produce(ProduceError::Config(_)) => ErrorClass::Operator,
            Self::Http(_)
            | Self::Consume(_)
            | Self::Produce(_)
            | Self::Ledger(_)
            | Self::Task(_) => ErrorClass::Restart,
        }
    }
}

impl From<DispatchError> for Error {
    fn from(error: DispatchError) -> Self {
        match error {
            DispatchError::Ledger(error) => Self::Ledger(error),
            DispatchError::Task(error) => Self::Task(error),
        }
    }
}
