//! Queries of the ledger for the tools.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use leadstream_schemas::{LeadId, Offset, Partition};
use leadstream_service::ConfigError;
use leadstream_service::config::DatabaseArgs;
use leadstream_service::database::{DatabaseError, timed};
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

use super::{Ledger, read_count, read_kind, read_state, sql};
use crate::reply_entry::{End, NumberQueue, ReplyEntry, ReplyFilter, ReplyRecord};
use crate::reply_row::{ReplyState, token};

/// PostgreSQL's code for a table that does not exist.
const UNDEFINED_TABLE: &str = "42P01";

/// The rows of a state that has not ended.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Backlog {
    pub(crate) state: String,
    pub(crate) rows: i64,
    /// The seconds since the oldest was read.
    pub(crate) age: f64,
}

impl Ledger {
    /// Connects on first use.
    ///
    /// # Errors
    /// Returns an error if the URL is missing or wrong.
    pub fn connect(args: &DatabaseArgs) -> Result<Self, ConfigError> {
        Ok(Self::new(args.connect(str::parse)?, 2))
    }

    /// Counts what waits, by state.
    pub(crate) async fn backlog(&self) -> Result<Vec<Backlog>, DatabaseError> {
        timed(sqlx::query_as(sql::BACKLOG).fetch_all(&self.pool)).await
    }

    /// Returns what waits for each business number.
    ///
    /// # Errors
    /// As [`DatabaseError`] says.
    pub async fn number_queues(&self) -> Result<Vec<NumberQueue>, DatabaseError> {
        timed(sqlx::query_as(sql::NUMBER_QUEUES).fetch_all(&self.pool)).await
    }

    /// Returns up to `limit` replies that `filter` selects, the newest first.
    ///
    /// # Errors
    /// As [`DatabaseError`] says.
    pub async fn entries(
        &self,
        filter: &ReplyFilter,
        limit: usize,
    ) -> Result<Vec<ReplyEntry>, DatabaseError> {
        timed(select(&self.pool, filter, limit)).await
    }

    /// Makes a failed reply wait again, due now. The flow does not hear of its failure unless it has
    /// already. Returns false if it is not failed any more, or if a
    /// later reply supersedes it.
    ///
    /// # Errors
    /// As [`DatabaseError`] says.
    pub async fn reopen(
        &self,
        reply_id: &str,
        record: &ReplyRecord,
        now: DateTime<Utc>,
    ) -> Result<bool, DatabaseError> {
        let query = sqlx::query_scalar(sql::REOPEN)
            .bind(token(reply_id))
            .bind(now)
            .bind(&record.key)
            .bind(&record.value);
        let reopened: Option<Uuid> = timed(query.fetch_optional(&self.pool)).await?;
        Ok(reopened.is_some())
    }

    /// Ends those of the replies that have no request in flight. Returns their ids.
    ///
    /// # Errors
    /// As [`DatabaseError`] says.
    pub async fn end(
        &self,
        reply_ids: &[&str],
        end: End,
        now: DateTime<Utc>,
    ) -> Result<BTreeSet<String>, DatabaseError> {
        let tokens: Vec<Uuid> = reply_ids.iter().map(|id| token(id)).collect();
        let query = sqlx::query_scalar(sql::END)
            .bind(tokens)
            .bind(now)
            .bind(end.state().as_str())
            .bind(end.reason());
        let ended: Vec<String> = timed(query.fetch_all(&self.pool)).await?;
        Ok(ended.into_iter().collect())
    }
}

/// Returns the newest `limit` replies to a lead, the newest first; none if the database has no ledger of
/// replies.
///
/// # Errors
/// Returns an error if the database is unavailable.
pub async fn reply_entries(
    pool: &PgPool,
    lead_ids: &[LeadId],
    limit: usize,
) -> Result<Vec<ReplyEntry>, DatabaseError> {
    let filter = ReplyFilter {
        lead_ids: Some(lead_ids.to_vec()),
        ..ReplyFilter::default()
    };
    match timed(select(pool, &filter, limit)).await {
        Err(DatabaseError::Statement(sqlx::Error::Database(error)))
            if error.code().as_deref() == Some(UNDEFINED_TABLE) =>
        {
            Ok(Vec::new())
        }
        found => found,
    }
}

async fn select(
    pool: &PgPool,
    filter: &ReplyFilter,
    limit: usize,
) -> Result<Vec<ReplyEntry>, sqlx::Error> {
    let tokens: Vec<Uuid> = filter.reply_ids.iter().map(|id| token(id)).collect();
    let states: Vec<&str> = filter.states.iter().map(|it| it.as_str()).collect();
    sqlx::query_as(sql::ENTRIES)
        .bind(some(tokens))
        .bind(filter.lead_ids.as_deref())
        .bind(some(states))
        .bind(filter.number.as_deref())
        .bind(filter.since)
        .bind(filter.is_open)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(pool)
        .await
}

/// Returns a condition; an empty list is none.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

impl FromRow<'_, PgRow> for ReplyEntry {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            reply_id: row.try_get("reply_id")?,
            lead_id: row.try_get("lead_id")?,
            number: row.try_get("number")?,
            kind: read_kind(row)?,
            state: read_state(row, "state")?.unwrap_or(ReplyState::Unknown),
            attempts: read_count(row, "attempts")?,
            unknown_outcomes: read_count(row, "unknown_outcomes")?,
            code: row.try_get("code")?,
            class: row.try_get("class")?,
            reason: row.try_get("reason")?,
            provider_id: row.try_get("provider_id")?,
            created_at: row.try_get("created_at")?,
            due_at: row.try_get("due_at")?,
            expires_at: row.try_get("expires_at")?,
            unknown_since: row.try_get("unknown_since")?,
            updated_at: row.try_get("updated_at")?,
            is_published: row.try_get("is_published")?,
            is_newest: row.try_get("is_newest")?,
            partition: Partition(row.try_get("record_partition")?),
            offset: Offset(row.try_get("record_offset")?),
        })
    }
}
