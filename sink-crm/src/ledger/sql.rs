//! Holds every statement of this service. Rows are locked in the order of CRM and lead id, so that
//! statements over the same rows wait for each other instead of deadlocking.

/// A newer revision makes a row due whatever the outcome of the older one. A waiting row keeps its
/// place, the more urgent priority, and its count of failed attempts.
pub(super) const WANT: &str = "
INSERT INTO crm_ledger AS l (
    crm, lead_id, wanted_revision, priority, wanted, wanted_key, wanted_partition, wanted_offset,
    wanted_trace, state, next_attempt_at, due_since, updated_at)
SELECT c.crm, w.lead_id, w.revision, w.priority, w.value, w.key, w.partition, w.position,
    w.trace, 'due', $10, $10, $10
FROM UNNEST($1::text[]) AS c (crm)
CROSS JOIN UNNEST($2::text[], $3::bigint[], $4::smallint[], $5::bytea[], $6::bytea[], $7::int[],
    $8::bigint[], $9::text[])
    AS w (lead_id, revision, priority, value, key, partition, position, trace)
ORDER BY c.crm, w.lead_id
ON CONFLICT (crm, lead_id) DO UPDATE SET
    wanted_revision = excluded.wanted_revision,
    wanted = excluded.wanted,
    wanted_key = excluded.wanted_key,
    wanted_partition = excluded.wanted_partition,
    wanted_offset = excluded.wanted_offset,
    wanted_trace = excluded.wanted_trace,
    priority = CASE WHEN l.state = 'due' THEN LEAST(l.priority, excluded.priority)
        ELSE excluded.priority END,
    attempts = CASE WHEN l.state = 'due' THEN l.attempts ELSE 0 END,
    next_attempt_at = CASE WHEN l.state = 'due'
        THEN LEAST(l.next_attempt_at, excluded.next_attempt_at)
        ELSE excluded.next_attempt_at END,
    due_since = CASE WHEN l.state = 'due' THEN l.due_since ELSE excluded.due_since END,
    state = 'due',
    updated_at = excluded.updated_at
WHERE l.wanted_revision < excluded.wanted_revision";

/// A claimed row's content in the CRM is unknown until an outcome is written.
pub(super) const CLAIM: &str = "
WITH due AS (
    SELECT crm, lead_id, sent_hash, attempted FROM crm_ledger
    WHERE crm = $1 AND state = 'due' AND next_attempt_at <= $2
        AND (leased_until IS NULL OR leased_until <= $2)
    ORDER BY priority, next_attempt_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED)
UPDATE crm_ledger AS l SET lease_token = $4, leased_until = $5, sent_hash = NULL, attempted = true
FROM due
WHERE l.crm = due.crm AND l.lead_id = due.lead_id
RETURNING l.lead_id, l.wanted_revision, l.attempts, l.last_error, l.wanted, l.wanted_key,
    l.wanted_partition, l.wanted_offset, l.wanted_trace, due.sent_hash, due.attempted,
    l.sent_revision = 0 AND l.record_id IS NULL AND l.matched IS NULL AS unmatched";

pub(super) const RENEW: &str = "
WITH ours AS (
    SELECT crm, lead_id FROM crm_ledger
    WHERE crm = $1 AND lead_id = ANY($2) AND lease_token = $3
    ORDER BY lead_id
    FOR UPDATE)
UPDATE crm_ledger AS l SET leased_until = $4
FROM ours
WHERE l.crm = ours.crm AND l.lead_id = ours.lead_id
RETURNING l.lead_id";

/// A newer revision that came meanwhile leaves the row due, whatever the outcome of the one sent.
pub(super) const SETTLE: &str = "
WITH ours AS (
    SELECT crm, lead_id FROM crm_ledger
    WHERE crm = $1 AND lead_id = ANY($3) AND lease_token = $2
    ORDER BY lead_id
    FOR UPDATE)
UPDATE crm_ledger AS l SET
    sent_revision = CASE WHEN s.verdict = 'done' THEN GREATEST(l.sent_revision, s.revision)
        ELSE l.sent_revision END,
    record_id = COALESCE(s.record_id, l.record_id),
    state = CASE WHEN s.verdict IN ('retry', 'released') OR l.wanted_revision > s.revision
        THEN 'due' WHEN s.verdict = 'filtered' THEN 'done' ELSE s.verdict END,
    attempts = CASE WHEN s.verdict IN ('done', 'filtered') THEN 0
        WHEN s.verdict = 'released' THEN l.attempts ELSE l.attempts + 1 END,
    next_attempt_at = COALESCE(s.next_attempt_at, l.next_attempt_at),
    last_error = CASE WHEN s.verdict IN ('done', 'filtered') THEN NULL
        WHEN s.verdict = 'released' THEN COALESCE(s.reason, l.last_error) ELSE s.reason END,
    sent_hash = s.hash,
    attempted = s.attempted,
    matched = COALESCE(s.matched, l.matched),
    lease_token = NULL,
    leased_until = NULL,
    updated_at = $9
FROM ours
JOIN UNNEST($3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
    $10::bytea[], $11::bool[], $12::text[])
    AS s (lead_id, revision, verdict, record_id, reason, next_attempt_at, hash, attempted, matched)
    ON s.lead_id = ours.lead_id
WHERE l.crm = ours.crm AND l.lead_id = ours.lead_id";

pub(super) const DUE: &str = "
SELECT count(*) FROM crm_ledger WHERE crm = $1 AND state = 'due'";

/// Events that are newer than what was ever queued, and the newest of them as a mark. A row of the
/// ledger is a mark only, and never due.
pub(super) const QUEUE: &str = "
WITH fresh AS (
    SELECT w.* FROM UNNEST($2::text[], $3::bigint[], $4::smallint[], $5::bytea[], $6::bytea[],
        $7::int[], $8::bigint[], $9::text[])
        AS w (lead_id, revision, priority, value, key, partition, position, trace)
    LEFT JOIN crm_ledger l ON l.crm = $1 AND l.lead_id = w.lead_id
    WHERE w.revision > COALESCE(l.wanted_revision, 0)),
queued AS (
    INSERT INTO crm_events (crm, lead_id, wanted_revision, priority, wanted, wanted_key,
        wanted_partition, wanted_offset, wanted_trace, next_attempt_at, due_since)
    SELECT $1, lead_id, revision, priority, value, key, partition, position, trace, $10, $10
    FROM fresh ORDER BY lead_id, revision
    ON CONFLICT DO NOTHING
    RETURNING lead_id),
marked AS (
    INSERT INTO crm_ledger AS l (crm, lead_id, wanted_revision, priority, wanted, wanted_key,
        wanted_partition, wanted_offset, state, next_attempt_at, updated_at)
    SELECT $1, lead_id, max(revision), 0, '', '', 0, 0, 'done', $10, $10
    FROM fresh GROUP BY lead_id ORDER BY lead_id
    ON CONFLICT (crm, lead_id) DO UPDATE SET
        wanted_revision = GREATEST(l.wanted_revision, excluded.wanted_revision),
        updated_at = excluded.updated_at)
SELECT count(*) FROM queued";

/// Only the oldest event of each lead may be taken, so that events go out in order.
pub(super) const CLAIM_EVENTS: &str = "
WITH due AS (
    SELECT crm, lead_id, wanted_revision FROM crm_events AS e
    WHERE crm = $1 AND next_attempt_at <= $2 AND (leased_until IS NULL OR leased_until <= $2)
        AND NOT EXISTS (SELECT FROM crm_events AS earlier WHERE earlier.crm = e.crm
            AND earlier.lead_id = e.lead_id AND earlier.wanted_revision < e.wanted_revision)
    ORDER BY priority, next_attempt_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED)
UPDATE crm_events AS l SET lease_token = $4, leased_until = $5
FROM due
WHERE l.crm = due.crm AND l.lead_id = due.lead_id AND l.wanted_revision = due.wanted_revision
RETURNING l.lead_id, l.wanted_revision, l.attempts, l.last_error, l.wanted, l.wanted_key,
    l.wanted_partition, l.wanted_offset, l.wanted_trace, NULL::bytea AS sent_hash,
    l.attempts > 0 AS attempted, false AS unmatched";

pub(super) const RENEW_EVENTS: &str = "
UPDATE crm_events SET leased_until = $4
WHERE crm = $1 AND lead_id = ANY($2) AND lease_token = $3
RETURNING lead_id";

/// Events that were delivered, filtered out or dead-lettered are deleted.
pub(super) const SETTLE_EVENTS: &str = "
WITH s AS (
    SELECT * FROM UNNEST($3::text[], $4::bigint[], $5::text[], $6::text[], $7::timestamptz[])
        AS s (lead_id, revision, verdict, reason, next_attempt_at)),
gone AS (
    DELETE FROM crm_events AS e USING s
    WHERE e.crm = $1 AND e.lease_token = $2 AND e.lead_id = s.lead_id
        AND e.wanted_revision = s.revision AND s.verdict IN ('done', 'filtered', 'dead')
    RETURNING e.lead_id, s.revision, s.verdict),
kept AS (
    UPDATE crm_events AS e SET
        attempts = CASE s.verdict WHEN 'released' THEN e.attempts ELSE e.attempts + 1 END,
        next_attempt_at = COALESCE(s.next_attempt_at, e.next_attempt_at),
        last_error = CASE s.verdict WHEN 'released' THEN COALESCE(s.reason, e.last_error)
            ELSE s.reason END,
        lease_token = NULL, leased_until = NULL
    FROM s
    WHERE e.crm = $1 AND e.lease_token = $2 AND e.lead_id = s.lead_id
        AND e.wanted_revision = s.revision AND s.verdict NOT IN ('done', 'filtered', 'dead')
    RETURNING e.lead_id),
marked AS (
    UPDATE crm_ledger AS l SET sent_revision = GREATEST(l.sent_revision, gone.revision),
        updated_at = $8
    FROM gone WHERE l.crm = $1 AND l.lead_id = gone.lead_id AND gone.verdict = 'done')
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM kept)";

pub(super) const DUE_EVENTS: &str = "
SELECT count(*) FROM crm_events WHERE crm = $1";

/// Where leads stand; those in step have no reason.
pub(super) const TALLIES: &str = "
SELECT crm,
    CASE WHEN state = 'done' AND sent_revision = 0 THEN 'filtered' WHEN state = 'done' THEN 'in step'
        WHEN state = 'due' AND last_error IS NOT NULL THEN 'failing'
        WHEN state = 'due' THEN 'waiting' ELSE state END AS standing,
    CASE WHEN state = 'done' THEN NULL ELSE last_error END AS reason,
    count(*) AS leads, min(due_since) AS oldest
FROM crm_ledger AS l
WHERE NOT EXISTS (SELECT FROM crm_events AS e WHERE e.crm = l.crm AND e.lead_id = l.lead_id)
GROUP BY 1, 2, 3
UNION ALL
SELECT crm, CASE WHEN last_error IS NULL THEN 'waiting' ELSE 'failing' END, last_error,
    count(DISTINCT lead_id), min(due_since)
FROM crm_events GROUP BY 1, 2, 3
ORDER BY 1, 2, 4 DESC";

/// A leased row is left to its worker.
pub(super) const RETRY: &str = "
UPDATE crm_ledger SET state = 'due', attempts = 0, next_attempt_at = $5,
    due_since = CASE WHEN state = 'due' THEN due_since ELSE $5 END, updated_at = $5
WHERE ($1::text IS NULL OR crm = $1) AND state = $2
    AND ($3::text IS NULL OR position($3 IN last_error) > 0)
    AND ($4::text IS NULL OR lead_id = $4)
    AND (leased_until IS NULL OR leased_until <= $5)";

/// The row is sent even if the CRM is thought to hold an equal payload.
pub(super) const REVIVE: &str = "
UPDATE crm_ledger SET state = 'due', attempts = 0, next_attempt_at = $3, sent_hash = NULL,
    due_since = CASE WHEN state = 'due' THEN due_since ELSE $3 END, updated_at = $3
WHERE crm = $1 AND lead_id = $2";

pub(super) const PAGE_DUE: &str = "
SELECT lead_id, wanted_revision, attempts, last_error, wanted, wanted_key, wanted_partition,
    wanted_offset, wanted_trace, sent_hash, attempted, false AS unmatched
FROM crm_ledger WHERE crm = $1 AND state = 'due' AND lead_id > $2 ORDER BY lead_id LIMIT $3";

pub(super) const PAGE_DUE_EVENTS: &str = "
SELECT DISTINCT ON (lead_id) lead_id, wanted_revision, attempts, last_error, wanted, wanted_key,
    wanted_partition, wanted_offset, wanted_trace, NULL::bytea AS sent_hash,
    attempts > 0 AS attempted, false AS unmatched
FROM crm_events WHERE crm = $1 AND lead_id > $2 ORDER BY lead_id, wanted_revision LIMIT $3";

/// Excludes leads that were filtered out, or that the CRM never took.
pub(super) const PAGE_IN_STEP: &str = "
SELECT lead_id, wanted_revision, attempts, last_error, wanted, wanted_key, wanted_partition,
    wanted_offset, wanted_trace, sent_hash, attempted, false AS unmatched
FROM crm_ledger
WHERE crm = $1 AND state = 'done' AND sent_revision > 0 AND lead_id > $2
ORDER BY lead_id LIMIT $3";

pub(super) const UNCHANGED: &str = "
SELECT l.lead_id FROM UNNEST($2::text[], $3::bigint[]) AS d (lead_id, revision)
JOIN crm_ledger AS l ON l.crm = $1 AND l.lead_id = d.lead_id
WHERE l.state = 'done' AND l.wanted_revision = d.revision";

pub(super) const MEND: &str = "
WITH drifted AS (
    SELECT l.crm, l.lead_id FROM UNNEST($2::text[], $3::bigint[]) AS d (lead_id, revision)
    JOIN crm_ledger AS l ON l.crm = $1 AND l.lead_id = d.lead_id
    WHERE l.state = 'done' AND l.wanted_revision = d.revision
    ORDER BY l.lead_id
    FOR UPDATE OF l)
UPDATE crm_ledger AS l SET state = 'due', attempts = 0, priority = 3, next_attempt_at = $4,
    sent_hash = NULL, due_since = $4, updated_at = $4
FROM drifted
WHERE l.crm = drifted.crm AND l.lead_id = drifted.lead_id";

pub(super) const RECONCILIATION: &str = "
SELECT after_lead, compared FROM crm_reconciliations WHERE crm = $1";

pub(super) const NOTE_RECONCILIATION: &str = "
INSERT INTO crm_reconciliations AS r (crm, after_lead, compared, updated_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (crm) DO UPDATE SET after_lead = excluded.after_lead,
    compared = r.compared + excluded.compared, updated_at = excluded.updated_at";

pub(super) const RECONCILED: &str = "
DELETE FROM crm_reconciliations WHERE crm = $1";

pub(super) const SETTLED_LETTERS: &str = "
SELECT topic, partition, \"offset\" FROM dead_letters_settled";

pub(super) const SETTLE_LETTER: &str = "
INSERT INTO dead_letters_settled (topic, partition, \"offset\", action) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING";

/// Deletes rows that are due or in flight, too: a worker that returns with an outcome finds no row.
pub(super) const ERASE: &str = "
DELETE FROM crm_ledger WHERE crm = ANY($1) AND lead_id = ANY($2)";

pub(super) const ERASE_EVENTS: &str = "
DELETE FROM crm_events WHERE crm = ANY($1) AND lead_id = ANY($2)";

/// Without a mark in the ledger, so that nothing is left once it is delivered.
pub(super) const QUEUE_ERASURE: &str = "
INSERT INTO crm_events (crm, lead_id, wanted_revision, priority, wanted, wanted_key,
    wanted_partition, wanted_offset, wanted_trace, next_attempt_at, due_since)
SELECT $1, lead_id, revision, priority, value, key, partition, position, trace, $10, $10
FROM UNNEST($2::text[], $3::bigint[], $4::smallint[], $5::bytea[], $6::bytea[], $7::int[],
    $8::bigint[], $9::text[])
    AS w (lead_id, revision, priority, value, key, partition, position, trace)
ORDER BY lead_id
ON CONFLICT DO NOTHING";
