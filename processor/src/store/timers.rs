//! Finds the leads that time changes next.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use leadstream_schemas::{Partition, Timestamp};
use sqlx::Row;

use super::{Store, StoreError, column};
use crate::engine::batch::DueLead;
use crate::lead::{Accounts, Lead};

/// Reads the first due time of each partition, with one index lookup each.
const FIRST_DUE: &str = "
SELECT p.partition, t.timer_due_at FROM unnest($1::int[]) AS p (partition)
CROSS JOIN LATERAL (SELECT timer_due_at FROM leads l
    WHERE l.home_partition = p.partition AND l.timer_due_at IS NOT NULL
    ORDER BY l.timer_due_at LIMIT 1) t";

/// Reads the due leads of each partition, earliest first.
const DUE: &str = "
SELECT p.partition, t.lead_id, t.serialized_state
FROM unnest($1::int[], $2::timestamptz[]) AS p (partition, until)
CROSS JOIN LATERAL (SELECT l.lead_id, l.timer_due_at, l.serialized_state FROM leads l
    WHERE l.home_partition = p.partition AND l.timer_due_at <= p.until
    ORDER BY l.timer_due_at LIMIT $3) t
ORDER BY t.timer_due_at LIMIT $3";

impl Store {
    /// Returns when the first timer of each of `partitions` is due.
    pub(crate) async fn first_due(
        &self,
        partitions: &[Partition],
    ) -> Result<BTreeMap<Partition, Timestamp>, StoreError> {
        let query = sqlx::query(FIRST_DUE).bind(partitions);
        self.rows(query, |row| {
            let due: DateTime<Utc> = row.try_get("timer_due_at")?;
            let due = Timestamp::from_millis(due.timestamp_millis());
            Ok((row.try_get("partition")?, due))
        })
        .await
    }

    /// Returns up to `limit` due leads. `until` is the latest due time by partition.
    pub(crate) async fn due(
        &self,
        until: &BTreeMap<Partition, Timestamp>,
        limit: i64,
        accounts: &Accounts,
    ) -> Result<Vec<DueLead>, StoreError> {
        let until: Vec<_> = until.iter().collect();
        let query = sqlx::query(DUE)
            .bind(column(&until, |(partition, _)| **partition))
            .bind(column(&until, |(_, until)| until.datetime()))
            .bind(limit);
        self.rows(query, |row| {
            let lead = Box::new(Lead::from_bytes(row.try_get("serialized_state")?)?);
            Ok(DueLead {
                lead_id: row.try_get("lead_id")?,
                partition: row.try_get("partition")?,
                account: accounts.of(&lead.number).clone(),
                lead,
            })
        })
        .await
    }
}
