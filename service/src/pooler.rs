//! Finds out by two sessions whether a pooler in transaction mode is between a service and
//! PostgreSQL, and whether it keeps their prepared statements apart.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Row};

/// How long a session waits for a connection of the pooler, which may have one connection only.
const WAIT: Duration = Duration::from_secs(1);

/// How often both sessions are compared: a busy pooler may keep each at its connection once.
const ROUNDS: usize = 3;

const FIRST: &str = "SELECT 'first of two sessions: ' || pg_backend_pid()::text";
const SECOND: &str = "SELECT 'second of two sessions: ' || pg_backend_pid()::text";

/// What a session of this process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// A session of PostgreSQL.
    Own,
    /// One of a pooler, whose transactions run in any session of PostgreSQL.
    Shared,
}

/// A problem of the comparison.
#[derive(Debug, thiserror::Error)]
pub enum PoolerError {
    #[error(
        "a connection pooler in transaction mode mixes up prepared statements ({0}). With PgBouncer, use version 1.21 or newer, max_prepared_statements = 200 and no statement-cache-capacity in DATABASE_URL. Or use its session mode, or name PostgreSQL itself in DATABASE_URL"
    )]
    MixedUp(String),
    #[error("PostgreSQL: {0}")]
    Database(sqlx::Error),
}

/// Opens two sessions and compares in which sessions of PostgreSQL their statements run.
///
/// # Errors
/// Returns [`PoolerError::MixedUp`] if a session executed the statement of another one, or lost its
/// own. Otherwise returns the errors of the database.
pub async fn sessions(options: &PgConnectOptions) -> Result<Sessions, PoolerError> {
    let connect = || async {
        let connected = PgConnection::connect_with(options).await;
        connected.map_err(PoolerError::Database)
    };
    let (mut first, mut second) = (connect().await?, connect().await?);
    let mut found = Sessions::Own;
    for _ in 0..ROUNDS {
        let before = backend(&mut first, FIRST).await?;
        let other = backend(&mut second, SECOND).await?;
        // In a transaction the second session keeps its connection, so the first one gets another.
        let mut transaction = second.begin().await.map_err(PoolerError::Database)?;
        let held = backend(&mut transaction, SECOND).await?;
        let waited = tokio::time::timeout(WAIT, backend(&mut first, FIRST)).await;
        transaction
            .rollback()
            .await
            .map_err(PoolerError::Database)?;
        let after = waited.ok().transpose()?;
        if after.is_none() {
            // The answer that nobody waited for would be that of the next statement.
            first = connect().await?;
        }
        if before == other || held != other || after.as_ref() != Some(&before) {
            found = Sessions::Shared;
        }
    }
    // What a session says when it ends does not matter.
    let (..) = tokio::join!(first.close(), second.close());
    Ok(found)
}

/// Executes [`FIRST`] or [`SECOND`] as a prepared statement. Returns the process of PostgreSQL that
/// executed it.
async fn backend(session: &mut PgConnection, query: &'static str) -> Result<String, PoolerError> {
    let row = sqlx::query(query).fetch_one(session).await;
    let text = row.and_then(|row| row.try_get::<String, _>(0));
    // The quotes enclose what the statement returns before the process.
    let expected = query.split('\'').nth(1).unwrap_or_default();
    match text {
        Ok(text) => match text.strip_prefix(expected) {
            Some(process) => Ok(process.to_owned()),
            None => Err(PoolerError::MixedUp("another statement answered".into())),
        },
        Err(error) => Err(classified(error)),
    }
}

/// Tells the errors by which a session notices that a prepared statement is not its own.
fn classified(error: sqlx::Error) -> PoolerError {
    match &error {
        // Invalid name, duplicate name, another number of parameters.
        sqlx::Error::Database(database)
            if database
                .code()
                .is_some_and(|code| ["26000", "42P05", "08P01"].contains(&&*code))
                && database.message().contains("prepared statement") =>
        {
            PoolerError::MixedUp(database.message().to_owned())
        }
        sqlx::Error::RowNotFound
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_) => PoolerError::MixedUp("another statement answered".into()),
        _ => PoolerError::Database(error),
    }
}
