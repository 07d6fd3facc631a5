//! Stores published flows.

use chrono::{DateTime, Utc};
use leadstream_schemas::{FlowRef, Timestamp};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Store, StoreError, unsigned};
use crate::flows::Published;
use crate::flows::change::Edit;

/// The key of the advisory lock of changes to published flows.
const CHANGE_LOCK: i64 = 0x6c65_6164_666c_6f77;

/// The number of leads of a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conversations {
    pub all: u64,
    pub completed: u64,
}

impl Store {
    /// Returns published documents in the order of their times, and the database's time.
    pub(crate) async fn flows(&self) -> Result<(Vec<Published>, Timestamp), StoreError> {
        self.bounded(async { Ok(read(&self.pool).await?) }).await
    }

    /// Reads the published documents and writes what `plan` decides. One change at a time: another
    /// one waits for it. `plan` gets the database's time.
    pub(crate) async fn change_flows<T, E>(
        &self,
        plan: impl FnOnce(&[Published], Timestamp) -> Result<(Edit, T), E>,
    ) -> Result<Result<T, E>, StoreError> {
        self.bounded(async {
            let mut transaction = self.pool.begin().await?;
            sqlx::query("SELECT pg_advisory_xact_lock($1)")
                .bind(CHANGE_LOCK)
                .execute(&mut *transaction)
                .await?;
            let (published, now) = read(&mut *transaction).await?;
            let (edit, planned) = match plan(&published, now) {
                Ok(planned) => planned,
                Err(refused) => return Ok(Err(refused)),
            };
            if let Some(it) = &edit.insert {
                sqlx::query(
                    "INSERT INTO flows (name, version, document, new_conversations_from)
                     VALUES ($1, $2, $3, $4)",
                )
                .bind(&it.name)
                .bind(version(it.version))
                .bind(&it.text)
                .bind(it.new_conversations_from.datetime())
                .execute(&mut *transaction)
                .await?;
            }
            for (flow, until) in &edit.withdraw {
                sqlx::query(
                    "UPDATE flows SET new_conversations_until = $3 WHERE name = $1 AND version = $2",
                )
                .bind(&flow.name)
                .bind(version(flow.version))
                .bind(until.datetime())
                .execute(&mut *transaction)
                .await?;
            }
            transaction.commit().await?;
            Ok(Ok(planned))
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

async fn read<'e>(
    executor: impl sqlx::PgExecutor<'e>,
) -> Result<(Vec<Published>, Timestamp), sqlx::Error> {
    let query = sqlx::query(
        "SELECT clock_timestamp() AS now, name, version, document, new_conversations_from,
             new_conversations_until
         FROM (SELECT) AS one
         LEFT JOIN flows ON true
         ORDER BY new_conversations_from, name, version",
    );
    let rows = query.fetch_all(executor).await?;
    let now: Option<DateTime<Utc>> = rows.first().map(|row| row.try_get("now")).transpose()?;
    let published = rows.iter().filter_map(|row| published(row).transpose());
    let published = published.collect::<Result<Vec<_>, sqlx::Error>>()?;
    Ok((published, now.map(timestamp).unwrap_or_default()))
}

fn version(version: u32) -> i32 {
    i32::try_from(version).unwrap_or(i32::MAX)
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
