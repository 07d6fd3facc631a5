//! Leases business numbers to processes: one process at a time sends from a number.

use std::time::Duration;

use leadstream_schemas::Timestamp;
use leadstream_service::database::{DatabaseError, timed};
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use super::{Ledger, column, sql};

impl Ledger {
    /// Extends the leases of `owner` by `lease` from now, by the clock of the database. Returns the
    /// numbers that it owns.
    pub(crate) async fn renew(
        &self,
        owner: Uuid,
        lease: Duration,
    ) -> Result<Vec<String>, DatabaseError> {
        let query = sqlx::query_scalar(sql::RENEW)
            .bind(owner)
            .bind(interval(lease));
        timed(query.fetch_all(&self.pool)).await
    }

    /// Leases to `owner` a number that no process owns, and returns it.
    pub(crate) async fn acquire(
        &self,
        owner: Uuid,
        lease: Duration,
    ) -> Result<Option<String>, DatabaseError> {
        let query = sqlx::query_scalar(sql::ACQUIRE)
            .bind(owner)
            .bind(interval(lease));
        timed(query.fetch_optional(&self.pool)).await
    }

    /// Ends the lease of `owner`, whose requests have ended.
    pub(crate) async fn release(&self, owner: Uuid, number: &str) -> Result<(), DatabaseError> {
        let query = sqlx::query(sql::RELEASE).bind(owner).bind(number);
        timed(query.execute(&self.pool)).await.map(drop)
    }

    /// Returns how many replies of `numbers` wait to be sent or are being sent.
    pub(crate) async fn count_queued(&self, numbers: &[String]) -> Result<i64, DatabaseError> {
        let query = sqlx::query_scalar(sql::COUNT_QUEUED).bind(numbers);
        timed(query.fetch_one(&self.pool)).await
    }

    /// Marks as unknown what a former owner of `number` was sending; the wait for proof ends at
    /// `until`. Returns the number of those replies.
    pub(crate) async fn take_over(
        &self,
        owner: Uuid,
        number: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<u64, DatabaseError> {
        let query = sqlx::query(sql::TAKE_OVER)
            .bind(number)
            .bind(owner)
            .bind(column(now))
            .bind(column(until));
        Ok(timed(query.execute(&self.pool)).await?.rows_affected())
    }
}

fn interval(time: Duration) -> PgInterval {
    PgInterval {
        months: 0,
        days: 0,
        microseconds: i64::try_from(time.as_micros()).unwrap_or(i64::MAX),
    }
}
