//! Reads the results of replies that did not surely reach their leads, and deletes published ones.

use leadstream_kafka::TraceContext;
use leadstream_schemas::Timestamp;
use leadstream_service::database::{DatabaseError, timed};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

use super::{Ledger, column, read_time, sql};
use crate::feedback::EndedReply;

impl Ledger {
    /// Returns up to `limit` results up to `now` of the numbers that `owner` sends from, the oldest first.
    pub(crate) async fn feedback(
        &self,
        owner: Uuid,
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<EndedReply>, DatabaseError> {
        let query = sqlx::query_as(sql::FEEDBACK)
            .bind(owner)
            .bind(limit)
            .bind(column(now));
        timed(query.fetch_all(&self.pool)).await
    }

    /// Deletes results that lead.inputs has.
    pub(crate) async fn delete_feedback(&self, tokens: &[Uuid]) -> Result<(), DatabaseError> {
        let query = sqlx::query(sql::DELETE_FEEDBACK).bind(tokens);
        timed(query.execute(&self.pool)).await.map(|_| ())
    }
}

impl FromRow<'_, PgRow> for EndedReply {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let trace: Option<String> = row.try_get("record_trace")?;
        Ok(Self {
            token: row.try_get("token")?,
            state: row.try_get("state")?,
            class: row.try_get("class")?,
            code: row.try_get("code")?,
            ended_at: read_time(row, "ended_at")?.unwrap_or_default(),
            record_key: row.try_get("record_key")?,
            record_value: row.try_get("record_value")?,
            trace: trace.and_then(|trace| TraceContext::parse(&trace)),
        })
    }
}
