//! Opens connections to PostgreSQL with the engine's planner settings.

use leadstream_service::database;
use sqlx::PgPool;

/// Returns a pool whose sessions use the planner settings that the engine's statements need. The
/// pool connects when it is first used.
///
/// # Errors
/// An invalid URL.
pub fn pool(url: &str, connections: u32) -> Result<PgPool, sqlx::Error> {
    Ok(database::pool(url.parse()?, connections, Some(PLANS)))
}

/// Every statement here finds its rows by key: PostgreSQL must not scan a table that has no statistics
/// yet, and must not plan again for every batch.
const PLANS: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; \
    SET enable_mergejoin = off; SET plan_cache_mode = force_generic_plan; SET jit = off";
