//! Deletes the rows of erased people.

use std::collections::{BTreeMap, BTreeSet};

use leadstream_schemas::{Identity, LeadId, Offset, Partition};
use sqlx::{PgConnection, Row};

use super::{Store, StoreError, column};
use crate::engine::batch::Erased;
use crate::engine::outbox;
use crate::erasure::Tombstone;

/// Waits for report refreshes that have read the leads' rows but not yet written their reports.
/// Removes the leads from changes that other refreshes have yet to read. A refresh that has already
/// looked sees the removal in the changed row.
const DEQUEUE_REPORTS: &str = "
WITH queued AS (
    SELECT id FROM report_refresh_queue WHERE lead_ids && $1::text[] ORDER BY id FOR UPDATE)
UPDATE report_refresh_queue q
SET lead_ids = ARRAY(SELECT unnest(q.lead_ids) EXCEPT SELECT unnest($1::text[]))
FROM queued WHERE q.id = queued.id";

/// The statements that delete by lead id.
const DELETES: [&str; 3] = [
    "DELETE FROM leads WHERE lead_id = ANY($1::text[])",
    "DELETE FROM lead_reports WHERE lead_id = ANY($1::text[])",
    "DELETE FROM command_results WHERE lead_id = ANY($1::text[])",
];

const DELETE_IDENTITIES: &str = "
DELETE FROM lead_identities i USING unnest($1::text[], $2::text[]) AS u (identity, lead_id)
WHERE i.identity = u.identity AND i.lead_id = u.lead_id";

/// Includes the day after, because a sender's clock may run ahead.
const DELETE_DEDUP_IDS: &str = "
DELETE FROM dedup_ids d
USING unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS u (lead_id, since, until),
    generate_series((u.since AT TIME ZONE 'UTC')::date,
        (u.until AT TIME ZONE 'UTC')::date + 1, interval '1 day') AS g (day)
WHERE d.day = g.day::date AND d.lead_id = u.lead_id";

const INSERT_TOMBSTONES: &str = "
INSERT INTO erasures AS e (tombstone, erased_at, last_revision)
SELECT tombstone, max(erased_at), max(last_revision)
FROM unnest($1::bytea[], $2::timestamptz[], $3::bigint[]) AS u (tombstone, erased_at, last_revision)
GROUP BY tombstone ORDER BY tombstone
ON CONFLICT (tombstone) DO UPDATE SET erased_at = greatest(e.erased_at, excluded.erased_at),
    last_revision = greatest(e.last_revision, excluded.last_revision)";

const INSERT_FINGERPRINTS: &str = "
INSERT INTO tombstone_key_fingerprints (fingerprint)
SELECT DISTINCT * FROM unnest($1::bytea[]) ON CONFLICT DO NOTHING";

/// Deletes the leads' rows and their unpublished outbox records. Inserts their tombstones.
pub(super) async fn erase(
    connection: &mut PgConnection,
    erased: &BTreeMap<LeadId, Erased>,
) -> Result<(), StoreError> {
    if erased.is_empty() {
        return Ok(());
    }
    let lead_ids: Vec<&LeadId> = erased.keys().collect();
    let all: Vec<(&LeadId, &Erased)> = erased.iter().collect();
    sqlx::query(DEQUEUE_REPORTS)
        .bind(&lead_ids)
        .execute(&mut *connection)
        .await?;
    for delete in DELETES {
        sqlx::query(delete)
            .bind(&lead_ids)
            .execute(&mut *connection)
            .await?;
    }
    let identities: BTreeSet<(&Identity, &LeadId)> =
        all.iter().flat_map(|(_, it)| it.rows()).collect();
    let (identities, owners): (Vec<&Identity>, Vec<&LeadId>) = identities.into_iter().unzip();
    sqlx::query(DELETE_IDENTITIES)
        .bind(identities)
        .bind(owners)
        .execute(&mut *connection)
        .await?;
    sqlx::query(DELETE_DEDUP_IDS)
        .bind(&lead_ids)
        .bind(column(&all, |(_, it)| it.since.datetime()))
        .bind(column(&all, |(_, it)| it.until.datetime()))
        .execute(&mut *connection)
        .await?;
    let tombstones: Vec<_> = all
        .iter()
        .flat_map(|(_, it)| {
            let until = it.until.datetime();
            let tombstones = it.tombstones.iter();
            tombstones.map(move |(hash, revision)| (hash, until, revision.to_bigint()))
        })
        .collect();
    sqlx::query(INSERT_TOMBSTONES)
        .bind(column(&tombstones, |(hash, ..)| *hash))
        .bind(column(&tombstones, |(_, until, _)| *until))
        .bind(column(&tombstones, |(.., revision)| *revision))
        .execute(&mut *connection)
        .await?;
    sqlx::query(INSERT_FINGERPRINTS)
        .bind(column(&all, |(_, it)| &it.key_fingerprint))
        .execute(&mut *connection)
        .await?;
    unpublish(connection, &all).await
}

/// Removes records about the leads from the outbox.
async fn unpublish(
    connection: &mut PgConnection,
    erased: &[(&LeadId, &Erased)],
) -> Result<(), StoreError> {
    let partitions = column(erased, |(_, it)| it.partition);
    let rows = sqlx::query(
        "SELECT partition, next_offset, timer_commit, records FROM outbox
         WHERE partition = ANY($1) ORDER BY partition, next_offset, timer_commit FOR UPDATE",
    )
    .bind(partitions)
    .fetch_all(&mut *connection)
    .await?;
    for row in &rows {
        let partition: Partition = row.try_get("partition")?;
        let next_offset: Offset = row.try_get("next_offset")?;
        let timer_commit: i64 = row.try_get("timer_commit")?;
        let mut records = outbox::decode(row.try_get("records")?)?;
        let all = records.len();
        let concerns = |record: &_| erased.iter().any(|(_, it)| it.concerns(record));
        records.retain(|record| !concerns(record));
        if records.len() == all {
            continue;
        }
        let statement = if records.is_empty() {
            sqlx::query(
                "DELETE FROM outbox WHERE partition = $1 AND next_offset = $2 AND timer_commit = $3",
            )
            .bind(partition)
            .bind(next_offset)
            .bind(timer_commit)
        } else {
            sqlx::query(
                "UPDATE outbox SET records = $4
                 WHERE partition = $1 AND next_offset = $2 AND timer_commit = $3",
            )
            .bind(partition)
            .bind(next_offset)
            .bind(timer_commit)
            .bind(outbox::encode(&records)?)
        };
        statement.execute(&mut *connection).await?;
    }
    Ok(())
}

impl Store {
    /// Returns whether every tombstone was made with a key that this process knows.
    pub(crate) async fn knows_erasures(&self) -> Result<bool, StoreError> {
        let known: Vec<Tombstone> = self.erasure().fingerprints().collect();
        let query = sqlx::query(
            "SELECT NOT EXISTS (SELECT FROM tombstone_key_fingerprints WHERE fingerprint <> ALL($1)) AS all",
        )
        .bind(known);
        self.bounded(async { Ok(query.fetch_one(&self.pool).await?.try_get("all")?) })
            .await
    }
}
