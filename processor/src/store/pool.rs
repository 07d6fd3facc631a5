//! Connections to PostgreSQL.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor, PgPool};

/// A pool fit for a hot path: no test before use, no long wait for a connection.
///
/// # Errors
/// A URL that is none. The database itself is reached later.
pub fn pool(url: &str, connections: u32) -> Result<PgPool, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    Ok(PgPoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(5))
        .before_acquire(|_, known| {
            let opened = clock().saturating_sub(u64::try_from(known.age.as_millis()).unwrap_or(0));
            let writes = opened >= READ_ONLY_SINCE.load(Ordering::Relaxed);
            Box::pin(async move { Ok(writes) })
        })
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(PLANS).await?;
                Ok(())
            })
        })
        .connect_lazy_with(options.application_name("leadstream")))
}

/// When PostgreSQL last refused to write, by [`clock`]: what became a replica stays one, so the
/// sessions that were open then are given up, and new ones find the primary.
static READ_ONLY_SINCE: AtomicU64 = AtomicU64::new(0);

/// Milliseconds since the first call.
fn clock() -> u64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(BEGAN.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Takes note of an error that says that PostgreSQL refuses to write.
pub(super) fn heed(error: &sqlx::Error) {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    if code.is_some_and(|code| code == "25006") {
        READ_ONLY_SINCE.store(clock(), Ordering::Relaxed);
    }
}

/// Every statement here finds its rows by key: a table that has no statistics yet must not be
/// scanned, and a plan not be made anew, for every batch.
const PLANS: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; \
    SET enable_mergejoin = off; SET plan_cache_mode = force_generic_plan; SET jit = off";
