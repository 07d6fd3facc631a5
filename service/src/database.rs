//! PostgreSQL connections, as every service opens them.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};

use crate::migrations::{self, SchemaError};
use crate::pooler::{self, PoolerError};

/// How long a statement may take. After that the database counts as unavailable.
pub const STATEMENT: Duration = Duration::from_secs(30);

/// How long the end of a read-only server's session may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// The reason why a service's tables could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("PostgreSQL: {0}")]
    Statement(#[from] sqlx::Error),
    #[error("PostgreSQL did not answer within {} s", STATEMENT.as_secs())]
    Timeout,
    /// A pooler in transaction mode mixes up prepared statements.
    #[error("{0}")]
    Pooler(String),
    #[error("the tables of {service}: {source}")]
    Schema {
        service: &'static str,
        source: SchemaError,
    },
    #[error("the tables of {service} could not be brought up to date: {source}")]
    Migrate {
        service: &'static str,
        source: MigrateError,
    },
}

impl DatabaseError {
    /// Returns whether waiting may help: the database is unavailable, restarting, or out of
    /// connections.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Timeout => true,
            Self::Pooler(_) | Self::Schema { .. } | Self::Migrate { .. } => false,
            Self::Statement(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| is_transient(&code))
            }
            Self::Statement(error) => matches!(
                error,
                sqlx::Error::Io(_)
                    | sqlx::Error::Tls(_)
                    | sqlx::Error::Protocol(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::WorkerCrashed
            ),
        }
    }
}

/// Classifies a SQLSTATE: connection, transaction rollback, resources, operator intervention, lock,
/// and a server that is read-only for now (a failover).
fn is_transient(code: &str) -> bool {
    ["08", "40", "53", "57"]
        .iter()
        .any(|class| code.starts_with(class))
        || matches!(code, "55P03" | "25006")
}

/// Bounds the time of statements: a database that stops answering would block a worker forever.
///
/// # Errors
/// Returns the error of the statements, or [`DatabaseError::Timeout`].
pub async fn timed<T>(
    statements: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, DatabaseError> {
    match tokio::time::timeout(STATEMENT, statements).await {
        Ok(outcome) => Ok(outcome.inspect_err(on_error)?),
        Err(_) => Err(DatabaseError::Timeout),
    }
}

/// Returns a pool for a hot path. The pool connects when it is first used, does not test a
/// connection before each use, and does not wait long for one.
///
/// Its sessions have no state of their own, neither settings nor locks: a pooler in transaction mode
/// may be before PostgreSQL, and gives each transaction to any session.
///
/// A session that was open when PostgreSQL refused to write ([`on_error`]) is closed before its
/// next use: a former primary stays read-only, and new sessions find the primary.
#[must_use]
pub fn pool(options: PgConnectOptions, connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(5))
        .before_acquire(|session, known| {
            let opened = clock().saturating_sub(u64::try_from(known.age.as_millis()).unwrap_or(0));
            let writes = opened >= READ_ONLY_SINCE.load(Ordering::Relaxed);
            Box::pin(async move {
                if !writes {
                    end_read_only(session).await;
                }
                Ok(writes)
            })
        })
        // Poolers refuse the driver's own value. That of PostgreSQL loses no digit.
        .connect_lazy_with(
            options
                .application_name("leadstream")
                .extra_float_digits(None),
        )
}

/// Ends the session of PostgreSQL that is read-only. A pooler would give it to the next client.
async fn end_read_only(session: &mut PgConnection) {
    let end = "SELECT pg_terminate_backend(pg_backend_pid())
        WHERE current_setting('transaction_read_only') = 'on'";
    // An error is the expected answer, and the session is closed in any case.
    let _ = tokio::time::timeout(FAREWELL, sqlx::raw_sql(end).execute(session)).await;
}

/// The time of PostgreSQL's last refusal to write, by [`clock`].
static READ_ONLY_SINCE: AtomicU64 = AtomicU64::new(0);

/// Returns the milliseconds since the first call.
fn clock() -> u64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(BEGAN.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Records an error by which PostgreSQL refuses to write.
pub fn on_error(error: &sqlx::Error) {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    if code.is_some_and(|code| code == "25006") {
        READ_ONLY_SINCE.store(clock(), Ordering::Relaxed);
    }
}

/// Checks that the migrations of `service` were applied unchanged; `table` records them.
///
/// # Errors
/// Returns [`DatabaseError::Schema`] if they were not.
pub async fn check_migrations(
    pool: &PgPool,
    service: &'static str,
    table: &'static str,
    migrator: &Migrator,
) -> Result<(), DatabaseError> {
    check_pooler(pool).await?;
    let applied = timed(migrations::applied(pool, table)).await?;
    migrations::check(table, migrator, &applied)
        .map_err(|source| DatabaseError::Schema { service, source })
}

/// Checks that a pooler before PostgreSQL keeps prepared statements apart.
///
/// # Errors
/// Returns [`DatabaseError::Pooler`] if it does not.
pub async fn check_pooler(pool: &PgPool) -> Result<(), DatabaseError> {
    match tokio::time::timeout(
        STATEMENT,
        Box::pin(pooler::sessions(&pool.connect_options())),
    )
    .await
    {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(PoolerError::Database(error))) => Err(error.into()),
        Ok(Err(mixed_up @ PoolerError::MixedUp(_))) => {
            Err(DatabaseError::Pooler(mixed_up.to_string()))
        }
        Err(_) => Err(DatabaseError::Timeout),
    }
}

/// Applies the migrations of `service`; `table` records them, apart from those of other services.
/// Returns the newest migration of a database that a later version migrated, and changes nothing
/// there.
///
/// # Errors
/// Returns an error if a migration fails, or if it was changed after it was applied.
pub async fn migrate(
    pool: &PgPool,
    service: &'static str,
    table: &'static str,
    migrator: &Migrator,
) -> Result<Option<i64>, DatabaseError> {
    let applied = migrations::applied(pool, table).await?;
    let newer = migrations::newer(table, migrator, &applied)
        .map_err(|source| DatabaseError::Schema { service, source })?;
    if newer.is_none() {
        let migrated = migrator.run(pool).await;
        migrated.map_err(|source| DatabaseError::Migrate { service, source })?;
    }
    Ok(newer)
}

#[cfg(test)]
mod tests {
    use super::{DatabaseError, SchemaError, is_transient};

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
        assert!(DatabaseError::Timeout.is_transient());
        assert!(DatabaseError::Statement(sqlx::Error::PoolTimedOut).is_transient());
        let schema = DatabaseError::Schema {
            service: "sink-notes",
            source: SchemaError::Empty("notes"),
        };
        assert!(!schema.is_transient());
    }
}
