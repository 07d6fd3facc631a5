//! Stores the partition count by which leads are placed, and moves leads to another count.

use leadstream_schemas::{Account, LeadId, Partition};
use sqlx::Row;
use uuid::Uuid;

use super::{Store, StoreError, column};

/// A lead that waits for its timer on a partition.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) lead_id: LeadId,
    pub(crate) account: Account,
    pub(crate) partition: Partition,
}

impl Store {
    /// Returns the recorded partition count of `lead.inputs`; records `found` where there is none.
    pub(crate) async fn input_partitions(&self, found: usize) -> Result<usize, StoreError> {
        let found = i32::try_from(found).unwrap_or(i32::MAX);
        self.bounded(async {
            sqlx::query("INSERT INTO input_partitions (count) VALUES ($1) ON CONFLICT DO NOTHING")
                .bind(found)
                .execute(&self.pool)
                .await?;
            let row = sqlx::query("SELECT count FROM input_partitions")
                .fetch_one(&self.pool)
                .await?;
            let count: i32 = row.try_get("count")?;
            Ok(usize::try_from(count).unwrap_or_default())
        })
        .await
    }

    /// Records that leads are placed by `count` partitions from now on.
    pub(crate) async fn set_input_partitions(&self, count: usize) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE input_partitions SET count = $1")
            .bind(i32::try_from(count).unwrap_or(i32::MAX));
        self.bounded(async {
            query.execute(&self.pool).await?;
            Ok(())
        })
        .await
    }

    /// Takes every partition from its owner. A processor that still runs can commit nothing.
    pub(crate) async fn fence_all(&self) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE partition_offsets SET epoch = epoch + 1, owner = $1")
            .bind(Uuid::new_v4());
        self.bounded(async {
            query.execute(&self.pool).await?;
            Ok(())
        })
        .await
    }

    /// Returns the next `limit` leads with a timer after `after`, in the order of their ids.
    pub(crate) async fn leads_with_timer(
        &self,
        after: &LeadId,
        limit: i64,
    ) -> Result<Vec<Placed>, StoreError> {
        let query = sqlx::query(
            "SELECT lead_id, account, home_partition FROM leads
             WHERE lead_id > $1 AND timer_due_at IS NOT NULL ORDER BY lead_id LIMIT $2",
        )
        .bind(after)
        .bind(limit);
        self.rows(query, |row| {
            Ok(Placed {
                lead_id: row.try_get("lead_id")?,
                account: row.try_get("account")?,
                partition: row.try_get("home_partition")?,
            })
        })
        .await
    }

    /// Moves the timers of leads to other partitions (lead id, partition).
    pub(crate) async fn move_timers(
        &self,
        moves: &[(LeadId, Partition)],
    ) -> Result<(), StoreError> {
        let query = sqlx::query(
            "UPDATE leads l SET home_partition = u.home_partition
             FROM unnest($1::text[], $2::int[]) AS u (lead_id, home_partition)
             WHERE l.lead_id = u.lead_id",
        )
        .bind(column(moves, |(lead_id, _)| lead_id))
        .bind(column(moves, |(_, partition)| *partition));
        self.execute(query).await.map(drop)
    }
}
