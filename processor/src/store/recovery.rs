//! Holds what a recovery reads and writes outside of batches.

use std::collections::BTreeMap;

use leadstream_schemas::{Offset, Partition};
use sqlx::Row;
use uuid::Uuid;

use super::{Store, StoreError, column};

/// The range of a recovery of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The committed offset in PostgreSQL when the recovery began.
    pub(crate) start_offset: Offset,
    /// The first offset whose replies are published. Replies to earlier inputs are held back.
    pub(crate) suppress_replies_before: Offset,
    /// The end of the log when the recovery began.
    pub(crate) end_offset: Offset,
}

impl Store {
    /// Returns recoveries that have begun and are not complete, by partition.
    pub(crate) async fn recoveries(&self) -> Result<BTreeMap<Partition, Span>, StoreError> {
        let query = sqlx::query(
            "SELECT partition, start_offset, suppress_replies_before, end_offset FROM recoveries",
        );
        self.rows(query, |row| {
            let span = Span {
                start_offset: row.try_get("start_offset")?,
                suppress_replies_before: row.try_get("suppress_replies_before")?,
                end_offset: row.try_get("end_offset")?,
            };
            Ok((row.try_get("partition")?, span))
        })
        .await
    }

    /// Records that a recovery begins. A recovery that has already begun stays unchanged.
    pub(crate) async fn begin_recovery(
        &self,
        spans: &BTreeMap<Partition, Span>,
    ) -> Result<(), StoreError> {
        let spans: Vec<(&Partition, &Span)> = spans.iter().collect();
        let query = sqlx::query(
            "INSERT INTO recoveries (partition, start_offset, suppress_replies_before, end_offset)
             SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[])
             ON CONFLICT (partition) DO NOTHING",
        )
        .bind(column(&spans, |(partition, _)| **partition))
        .bind(column(&spans, |(_, span)| span.start_offset))
        .bind(column(&spans, |(_, span)| span.suppress_replies_before))
        .bind(column(&spans, |(_, span)| span.end_offset));
        self.bounded(async {
            query.execute(&self.pool).await?;
            Ok(())
        })
        .await
    }

    /// Records that the recovery is complete.
    pub(crate) async fn end_recovery(&self) -> Result<(), StoreError> {
        let query = sqlx::query("DELETE FROM recoveries");
        self.bounded(async {
            query.execute(&self.pool).await?;
            Ok(())
        })
        .await
    }

    /// Returns the next offset of each partition, or none if no record of it was processed.
    pub(crate) async fn positions(
        &self,
    ) -> Result<BTreeMap<Partition, Option<Offset>>, StoreError> {
        let query = sqlx::query("SELECT partition, next_offset FROM partition_offsets");
        self.rows(query, |row| {
            Ok((row.try_get("partition")?, row.try_get("next_offset")?))
        })
        .await
    }

    /// Sets the offsets at which partitions of `owner` continue.
    pub(crate) async fn go_on_at(
        &self,
        starts: &BTreeMap<Partition, Offset>,
        owner: Uuid,
    ) -> Result<(), StoreError> {
        let starts: Vec<(Partition, Offset)> = starts.iter().map(|(id, at)| (*id, *at)).collect();
        let query = sqlx::query(
            "UPDATE partition_offsets p SET next_offset = u.next_offset
             FROM unnest($1::int[], $2::bigint[]) AS u (partition, next_offset)
             WHERE p.partition = u.partition AND p.owner = $3",
        )
        .bind(column(&starts, |(partition, _)| *partition))
        .bind(column(&starts, |(_, next)| *next))
        .bind(owner);
        self.bounded(async {
            let moved = query.execute(&self.pool).await?.rows_affected();
            match starts.first() {
                Some((partition, _)) if moved < starts.len() as u64 => {
                    Err(StoreError::Fenced(*partition))
                }
                _ => Ok(()),
            }
        })
        .await
    }
}
