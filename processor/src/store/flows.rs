//! Stores published flows.

use chrono::{DateTime, Utc};
use leadstream_schemas::{FlowRef, Timestamp};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Store, StoreError, unsigned};
use crate::flows::Published;

/// The number of leads of a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conversations {
    pub all: u64,
    pub completed: u64,
}

impl Store {
    /// Returns published documents in the order of their times, and the database's time.
    pub(crate) async fn flows(&self) -> Result<(Vec<Published>, Timestamp), StoreError> {
        let query = sqlx::query(
            "SELECT clock_timestamp() AS now, name, version, document, new_conversations_from,
                 new_conversations_until
             FROM (SELECT) AS one
             LEFT JOIN flows ON true
             ORDER BY new_conversations_from, name, version",
        );
        self.bounded(async {
            let rows = query.fetch_all(&self.pool).await?;
            let now: Option<DateTime<Utc>> =
                rows.first().map(|row| row.try_get("now")).transpose()?;
            let published = rows.iter().filter_map(|row| published(row).transpose());
            let published = published.collect::<Result<Vec<_>, sqlx::Error>>()?;
            Ok((published, now.map(timestamp).unwrap_or_default()))
        })
        .await
    }

    /// Publishes a document `delay_seconds` from now, or at `from` if that is later. Does nothing
    /// if its version exists. The first document of all applies from the beginning of time.
    pub(crate) async fn publish_flow(
        &self,
        flow: &FlowRef,
        document: &str,
        delay_seconds: f64,
        from: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let query = sqlx::query(
            "INSERT INTO flows (name, version, document, new_conversations_from)
             SELECT $1, $2, $3, CASE
                 WHEN EXISTS (SELECT FROM flows)
                 THEN GREATEST($5, clock_timestamp() + make_interval(secs => $4))
                 ELSE to_timestamp(0)
             END
             ON CONFLICT DO NOTHING",
        )
        .bind(&flow.name)
        .bind(i32::try_from(flow.version).unwrap_or(i32::MAX))
        .bind(document)
        .bind(delay_seconds)
        .bind(from.and_then(Timestamp::datetime));
        self.bounded(async {
            query.execute(&self.pool).await?;
            Ok(())
        })
        .await
    }

    /// Withdraws a version: `delay_seconds` from now, no new conversation begins with it.
    pub(crate) async fn withdraw_flow(
        &self,
        flow: &FlowRef,
        delay_seconds: f64,
    ) -> Result<(), StoreError> {
        let query = sqlx::query(
            "UPDATE flows SET new_conversations_until = clock_timestamp() + make_interval(secs => $3)
             WHERE name = $1 AND version = $2 AND new_conversations_until IS NULL",
        )
        .bind(&flow.name)
        .bind(i32::try_from(flow.version).unwrap_or(i32::MAX))
        .bind(delay_seconds);
        self.bounded(async {
            query.execute(&self.pool).await?;
            Ok(())
        })
        .await
    }

    /// Returns the number of leads by version. Reads the whole table.
    pub(crate) async fn conversations(&self) -> Result<Vec<(FlowRef, Conversations)>, StoreError> {
        let query = sqlx::query(
            "SELECT flow_name, flow_version, count(*) AS conversations,
                    count(*) FILTER (WHERE is_completed) AS completed
             FROM leads GROUP BY flow_name, flow_version",
        );
        self.scanned_rows(query, |row| {
            let flow = FlowRef {
                name: row.try_get("flow_name")?,
                version: unsigned(row.try_get::<i32, _>("flow_version")?.into()),
            };
            let count = Conversations {
                all: unsigned(row.try_get("conversations")?),
                completed: unsigned(row.try_get("completed")?),
            };
            Ok((flow, count))
        })
        .await
    }
}

/// Returns the published document of a row, or none for the row that only has the time.
fn published(row: &PgRow) -> Result<Option<Published>, sqlx::Error> {
    let Some(name) = row.try_get("name")? else {
        return Ok(None);
    };
    let withdrawn: Option<DateTime<Utc>> = row.try_get("new_conversations_until")?;
    Ok(Some(Published {
        name,
        version: unsigned(row.try_get::<i32, _>("version")?.into()),
        text: row.try_get("document")?,
        new_conversations_from: timestamp(row.try_get("new_conversations_from")?),
        new_conversations_until: withdrawn.map(timestamp),
    }))
}

fn timestamp(at: DateTime<Utc>) -> Timestamp {
    Timestamp::from_millis(at.timestamp_millis())
}
