//! Leases business numbers to processes: one process at a time sends from a number.

use std::time::Duration;

use leadstream_schemas::{LeadId, Timestamp};
use leadstream_service::database::{DatabaseError, timed};
use sqlx::postgres::PgRow;
use sqlx::postgres::types::PgInterval;
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

use super::{Ledger, column, read_count, read_time, sql};
use crate::dispatch::Inherited;
use crate::number_state::{Cause, NumberState, Pause};
use crate::pacing::{PAIR_WINDOW, PastAttempts};
use crate::reply_row::UNKNOWN_BEFORE_NEWER;
use crate::time::{after, before};

/// Replies that were read earlier than this and ended lately are too few for the limit of a pair.
const RECENT: Duration = Duration::from_secs(15 * 60);

/// A number that a process owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnedNumber {
    pub(crate) number: String,
    /// When another process last reported that the health is in doubt.
    pub(crate) reported_at: Option<Timestamp>,
}

/// A number that was leased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acquired {
    pub(crate) owned: OwnedNumber,
    pub(crate) number_state: NumberState,
}

impl Ledger {
    /// Extends the leases of `owner` of `numbers` by `lease` from now, by the clock of the database.
    /// Returns those of them that it owns.
    pub(crate) async fn renew(
        &self,
        owner: Uuid,
        lease: Duration,
        numbers: &[&str],
    ) -> Result<Vec<OwnedNumber>, DatabaseError> {
        let query = sqlx::query_as(sql::RENEW)
            .bind(owner)
            .bind(interval(lease))
            .bind(numbers);
        timed(query.fetch_all(&self.pool)).await
    }

    /// Leases to `owner` a number that no process owns, and returns it. `known` has the numbers that
    /// `owner` knows to own: what it took without learning of it is leased again.
    pub(crate) async fn acquire(
        &self,
        owner: Uuid,
        lease: Duration,
        known: &[&str],
    ) -> Result<Option<Acquired>, DatabaseError> {
        let query = sqlx::query_as(sql::ACQUIRE)
            .bind(owner)
            .bind(interval(lease))
            .bind(known);
        timed(query.fetch_optional(&self.pool)).await
    }

    /// Stores the state of a number that `owner` owns.
    pub(crate) async fn store_number_state(
        &self,
        owner: Uuid,
        number: &str,
        number_state: &NumberState,
    ) -> Result<(), DatabaseError> {
        let pause = number_state.pause.as_ref();
        let query = sqlx::query(sql::STORE_NUMBER_STATE)
            .bind(owner)
            .bind(number)
            .bind(pause.map(|it| column(it.since)))
            .bind(pause.map(|it| it.cause.as_str()))
            .bind(pause.and_then(|it| it.code))
            .bind(pause.map(|it| &*it.reason))
            .bind(pause.map(|it| column(it.probe_at)))
            .bind(i32::try_from(number_state.probes).unwrap_or(i32::MAX))
            .bind(number_state.resumed_at.map(column));
        timed(query.execute(&self.pool)).await.map(drop)
    }

    /// Reports to the owner of `number` that its health is in doubt, or to all owners if none has this
    /// name.
    pub(crate) async fn report(&self, number: &str, at: Timestamp) -> Result<(), DatabaseError> {
        let query = sqlx::query(sql::REPORT).bind(number).bind(column(at));
        timed(query.execute(&self.pool)).await.map(drop)
    }

    /// Returns what the former owner of `number` left.
    pub(crate) async fn inherit(
        &self,
        number: &str,
        number_state: NumberState,
        now: Timestamp,
    ) -> Result<Inherited, DatabaseError> {
        let query = sqlx::query_as(sql::PAST_ATTEMPTS)
            .bind(number)
            .bind(column(before(now, PAIR_WINDOW)))
            .bind(column(before(now, RECENT)));
        let rows: Vec<Attempted> = timed(query.fetch_all(&self.pool)).await?;
        let attempts = rows.into_iter().map(|row| row.0).collect();
        Ok(Inherited {
            number_state,
            attempts,
        })
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

    /// Releases the replies of `number` that a lost claim leased to `owner`: all but `held`. Returns
    /// their number.
    pub(crate) async fn release_lost(
        &self,
        owner: Uuid,
        number: &str,
        held: &[Uuid],
        now: Timestamp,
    ) -> Result<u64, DatabaseError> {
        let query = sqlx::query(sql::RELEASE_LOST)
            .bind(number)
            .bind(owner)
            .bind(held)
            .bind(column(now));
        Ok(timed(query.execute(&self.pool)).await?.rows_affected())
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
            .bind(column(until))
            .bind(column(after(now, UNKNOWN_BEFORE_NEWER)));
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

struct Attempted(PastAttempts);

impl FromRow<'_, PgRow> for Attempted {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let lead: LeadId = row.try_get("lead_id")?;
        let at = read_time(row, "claimed_at")?.unwrap_or_default();
        Ok(Self((lead, at, read_count(row, "attempts")?)))
    }
}

impl FromRow<'_, PgRow> for OwnedNumber {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            number: row.try_get("number")?,
            reported_at: read_time(row, "reported_at")?,
        })
    }
}

impl FromRow<'_, PgRow> for Acquired {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let cause: Option<&str> = row.try_get("pause_cause")?;
        let reason: Option<String> = row.try_get("pause_reason")?;
        let code = row.try_get("pause_code")?;
        let probe_at = read_time(row, "probe_at")?;
        let pause = read_time(row, "paused_since")?.map(|since| Pause {
            since,
            cause: Cause::parse(cause.unwrap_or_default()),
            code,
            reason: reason.unwrap_or_default(),
            probe_at: probe_at.unwrap_or(since),
        });
        Ok(Self {
            owned: OwnedNumber::from_row(row)?,
            number_state: NumberState {
                pause,
                probes: read_count(row, "probes")?,
                resumed_at: read_time(row, "resumed_at")?,
            },
        })
    }
}
