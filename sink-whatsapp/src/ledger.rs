//! Stores in PostgreSQL the replies to leads, and the result of each. Callers pass the current time.

use chrono::{DateTime, Utc};
use leadstream_kafka::{Record, TraceContext};
use leadstream_schemas::{LeadId, Offset, Partition, Revision, Timestamp};
use leadstream_service::database::{self, DatabaseError, timed};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgRow};
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

use crate::SERVICE;
use crate::dispatch::Outcome;
use crate::dispatch::unknown::UnknownPolicy;
use crate::reply_row::{
    Attempts, ClaimedReply, KEEP_RECORD, Kind, ReplyState, UNKNOWN_BEFORE_NEWER, WAIT_FOR_SENT,
    without_words,
};
use crate::send_result::Class;
use crate::time::{after, before};

mod arrivals;
mod feedback;
mod numbers;
mod sessions;
mod sql;
mod statuses;
#[cfg(test)]
mod tests;
mod tools;

pub(crate) use arrivals::Written;
pub(crate) use numbers::OwnedNumber;
pub(crate) use sessions::{EchoedMessage, SessionMessage};
pub(crate) use tools::Backlog;
pub use tools::reply_entries;

/// The table that records the ledger's migrations.
pub const MIGRATIONS: &str = "whatsapp_migrations";

/// The ledger. Cheap to clone. Tools inspect and change its rows from outside the running service.
#[derive(Clone, Debug)]
pub struct Ledger {
    pool: PgPool,
}

/// The process that claims replies, and the end of its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    pub(crate) token: Uuid,
    pub(crate) until: Timestamp,
}

impl Ledger {
    /// Connects on first use.
    pub(crate) fn new(options: PgConnectOptions, connections: u32) -> Self {
        Self {
            pool: database::pool(options, connections),
        }
    }

    /// Checks that the migrations of this version were applied unchanged.
    ///
    /// # Errors
    /// Returns [`DatabaseError::Schema`] if they were not.
    pub async fn check(&self) -> Result<(), DatabaseError> {
        check(&self.pool).await
    }

    /// Leases up to `limit` replies of `number` that are due to be sent, the most urgent first, and
    /// those of which the sender decides what becomes. `policy` ends the wait of unknown outcomes.
    pub(crate) async fn claim(
        &self,
        number: &str,
        limit: usize,
        policy: UnknownPolicy,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Vec<ClaimedReply>, DatabaseError> {
        let query = sqlx::query_as(sql::CLAIM)
            .bind(number)
            .bind(column(now))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .bind(lease.token)
            .bind(column(lease.until))
            .bind(column(before(now, WAIT_FOR_SENT)))
            .bind(policy.as_str());
        timed(query.fetch_all(&self.pool)).await
    }

    /// Returns the time after `now` at which the next reply of `number` is due.
    pub(crate) async fn next_due(
        &self,
        number: &str,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, DatabaseError> {
        let query = sqlx::query_scalar(sql::NEXT_DUE)
            .bind(number)
            .bind(column(now));
        let due: Option<DateTime<Utc>> = timed(query.fetch_one(&self.pool)).await?;
        Ok(due.map(timestamp))
    }

    /// Writes outcomes and ends the leases of replies that no other process claimed meanwhile.
    /// Returns the state of each row that was written.
    pub(crate) async fn record(
        &self,
        lease_token: Uuid,
        outcomes: &[Outcome],
        now: Timestamp,
    ) -> Result<Vec<ReplyState>, DatabaseError> {
        let counts = |count: fn(&Attempts) -> u32| -> Vec<i32> {
            let counts = outcomes.iter().map(|it| count(&it.attempts));
            counts
                .map(|it| i32::try_from(it).unwrap_or(i32::MAX))
                .collect()
        };
        let times = |time: fn(&Outcome) -> Option<Timestamp>| -> Vec<Option<DateTime<Utc>>> {
            outcomes.iter().map(|it| time(it).map(column)).collect()
        };
        let query = sqlx::query_scalar(sql::RECORD)
            .bind(lease_token)
            .bind(column(now))
            .bind(outcomes.iter().map(|it| it.token).collect::<Vec<_>>())
            .bind(
                outcomes
                    .iter()
                    .map(|it| it.state.as_str())
                    .collect::<Vec<_>>(),
            )
            .bind(
                outcomes
                    .iter()
                    .map(|it| column(it.due_at))
                    .collect::<Vec<_>>(),
            )
            .bind(counts(|it| it.made))
            .bind(counts(|it| it.failures))
            .bind(times(|it| it.attempts.failed_since))
            .bind(counts(|it| it.unknown))
            .bind(counts(|it| it.recipient_throttles))
            .bind(counts(|it| it.window_refusals))
            .bind(times(|it| it.unknown_since))
            .bind(
                outcomes
                    .iter()
                    .map(|it| it.provider_id.as_deref())
                    .collect::<Vec<_>>(),
            )
            .bind(outcomes.iter().map(|it| it.code).collect::<Vec<_>>())
            .bind(
                outcomes
                    .iter()
                    .map(|it| it.reason.as_deref())
                    .collect::<Vec<_>>(),
            )
            .bind(
                outcomes
                    .iter()
                    .map(|it| it.class.map(Class::as_str))
                    .collect::<Vec<_>>(),
            )
            .bind(column(after(now, UNKNOWN_BEFORE_NEWER)))
            .bind(column(after(now, KEEP_RECORD)));
        let states: Vec<String> = timed(query.fetch_all(&self.pool)).await?;
        Ok(states
            .iter()
            .filter_map(|it| ReplyState::parse(it))
            .collect())
    }

    /// Deletes up to `limit` replies that were read before `before` and have ended. Returns their
    /// number.
    pub(crate) async fn purge(&self, before: Timestamp, limit: i64) -> Result<u64, DatabaseError> {
        let query = sqlx::query(sql::PURGE).bind(column(before)).bind(limit);
        Ok(timed(query.execute(&self.pool)).await?.rows_affected())
    }

    /// Drops up to `limit` records of accepted replies that were kept until a time after `since`, and
    /// `now` at the latest. Returns their number.
    pub(crate) async fn drop_records(
        &self,
        since: Timestamp,
        now: Timestamp,
        limit: i64,
    ) -> Result<u64, DatabaseError> {
        let query = sqlx::query_as(sql::KEPT_RECORDS)
            .bind(column(since))
            .bind(column(now))
            .bind(limit);
        let kept: Vec<(Uuid, Vec<u8>)> = timed(query.fetch_all(&self.pool)).await?;
        let (tokens, values): (Vec<Uuid>, Vec<Vec<u8>>) = kept.into_iter().unzip();
        let left = values.iter().map(|value| without_words(value));
        let query = sqlx::query(sql::DROP_RECORDS)
            .bind(tokens)
            .bind(left.collect::<Vec<_>>());
        Ok(timed(query.execute(&self.pool)).await?.rows_affected())
    }
}

/// Applies the migrations of sink-whatsapp. The table `whatsapp_migrations` keeps them apart from
/// those of other services.
///
/// # Errors
/// Returns an error if a migration fails, or if it was changed after it was applied.
pub async fn migrate(pool: &PgPool) -> Result<Option<i64>, DatabaseError> {
    database::migrate(pool, SERVICE, MIGRATIONS, &migrator()).await
}

/// Checks that the migrations of this version were applied unchanged.
///
/// # Errors
/// Returns [`DatabaseError::Schema`] if they were not.
pub async fn check(pool: &PgPool) -> Result<(), DatabaseError> {
    database::check_migrations(pool, SERVICE, MIGRATIONS, &migrator()).await
}

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!();
    migrator.dangerous_set_table_name(MIGRATIONS);
    migrator
}

/// Returns a time as PostgreSQL has it.
fn column(time: Timestamp) -> DateTime<Utc> {
    time.datetime().unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn timestamp(time: DateTime<Utc>) -> Timestamp {
    Timestamp::from_millis(time.timestamp_millis())
}

fn read_time(row: &PgRow, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
    let time: Option<DateTime<Utc>> = row.try_get(column)?;
    Ok(time.map(timestamp))
}

fn read_count(row: &PgRow, column: &str) -> Result<u32, sqlx::Error> {
    Ok(u32::try_from(row.try_get::<i32, _>(column)?).unwrap_or(0))
}

fn read_state(row: &PgRow, column: &str) -> Result<Option<ReplyState>, sqlx::Error> {
    let name: Option<&str> = row.try_get(column)?;
    Ok(name.and_then(ReplyState::parse))
}

fn read_kind(row: &PgRow) -> Result<Kind, sqlx::Error> {
    Ok(Kind::from_column(row.try_get("kind")?))
}

fn read_lead(row: &PgRow) -> Result<(LeadId, Revision), sqlx::Error> {
    let revision = Revision::from_bigint(row.try_get("revision")?);
    Ok((row.try_get("lead_id")?, revision))
}

impl FromRow<'_, PgRow> for ClaimedReply {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let trace: Option<String> = row.try_get("record_trace")?;
        let bytes = |column| -> Result<Box<[u8]>, sqlx::Error> {
            let bytes: Option<Vec<u8>> = row.try_get(column)?;
            Ok(bytes.unwrap_or_default().into())
        };
        let (lead_id, revision) = read_lead(row)?;
        Ok(Self {
            token: row.try_get("token")?,
            lead_id,
            revision,
            state: read_state(row, "state_before")?.unwrap_or(ReplyState::Unknown),
            late_failure: row.try_get("late_failure")?,
            is_disproved: row.try_get("is_disproved")?,
            refuses_marketing: row.try_get("refuses_marketing")?,
            claimed_at: read_time(row, "claimed_at")?.unwrap_or_default(),
            attempts: Attempts {
                made: read_count(row, "attempts")?,
                failures: read_count(row, "failures")?,
                failed_since: read_time(row, "failed_since")?,
                unknown: read_count(row, "unknown_outcomes")?,
                recipient_throttles: read_count(row, "recipient_throttles")?,
                window_refusals: read_count(row, "window_refusals")?,
            },
            ends_as: read_state(row, "ends_as")?,
            unknown_since: read_time(row, "unknown_since")?,
            expires_at: read_time(row, "expires_at")?,
            record: Record {
                partition: Partition(row.try_get("record_partition")?),
                offset: Offset(row.try_get("record_offset")?),
                key: bytes("record_key")?,
                value: bytes("record_value")?,
                written_at: None,
                trace: trace.and_then(|trace| TraceContext::parse(&trace)),
            },
        })
    }
}
