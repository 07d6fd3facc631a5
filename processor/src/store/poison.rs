//! Partitions that halted because of dead letters.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::Row;

use super::{Store, StoreError};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Lets partitions go on that halted because too many of their records went to dead letters: all,
/// or this one. Gives those that do; processors go on with them within seconds.
///
/// # Errors
/// A database that is away, or whose schema is of another version.
pub async fn resume(pool: PgPool, partition: Option<i32>) -> Result<Vec<i32>, StoreError> {
    let store = Store::new(pool, TIMEOUT);
    store.check_schema().await?;
    store.resume(partition).await
}

impl Store {
    // Who owns a halted partition commits nothing, so nobody writes the old count over it.
    async fn resume(&self, partition: Option<i32>) -> Result<Vec<i32>, StoreError> {
        let query = sqlx::query(
            "UPDATE partition_offsets SET dead_letters = NULL
             WHERE (dead_letters->>'halted')::bool AND partition = coalesce($1, partition)
             RETURNING partition",
        )
        .bind(partition);
        let mut partitions: Vec<i32> = self
            .rows(query, |row| Ok(row.try_get("partition")?))
            .await?;
        partitions.sort_unstable();
        Ok(partitions)
    }
}
