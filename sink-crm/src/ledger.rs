//! Stores in PostgreSQL what each CRM should have of each lead, and what it was sent. Callers pass
//! the current time.

use std::future::Future;

use chrono::{DateTime, Utc};
use leadstream_kafka::{Record, TraceContext};
use leadstream_service::database;
use leadstream_service::migrations;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

use crate::crm::{CrmName, Keeps};

mod error;
mod look;
mod sql;
mod standing;

use error::STATEMENT;
pub use error::{LedgerError, LedgerErrorClass};
pub use look::Tally;
pub use standing::{Standing, standings};

/// The data that a CRM should have of a lead, and the record that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) lead_id: String,
    pub(crate) revision: i64,
    /// 0 is the most urgent: see the migration.
    pub(crate) priority: i16,
    /// Whether nothing of the lead may be kept.
    pub(crate) erases: bool,
    pub(crate) record: Record,
}

/// A due row, leased to one worker.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    pub(crate) lead_id: String,
    pub(crate) revision: i64,
    /// Failed attempts since the last success.
    pub(crate) attempts: u32,
    /// The reason why the last attempt failed, or why the row waits.
    pub(crate) last_error: Option<String>,
    pub(crate) record: Record,
    /// The hash of what the CRM is known to hold; `None` while that is unknown.
    pub(crate) sent_hash: Option<Vec<u8>>,
    /// Whether a request about the lead ever went out.
    pub(crate) attempted: bool,
    /// Whether the CRM is not known to have the lead, and no sales record was searched for.
    pub(crate) unmatched: bool,
}

/// The result of the search for a sales record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matched {
    None,
    Adopted,
}

impl Matched {
    const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Adopted => "adopted",
        }
    }
}

/// The token of the worker that may have requests in flight, and the end of its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    pub(crate) token: Uuid,
    pub(crate) until: DateTime<Utc>,
}

/// The state of a row after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// The CRM has this revision.
    Done {
        record_id: Option<String>,
    },
    /// The CRM has a newer revision.
    Stale,
    /// The attempt failed; the next one is at `at`.
    Retry {
        reason: String,
        at: DateTime<Utc>,
    },
    Parked {
        reason: String,
    },
    Dead {
        reason: String,
    },
    /// Not attempted, or failed through no fault of the row. The row is due as before; `reason`
    /// says what the lane waits for.
    Released {
        reason: Option<String>,
    },
    /// The CRM shall not have this lead.
    Filtered,
}

/// An outcome of the row of `lead_id`, reached with `revision`.
#[derive(Clone, Debug)]
pub(crate) struct Settlement<'a> {
    pub(crate) lead_id: &'a str,
    pub(crate) revision: i64,
    pub(crate) settled: &'a Settled,
    /// The hash of what the CRM is known to hold now.
    pub(crate) hash: Option<&'a [u8]>,
    pub(crate) attempted: bool,
    /// The result of a search that was made with this attempt.
    pub(crate) matched: Option<Matched>,
}

/// The table that records the ledger's migrations.
pub const MIGRATIONS: &str = "crm_migrations";

/// Binds the columns of `$wanted`, which has no type that both kinds of query share.
macro_rules! bind_wanted {
    ($query:expr, $wanted:expr) => {{
        let wanted: &[Wanted] = $wanted;
        let records = || wanted.iter().map(|wanted| &wanted.record);
        let traces: Vec<Option<String>> = records()
            .map(|record| record.trace.map(|trace| trace.to_string()))
            .collect();
        let leads: Vec<&str> = wanted.iter().map(|w| w.lead_id.as_str()).collect();
        $query
            .bind(leads)
            .bind(wanted.iter().map(|w| w.revision).collect::<Vec<_>>())
            .bind(wanted.iter().map(|w| w.priority).collect::<Vec<_>>())
            .bind(records().map(|r| r.value.as_ref()).collect::<Vec<_>>())
            .bind(records().map(|r| r.key.as_ref()).collect::<Vec<_>>())
            .bind(records().map(|r| r.partition).collect::<Vec<_>>())
            .bind(records().map(|r| r.offset).collect::<Vec<_>>())
            .bind(traces)
    }};
}

#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    pool: PgPool,
}

impl Ledger {
    /// Connects on first use.
    pub(crate) fn new(options: PgConnectOptions, connections: u32) -> Self {
        Self {
            pool: database::pool(options, connections, None),
        }
    }

    /// Checks that the migrations of this version were applied unchanged.
    ///
    /// # Errors
    /// Returns [`LedgerError::Schema`] if they were not.
    pub(crate) async fn check(&self) -> Result<(), LedgerError> {
        let applied = timed(migrations::applied(&self.pool, MIGRATIONS)).await?;
        Ok(migrations::check(MIGRATIONS, &migrator(), &applied)?)
    }

    /// Writes what `crms` should have, one row per lead, and skips what is older than the ledger's
    /// revision. Returns the number of rows that became due.
    pub(crate) async fn want(
        &self,
        crms: &[CrmName],
        wanted: &[Wanted],
        now: DateTime<Utc>,
    ) -> Result<u64, LedgerError> {
        let crms: Vec<&str> = crms.iter().map(|crm| crm.as_str()).collect();
        let query = bind_wanted!(sqlx::query(sql::WANT).bind(crms), wanted).bind(now);
        Ok(timed(query.execute(&self.pool)).await?.rows_affected())
    }

    /// Queues each of `wanted` for `crm`, and skips what was queued before. Returns the number of
    /// events that became due.
    pub(crate) async fn queue(
        &self,
        crm: CrmName,
        wanted: &[Wanted],
        now: DateTime<Utc>,
    ) -> Result<u64, LedgerError> {
        let query = sqlx::query_scalar(sql::QUEUE).bind(crm.as_str());
        let query = bind_wanted!(query, wanted).bind(now);
        let queued: i64 = timed(query.fetch_one(&self.pool)).await?;
        Ok(queued.unsigned_abs())
    }

    /// Deletes everything about the leads, for all CRMs. Queues the erasure for those CRMs in
    /// `every`, which get each event.
    pub(crate) async fn erase(
        &self,
        every: &[CrmName],
        erasures: &[Wanted],
        now: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let lead_ids: Vec<&str> = erasures.iter().map(|it| it.lead_id.as_str()).collect();
        let mut transaction = timed(self.pool.begin()).await?;
        let crms = CrmName::ALL.map(CrmName::as_str);
        for statement in [sql::ERASE, sql::ERASE_EVENTS] {
            let query = sqlx::query(statement).bind(crms).bind(&lead_ids);
            timed(query.execute(&mut *transaction)).await?;
        }
        for crm in every {
            let query = sqlx::query(sql::QUEUE_ERASURE).bind(crm.as_str());
            let query = bind_wanted!(query, erasures).bind(now);
            timed(query.execute(&mut *transaction)).await?;
        }
        timed(transaction.commit()).await
    }

    /// Leases up to `limit` due rows of `crm`, the most urgent first.
    pub(crate) async fn claim(
        &self,
        crm: CrmName,
        limit: usize,
        lease: &Lease,
        now: DateTime<Utc>,
    ) -> Result<Vec<Claimed>, LedgerError> {
        let query = sqlx::query_as(crm.keeps().pick(sql::CLAIM, sql::CLAIM_EVENTS))
            .bind(crm.as_str())
            .bind(now)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .bind(lease.token)
            .bind(lease.until);
        timed(query.fetch_all(&self.pool)).await
    }

    /// Extends the lease of rows that this worker still owns, and returns their leads.
    pub(crate) async fn renew(
        &self,
        crm: CrmName,
        lease: &Lease,
        lead_ids: &[&str],
    ) -> Result<Vec<String>, LedgerError> {
        let query = sqlx::query_scalar(crm.keeps().pick(sql::RENEW, sql::RENEW_EVENTS))
            .bind(crm.as_str())
            .bind(lead_ids)
            .bind(lease.token)
            .bind(lease.until);
        timed(query.fetch_all(&self.pool)).await
    }

    /// Writes outcomes and ends the lease of rows that this worker still owns. Returns the number
    /// of those rows.
    pub(crate) async fn settle(
        &self,
        crm: CrmName,
        token: Uuid,
        settlements: &[Settlement<'_>],
        now: DateTime<Utc>,
    ) -> Result<u64, LedgerError> {
        let rows = || settlements.iter();
        if crm.keeps() == Keeps::Every {
            return self.settle_events(crm, token, settlements, now).await;
        }
        let query = sqlx::query(sql::SETTLE)
            .bind(crm.as_str())
            .bind(token)
            .bind(rows().map(|row| row.lead_id).collect::<Vec<_>>())
            .bind(rows().map(|row| row.revision).collect::<Vec<_>>())
            .bind(rows().map(|row| verdict(row.settled)).collect::<Vec<_>>())
            .bind(rows().map(|row| record_id(row.settled)).collect::<Vec<_>>())
            .bind(rows().map(|row| reason(row.settled)).collect::<Vec<_>>())
            .bind(
                rows()
                    .map(|row| next_attempt(row.settled))
                    .collect::<Vec<_>>(),
            )
            .bind(now)
            .bind(rows().map(|row| row.hash).collect::<Vec<_>>())
            .bind(rows().map(|row| row.attempted).collect::<Vec<_>>())
            .bind(
                rows()
                    .map(|row| row.matched.map(Matched::as_str))
                    .collect::<Vec<_>>(),
            );
        Ok(timed(query.execute(&self.pool)).await?.rows_affected())
    }

    async fn settle_events(
        &self,
        crm: CrmName,
        token: Uuid,
        settlements: &[Settlement<'_>],
        now: DateTime<Utc>,
    ) -> Result<u64, LedgerError> {
        let rows = || settlements.iter();
        let query = sqlx::query_scalar(sql::SETTLE_EVENTS)
            .bind(crm.as_str())
            .bind(token)
            .bind(rows().map(|row| row.lead_id).collect::<Vec<_>>())
            .bind(rows().map(|row| row.revision).collect::<Vec<_>>())
            .bind(rows().map(|row| verdict(row.settled)).collect::<Vec<_>>())
            .bind(rows().map(|row| reason(row.settled)).collect::<Vec<_>>())
            .bind(
                rows()
                    .map(|row| next_attempt(row.settled))
                    .collect::<Vec<_>>(),
            )
            .bind(now);
        let settled: i64 = timed(query.fetch_one(&self.pool)).await?;
        Ok(settled.unsigned_abs())
    }

    /// Returns the number of leads, or events, that wait to be sent to `crm`.
    pub(crate) async fn due(&self, crm: CrmName) -> Result<i64, LedgerError> {
        timed(
            sqlx::query_scalar(crm.keeps().pick(sql::DUE, sql::DUE_EVENTS))
                .bind(crm.as_str())
                .fetch_one(&self.pool),
        )
        .await
    }
}

/// Applies the migrations of sink-crm. The table `crm_migrations` keeps them apart from those of
/// other services.
///
/// # Errors
/// Returns an error if a migration fails, or if it was changed after it was applied.
pub async fn migrate(pool: &PgPool) -> Result<(), LedgerError> {
    Ok(migrator().run(pool).await?)
}

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!();
    migrator.dangerous_set_table_name(MIGRATIONS);
    migrator
}

/// Bounds a statement's time: a database that stops answering would block a lane forever.
async fn timed<T>(
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, LedgerError> {
    match tokio::time::timeout(STATEMENT, statement).await {
        Ok(outcome) => Ok(outcome.inspect_err(database::on_error)?),
        Err(_) => Err(LedgerError::Timeout),
    }
}

impl<'r> FromRow<'r, sqlx::postgres::PgRow> for Claimed {
    fn from_row(row: &'r sqlx::postgres::PgRow) -> Result<Self, sqlx::Error> {
        let trace: Option<String> = row.try_get("wanted_trace")?;
        Ok(Self {
            lead_id: row.try_get("lead_id")?,
            revision: row.try_get("wanted_revision")?,
            attempts: u32::try_from(row.try_get::<i32, _>("attempts")?).unwrap_or(0),
            last_error: row.try_get("last_error")?,
            sent_hash: row.try_get("sent_hash")?,
            attempted: row.try_get("attempted")?,
            unmatched: row.try_get("unmatched")?,
            record: Record {
                partition: row.try_get("wanted_partition")?,
                offset: row.try_get("wanted_offset")?,
                key: row.try_get::<Vec<u8>, _>("wanted_key")?.into(),
                value: row.try_get::<Vec<u8>, _>("wanted")?.into(),
                written_at: None,
                trace: trace.and_then(|trace| TraceContext::parse(&trace)),
            },
        })
    }
}

const fn verdict(settled: &Settled) -> &'static str {
    match settled {
        Settled::Done { .. } | Settled::Stale => "done",
        Settled::Retry { .. } => "retry",
        Settled::Parked { .. } => "parked",
        Settled::Dead { .. } => "dead",
        Settled::Released { .. } => "released",
        Settled::Filtered => "filtered",
    }
}

fn record_id(settled: &Settled) -> Option<&str> {
    match settled {
        Settled::Done { record_id } => record_id.as_deref(),
        _ => None,
    }
}

fn reason(settled: &Settled) -> Option<&str> {
    match settled {
        Settled::Retry { reason, .. } | Settled::Parked { reason } | Settled::Dead { reason } => {
            Some(reason)
        }
        Settled::Released { reason } => reason.as_deref(),
        Settled::Done { .. } | Settled::Stale | Settled::Filtered => None,
    }
}

const fn next_attempt(settled: &Settled) -> Option<DateTime<Utc>> {
    match settled {
        Settled::Retry { at, .. } => Some(*at),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
