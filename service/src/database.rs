//! PostgreSQL connections, as every service opens them.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor, PgPool};

/// Returns a pool for a hot path. The pool connects when it is first used, does not test a
/// connection before each use, and does not wait long for one. Each new session executes `session`
/// first.
///
/// A session that was open when PostgreSQL refused to write ([`on_error`]) is closed before its
/// next use: a former primary stays read-only, and new sessions find the primary.
#[must_use]
pub fn pool(options: PgConnectOptions, connections: u32, session: Option<&'static str>) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(5))
        .before_acquire(|_, known| {
            let opened = clock().saturating_sub(u64::try_from(known.age.as_millis()).unwrap_or(0));
            let writes = opened >= READ_ONLY_SINCE.load(Ordering::Relaxed);
            Box::pin(async move { Ok(writes) })
        })
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if let Some(session) = session {
                    connection.execute(session).await?;
                }
                Ok(())
            })
        })
        .connect_lazy_with(options.application_name("leadstream"))
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
