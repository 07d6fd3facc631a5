//! The statements of the ledger. Rows are locked in the order of their tokens, so that statements
//! over the same rows wait for each other instead of deadlocking.

/// Leases the rows of `due` that are queued still, and returns them.
macro_rules! claim {
    ($due:literal) => {
        concat!(
            "
WITH due AS (",
            $due,
            "),
locked AS (
    SELECT r.token, r.state AS state_before FROM whatsapp_replies AS r JOIN due USING (token)
    WHERE r.queued AND r.leased_until IS NULL
    ORDER BY r.token FOR UPDATE OF r)
UPDATE whatsapp_replies AS r SET state = 'sending', attempts = r.attempts + 1, lease_token = $4,
    leased_until = $5, updated_at = $2
FROM locked
WHERE r.token = locked.token
RETURNING r.token, r.lead_id, r.revision, r.attempts, r.failures, r.failed_since, r.unknown_outcomes,
    r.recipient_throttles, r.window_refusals, r.ends_as, r.unknown_since, r.expires_at,
    r.record_partition, r.record_offset, r.record_key, r.record_value, r.record_trace,
    locked.state_before"
        )
    };
}

/// Reads the queue of each kind by itself, so that replies that are due later cost nothing.
pub(super) const CLAIM: &str = claim!(
    "
    SELECT d.token FROM (VALUES (0::smallint), (1), (2)) AS kinds (kind)
    CROSS JOIN LATERAL (
        SELECT r.token, r.due_at FROM whatsapp_replies AS r
        WHERE r.number = $1 AND r.kind = kinds.kind AND r.queued AND r.due_at <= $2
            AND r.leased_until IS NULL
            AND NOT EXISTS (SELECT FROM whatsapp_replies AS earlier
                WHERE earlier.lead_id = r.lead_id AND earlier.queued
                    AND (earlier.revision, earlier.record_offset) < (r.revision, r.record_offset))
        ORDER BY r.due_at LIMIT $3) AS d
    ORDER BY kinds.kind, d.due_at LIMIT $3"
);

/// Prefers replies that may have been sent already.
pub(super) const CLAIM_UNKNOWN_FIRST: &str = claim!(
    "
    SELECT r.token FROM whatsapp_replies AS r
    WHERE r.number = $1 AND r.queued AND r.due_at <= $2 AND r.leased_until IS NULL
        AND NOT EXISTS (SELECT FROM whatsapp_replies AS earlier
            WHERE earlier.lead_id = r.lead_id AND earlier.queued
                AND (earlier.revision, earlier.record_offset) < (r.revision, r.record_offset))
    ORDER BY r.unknown_outcomes = 0, r.kind, r.due_at LIMIT $3"
);

pub(super) const NEXT_DUE: &str = "
SELECT min(d.due_at) FROM (VALUES (0::smallint), (1), (2)) AS kinds (kind)
CROSS JOIN LATERAL (
    SELECT r.due_at FROM whatsapp_replies AS r
    WHERE r.number = $1 AND r.kind = kinds.kind AND r.queued AND r.due_at > $2
        AND r.leased_until IS NULL
    ORDER BY r.due_at LIMIT 1) AS d";

/// The state of a row `r` after the outcome `s`: a reply that a later record ended gets no further
/// attempt.
macro_rules! state_after {
    () => {
        "CASE WHEN s.state = 'waiting' OR (s.state = 'unknown' AND r.ends_as = 'withdrawn')
        THEN COALESCE(r.ends_as, s.state) ELSE s.state END"
    };
}

/// Writes only rows that are still leased to the process, or whose lease ended without a new one.
pub(super) const RECORD: &str = concat!(
    "
WITH s AS (
    SELECT s.* FROM UNNEST($3::uuid[], $4::text[], $5::timestamptz[], $6::int[], $7::int[],
            $8::timestamptz[], $9::int[], $10::int[], $11::int[], $12::timestamptz[], $13::text[],
            $14::text[], $15::bigint[], $16::text[])
        AS s (token, state, due_at, attempts, failures, failed_since, unknown_outcomes,
            recipient_throttles, window_refusals, unknown_since, provider_id, class, code, reason)
    JOIN whatsapp_replies AS r USING (token)
    ORDER BY s.token FOR UPDATE OF r)
UPDATE whatsapp_replies AS r SET
    state = ",
    state_after!(),
    ",
    queued = ",
    state_after!(),
    " IN ('waiting', 'unknown'),
    due_at = CASE WHEN s.state = 'unknown' AND r.ends_as IS NOT NULL
        THEN LEAST(s.due_at, $2 + interval '10 s') ELSE s.due_at END,
    attempts = s.attempts, failures = s.failures, failed_since = s.failed_since,
    unknown_outcomes = s.unknown_outcomes, recipient_throttles = s.recipient_throttles,
    window_refusals = s.window_refusals, unknown_since = s.unknown_since,
    provider_id = COALESCE(s.provider_id, r.provider_id), class = s.class, code = s.code,
    reason = s.reason,
    leased_until = NULL, updated_at = $2,
    record_key = CASE WHEN ",
    state_after!(),
    " IN ('waiting', 'unknown') THEN r.record_key END,
    record_value = CASE WHEN ",
    state_after!(),
    " IN ('waiting', 'unknown') THEN r.record_value END
FROM s
WHERE r.token = s.token AND r.lease_token = $1 AND r.state IN ('sending', 'unknown')
RETURNING r.state"
);

/// Locks the open replies of leads, so that no claim or outcome changes them meanwhile.
pub(super) const OPEN: &str = "
SELECT token, lead_id, revision, kind, state, due_at, due_at_latest, ends_as, attempts, unknown_since
FROM whatsapp_replies WHERE lead_id = ANY($1) AND queued
ORDER BY token FOR UPDATE";

pub(super) const KNOWN: &str = "
SELECT token, content_digest FROM whatsapp_replies WHERE token = ANY($1)";

pub(super) const INSERT: &str = "
INSERT INTO whatsapp_replies (token, reply_id, lead_id, revision, record_partition, record_offset,
    number, kind, content_digest, state, queued, due_at, due_at_latest, expires_at, record_key,
    record_value, record_trace, created_at, updated_at)
SELECT w.*, $1, $1
FROM UNNEST($2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::int[], $7::bigint[], $8::text[],
    $9::smallint[], $10::bytea[], $11::text[], $12::bool[], $13::timestamptz[], $14::timestamptz[],
    $15::timestamptz[], $16::bytea[], $17::bytea[], $18::text[]) AS w
ORDER BY 1
ON CONFLICT DO NOTHING";

pub(super) const CHANGE: &str = "
UPDATE whatsapp_replies AS r SET state = c.state, queued = c.queued, due_at = c.due_at,
    ends_as = c.ends_as, updated_at = $1,
    record_key = CASE WHEN c.queued THEN r.record_key END,
    record_value = CASE WHEN c.queued THEN r.record_value END
FROM UNNEST($2::uuid[], $3::text[], $4::bool[], $5::timestamptz[], $6::text[])
    AS c (token, state, queued, due_at, ends_as)
WHERE r.token = c.token";

/// Leaves nothing of a reply but its token, by which a record that Kafka delivers again is known. That of
/// a reply in flight, too: its outcome finds no open row.
pub(super) const ERASE: &str = "
UPDATE whatsapp_replies AS r SET reply_id = '', lead_id = '', content_digest = $3,
    state = CASE WHEN r.queued THEN 'withdrawn' ELSE r.state END, queued = false,
    leased_until = NULL, provider_id = NULL, record_key = NULL, record_value = NULL,
    record_trace = NULL, updated_at = $4
FROM UNNEST($1::text[], $2::bigint[]) AS e (lead_id, revision)
WHERE r.lead_id = e.lead_id AND r.revision <= e.revision";

pub(super) const PURGE: &str = "
DELETE FROM whatsapp_replies WHERE token IN (
    SELECT token FROM whatsapp_replies WHERE created_at < $1 AND NOT queued LIMIT $2)";

pub(super) const REGISTER: &str = "
INSERT INTO whatsapp_numbers (number) SELECT * FROM UNNEST($1::text[]) AS n ORDER BY 1
ON CONFLICT DO NOTHING";

pub(super) const RENEW: &str = "
UPDATE whatsapp_numbers SET owned_until = now() + $2 WHERE owner = $1
RETURNING number, reported_at, report_class, report_code";

/// Takes one number that no process owns.
pub(super) const ACQUIRE: &str = "
UPDATE whatsapp_numbers SET owner = $1, owned_until = now() + $2
WHERE number = (
    SELECT number FROM whatsapp_numbers WHERE owner IS NULL OR owned_until <= now()
    ORDER BY owner IS NOT NULL, random() LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING number, paused_since, pause_cause, pause_code, pause_reason, probe_at, probes, resumed_at,
    reported_at, report_class, report_code";

pub(super) const STORE_NUMBER_STATE: &str = "
UPDATE whatsapp_numbers SET paused_since = $3, pause_cause = $4, pause_code = $5, pause_reason = $6,
    probe_at = $7, probes = $8, resumed_at = $9
WHERE owner = $1 AND number = $2";

/// A report under a name that is no number's, such as an account's, concerns every number.
pub(super) const REPORT: &str = "
UPDATE whatsapp_numbers SET reported_at = $4, report_class = $2, report_code = $3
WHERE number = $1 OR NOT EXISTS (SELECT FROM whatsapp_numbers WHERE number = $1)";

/// The attempts of a number to each lead since `$2`: at most so many, because a row counts all its
/// attempts. Rows that were read before `$3` and have ended since are left out.
/// What is kept of erased people names nobody.
pub(super) const PAST_ATTEMPTS: &str = "
SELECT lead_id, updated_at, attempts FROM whatsapp_replies
WHERE number = $1 AND queued AND attempts > 0 AND updated_at > $2
UNION ALL
SELECT lead_id, updated_at, attempts FROM whatsapp_replies
WHERE number = $1 AND NOT queued AND attempts > 0 AND updated_at > $2 AND created_at > $3
    AND lead_id <> ''";

pub(super) const RELEASE: &str = "
UPDATE whatsapp_numbers SET owner = NULL, owned_until = NULL WHERE owner = $1 AND number = $2";

pub(super) const COUNT_QUEUED: &str = "
SELECT count(*) FROM whatsapp_replies WHERE number = ANY($1) AND queued";

/// The requests of the number's former owner have ended, and nobody knows how.
pub(super) const TAKE_OVER: &str = "
UPDATE whatsapp_replies SET
    state = CASE ends_as WHEN 'withdrawn' THEN 'withdrawn' ELSE 'unknown' END,
    queued = ends_as IS DISTINCT FROM 'withdrawn',
    unknown_outcomes = unknown_outcomes + 1, unknown_since = $3, leased_until = NULL,
    due_at = CASE WHEN ends_as IS NULL THEN $4 ELSE LEAST($4, $3 + interval '10 s') END,
    record_key = CASE ends_as WHEN 'withdrawn' THEN NULL ELSE record_key END,
    record_value = CASE ends_as WHEN 'withdrawn' THEN NULL ELSE record_value END,
    reason = 'the process that sent it ended before the answer', updated_at = $3
WHERE number = $1 AND queued AND leased_until IS NOT NULL AND lease_token <> $2";

/// What waits, by state; the age is in seconds.
pub(super) const BACKLOG: &str = "
SELECT state, count(*) AS rows, GREATEST(EXTRACT(EPOCH FROM now() - min(created_at)), 0)::float8 AS age
FROM whatsapp_replies WHERE queued GROUP BY state";

/// The columns of a row `r` that [`crate::reply_entry::ReplyEntry`] has.
macro_rules! entry {
    () => {
        "r.reply_id, r.lead_id, r.number, r.kind, r.state, r.attempts, r.unknown_outcomes, r.code, r.class,
    r.reason, r.provider_id, r.created_at, CASE WHEN r.queued THEN r.due_at END AS due_at, r.expires_at,
    r.unknown_since, r.updated_at, r.record_partition, r.record_offset,
    NOT EXISTS (SELECT FROM whatsapp_replies AS later WHERE later.lead_id = r.lead_id
        AND (later.revision, later.record_offset) > (r.revision, r.record_offset)) AS is_newest"
    };
}

/// Leaves out what is kept of erased people.
pub(super) const ENTRIES: &str = concat!(
    "SELECT ",
    entry!(),
    "
FROM whatsapp_replies AS r
WHERE r.lead_id <> '' AND ($1::uuid[] IS NULL OR r.token = ANY($1)) AND ($2::text[] IS NULL OR r.lead_id = ANY($2))
    AND ($3::text[] IS NULL OR r.state = ANY($3)) AND ($4::text IS NULL OR r.number = $4)
    AND ($5::timestamptz IS NULL OR r.created_at >= $5) AND (NOT $6 OR r.queued)
ORDER BY r.created_at DESC, r.revision DESC, r.record_offset DESC LIMIT $7"
);

pub(super) const NUMBER_QUEUES: &str = "
SELECT n.number, COALESCE(n.owner IS NOT NULL AND n.owned_until > now(), false) AS is_owned,
    n.paused_since, n.pause_reason, count(*) FILTER (WHERE r.state = 'waiting') AS waiting,
    count(*) FILTER (WHERE r.state = 'sending') AS sending,
    count(*) FILTER (WHERE r.state = 'unknown') AS unknown, min(r.created_at) AS oldest
FROM whatsapp_numbers AS n LEFT JOIN whatsapp_replies AS r ON r.number = n.number AND r.queued
GROUP BY n.number ORDER BY n.number";

/// Makes a failed reply wait again, with its record. Its unknown outcomes stay: a further one is not
/// followed by another attempt. A prompt that a later reply supersedes stays as it is.
pub(super) const REOPEN: &str = "
UPDATE whatsapp_replies AS r SET state = 'waiting', queued = true, due_at = $2, ends_as = NULL,
    failures = 0, failed_since = NULL, recipient_throttles = 0, window_refusals = 0,
    leased_until = NULL, reason = 'an operator retries it', record_key = $3, record_value = $4,
    updated_at = $2
WHERE r.token = $1 AND r.state = 'failed' AND r.lead_id <> '' AND (r.kind <> 2 OR NOT EXISTS (
    SELECT FROM whatsapp_replies AS later WHERE later.lead_id = r.lead_id
        AND (later.revision, later.record_offset) > (r.revision, r.record_offset)))";

/// Ends replies without a request in flight.
pub(super) const CANCEL: &str = "
WITH chosen AS (
    SELECT token FROM whatsapp_replies
    WHERE token = ANY($1) AND state IN ('waiting', 'unknown') AND leased_until IS NULL
    ORDER BY token FOR UPDATE)
UPDATE whatsapp_replies AS r SET state = 'withdrawn', queued = false, ends_as = NULL,
    reason = 'an operator cancelled it', record_key = NULL, record_value = NULL, updated_at = $2
FROM chosen WHERE r.token = chosen.token
RETURNING r.reply_id";

/// Only the owner of a number publishes its results, so that nearly none is published twice.
pub(super) const FEEDBACK: &str = "
SELECT f.token, f.state, f.class, f.code, f.ended_at, f.record_key, f.record_value, f.record_trace
FROM whatsapp_feedback AS f JOIN whatsapp_numbers AS n USING (number)
WHERE n.owner = $1
ORDER BY f.ended_at LIMIT $2";

pub(super) const DELETE_FEEDBACK: &str = "
DELETE FROM whatsapp_feedback WHERE token = ANY($1)";
