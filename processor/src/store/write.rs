//! Builds the statements of one commit, in their order.

pub(super) mod leads;

use std::collections::HashSet;

use leadstream_schemas::{Identity, InputId, LeadId, Partition, Revision, Timestamp};
use sqlx::{PgConnection, Row};

use super::{Commit, StoreError, column};
use crate::engine::batch::{BatchResult, CommandDecision, PartitionAdvance};
use crate::engine::outbox::{self, OutboxKey};
use crate::engine::partition::Fence;
use crate::engine::poison::Poison;

/// A statement with its arguments.
pub(super) type Statement<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// A statement of a commit.
pub(super) struct Write<'q> {
    pub(super) statement: Statement<'q>,
    /// The number of rows that the statement must change. Fewer mean that another writer was
    /// faster. None: any number.
    pub(super) rows: Option<u64>,
}

impl<'q> From<Statement<'q>> for Write<'q> {
    fn from(statement: Statement<'q>) -> Self {
        let rows = None;
        Self { statement, rows }
    }
}

/// Returns the statements after the fence, in this order. Statements with nothing to write are
/// omitted. Each statement is built on demand, because its arguments duplicate the data that it
/// writes.
pub(super) fn statements<'q>(
    commit: &'q Commit<'_>,
) -> impl Iterator<Item = Result<Write<'q>, StoreError>> {
    type Make<'q> = fn(&'q Commit<'q>) -> Result<Option<Write<'q>>, StoreError>;
    let make: [Make<'q>; 8] = [
        |commit| Ok(identities(commit.folded).map(Write::from)),
        |commit| Ok(leads::created(commit.folded).map(Write::from)),
        |commit| Ok(leads::updated(commit.folded)),
        |commit| Ok(leads::profiles(commit.folded).map(Write::from)),
        |commit| Ok(evicted(commit.folded).map(Write::from)),
        |commit| Ok(command_results(commit.folded).map(Write::from)),
        |commit| Ok(outbox(commit.folded)?.map(Write::from)),
        |commit| Ok(acknowledged(commit.acknowledged).map(Write::from)),
    ];
    make.into_iter()
        .filter_map(move |make| make(commit).transpose())
}

const FENCE: &str = "
UPDATE partition_offsets p SET next_offset = u.next_offset,
    timer_commits = greatest(p.timer_commits, u.timer_commit),
    poison_limit_state = u.poison_limit_state::jsonb,
    max_received_at = greatest(p.max_received_at, CASE
        WHEN u.max_received_at < now() THEN u.max_received_at
        WHEN u.max_received_at IS NOT NULL THEN now() END)
FROM (SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $6::timestamptz[],
          $7::bigint[], $8::bigint[], $9::text[])
      AS u (partition, epoch, before, next_offset, max_received_at, timer_commits_before,
          timer_commit, poison_limit_state)
      ORDER BY partition) u
WHERE p.partition = u.partition AND p.epoch = u.epoch AND p.owner = $5::uuid
  AND p.next_offset = u.before AND p.timer_commits = u.timer_commits_before
RETURNING p.partition";

/// Moves the batch's partitions forward if this owner still has them at the same positions. So a
/// commit with an unknown outcome is never applied twice.
pub(super) async fn fence(
    connection: &mut PgConnection,
    commit: &Commit<'_>,
) -> Result<(), StoreError> {
    let moved = fence_statement(commit).fetch_all(connection).await?;
    let mut ours = HashSet::new();
    for row in &moved {
        ours.insert(row.try_get::<Partition, _>("partition")?);
    }
    let mut partitions = commit.folded.partitions.keys();
    match partitions.find(|partition| !ours.contains(partition)) {
        Some(partition) => Err(StoreError::Fenced(*partition)),
        None => Ok(()),
    }
}

fn fence_statement<'q>(commit: &Commit<'q>) -> Statement<'q> {
    let moves: Vec<(Partition, Fence, &PartitionAdvance)> = commit
        .folded
        .partitions
        .iter()
        .map(|(partition, progress)| {
            let before = commit.fences.get(partition).copied();
            (*partition, before.unwrap_or_default(), progress)
        })
        .collect();
    sqlx::query(FENCE)
        .bind(column(&moves, |(partition, ..)| *partition))
        .bind(column(&moves, |(_, before, _)| before.epoch))
        .bind(column(&moves, |(_, before, _)| before.next_offset))
        .bind(column(&moves, |(.., progress)| progress.next_offset))
        .bind(commit.owner)
        .bind(column(&moves, |(.., progress)| {
            progress.max_received_at.and_then(Timestamp::datetime)
        }))
        .bind(column(&moves, |(_, before, _)| before.timer_commits))
        .bind(column(&moves, |(.., progress)| progress.timer_commit))
        .bind(column(&moves, |(partition, ..)| {
            commit.poison.get(partition).and_then(Poison::stored)
        }))
}

const INSERT_IDENTITIES: &str = "
INSERT INTO lead_identities (identity, lead_id) SELECT unnest($1::text[]), unnest($2::text[])";

fn identities(folded: &BatchResult) -> Option<Statement<'_>> {
    if folded.identities.is_empty() {
        return None;
    }
    let (identities, lead_ids): (Vec<&Identity>, Vec<&LeadId>) = folded.identities.iter().unzip();
    let statement = sqlx::query(INSERT_IDENTITIES);
    Some(statement.bind(identities).bind(lead_ids))
}

const INSERT_EVICTED: &str = "
INSERT INTO dedup_ids (day, lead_id, input_id)
SELECT (sent_at AT TIME ZONE 'UTC')::date, lead_id, input_id
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS u (lead_id, input_id, sent_at)
ON CONFLICT DO NOTHING";

fn evicted(folded: &BatchResult) -> Option<Statement<'_>> {
    let rows = &folded.evicted;
    (!rows.is_empty()).then(|| {
        sqlx::query(INSERT_EVICTED)
            .bind(column(rows, |it| &it.id.lead_id))
            .bind(column(rows, |it| &it.id.input_id))
            .bind(column(rows, |it| it.sent_at.datetime()))
    })
}

// A command that was rejected because its lead did not exist yet may be repeated.
const INSERT_COMMAND_RESULTS: &str = "
INSERT INTO command_results AS r (command_id, command, content_sha256, lead_id, revision, rejection)
SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::bigint[], $6::text[])
ON CONFLICT (command_id) DO UPDATE SET command = excluded.command,
    content_sha256 = excluded.content_sha256, lead_id = excluded.lead_id,
    revision = excluded.revision, rejection = excluded.rejection, decided_at = excluded.decided_at
WHERE r.rejection IS NOT NULL
  AND (excluded.rejection IS NULL OR r.lead_id IS NULL AND excluded.lead_id IS NOT NULL)";

fn command_results(folded: &BatchResult) -> Option<Statement<'_>> {
    let rows: Vec<(&InputId, &CommandDecision)> = folded.commands.iter().collect();
    (!rows.is_empty()).then(|| {
        sqlx::query(INSERT_COMMAND_RESULTS)
            .bind(column(&rows, |(id, _)| *id))
            .bind(column(&rows, |(_, it)| it.command))
            .bind(column(&rows, |(_, it)| it.content_sha256.as_slice()))
            .bind(column(&rows, |(_, it)| it.lead_id.as_ref()))
            .bind(column(&rows, |(_, it)| {
                it.status.revision().map(Revision::to_bigint)
            }))
            .bind(column(&rows, |(_, it)| it.status.rejection()))
    })
}

const INSERT_OUTBOX: &str = "
INSERT INTO outbox (partition, next_offset, timer_commit, records)
SELECT unnest($1::int[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::bytea[])";

fn outbox(folded: &BatchResult) -> Result<Option<Statement<'_>>, StoreError> {
    let mut keys = Vec::new();
    let mut records = Vec::new();
    for (partition, progress) in &folded.partitions {
        if let Some(key) = progress.outbox_key(*partition) {
            keys.push(key);
            records.push(outbox::encode(&progress.outgoing)?);
        }
    }
    Ok((!keys.is_empty()).then(|| bind_keys(sqlx::query(INSERT_OUTBOX), &keys).bind(records)))
}

fn bind_keys<'q>(statement: Statement<'q>, keys: &[OutboxKey]) -> Statement<'q> {
    statement
        .bind(column(keys, |key| key.partition))
        .bind(column(keys, |key| key.next_offset))
        .bind(column(keys, |key| key.timer_commit))
}

const DELETE_OUTBOX: &str = "
DELETE FROM outbox o
USING unnest($1::int[], $2::bigint[], $3::bigint[]) AS u (partition, next_offset, timer_commit)
WHERE o.partition = u.partition AND o.next_offset = u.next_offset AND o.timer_commit = u.timer_commit";

/// Returns the statement that removes acknowledged outbox rows, or none without rows.
pub(super) fn acknowledged(rows: &[OutboxKey]) -> Option<Statement<'_>> {
    (!rows.is_empty()).then(|| bind_keys(sqlx::query(DELETE_OUTBOX), rows))
}
