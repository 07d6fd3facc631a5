//! The ledger of CRMs that get the latest state of each lead: `crm_ledger`.

use chrono::{DateTime, Utc};
use leadstream_service::database::DatabaseError;

use super::sql::{bind_events, event_rows, latest_row, outcome_rows};
use super::{Delivery, DeliveryMode, DesiredEvent, Ledger, timed};
use crate::crm_name::CrmName;

/// The CRM gets the newest revision of each lead; older ones are replaced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LatestState;

impl Delivery for LatestState {
    const MODE: DeliveryMode = DeliveryMode::LatestState;

    /// What the CRM has of a claimed row is unknown until an outcome is written.
    const CLAIM: &'static str = concat!(
        "
WITH due AS (
    SELECT crm, lead_id, synced_hash, attempted FROM crm_ledger
    WHERE crm = $1 AND state = 'due' AND next_attempt_at <= $2
        AND (leased_until IS NULL OR leased_until <= $2)
    ORDER BY priority, next_attempt_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED)
UPDATE crm_ledger AS l SET lease_token = $4, leased_until = $5, synced_hash = NULL, attempted = true
FROM due
WHERE l.crm = due.crm AND l.lead_id = due.lead_id
RETURNING ",
        latest_row!(),
        ", due.synced_hash, due.attempted,
    l.synced_revision = 0 AND l.crm_record_id IS NULL AND l.match_result IS NULL AS unmatched"
    );

    const EXTEND_LEASES: &'static str = "
WITH owned AS (
    SELECT crm, lead_id FROM crm_ledger
    WHERE crm = $1 AND lead_id = ANY($2) AND lease_token = $3
    ORDER BY lead_id
    FOR UPDATE)
UPDATE crm_ledger AS l SET leased_until = $4
FROM owned
WHERE l.crm = owned.crm AND l.lead_id = owned.lead_id
RETURNING l.lead_id";

    /// A newer revision that arrived since leaves the row due, whatever the outcome of the sent one.
    const RECORD_OUTCOMES: &'static str = concat!(
        "
WITH owned AS (
    SELECT crm, lead_id FROM crm_ledger
    WHERE crm = $1 AND lead_id = ANY($3) AND lease_token = $2
    ORDER BY lead_id
    FOR UPDATE),
updated AS (
    UPDATE crm_ledger AS l SET
        synced_revision = CASE WHEN s.outcome IN ('synced', 'stale')
            THEN GREATEST(l.synced_revision, s.revision) ELSE l.synced_revision END,
        crm_record_id = COALESCE(s.crm_record_id, l.crm_record_id),
        state = CASE
            WHEN s.outcome IN ('retry', 'deferred', 'released') OR l.desired_revision > s.revision THEN 'due'
            WHEN s.outcome IN ('parked', 'dead') THEN s.outcome ELSE 'synced' END,
        attempts = CASE WHEN s.outcome IN ('synced', 'stale', 'filtered') THEN 0
            WHEN s.outcome IN ('deferred', 'released') THEN l.attempts ELSE l.attempts + 1 END,
        next_attempt_at = COALESCE(s.next_attempt_at, l.next_attempt_at),
        last_error = CASE WHEN s.outcome IN ('synced', 'stale', 'filtered')
            THEN CASE WHEN l.desired_revision > s.revision THEN NULL ELSE s.reason END
            WHEN s.outcome = 'released' THEN COALESCE(s.reason, l.last_error) ELSE s.reason END,
        synced_hash = s.synced_hash,
        attempted = s.attempted,
        match_result = COALESCE(s.match_result, l.match_result),
        refused_fields = s.refused_fields::jsonb,
        written_fields = COALESCE(s.written_fields, l.written_fields),
        lease_token = NULL,
        leased_until = NULL,
        updated_at = $12
    FROM owned
    JOIN ",
        outcome_rows!(),
        " ON s.lead_id = owned.lead_id
    WHERE l.crm = owned.crm AND l.lead_id = owned.lead_id
    RETURNING l.lead_id)
SELECT count(*) FROM updated"
    );

    const BACKLOG: &'static str = "
SELECT state, count(*) AS rows, GREATEST(EXTRACT(EPOCH FROM now() - min(due_since)), 0)::float8 AS age
FROM crm_ledger WHERE crm = $1 AND state = 'due' GROUP BY state
UNION ALL
SELECT state, count(*), GREATEST(EXTRACT(EPOCH FROM now() - min(due_since)), 0)::float8
FROM crm_ledger WHERE crm = $1 AND state IN ('parked', 'dead') AND last_error IS NOT NULL
GROUP BY state";

    const HAS_REASON: &'static str = "
SELECT EXISTS (SELECT FROM crm_ledger WHERE crm = $1 AND state = 'due' AND last_error = $2)";

    const PAGE_DUE: &'static str = concat!(
        "SELECT ",
        latest_row!(),
        ", l.synced_hash, l.attempted, false AS unmatched
FROM crm_ledger AS l
WHERE l.crm = $1 AND l.state = 'due' AND l.lead_id > $2 ORDER BY l.lead_id LIMIT $3"
    );
}

/// A newer revision makes a row due whatever the outcome of the older one. A waiting row keeps its
/// place, the more urgent priority, and its count of failed attempts.
const SET_DESIRED: &str = concat!(
    "
INSERT INTO crm_ledger AS l (
    crm, lead_id, desired_revision, priority, desired_value, desired_key, desired_partition,
    desired_offset, desired_trace, state, next_attempt_at, due_since, updated_at)
SELECT c.crm, w.*, 'due', $10, $10, $10
FROM UNNEST($1::text[]) AS c (crm)
CROSS JOIN ",
    event_rows!(),
    "
ORDER BY c.crm, w.lead_id
ON CONFLICT (crm, lead_id) DO UPDATE SET
    desired_revision = excluded.desired_revision,
    desired_value = excluded.desired_value,
    desired_key = excluded.desired_key,
    desired_partition = excluded.desired_partition,
    desired_offset = excluded.desired_offset,
    desired_trace = excluded.desired_trace,
    priority = CASE WHEN l.state = 'due' THEN LEAST(l.priority, excluded.priority)
        ELSE excluded.priority END,
    attempts = CASE WHEN l.state = 'due' THEN l.attempts ELSE 0 END,
    next_attempt_at = CASE WHEN l.state = 'due'
        THEN LEAST(l.next_attempt_at, excluded.next_attempt_at)
        ELSE excluded.next_attempt_at END,
    due_since = CASE WHEN l.state = 'due' THEN l.due_since ELSE excluded.due_since END,
    last_error = CASE WHEN l.state = 'synced' THEN NULL ELSE l.last_error END,
    state = 'due',
    updated_at = excluded.updated_at
WHERE l.desired_revision < excluded.desired_revision"
);

impl Ledger {
    /// Writes what `crms` should have, one event per lead, and skips events that are older than the
    /// ledger's. Returns the number of rows that became due.
    pub(crate) async fn set_desired(
        &self,
        crms: &[CrmName],
        events: &[DesiredEvent],
        now: DateTime<Utc>,
    ) -> Result<u64, DatabaseError> {
        let crms: Vec<&str> = crms.iter().map(|crm| crm.as_str()).collect();
        let query = bind_events(sqlx::query(SET_DESIRED).bind(crms), events).bind(now);
        Ok(timed(query.execute(&self.pool)).await?.rows_affected())
    }
}
