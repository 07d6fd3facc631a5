//! The statements that concern the ledger as a whole, and the parts that statements share. Rows are
//! locked in the order of CRM and lead id, so that statements over the same rows wait for each other
//! instead of deadlocking.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

use super::DesiredEvent;

/// The rows `w` of the events that [`bind_events`] binds, as $2 to $9.
macro_rules! event_rows {
    () => {
        "UNNEST($2::text[], $3::bigint[], $4::smallint[], $5::bytea[], $6::bytea[], $7::int[],
    $8::bigint[], $9::text[])
    AS w (lead_id, revision, priority, event_value, event_key, event_partition, event_offset, event_trace)"
    };
}
pub(super) use event_rows;

/// The rows `s` of the outcomes that `DeliveryLedger::record_outcomes` binds, as $3 to $11, $13 and $14.
macro_rules! outcome_rows {
    () => {
        "UNNEST($3::text[], $4::bigint[], $5::text[], $6::text[], $7::timestamptz[], $8::text[],
    $9::bytea[], $10::bool[], $11::text[], $13::text[], $14::bytea[])
    AS s (lead_id, revision, outcome, reason, next_attempt_at, crm_record_id, synced_hash, attempted,
        match_result, refused_fields, written_fields)"
    };
}
pub(super) use outcome_rows;

/// The columns of a row `l` of the ledger that [`super::Claimed`] reads, but for those of the hash.
macro_rules! latest_row {
    () => {
        "l.lead_id, l.desired_revision AS revision, l.attempts, l.last_error, l.desired_value AS event_value,
    l.desired_key AS event_key, l.desired_partition AS event_partition,
    l.desired_offset AS event_offset, l.desired_trace AS event_trace, l.refused_fields,
    l.crm_record_id, l.written_fields, l.match_result IS NOT DISTINCT FROM 'adopted' AS adopted"
    };
}
pub(super) use latest_row;

/// Binds the columns of `events`, as [`event_rows`] has them.
pub(super) fn bind_events<'q>(
    query: Query<'q, Postgres, PgArguments>,
    events: &'q [DesiredEvent],
) -> Query<'q, Postgres, PgArguments> {
    let records = || events.iter().map(|event| &event.record);
    let traces: Vec<Option<String>> = records()
        .map(|record| record.trace.map(|trace| trace.to_string()))
        .collect();
    query
        .bind(events.iter().map(|e| &e.lead_id).collect::<Vec<_>>())
        .bind(
            events
                .iter()
                .map(|e| e.revision.to_bigint())
                .collect::<Vec<_>>(),
        )
        .bind(events.iter().map(|e| e.priority).collect::<Vec<_>>())
        .bind(records().map(|r| r.value.as_ref()).collect::<Vec<_>>())
        .bind(records().map(|r| r.key.as_ref()).collect::<Vec<_>>())
        .bind(records().map(|r| r.partition).collect::<Vec<_>>())
        .bind(records().map(|r| r.offset).collect::<Vec<_>>())
        .bind(traces)
}

/// Counts leads by status and reason. A synced lead has a reason if fields were left out.
pub(super) const SUMMARIES: &str = "
SELECT crm,
    CASE WHEN state = 'synced' AND synced_revision = 0 THEN 'filtered'
        WHEN state = 'due' AND last_error IS NOT NULL THEN 'failing' ELSE state END AS status,
    last_error AS reason,
    count(*) AS leads, min(due_since) AS oldest
FROM crm_ledger AS l
WHERE NOT EXISTS (SELECT FROM crm_events AS e WHERE e.crm = l.crm AND e.lead_id = l.lead_id)
GROUP BY 1, 2, 3
UNION ALL
SELECT crm, CASE WHEN last_error IS NULL THEN 'due' ELSE 'failing' END, last_error,
    count(DISTINCT lead_id), min(due_since)
FROM crm_events GROUP BY 1, 2, 3
ORDER BY 1, 2, 4 DESC";

/// Skips leased rows: a batch is about to write their outcome.
macro_rules! retried_rows {
    () => {
        "WHERE ($1::text IS NULL OR crm = $1) AND state = $2
    AND ($3::text IS NULL OR position($3 IN last_error) > 0)
    AND ($4::text[] IS NULL OR lead_id = ANY($4))
    AND (leased_until IS NULL OR leased_until <= $5)"
    };
}

/// The events that wait.
macro_rules! retried_events {
    () => {
        "WHERE (crm = $1 OR ($1::text IS NULL AND $2 = 'due')) AND last_error IS NOT NULL
    AND ($3::text IS NULL OR position($3 IN last_error) > 0)
    AND ($4::text[] IS NULL OR lead_id = ANY($4))
    AND (leased_until IS NULL OR leased_until <= $5)"
    };
}

/// Counts what [`RETRY`] and [`RETRY_EVENTS`] would make due.
pub(super) const COUNT_RETRIED: &str = concat!(
    "SELECT (SELECT count(*) FROM crm_ledger ",
    retried_rows!(),
    ") + (SELECT count(*) FROM crm_events ",
    retried_events!(),
    ")"
);

pub(super) const RETRY: &str = concat!(
    "UPDATE crm_ledger SET state = 'due', attempts = 0, next_attempt_at = $5,
    due_since = CASE WHEN state = 'due' THEN due_since ELSE $5 END, updated_at = $5 ",
    retried_rows!()
);

/// Makes events due that wait, and forgets why: a worker whose receiver is gone resumes then. Their
/// attempts stay above 0, because that tells that a request went out.
pub(super) const RETRY_EVENTS: &str = concat!(
    "UPDATE crm_events SET attempts = LEAST(attempts, 1), next_attempt_at = $5, last_error = NULL ",
    retried_events!()
);

/// Clears the hash, so that the lead is sent even if the CRM is thought to have an equal payload.
pub(super) const REQUEUE: &str = "
UPDATE crm_ledger SET state = 'due', attempts = 0, next_attempt_at = $3, synced_hash = NULL,
    last_error = CASE WHEN state = 'synced' THEN NULL ELSE last_error END,
    due_since = CASE WHEN state = 'due' THEN due_since ELSE $3 END, updated_at = $3
WHERE crm = $1 AND lead_id = $2";

/// Excludes leads that the mapping filters out, and leads that the CRM never got.
pub(super) const PAGE_SYNCED: &str = concat!(
    "SELECT ",
    latest_row!(),
    ", l.synced_hash, l.attempted, false AS unmatched
FROM crm_ledger AS l
WHERE l.crm = $1 AND l.state = 'synced' AND l.synced_revision > 0 AND l.lead_id > $2
ORDER BY l.lead_id LIMIT $3"
);

pub(super) const STILL_SYNCED: &str = "
SELECT l.lead_id FROM UNNEST($2::text[], $3::bigint[]) AS d (lead_id, revision)
JOIN crm_ledger AS l ON l.crm = $1 AND l.lead_id = d.lead_id
WHERE l.state = 'synced' AND l.desired_revision = d.revision";

pub(super) const REQUEUE_DRIFTED: &str = "
WITH drifted AS (
    SELECT l.crm, l.lead_id FROM UNNEST($2::text[], $3::bigint[]) AS d (lead_id, revision)
    JOIN crm_ledger AS l ON l.crm = $1 AND l.lead_id = d.lead_id
    WHERE l.state = 'synced' AND l.desired_revision = d.revision
    ORDER BY l.lead_id
    FOR UPDATE OF l)
UPDATE crm_ledger AS l SET state = 'due', attempts = 0, priority = 3, next_attempt_at = $4,
    synced_hash = NULL, last_error = NULL, due_since = $4, updated_at = $4
FROM drifted
WHERE l.crm = drifted.crm AND l.lead_id = drifted.lead_id";

pub(super) const RECONCILIATION_PROGRESS: &str = "
SELECT last_lead_id, leads_compared FROM crm_reconciliations WHERE crm = $1";

pub(super) const SAVE_RECONCILIATION_PROGRESS: &str = "
INSERT INTO crm_reconciliations AS r (crm, last_lead_id, leads_compared, updated_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (crm) DO UPDATE SET last_lead_id = excluded.last_lead_id,
    leads_compared = r.leads_compared + excluded.leads_compared, updated_at = excluded.updated_at";

pub(super) const CLEAR_RECONCILIATION_PROGRESS: &str = "
DELETE FROM crm_reconciliations WHERE crm = $1";

pub(super) const REVISIONS_IN_STEP: &str = "
SELECT DISTINCT l.crm, l.lead_id, l.synced_revision
FROM UNNEST($1::text[], $2::text[]) AS d (crm, lead_id)
JOIN crm_ledger AS l ON l.crm = d.crm AND l.lead_id = d.lead_id
WHERE l.state = 'synced'";

pub(super) const RESOLVED_DEAD_LETTERS: &str = "
SELECT topic, partition, \"offset\" FROM resolved_dead_letters";

pub(super) const COUNT_RESOLVED: &str = "
SELECT count(*) FROM resolved_dead_letters
WHERE topic = $1 AND partition = $2 AND \"offset\" >= $3 AND \"offset\" < $4";

pub(super) const RESOLVE_DEAD_LETTER: &str = "
INSERT INTO resolved_dead_letters (topic, partition, \"offset\", action) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING";

/// Deletes rows that are due or in flight, too: a batch in flight finds no row for its outcome.
pub(super) const ERASE: &str = "
DELETE FROM crm_ledger WHERE crm = ANY($1) AND lead_id = ANY($2)";

pub(super) const ERASE_EVENTS: &str = "
DELETE FROM crm_events WHERE crm = ANY($1) AND lead_id = ANY($2)";
