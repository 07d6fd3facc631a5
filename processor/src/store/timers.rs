//! Finds the leads that time changes next.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use leadstream_schemas::Timestamp;
use sqlx::Row;

use super::{Store, StoreError, column};
use crate::lead::Lead;

/// Reads the first entry of each partition, with one index lookup each.
const FIRST_DUE: &str = "
SELECT p.partition, t.due FROM unnest($1::int[]) AS p (partition)
CROSS JOIN LATERAL (SELECT due FROM leads l WHERE l.home = p.partition AND l.due IS NOT NULL
    ORDER BY l.due LIMIT 1) t";

/// Reads the due leads of each partition, earliest first.
const DUE: &str = "
SELECT p.partition, t.lead_id, t.engine FROM unnest($1::int[], $2::timestamptz[]) AS p (partition, until)
CROSS JOIN LATERAL (SELECT l.lead_id, l.due, l.engine FROM leads l
    WHERE l.home = p.partition AND l.due <= p.until ORDER BY l.due LIMIT $3) t
ORDER BY t.due LIMIT $3";

/// Reads leads that are older than timers.
const BEFORE: &str = "
SELECT lead_id, account, engine FROM leads WHERE lead_id > $1 ORDER BY lead_id LIMIT $2";

/// A lead that may have no timer entry.
#[derive(Debug)]
pub(crate) struct Unentered {
    pub(crate) lead_id: String,
    pub(crate) account: String,
    pub(crate) lead: Lead,
}

/// The progress of entering timers for leads that are older than timers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    Done,
    /// The owner of some partition does not enter the timers of its leads.
    Waits,
    After(String),
}

impl Store {
    /// Returns when the first entry of each of `partitions` is due.
    pub(crate) async fn first_due(
        &self,
        partitions: &[i32],
    ) -> Result<BTreeMap<i32, Timestamp>, StoreError> {
        let query = sqlx::query(FIRST_DUE).bind(partitions);
        self.rows(query, |row| {
            let due: DateTime<Utc> = row.try_get("due")?;
            let due = Timestamp::from_millis(due.timestamp_millis());
            Ok((row.try_get("partition")?, due))
        })
        .await
    }

    /// Returns up to `limit` due leads (home, id, lead). `until` is the latest due time by
    /// partition.
    pub(crate) async fn due(
        &self,
        until: &BTreeMap<i32, Timestamp>,
        limit: i64,
    ) -> Result<Vec<(i32, String, Lead)>, StoreError> {
        let until: Vec<_> = until.iter().collect();
        let query = sqlx::query(DUE)
            .bind(column(&until, |(partition, _)| **partition))
            .bind(column(&until, |(_, until)| until.datetime()))
            .bind(limit);
        self.rows(query, |row| {
            let lead = Lead::from_bytes(row.try_get("engine")?)?;
            Ok((row.try_get("partition")?, row.try_get("lead_id")?, lead))
        })
        .await
    }

    pub(crate) async fn fill(&self) -> Result<Fill, StoreError> {
        let query = sqlx::query(
            "SELECT after_lead, done, EXISTS (SELECT FROM partition_offsets
                 WHERE timers_by IS DISTINCT FROM owner) AS waits
             FROM timer_fill",
        );
        self.bounded(async {
            let row = query.fetch_one(&self.pool).await?;
            if row.try_get("done")? {
                return Ok(Fill::Done);
            }
            if row.try_get("waits")? {
                return Ok(Fill::Waits);
            }
            Ok(Fill::After(row.try_get("after_lead")?))
        })
        .await
    }

    /// Returns the next `count` leads after `after`, in the order of their ids.
    pub(crate) async fn unentered(
        &self,
        after: &str,
        count: i64,
    ) -> Result<Vec<Unentered>, StoreError> {
        let query = sqlx::query(BEFORE).bind(after).bind(count);
        self.rows(query, |row| {
            Ok(Unentered {
                lead_id: row.try_get("lead_id")?,
                account: row.try_get("account")?,
                lead: Lead::from_bytes(row.try_get("engine")?)?,
            })
        })
        .await
    }

    /// Enters timers (lead id, partition, due time) of leads without an entry, and records `to` as
    /// the progress. Without `to`, all are entered. Does nothing if another process has continued
    /// from `from` meanwhile.
    pub(crate) async fn enter(
        &self,
        entries: &[(String, i32, Timestamp)],
        from: &str,
        to: Option<&str>,
    ) -> Result<(), StoreError> {
        self.bounded(async {
            let mut transaction = self.pool.begin().await?;
            let moved = sqlx::query(
                "UPDATE timer_fill SET after_lead = coalesce($2, after_lead), done = $2 IS NULL
                 WHERE after_lead = $1 AND NOT done",
            )
            .bind(from)
            .bind(to)
            .execute(&mut *transaction)
            .await?;
            if moved.rows_affected() == 0 {
                return Ok(());
            }
            sqlx::query(
                "UPDATE leads l SET home = u.home, due = u.due
                 FROM unnest($1::text[], $2::int[], $3::timestamptz[]) AS u (lead_id, home, due)
                 WHERE l.lead_id = u.lead_id AND l.due IS NULL",
            )
            .bind(column(entries, |(lead_id, ..)| lead_id.as_str()))
            .bind(column(entries, |(_, partition, _)| *partition))
            .bind(column(entries, |(.., due)| due.datetime()))
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(())
        })
        .await
    }
}
