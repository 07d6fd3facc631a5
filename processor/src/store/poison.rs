//! Resumes partitions that halted because of dead letters.

use std::time::Duration;

use leadstream_schemas::Partition;
use sqlx::PgPool;
use sqlx::Row;

use super::{Store, StoreError};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Returns the partitions that halted because of too many dead letters: all, or this one. With `apply`
/// it resumes them, and processors continue with them within seconds.
///
/// # Errors
/// An unavailable database, or one with the schema of another version.
pub async fn resume(
    pool: PgPool,
    partition: Option<Partition>,
    apply: bool,
) -> Result<Vec<Partition>, StoreError> {
    let store = Store::new(pool, TIMEOUT);
    store.check_schema().await?;
    store.resume(partition, apply).await
}

impl Store {
    // The owner of a halted partition commits nothing, so nobody overwrites this with the old
    // count.
    async fn resume(
        &self,
        partition: Option<Partition>,
        apply: bool,
    ) -> Result<Vec<Partition>, StoreError> {
        let statement = if apply {
            "UPDATE partition_offsets SET poison_limit_state = NULL
             WHERE (poison_limit_state->>'halted')::bool AND partition = coalesce($1, partition)
             RETURNING partition"
        } else {
            "SELECT partition FROM partition_offsets
             WHERE (poison_limit_state->>'halted')::bool AND partition = coalesce($1, partition)"
        };
        let query = sqlx::query(statement).bind(partition);
        let mut partitions: Vec<Partition> = self
            .rows(query, |row| Ok(row.try_get("partition")?))
            .await?;
        partitions.sort_unstable();
        Ok(partitions)
    }
}
