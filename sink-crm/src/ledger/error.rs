//! Errors of the ledger, and whether they may pass.

use std::time::Duration;

use leadstream_service::migrations::SchemaError;
use sqlx::migrate::MigrateError;

/// How long a statement may take. After that the database counts as unavailable.
pub(super) const STATEMENT: Duration = Duration::from_secs(30);

/// The reason why the ledger could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("PostgreSQL: {0}")]
    Database(#[from] sqlx::Error),
    #[error("PostgreSQL did not answer within {} s", STATEMENT.as_secs())]
    Timeout,
    #[error("the tables of sink-crm: {0}")]
    Schema(#[from] SchemaError),
    #[error("the tables of sink-crm could not be brought up to date: {0}")]
    Migrate(#[from] MigrateError),
}

/// The reaction to a [`LedgerError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerErrorClass {
    /// The database is unavailable, restarting, or out of connections: retry.
    Transient,
    /// Retrying does not help: the service stops.
    Permanent,
}

impl LedgerError {
    #[must_use]
    pub fn class(&self) -> LedgerErrorClass {
        let transient = match self {
            Self::Timeout => true,
            Self::Schema(_) | Self::Migrate(_) => false,
            Self::Database(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| is_transient(&code))
            }
            Self::Database(error) => matches!(
                error,
                sqlx::Error::Io(_)
                    | sqlx::Error::Tls(_)
                    | sqlx::Error::Protocol(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::WorkerCrashed
            ),
        };
        if transient {
            LedgerErrorClass::Transient
        } else {
            LedgerErrorClass::Permanent
        }
    }

    pub(crate) fn is_transient(&self) -> bool {
        self.class() == LedgerErrorClass::Transient
    }
}

/// Classifies a SQLSTATE: connection, transaction rollback, resources, operator intervention, lock, and a
/// server that is read-only for now (a failover).
fn is_transient(code: &str) -> bool {
    ["08", "40", "53", "57"]
        .iter()
        .any(|class| code.starts_with(class))
        || matches!(code, "55P03" | "25006")
}

#[cfg(test)]
mod tests {
    use super::{LedgerError, SchemaError, is_transient};

    #[test]
    fn an_unavailable_database_is_retried_and_a_wrong_one_is_not() {
        for code in [
            "08006", "40001", "40P01", "53300", "57P01", "57P03", "25006", "55P03",
        ] {
            assert!(is_transient(code), "{code}");
        }
        for code in ["42P01", "42703", "22021", "28P01", "23514"] {
            assert!(!is_transient(code), "{code}");
        }
        assert!(LedgerError::Timeout.is_transient());
        assert!(LedgerError::Database(sqlx::Error::PoolTimedOut).is_transient());
        assert!(!LedgerError::Schema(SchemaError::Empty("notes")).is_transient());
    }
}
