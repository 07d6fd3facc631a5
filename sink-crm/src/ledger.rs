//! Stores in PostgreSQL what each CRM should have of each lead, and what it has. Callers pass the
//! current time.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use leadstream_kafka::{Record, TraceContext};
use leadstream_schemas::{LeadId, Revision};
use leadstream_service::database::{self, DatabaseError, timed};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::types::Json;
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

use crate::SERVICE;
use crate::crm_name::CrmName;
use crate::mapping::WrittenFields;
use crate::outcome::RecordOutcome;

mod entry;
mod latest;
mod ordered;
mod refused;
mod sql;
mod tools;

pub use entry::{LedgerEntry, LedgerState, ledger_entries};
pub(crate) use latest::LatestState;
pub(crate) use ordered::OrderedEvents;
pub(crate) use refused::{RefusedField, WaitingFor};
pub use tools::{DeadLetterPosition, RetrySelection, SyncStatus, SyncSummary};

/// The data that a CRM should have of a lead, and the record that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DesiredEvent {
    pub(crate) lead_id: LeadId,
    pub(crate) revision: Revision,
    /// 0 is the most urgent: see the migration.
    pub(crate) priority: i16,
    /// Whether nothing of the lead may be kept.
    pub(crate) erases: bool,
    pub(crate) record: Record,
}

/// A due row, leased to one batch.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    pub(crate) lead_id: LeadId,
    pub(crate) revision: Revision,
    /// Failed attempts since the last success.
    pub(crate) attempts: u32,
    /// The reason why the last attempt failed, or why the row waits.
    pub(crate) last_error: Option<String>,
    pub(crate) record: Record,
    /// The hash of the payload that the CRM is known to have; `None` while that is unknown.
    pub(crate) synced_hash: Option<Vec<u8>>,
    /// Whether a request about the lead ever went out.
    pub(crate) attempted: bool,
    /// Whether the CRM is not known to have the lead, and no existing record was searched for.
    pub(crate) unmatched: bool,
    /// The fields that were left out of what the CRM has, or that a parked row waited for.
    pub(crate) refused_fields: Vec<RefusedField>,
    /// Whether sales made the record.
    pub(crate) adopted: bool,
    pub(crate) crm_record_id: Option<String>,
    /// What is remembered of the fields that have a write rule.
    pub(crate) written_fields: WrittenFields,
}

/// The result of the search for an existing record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MatchResult {
    None,
    Adopted,
}

impl MatchResult {
    const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Adopted => "adopted",
        }
    }
}

/// The token of the batch that may have requests in flight, and the end of its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    pub(crate) token: Uuid,
    pub(crate) until: DateTime<Utc>,
}

/// The outcome of the row of `lead_id`, reached with `revision`.
#[derive(Clone, Debug)]
pub(crate) struct OutcomeRow<'a> {
    pub(crate) lead_id: &'a LeadId,
    pub(crate) revision: Revision,
    pub(crate) outcome: &'a RecordOutcome,
    /// Why the row is not synced.
    pub(crate) reason: Option<&'a str>,
    /// When the row is due again, if it is retried.
    pub(crate) next_attempt_at: Option<DateTime<Utc>>,
    /// The hash of the payload that the CRM is known to have now.
    pub(crate) synced_hash: Option<&'a [u8]>,
    pub(crate) attempted: bool,
    /// The result of a search that was made with this attempt.
    pub(crate) match_result: Option<MatchResult>,
    /// The fields that were left out, or that the row waits for, as JSON.
    pub(crate) refused_fields: Option<String>,
    /// What is remembered from now on of the fields that have a write rule; `None` for no change.
    pub(crate) written_fields: Option<Vec<u8>>,
}

/// The rows of one state.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub(crate) struct Backlog {
    pub(crate) state: String,
    pub(crate) rows: i64,
    /// The seconds since the oldest became due.
    pub(crate) age: f64,
}

/// What a CRM gets of each lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeliveryMode {
    LatestState,
    OrderedEvents,
}

/// The statements of a delivery mode. All take the same parameters, in the order in which
/// [`DeliveryLedger`] binds them.
pub(crate) trait Delivery: Send + Sync + 'static {
    const MODE: DeliveryMode;
    /// Leases due rows, and returns them as [`Claimed`].
    const CLAIM: &'static str;
    /// Extends leases that still belong to the token, and returns their leads.
    const EXTEND_LEASES: &'static str;
    /// Writes outcomes of leased rows, and returns the number of rows written.
    const RECORD_OUTCOMES: &'static str;
    /// Counts the rows of each state that is not in step, as [`Backlog`].
    const BACKLOG: &'static str;
    /// Returns whether a row waits for a reason.
    const HAS_REASON: &'static str;
    /// Returns waiting rows, at most one per lead, in the order of their leads.
    const PAGE_DUE: &'static str;
}

/// The table that records the ledger's migrations.
pub const MIGRATIONS: &str = "crm_migrations";

/// The ledger. Tools inspect and requeue its rows from outside the running service.
#[derive(Clone, Debug)]
pub struct Ledger {
    pool: PgPool,
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
    pub(crate) async fn check(&self) -> Result<(), DatabaseError> {
        check(&self.pool).await
    }

    /// Returns the rows of `crm`, whose delivery mode is `D`.
    pub(crate) fn delivery<D: Delivery>(&self, crm: CrmName) -> DeliveryLedger<D> {
        DeliveryLedger {
            pool: self.pool.clone(),
            crm,
            mode: PhantomData,
        }
    }

    /// Deletes everything about the leads, for all CRMs. Queues the erasure for the CRMs `ordered`,
    /// which get each event.
    pub(crate) async fn erase(
        &self,
        ordered: &[CrmName],
        erasures: &[DesiredEvent],
        now: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        let lead_ids: Vec<&LeadId> = erasures.iter().map(|it| &it.lead_id).collect();
        let mut transaction = timed(self.pool.begin()).await?;
        let crms = CrmName::ALL.map(CrmName::as_str);
        for statement in [sql::ERASE, sql::ERASE_EVENTS] {
            let query = sqlx::query(statement).bind(crms).bind(&lead_ids);
            timed(query.execute(&mut *transaction)).await?;
        }
        for crm in ordered {
            let query = sqlx::query(ordered::QUEUE_ERASURE).bind(crm.as_str());
            let query = sql::bind_events(query, erasures).bind(now);
            timed(query.execute(&mut *transaction)).await?;
        }
        timed(transaction.commit()).await
    }
}

/// The rows of one CRM, as its worker uses them.
#[derive(Debug)]
pub(crate) struct DeliveryLedger<D> {
    pool: PgPool,
    crm: CrmName,
    mode: PhantomData<D>,
}

impl<D: Delivery> DeliveryLedger<D> {
    /// Leases up to `limit` due rows, the most urgent first.
    pub(crate) async fn claim(
        &self,
        limit: usize,
        lease: &Lease,
        now: DateTime<Utc>,
    ) -> Result<Vec<Claimed>, DatabaseError> {
        let query = sqlx::query_as(D::CLAIM)
            .bind(self.crm.as_str())
            .bind(now)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .bind(lease.token)
            .bind(lease.until);
        timed(query.fetch_all(&self.pool)).await
    }

    /// Extends the lease of rows that still belong to its token, and returns their leads.
    pub(crate) async fn extend_leases(
        &self,
        lease: &Lease,
        lead_ids: &[&LeadId],
    ) -> Result<Vec<LeadId>, DatabaseError> {
        let query = sqlx::query_scalar(D::EXTEND_LEASES)
            .bind(self.crm.as_str())
            .bind(lead_ids)
            .bind(lease.token)
            .bind(lease.until);
        timed(query.fetch_all(&self.pool)).await
    }

    /// Writes outcomes and ends the lease of rows that still belong to `token`. Returns the number
    /// of those rows.
    pub(crate) async fn record_outcomes(
        &self,
        token: Uuid,
        rows: &[OutcomeRow<'_>],
        now: DateTime<Utc>,
    ) -> Result<u64, DatabaseError> {
        let query = sqlx::query_scalar(D::RECORD_OUTCOMES)
            .bind(self.crm.as_str())
            .bind(token)
            .bind(column(rows, |row| row.lead_id))
            .bind(column(rows, |row| row.revision.to_bigint()))
            .bind(column(rows, |row| row.outcome.as_str()))
            .bind(column(rows, |row| row.reason))
            .bind(column(rows, |row| row.next_attempt_at))
            .bind(column(rows, |row| row.outcome.crm_record_id()))
            .bind(column(rows, |row| row.synced_hash))
            .bind(column(rows, |row| row.attempted))
            .bind(column(rows, |row| {
                row.match_result.map(MatchResult::as_str)
            }))
            .bind(now)
            .bind(column(rows, |row| row.refused_fields.as_deref()))
            .bind(column(rows, |row| row.written_fields.as_deref()));
        let written: i64 = timed(query.fetch_one(&self.pool)).await?;
        Ok(written.unsigned_abs())
    }

    /// Returns the rows, or events, that are not in step with their lead.
    pub(crate) async fn backlog(&self) -> Result<Vec<Backlog>, DatabaseError> {
        let query = sqlx::query_as(D::BACKLOG).bind(self.crm.as_str());
        timed(query.fetch_all(&self.pool)).await
    }

    /// Returns whether a row waits because of `reason`.
    pub(crate) async fn has_reason(&self, reason: &str) -> Result<bool, DatabaseError> {
        let query = sqlx::query_scalar(D::HAS_REASON)
            .bind(self.crm.as_str())
            .bind(reason);
        timed(query.fetch_one(&self.pool)).await
    }

    /// Returns waiting rows after `after`, in the order of their leads: of a lead with several
    /// events, the first.
    pub(crate) async fn page_due(
        &self,
        after: &LeadId,
        limit: usize,
    ) -> Result<Vec<Claimed>, DatabaseError> {
        let query = sqlx::query_as(D::PAGE_DUE)
            .bind(self.crm.as_str())
            .bind(after)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        timed(query.fetch_all(&self.pool)).await
    }
}

fn column<'r, T>(rows: &'r [OutcomeRow<'r>], value: impl Fn(&'r OutcomeRow<'r>) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// Applies the migrations of sink-crm. The table `crm_migrations` keeps them apart from those of
/// other services.
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

impl<'r> FromRow<'r, sqlx::postgres::PgRow> for Claimed {
    fn from_row(row: &'r sqlx::postgres::PgRow) -> Result<Self, sqlx::Error> {
        let trace: Option<String> = row.try_get("event_trace")?;
        Ok(Self {
            lead_id: row.try_get("lead_id")?,
            revision: Revision::from_bigint(row.try_get("revision")?),
            attempts: u32::try_from(row.try_get::<i32, _>("attempts")?).unwrap_or(0),
            last_error: row.try_get("last_error")?,
            synced_hash: row.try_get("synced_hash")?,
            attempted: row.try_get("attempted")?,
            unmatched: row.try_get("unmatched")?,
            refused_fields: row
                .try_get::<Option<Json<_>>, _>("refused_fields")?
                .map(|fields| fields.0)
                .unwrap_or_default(),
            adopted: row.try_get("adopted")?,
            crm_record_id: row.try_get("crm_record_id")?,
            written_fields: row
                .try_get::<Option<&[u8]>, _>("written_fields")?
                .map(WrittenFields::from_bytes)
                .unwrap_or_default(),
            record: Record {
                partition: row.try_get("event_partition")?,
                offset: row.try_get("event_offset")?,
                key: row.try_get::<Vec<u8>, _>("event_key")?.into(),
                value: row.try_get::<Vec<u8>, _>("event_value")?.into(),
                written_at: None,
                trace: trace.and_then(|trace| TraceContext::parse(&trace)),
            },
        })
    }
}

#[cfg(test)]
mod tests;
