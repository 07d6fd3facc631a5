//! The ledger of CRMs that get every event, in order per lead: `crm_events`.

use chrono::{DateTime, Utc};
use leadstream_service::database::DatabaseError;

use super::sql::{bind_events, event_rows, outcome_rows};
use super::{Delivery, DeliveryMode, DesiredEvent, Ledger, timed};
use crate::crm_name::CrmName;

/// The CRM gets every event, in order per lead: each transition counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderedEvents;

/// The columns of an event `e` that [`super::Claimed`] reads.
macro_rules! event_row {
    () => {
        "e.lead_id, e.revision, e.attempts, e.last_error, e.event_value, e.event_key, e.event_partition,
    e.event_offset, e.event_trace, NULL::bytea AS synced_hash, e.attempts > 0 AS attempted,
    false AS unmatched, NULL::jsonb AS refused_fields, false AS adopted,
    NULL::text AS crm_record_id, NULL::bytea AS written_fields"
    };
}

impl Delivery for OrderedEvents {
    const MODE: DeliveryMode = DeliveryMode::OrderedEvents;

    /// Only the oldest event of each lead may be claimed, so that events go out in order.
    const CLAIM: &'static str = concat!(
        "
WITH due AS (
    SELECT crm, lead_id, revision FROM crm_events AS e
    WHERE crm = $1 AND next_attempt_at <= $2 AND (leased_until IS NULL OR leased_until <= $2)
        AND NOT EXISTS (SELECT FROM crm_events AS earlier WHERE earlier.crm = e.crm
            AND earlier.lead_id = e.lead_id AND earlier.revision < e.revision)
    ORDER BY priority, next_attempt_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED)
UPDATE crm_events AS e SET lease_token = $4, leased_until = $5
FROM due
WHERE e.crm = due.crm AND e.lead_id = due.lead_id AND e.revision = due.revision
RETURNING ",
        event_row!()
    );

    const EXTEND_LEASES: &'static str = "
UPDATE crm_events SET leased_until = $4
WHERE crm = $1 AND lead_id = ANY($2) AND lease_token = $3
RETURNING lead_id";

    /// Events that were delivered, filtered out or dead-lettered are deleted.
    const RECORD_OUTCOMES: &'static str = concat!(
        "
WITH s AS (
    SELECT s.*, s.outcome IN ('synced', 'stale', 'filtered', 'dead') AS is_final FROM ",
        outcome_rows!(),
        "),
removed AS (
    DELETE FROM crm_events AS e USING s
    WHERE e.crm = $1 AND e.lease_token = $2 AND e.lead_id = s.lead_id AND e.revision = s.revision
        AND s.is_final
    RETURNING e.lead_id, s.revision, s.outcome),
kept AS (
    UPDATE crm_events AS e SET
        attempts = CASE s.outcome WHEN 'released' THEN e.attempts ELSE e.attempts + 1 END,
        next_attempt_at = COALESCE(s.next_attempt_at, e.next_attempt_at),
        last_error = CASE s.outcome WHEN 'released' THEN COALESCE(s.reason, e.last_error)
            ELSE s.reason END,
        lease_token = NULL, leased_until = NULL
    FROM s
    WHERE e.crm = $1 AND e.lease_token = $2 AND e.lead_id = s.lead_id AND e.revision = s.revision
        AND NOT s.is_final
    RETURNING e.lead_id),
synced AS (
    UPDATE crm_ledger AS l SET
        synced_revision = GREATEST(l.synced_revision, removed.revision), updated_at = $12
    FROM removed
    WHERE l.crm = $1 AND l.lead_id = removed.lead_id AND removed.outcome IN ('synced', 'stale'))
SELECT (SELECT count(*) FROM removed) + (SELECT count(*) FROM kept)"
    );

    const BACKLOG: &'static str = "
SELECT 'due' AS state, count(*) AS rows,
    GREATEST(EXTRACT(EPOCH FROM now() - min(due_since)), 0)::float8 AS age
FROM crm_events WHERE crm = $1 HAVING count(*) > 0";

    const HAS_REASON: &'static str = "
SELECT EXISTS (SELECT FROM crm_events WHERE crm = $1 AND last_error = $2)";

    const PAGE_DUE: &'static str = concat!(
        "SELECT DISTINCT ON (e.lead_id) ",
        event_row!(),
        "
FROM crm_events AS e WHERE e.crm = $1 AND e.lead_id > $2 ORDER BY e.lead_id, e.revision LIMIT $3"
    );
}

/// Queues events that are newer than all that was queued before, and records the newest revision in
/// the ledger. That row of the ledger is never due.
const QUEUE: &str = concat!(
    "
WITH fresh AS (
    SELECT w.* FROM ",
    event_rows!(),
    "
    LEFT JOIN crm_ledger l ON l.crm = $1 AND l.lead_id = w.lead_id
    WHERE w.revision > COALESCE(l.desired_revision, 0)),
highest AS (
    INSERT INTO crm_ledger AS l (crm, lead_id, desired_revision, priority, desired_value,
        desired_key, desired_partition, desired_offset, state, next_attempt_at, updated_at)
    SELECT $1, lead_id, max(revision), 0, '', '', 0, 0, 'synced', $10, $10
    FROM fresh GROUP BY lead_id ORDER BY lead_id
    ON CONFLICT (crm, lead_id) DO UPDATE SET
        desired_revision = GREATEST(l.desired_revision, excluded.desired_revision),
        updated_at = excluded.updated_at)
INSERT INTO crm_events (crm, lead_id, revision, priority, event_value, event_key, event_partition,
    event_offset, event_trace, next_attempt_at, due_since)
SELECT $1, fresh.*, $10, $10
FROM fresh ORDER BY lead_id, revision
ON CONFLICT DO NOTHING"
);

/// Leaves no row in the ledger, so that nothing of the lead is left after the delivery.
pub(super) const QUEUE_ERASURE: &str = concat!(
    "
INSERT INTO crm_events (crm, lead_id, revision, priority, event_value, event_key, event_partition,
    event_offset, event_trace, next_attempt_at, due_since)
SELECT $1, w.*, $10, $10
FROM ",
    event_rows!(),
    "
ORDER BY w.lead_id
ON CONFLICT DO NOTHING"
);

impl Ledger {
    /// Queues each of `events` for `crm`, and skips events that were queued before. Returns the
    /// number of events that became due.
    pub(crate) async fn queue(
        &self,
        crm: CrmName,
        events: &[DesiredEvent],
        now: DateTime<Utc>,
    ) -> Result<u64, DatabaseError> {
        let query = bind_events(sqlx::query(QUEUE).bind(crm.as_str()), events).bind(now);
        Ok(timed(query.execute(&self.pool)).await?.rows_affected())
    }
}
