//! The reasons why the service stops.

use leadstream_kafka::IntakeError;
use leadstream_kafka::consumer::ConsumeError;
use leadstream_kafka::producer::ProduceError;
use leadstream_service::ConfigError;
use leadstream_service::database::DatabaseError;

use crate::dispatch::DispatchError;

/// The reason why the service stopped. A failure that may pass does not stop it.
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
    Ledger(#[from] DatabaseError),
    #[error(transparent)]
    Intake(#[from] IntakeError<DatabaseError>),
    #[error("a task of the service ended unexpectedly: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Who can fix an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The operator, in the settings or by a command that the text names.
    Operator,
    /// A restart may help.
    Restart,
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Config(_)
            | Self::Intake(IntakeError::OffsetOutsideLog(_) | IntakeError::Poison { .. }) => {
                ErrorClass::Operator
            }
            Self::Ledger(error) | Self::Intake(IntakeError::Write(error))
                if !error.is_transient() =>
            {
                ErrorClass::Operator
            }
            Self::Consume(ConsumeError::Config(_) | ConsumeError::OutOfRange { .. })
            | Self::Produce(ProduceError::Config(_)) => ErrorClass::Operator,
            Self::Http(_)
            | Self::Consume(_)
            | Self::Produce(_)
            | Self::Ledger(_)
            | Self::Intake(_)
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
