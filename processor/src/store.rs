//! All SQL of the engine.

mod commands;
mod erase;
mod flows;
mod poison;
mod recovery;
mod reports;
mod schema;
pub(crate) mod tape;
mod timers;
mod upkeep;
mod write;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use leadstream_schemas::Timestamp;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::types::Json;
use sqlx::{Connection, Executor, PgConnection, PgPool, Row};
use uuid::Uuid;

use crate::engine::batch::Folded;
use crate::engine::outbox::{self, OutboxError, OutboxKey};
use crate::engine::partition::Fence;
use crate::engine::poison::Poison;
use crate::erasure::{ErasureKeys, Gone, Tombstone};
use crate::failpoint::{Point, pass};
use crate::lead::{Lead, StoredError};
pub(crate) use recovery::Span;
pub(crate) use tape::Tape;

pub(crate) use timers::Fill;

pub use flows::Conversations;
pub use poison::resume;
pub use schema::{SchemaError, migrate};

/// How long a command waits for each answer.
const TOOL: Duration = Duration::from_secs(10);

/// What went wrong with the database, by what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another owner has the partition: nothing was written.
    #[error("partition {0} belongs to another processor by now")]
    Fenced(i32),
    #[error("PostgreSQL: {0}")]
    Database(#[from] sqlx::Error),
    #[error("PostgreSQL did not answer within {0:?}")]
    TimedOut(Duration),
    #[error(transparent)]
    Stored(#[from] StoredError),
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

/// Where a partition stands in PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) epoch: i64,
    /// None when no record of it was ever processed.
    pub(crate) next_offset: Option<i64>,
    pub(crate) sweep: i64,
    pub(crate) poison: Poison,
}

/// A row of the outbox.
#[derive(Debug)]
pub(crate) struct OutboxRow {
    pub(crate) key: OutboxKey,
    pub(crate) records: Vec<leadstream_stream::Outgoing>,
}

/// What one transaction commits.
#[derive(Debug)]
pub(crate) struct Commit<'a> {
    pub(crate) owner: Uuid,
    /// By partition: where it stands before.
    pub(crate) fences: &'a BTreeMap<i32, Fence>,
    pub(crate) folded: &'a Folded,
    /// By partition: the dead letters it had, these included.
    pub(crate) poison: &'a BTreeMap<i32, Poison>,
    /// Acknowledged outbox rows.
    pub(crate) acknowledged: &'a [OutboxKey],
}

/// The engine's database.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pool: PgPool,
    timeout: Duration,
    erasure: ErasureKeys,
    /// Only in benchmarks.
    tape: Option<Tape>,
}

/// A pool fit for a hot path: no test before use, no long wait for a connection.
///
/// # Errors
/// A URL that is none. The database itself is reached later.
pub fn pool(url: &str, connections: u32) -> Result<PgPool, sqlx::Error> {
    // The driver would take any scheme, and then wait for a server that never answers.
    if !["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Err(sqlx::Error::Configuration(
            "it is no postgres:// URL".into(),
        ));
    }
    let options: PgConnectOptions = url.parse()?;
    Ok(PgPoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(5))
        .before_acquire(|_, known| {
            let opened = clock().saturating_sub(u64::try_from(known.age.as_millis()).unwrap_or(0));
            let writes = opened >= READ_ONLY_SINCE.load(Ordering::Relaxed);
            Box::pin(async move { Ok(writes) })
        })
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(PLANS).await?;
                Ok(())
            })
        })
        .connect_lazy_with(options.application_name("leadstream")))
}

/// When PostgreSQL last refused to write, by [`clock`]: what became a replica stays one, so the
/// sessions that were open then are given up, and new ones find the primary.
static READ_ONLY_SINCE: AtomicU64 = AtomicU64::new(0);

/// Milliseconds since the first call.
fn clock() -> u64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(BEGAN.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn is_read_only(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == "25006")
}

/// Every statement here finds its rows by key: a table that has no statistics yet must not be
/// scanned, and a plan not be made anew, for every batch.
const PLANS: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; \
    SET enable_mergejoin = off; SET plan_cache_mode = force_generic_plan; SET jit = off";

const LOAD: &str = "
SELECT i.identity, i.lead_id, l.body, NULL::bytea AS tombstone, NULL::timestamptz AS erased_at,
    NULL::bigint AS revision
FROM lead_identities i JOIN leads l ON l.lead_id = i.lead_id
WHERE i.identity = ANY($1::text[])
UNION ALL
SELECT NULL, NULL, NULL, tombstone, erased_at, revision FROM erasures WHERE tombstone = ANY($2::bytea[])";

/// What is known of identities.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// By lead id.
    pub(crate) leads: HashMap<String, Lead>,
    /// Lead id by identity.
    pub(crate) owners: HashMap<String, String>,
    /// By identity, of those that were erased.
    pub(crate) erased: HashMap<String, Gone>,
}

impl Store {
    /// `timeout` bounds each call, so that a half-open connection holds nothing up.
    pub(crate) fn new(pool: PgPool, timeout: Duration) -> Self {
        Self {
            pool,
            timeout,
            erasure: ErasureKeys::default(),
            tape: None,
        }
    }

    /// Knows erased people by these keys.
    pub(crate) fn with_erasure(self, erasure: ErasureKeys) -> Self {
        Self { erasure, ..self }
    }

    pub(crate) const fn erasure(&self) -> &ErasureKeys {
        &self.erasure
    }

    /// Writes down on `tape` what it does.
    pub(crate) fn taped(self, tape: Tape) -> Self {
        Self {
            tape: Some(tape),
            ..self
        }
    }

    async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let outcome = tokio::time::timeout(self.timeout, call)
            .await
            .unwrap_or(Err(StoreError::TimedOut(self.timeout)));
        match outcome {
            Err(StoreError::Database(sqlx::Error::PoolTimedOut)) => Err(self.refusal().await),
            Err(StoreError::Database(error)) => {
                if is_read_only(&error) {
                    READ_ONLY_SINCE.store(clock(), Ordering::Relaxed);
                }
                Err(error.into())
            }
            outcome => outcome,
        }
    }

    /// A pool only says that it waited in vain; a connection of one's own says why.
    async fn refusal(&self) -> StoreError {
        let options = self.pool.connect_options();
        let tried = PgConnection::connect_with(&options);
        match tokio::time::timeout(Duration::from_secs(3), tried).await {
            Ok(Err(error)) => error.into(),
            _ => sqlx::Error::PoolTimedOut.into(),
        }
    }

    /// Makes `owner` the owner of `partitions`. Waits for a commit of the owner before.
    pub(crate) async fn take_over(
        &self,
        partitions: &[i32],
        owner: Uuid,
    ) -> Result<BTreeMap<i32, Owned>, StoreError> {
        let query = sqlx::query(
            "INSERT INTO partition_offsets AS p (partition, epoch, owner, timers_by)
             SELECT partition, 1, $2, $2 FROM unnest($1::int[]) AS partition ORDER BY partition
             ON CONFLICT (partition) DO UPDATE
                 SET epoch = p.epoch + 1, owner = excluded.owner, timers_by = excluded.timers_by
             RETURNING partition, epoch, next_offset, sweep, dead_letters",
        )
        .bind(partitions)
        .bind(owner);
        self.bounded(async { owned(&query.fetch_all(&self.pool).await?) })
            .await
    }

    /// Of `partitions`, those that `owner` still owns.
    pub(crate) async fn still_owned(
        &self,
        partitions: &[i32],
        owner: Uuid,
    ) -> Result<BTreeMap<i32, Owned>, StoreError> {
        let query = sqlx::query(
            "SELECT partition, epoch, next_offset, sweep, dead_letters FROM partition_offsets
             WHERE partition = ANY($1) AND owner = $2",
        )
        .bind(partitions)
        .bind(owner);
        self.bounded(async { owned(&query.fetch_all(&self.pool).await?) })
            .await
    }

    /// Writes down where a new partition starts.
    pub(crate) async fn begin_at(
        &self,
        partition: i32,
        owner: Uuid,
        offset: i64,
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

    /// What is committed and perhaps not published, in the order of commits.
    pub(crate) async fn outbox(&self, partitions: &[i32]) -> Result<Vec<OutboxRow>, StoreError> {
        let query = sqlx::query(
            "SELECT partition, next_offset, sweep, records FROM outbox
             WHERE partition = ANY($1) ORDER BY partition, next_offset, sweep",
        )
        .bind(partitions);
        self.bounded(async {
            query
                .fetch_all(&self.pool)
                .await?
                .iter()
                .map(|row| {
                    Ok(OutboxRow {
                        key: OutboxKey {
                            partition: row.try_get("partition")?,
                            next_offset: row.try_get("next_offset")?,
                            sweep: row.try_get("sweep")?,
                        },
                        records: outbox::decode(row.try_get("records")?)?,
                    })
                })
                .collect()
        })
        .await
    }

    /// Removes acknowledged rows of the outbox.
    pub(crate) async fn forget(&self, acknowledged: &[OutboxKey]) -> Result<(), StoreError> {
        let Some(statement) = write::acknowledged(acknowledged) else {
            return Ok(());
        };
        self.bounded(async {
            pass(Point::Forget).await?;
            statement.execute(&self.pool).await?;
            Ok(())
        })
        .await
    }

    /// The leads, owners and tombstones of `identities`.
    pub(crate) async fn load(&self, identities: &[String]) -> Result<Loaded, StoreError> {
        let tombstones: HashMap<Tombstone, &String> = identities
            .iter()
            .flat_map(|id| self.erasure.tombstones(id).map(move |it| (it, id)))
            .collect();
        let hashes: Vec<&Tombstone> = tombstones.keys().collect();
        let query = sqlx::query(LOAD).bind(identities).bind(&hashes);
        self.bounded(async {
            if let Some(tape) = &self.tape {
                tape.load(identities, &hashes).await?;
            }
            let mut loaded = Loaded::default();
            for row in query.fetch_all(&self.pool).await? {
                let Some(lead_id) = row.try_get::<Option<String>, _>("lead_id")? else {
                    let hash: Tombstone = row.try_get("tombstone")?;
                    if let Some(identity) = tombstones.get(&hash) {
                        let at: DateTime<Utc> = row.try_get("erased_at")?;
                        let revision: i64 = row.try_get("revision")?;
                        let gone = Gone {
                            until: Timestamp::from_millis(at.timestamp_millis()),
                            revision: revision.unsigned_abs(),
                        };
                        loaded
                            .erased
                            .entry((*identity).clone())
                            .or_default()
                            .join(gone);
                    }
                    continue;
                };
                if !loaded.leads.contains_key(&lead_id) {
                    let lead = Lead::from_bytes(row.try_get("body")?)?;
                    loaded.leads.insert(lead_id.clone(), lead);
                }
                loaded.owners.insert(row.try_get("identity")?, lead_id);
            }
            Ok(loaded)
        })
        .await
    }

    /// The lead that has `identity`, through every merge, with its id.
    pub(crate) async fn lead_of(
        &self,
        identity: &str,
    ) -> Result<Option<(String, Lead)>, StoreError> {
        let mut wanted = identity.to_owned();
        loop {
            let mut loaded = self.load(std::slice::from_ref(&wanted)).await?;
            let Some(lead_id) = loaded.owners.into_values().next() else {
                return Ok(None);
            };
            let Some(lead) = loaded.leads.remove(&lead_id) else {
                return Ok(None);
            };
            match lead.merged_into {
                Some(survivor) => wanted = survivor,
                None => return Ok(Some((lead_id, lead))),
            }
        }
    }

    /// Of these inputs (lead id, input id, time of sending), those that left their lead's journal.
    pub(crate) async fn departed(
        &self,
        inputs: &[(String, String, Timestamp)],
    ) -> Result<HashSet<(String, String)>, StoreError> {
        let query = sqlx::query(
            "SELECT d.lead_id, d.id FROM departed_inputs d
             JOIN unnest($1::text[], $2::text[], $3::timestamptz[]) AS u (lead_id, id, sent_at)
               ON d.day = (u.sent_at AT TIME ZONE 'UTC')::date AND d.lead_id = u.lead_id AND d.id = u.id",
        )
        .bind(column(inputs, |(lead_id, _, _)| lead_id.clone()))
        .bind(column(inputs, |(_, id, _)| id.clone()))
        .bind(column(inputs, |(_, _, at)| at.datetime()));
        self.bounded(async {
            query
                .fetch_all(&self.pool)
                .await?
                .iter()
                .map(|row| Ok((row.try_get("lead_id")?, row.try_get("id")?)))
                .collect()
        })
        .await
    }

    /// State, read model, outbox and offsets in one transaction (invariant 5). Rows are written in
    /// the order of partition and lead id, so that two transactions cannot deadlock.
    pub(crate) async fn commit(&self, commit: &Commit<'_>) -> Result<(), StoreError> {
        self.bounded(async {
            let statements = write::statements(commit)?;
            pass(Point::Begin).await?;
            let mut transaction = self.pool.begin().await?;
            pass(Point::Fence).await?;
            write::fence(&mut transaction, commit).await?;
            erase::erase(&mut transaction, &commit.folded.erased).await?;
            for statement in statements {
                pass(Point::Write).await?;
                statement.execute(&mut *transaction).await?;
            }
            pass(Point::Commit).await?;
            transaction.commit().await?;
            pass(Point::Committed).await?;
            if let Some(tape) = &self.tape {
                tape.batch(commit).await?;
            }
            Ok(())
        })
        .await
    }
}

fn owned(rows: &[sqlx::postgres::PgRow]) -> Result<BTreeMap<i32, Owned>, StoreError> {
    rows.iter()
        .map(|row| {
            let poison: Option<Json<Poison>> = row.try_get("dead_letters")?;
            Ok((
                row.try_get("partition")?,
                Owned {
                    epoch: row.try_get("epoch")?,
                    next_offset: row.try_get("next_offset")?,
                    sweep: row.try_get("sweep")?,
                    poison: poison.map(|Json(poison)| poison).unwrap_or_default(),
                },
            ))
        })
        .collect()
}

fn column<'a, T, U>(rows: &'a [T], of: impl FnMut(&'a T) -> U) -> Vec<U> {
    rows.iter().map(of).collect()
}
