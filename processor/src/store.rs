//! Holds all SQL of the engine.

mod backlog;
mod commands;
mod dedup_partitions;
mod deliveries;
mod erase;
mod flows;
mod lead_list;
mod load;
mod partitions;
mod poison;
mod pool;
mod recovery;
mod reports;
mod schema;
mod timers;
mod verify;
mod write;

use std::collections::BTreeMap;
use std::time::Duration;

use leadstream_schemas::{Offset, Partition};
use leadstream_service::database::{self, DatabaseError};
use leadstream_service::failpoint::{self, Point};
use leadstream_service::migrations::SchemaError;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{Connection, PgConnection, PgPool, Row};
use uuid::Uuid;

use crate::engine::batch::BatchResult;
use crate::engine::outbox::{self, OutboxError, OutboxKey};
use crate::engine::partition::{Fence, Owned};
use crate::engine::poison::Poison;
use crate::erasure::ErasureKeys;
use crate::lead::StoredError;
pub(crate) use backlog::Backlog;
pub(crate) use partitions::Placed;
pub(crate) use recovery::Span;
use write::Write;

pub use flows::Conversations;
pub use lead_list::{LeadCursor, LeadFilter, LeadPage, LeadSummary, MAX_LEADS};
pub use poison::resume;
pub use pool::pool;
pub use reports::FunnelStep;
pub use schema::{MIGRATIONS, check, migrate};
pub(crate) use verify::{LeadRow, Lookup, Page, columns};

/// A database error, classified by the action that it requires.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another owner has the partition. Nothing was written.
    #[error("partition {0} belongs to another processor by now")]
    Fenced(Partition),
    #[error("PostgreSQL: {0}")]
    Database(#[from] sqlx::Error),
    /// Another writer changed a lead after this process read it. Nothing was written.
    #[error("{0} of the batch's leads were changed by another writer since they were read")]
    StaleLeads(u64),
    #[error("PostgreSQL did not answer within {0:?}")]
    TimedOut(Duration),
    #[error(transparent)]
    Stored(#[from] StoredError),
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// A pooler in transaction mode mixes up prepared statements.
    #[error("{0}")]
    Pooler(String),
}

impl From<DatabaseError> for StoreError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Statement(error) => Self::Database(error),
            DatabaseError::Timeout => Self::TimedOut(database::STATEMENT),
            DatabaseError::Pooler(reason) => Self::Pooler(reason),
            DatabaseError::Schema { source, .. } => Self::Schema(source),
            DatabaseError::Migrate { source, .. } => Self::Migrate(source),
        }
    }
}

/// A row of the outbox.
#[derive(Debug)]
pub(crate) struct OutboxRow {
    pub(crate) key: OutboxKey,
    pub(crate) records: Vec<leadstream_kafka::Outgoing>,
}

/// The content of one transaction.
#[derive(Debug)]
pub(crate) struct Commit<'a> {
    pub(crate) owner: Uuid,
    /// The position before the commit, by partition.
    pub(crate) fences: &'a BTreeMap<Partition, Fence>,
    pub(crate) folded: &'a BatchResult,
    /// The dead letters, including those of this batch, by partition.
    pub(crate) poison: &'a BTreeMap<Partition, Poison>,
    /// Acknowledged outbox rows.
    pub(crate) acknowledged: &'a [OutboxKey],
}

/// The engine's database.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pool: PgPool,
    timeout: Duration,
    erasure: ErasureKeys,
}

impl Store {
    /// Creates a store. `timeout` bounds each call, so that a half-open connection blocks nothing.
    pub(crate) fn new(pool: PgPool, timeout: Duration) -> Self {
        Self {
            pool,
            timeout,
            erasure: ErasureKeys::default(),
        }
    }

    /// Sets the keys by which the store recognizes erased people.
    pub(crate) fn with_erasure(self, erasure: ErasureKeys) -> Self {
        Self { erasure, ..self }
    }

    pub(crate) const fn erasure(&self) -> &ErasureKeys {
        &self.erasure
    }

    async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        // Callers of callers hold this future, and it is large.
        let outcome = tokio::time::timeout(self.timeout, Box::pin(call))
            .await
            .unwrap_or(Err(StoreError::TimedOut(self.timeout)));
        match outcome {
            Err(StoreError::Database(sqlx::Error::PoolTimedOut)) => Err(self.refusal().await),
            Err(StoreError::Database(error)) => {
                database::on_error(&error);
                Err(error.into())
            }
            outcome => outcome,
        }
    }

    /// Runs `query`, which finds its rows by key, and returns the results of `of` for all rows.
    async fn rows<T, C: FromIterator<T>>(
        &self,
        query: write::Statement<'_>,
        of: impl Fn(&PgRow) -> Result<T, StoreError>,
    ) -> Result<C, StoreError> {
        self.bounded(async {
            let mut transaction = pool::begin(&self.pool).await?;
            let rows = query.fetch_all(&mut *transaction).await?;
            transaction.commit().await?;
            rows.iter().map(of).collect()
        })
        .await
    }

    /// Runs `query`, which finds the one row by key, as [`Self::rows`] does.
    async fn row<T>(
        &self,
        query: write::Statement<'_>,
        of: impl Fn(&PgRow) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut rows: Vec<T> = self.rows(query, of).await?;
        rows.pop()
            .ok_or_else(|| StoreError::Database(sqlx::Error::RowNotFound))
    }

    /// Executes `query`, which finds its rows by key, and returns the number of rows that it changed.
    async fn execute(&self, query: write::Statement<'_>) -> Result<u64, StoreError> {
        self.bounded(async {
            let mut transaction = pool::begin(&self.pool).await?;
            let changed = query.execute(&mut *transaction).await?.rows_affected();
            transaction.commit().await?;
            Ok(changed)
        })
        .await
    }

    /// Runs `query`, which reads a whole table, and returns the results of `of` for all rows.
    async fn scanned_rows<T>(
        &self,
        query: write::Statement<'_>,
        of: impl Fn(&PgRow) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.bounded(async {
            let rows = query.fetch_all(&self.pool).await?;
            rows.iter().map(of).collect()
        })
        .await
    }

    /// Returns why PostgreSQL refuses connections. The pool only reports a timeout, so this
    /// function opens a connection of its own to get the reason.
    async fn refusal(&self) -> StoreError {
        let options = self.pool.connect_options();
        let tried = PgConnection::connect_with(&options);
        match tokio::time::timeout(Duration::from_secs(3), tried).await {
            Ok(Err(error)) => error.into(),
            _ => sqlx::Error::PoolTimedOut.into(),
        }
    }

    /// Makes `owner` the owner of `partitions`. Waits for a running commit of the previous owner.
    pub(crate) async fn take_over(
        &self,
        partitions: &[Partition],
        owner: Uuid,
    ) -> Result<BTreeMap<Partition, Owned>, StoreError> {
        let query = sqlx::query(
            "INSERT INTO partition_offsets AS p (partition, epoch, owner)
             SELECT partition, 1, $2 FROM unnest($1::int[]) AS partition ORDER BY partition
             ON CONFLICT (partition) DO UPDATE
                 SET epoch = p.epoch + 1, owner = excluded.owner
             RETURNING partition, epoch, next_offset, timer_commits, poison_limit_state",
        )
        .bind(partitions)
        .bind(owner);
        self.rows(query, owned).await
    }

    /// Returns those of `partitions` that `owner` still owns.
    pub(crate) async fn still_owned(
        &self,
        partitions: &[Partition],
        owner: Uuid,
    ) -> Result<BTreeMap<Partition, Owned>, StoreError> {
        let query = sqlx::query(
            "SELECT partition, epoch, next_offset, timer_commits, poison_limit_state FROM partition_offsets
             WHERE partition = ANY($1) AND owner = $2",
        )
        .bind(partitions)
        .bind(owner);
        self.rows(query, owned).await
    }

    /// Records the offset at which a new partition starts.
    pub(crate) async fn begin_at(
        &self,
        partition: Partition,
        owner: Uuid,
        offset: Offset,
    ) -> Result<(), StoreError> {
        let query = sqlx::query(
            "UPDATE partition_offsets SET next_offset = $3
             WHERE partition = $1 AND owner = $2 AND next_offset IS NULL",
        )
        .bind(partition)
        .bind(owner)
        .bind(offset);
        self.bounded(async {
            match query.execute(&self.pool).await?.rows_affected() {
                1 => Ok(()),
                _ => Err(StoreError::Fenced(partition)),
            }
        })
        .await
    }

    /// Returns committed records that may not be published yet, in the order of commits.
    pub(crate) async fn outbox(
        &self,
        partitions: &[Partition],
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let query = sqlx::query(
            "SELECT partition, next_offset, timer_commit, records FROM outbox
             WHERE partition = ANY($1) ORDER BY partition, next_offset, timer_commit",
        )
        .bind(partitions);
        self.rows(query, |row| {
            Ok(OutboxRow {
                key: OutboxKey {
                    partition: row.try_get("partition")?,
                    next_offset: row.try_get("next_offset")?,
                    timer_commit: row.try_get("timer_commit")?,
                },
                records: outbox::decode(row.try_get("records")?)?,
            })
        })
        .await
    }

    /// Removes acknowledged rows of the outbox.
    pub(crate) async fn forget(&self, acknowledged: &[OutboxKey]) -> Result<(), StoreError> {
        let Some(statement) = write::acknowledged(acknowledged) else {
            return Ok(());
        };
        self.bounded(async { Ok(failpoint::hit(Point::Forget).await?) })
            .await?;
        self.execute(statement).await.map(drop)
    }

    /// Commits state, read model, outbox and offsets in one transaction (invariant 5). The
    /// statements write rows in the order of partition and lead id, so that two transactions cannot
    /// deadlock.
    pub(crate) async fn commit(&self, commit: &Commit<'_>) -> Result<(), StoreError> {
        self.bounded(async {
            failpoint::hit(Point::Begin).await?;
            let mut transaction = pool::begin(&self.pool).await?;
            failpoint::hit(Point::Fence).await?;
            write::fence(&mut transaction, commit).await?;
            erase::erase(&mut transaction, &commit.folded.erased).await?;
            for statement in write::statements(commit) {
                failpoint::hit(Point::Write).await?;
                let Write { statement, rows } = statement?;
                let written = statement.execute(&mut *transaction).await?.rows_affected();
                if let Some(stale) = rows.and_then(|rows| rows.checked_sub(written))
                    && stale > 0
                {
                    return Err(StoreError::StaleLeads(stale));
                }
            }
            failpoint::hit(Point::Commit).await?;
            transaction.commit().await?;
            failpoint::hit(Point::Committed).await?;
            Ok(())
        })
        .await
    }
}

fn owned(row: &PgRow) -> Result<(Partition, Owned), StoreError> {
    let poison: Option<Json<Poison>> = row.try_get("poison_limit_state")?;
    let owned = Owned {
        epoch: row.try_get("epoch")?,
        next_offset: row.try_get("next_offset")?,
        timer_commits: row.try_get("timer_commits")?,
        poison: poison.map(|Json(poison)| poison).unwrap_or_default(),
    };
    Ok((row.try_get("partition")?, owned))
}

fn unsigned<T: TryFrom<i64> + Default>(number: i64) -> T {
    T::try_from(number).unwrap_or_default()
}

fn column<'a, T, U>(rows: &'a [T], of: impl FnMut(&'a T) -> U) -> Vec<U> {
    rows.iter().map(of).collect()
}
