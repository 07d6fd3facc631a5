//! Opens connections to PostgreSQL, and transactions with the engine's planner settings.

use leadstream_service::database;
use sqlx::{PgPool, Postgres, Transaction};

/// Returns the statement that begins a transaction, and sets the engine's planner settings.
macro_rules! planned {
    ($begin:literal) => {
        concat!(
            $begin,
            "; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; \
             SET LOCAL enable_mergejoin = off; SET LOCAL plan_cache_mode = force_generic_plan; \
             SET LOCAL jit = off"
        )
    };
}

/// Returns a pool that connects when it is first used.
///
/// # Errors
/// An invalid URL.
pub fn pool(url: &str, connections: u32) -> Result<PgPool, sqlx::Error> {
    Ok(database::pool(url.parse()?, connections))
}

/// Begins a transaction of statements that find their rows by key: PostgreSQL must not scan a table
/// that has no statistics yet, and must not plan again for every batch.
///
/// The settings end with the transaction. Those of a session would reach the sessions of others
/// through a pooler.
pub(super) async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    pool.begin_with(planned!("BEGIN")).await
}

/// Begins a read-only transaction as [`begin`] does; all its statements see one moment.
pub(super) async fn begin_snapshot(
    pool: &PgPool,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    pool.begin_with(planned!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        .await
}
