//! The statements of the ledger. Rows are locked in the order of their tokens, so that statements
//! over the same rows wait for each other instead of deadlocking.

/// Leases due rows of a number, and returns them: up to $3 that are to be sent, and those of which the
/// sender decides what becomes.
///
/// Reads the queue of each kind by itself, so that replies that are due later cost nothing. A reply
/// waits for the earlier ones of its lead, and for the status `sent` of one that was accepted after $6.
/// An unknown outcome waits until the statuses were read that could resolve it.
///
/// `OFFSET 0` keeps the planner from reading all accepted replies at once, which no index lists.
pub(super) const CLAIM: &str = "
WITH due AS (
    (SELECT d.token FROM (VALUES (0::smallint), (1), (2)) AS kinds (kind)
    CROSS JOIN LATERAL (
        SELECT r.token, r.due_at FROM whatsapp_replies AS r
        WHERE r.number = $1 AND r.kind = kinds.kind AND r.queued AND r.due_at <= $2
            AND r.leased_until IS NULL AND NOT r.unresolved
            AND NOT EXISTS (SELECT FROM whatsapp_replies AS earlier
                WHERE earlier.lead_id = r.lead_id AND earlier.queued
                    AND (earlier.revision, earlier.record_offset) < (r.revision, r.record_offset))
            AND NOT EXISTS (SELECT FROM whatsapp_replies AS earlier
                WHERE earlier.lead_id = r.lead_id AND earlier.state IN ('accepted', 'held')
                    AND earlier.accepted_at > $6
                    AND (earlier.revision, earlier.record_offset) < (r.revision, r.record_offset)
                OFFSET 0)
        ORDER BY r.due_at LIMIT $3) AS d
    ORDER BY kinds.kind, d.due_at LIMIT $3)
    UNION ALL
    (SELECT r.token FROM whatsapp_replies AS r
    WHERE r.number = $1 AND r.unresolved AND r.due_at <= $2 AND r.leased_until IS NULL
        AND (r.state <> 'unknown' OR r.ends_as IS NOT NULL
            OR r.due_at <= (SELECT min(passed_at) FROM whatsapp_status_progress))
    ORDER BY r.due_at LIMIT 100)),
locked AS (
    SELECT r.token, r.state AS state_before, COALESCE(r.claimed_at <
        (SELECT confirmed_send_at FROM whatsapp_numbers WHERE number = $1), false) AS is_disproved
    FROM whatsapp_replies AS r JOIN due USING (token)
    WHERE r.queued AND r.leased_until IS NULL
    ORDER BY r.token FOR UPDATE OF r)
UPDATE whatsapp_replies AS r SET
    state = CASE WHEN r.unresolved THEN r.state ELSE 'sending' END,
    attempts = CASE WHEN r.unresolved THEN r.attempts ELSE r.attempts + 1 END,
    claimed_at = CASE WHEN r.unresolved THEN r.claimed_at ELSE $2 END,
    unknown_policy = CASE WHEN r.state = 'unknown' AND r.ends_as IS NULL THEN $7
        ELSE r.unknown_policy END,
    lease_token = $4, leased_until = $5, updated_at = $2
FROM locked
WHERE r.token = locked.token
RETURNING r.token, r.lead_id, r.revision, r.attempts, r.failures, r.failed_since, r.unknown_outcomes,
    r.recipient_throttles, r.window_refusals, r.ends_as, r.unknown_since, r.expires_at,
    r.record_partition, r.record_offset, r.record_key, r.record_value, r.record_trace, r.late_failure,
    r.claimed_at, locked.state_before, locked.is_disproved,
    EXISTS (SELECT FROM whatsapp_marketing_opt_outs AS o WHERE o.lead_id = r.lead_id)
        AS refuses_marketing";

/// Releases what a claim leased whose answer was lost: none of it was sent.
pub(super) const RELEASE_LOST: &str = "
WITH lost AS (
    SELECT token, state AS before,
        CASE WHEN state = 'sending' THEN COALESCE(ends_as, 'waiting') ELSE state END AS state_after
    FROM whatsapp_replies
    WHERE number = $1 AND queued AND leased_until IS NOT NULL AND lease_token = $2 AND token <> ALL ($3)
    ORDER BY token FOR UPDATE)
UPDATE whatsapp_replies AS r SET
    state = state_after, queued = state_after IN ('waiting', 'unknown'),
    attempts = r.attempts - (before = 'sending')::int, leased_until = NULL, updated_at = $4,
    late_failure = CASE WHEN state_after IN ('waiting', 'unknown') THEN r.late_failure END,
    record_key = CASE WHEN state_after IN ('waiting', 'unknown') THEN r.record_key END,
    record_value = CASE WHEN state_after IN ('waiting', 'unknown') THEN r.record_value END
FROM lost
WHERE r.token = lost.token";

pub(super) const NEXT_DUE: &str = "
SELECT min(d.due_at) FROM (VALUES (0::smallint), (1), (2)) AS kinds (kind)
CROSS JOIN LATERAL (
    SELECT r.due_at FROM whatsapp_replies AS r
    WHERE r.number = $1 AND r.kind = kinds.kind AND r.queued AND r.due_at > $2
        AND r.leased_until IS NULL
    ORDER BY r.due_at LIMIT 1) AS d";

/// Writes outcomes of rows that are leased to the process, or whose lease ended without a new one.
///
/// A reply that a later record ended gets no further attempt. A reply of which a status failed came
/// before the answer is judged by its sender again. Once a status resolved the reply, an answer adds
/// only what it knows.
pub(super) const RECORD: &str = "
WITH outcomes AS (
    SELECT s.*, r.ends_as,
        r.state IN ('sending', 'unknown') OR r.leased_until IS NOT NULL AS is_open,
        s.state IN ('accepted', 'held') AS is_accepted,
        COALESCE(s.state IN ('accepted', 'held') AND s.provider_id = ANY (r.failed_messages)
            OR s.state = 'accepted' AND s.provider_id IS NULL AND r.unknown_outcomes = 0
                AND r.late_failure IS NOT NULL
            OR s.state = 'unknown' AND r.unknown_outcomes = 0 AND r.late_failure IS NOT NULL,
            false) AS has_failed
    FROM UNNEST($3::uuid[], $4::text[], $5::timestamptz[], $6::int[], $7::int[], $8::timestamptz[],
            $9::int[], $10::int[], $11::int[], $12::timestamptz[], $13::text[], $14::bigint[],
            $15::text[], $16::text[])
        AS s (token, state, due_at, attempts, failures, failed_since, unknown_outcomes,
            recipient_throttles, window_refusals, unknown_since, provider_id, code, reason, class)
    JOIN whatsapp_replies AS r USING (token)
    WHERE r.lease_token = $1 AND r.lead_id <> ''
    ORDER BY s.token FOR UPDATE OF r),
s AS (
    SELECT outcomes.*, CASE
        WHEN has_failed THEN 'waiting'
        WHEN state = 'waiting' OR state = 'unknown' AND ends_as = 'withdrawn'
            THEN COALESCE(ends_as, state)
        ELSE state END AS state_after
    FROM outcomes)
UPDATE whatsapp_replies AS r SET
    state = CASE WHEN is_open THEN state_after ELSE r.state END,
    queued = CASE WHEN is_open THEN state_after IN ('waiting', 'unknown') ELSE r.queued END,
    due_at = CASE WHEN NOT is_open THEN r.due_at WHEN has_failed THEN $2
        WHEN s.state = 'unknown' AND s.ends_as IS NOT NULL THEN LEAST(s.due_at, $17)
        ELSE s.due_at END,
    attempts = s.attempts, failures = s.failures, failed_since = s.failed_since,
    unknown_outcomes = CASE WHEN has_failed THEN r.unknown_outcomes ELSE s.unknown_outcomes END,
    recipient_throttles = s.recipient_throttles, window_refusals = s.window_refusals,
    unknown_since = s.unknown_since,
    provider_id = CASE WHEN NOT is_open THEN COALESCE(r.provider_id, s.provider_id)
        WHEN NOT has_failed THEN COALESCE(s.provider_id, r.provider_id) END,
    accepted_at = CASE WHEN is_accepted AND NOT has_failed THEN $2 ELSE r.accepted_at END,
    keep_until = CASE WHEN is_accepted THEN COALESCE(r.expires_at, $18) ELSE r.keep_until END,
    late_failure = CASE WHEN has_failed THEN r.late_failure END,
    code = s.code, reason = s.reason, class = s.class, leased_until = NULL, updated_at = $2,
    record_key = CASE WHEN NOT is_open OR state_after IN ('waiting', 'unknown', 'accepted', 'held')
        THEN r.record_key END,
    record_value = CASE WHEN NOT is_open OR state_after IN ('waiting', 'unknown', 'accepted', 'held')
        THEN r.record_value END
FROM s
WHERE r.token = s.token AND (is_open OR is_accepted AND r.state IN ('sent', 'delivered', 'read'))
RETURNING r.state";

/// Raises rows by what statuses say, and never lowers one; a failure counts only below `delivered`.
///
/// A failure of a row whose answer is awaited is marked, and the answer decides. A failure that was heard
/// before, or of another copy than the one that WhatsApp took, changes nothing. Rows that ended
/// otherwise keep their state. An erased row learns nothing: ids of messages hold the phone number.
pub(super) const APPLY_STATUSES: &str = "
WITH statuses AS (
    SELECT s.*, r.number = s.number AS is_same_number, r.state AS before, r.unknown_outcomes,
        r.record_value IS NOT NULL AS is_kept, COALESCE(r.sent_at, r.delivered_at, r.read_at) AS seen_at,
        COALESCE(s.message_id = ANY (r.failed_messages), false) AS has_failed,
        COALESCE(r.provider_id <> s.message_id, false) AS is_other,
        CASE WHEN r.number = s.number AND r.unknown_outcomes = 0 AND r.failed_messages IS NULL
            THEN r.claimed_at END AS proves
    FROM UNNEST($2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
            $7::timestamptz[], $8::timestamptz[], $9::bigint[])
        AS s (token, message_id, number, state, sent_at, delivered_at, read_at, failure)
    JOIN whatsapp_replies AS r USING (token)
    WHERE r.lead_id <> ''
    ORDER BY s.token FOR UPDATE OF r),
s AS (
    SELECT statuses.*, CASE
        WHEN NOT is_same_number THEN NULL
        WHEN failure IS NOT NULL THEN CASE
            WHEN has_failed OR is_other THEN NULL
            WHEN before IN ('waiting', 'sending') OR before = 'unknown' AND unknown_outcomes > 1
                THEN before
            WHEN before IN ('accepted', 'held', 'sent', 'unknown')
                THEN CASE WHEN is_kept THEN 'waiting' ELSE 'failed' END END
        WHEN before IN ('superseded', 'withdrawn', 'expired', 'handed_off')
            THEN CASE WHEN seen_at IS NULL THEN before END
        WHEN before IN ('waiting', 'sending', 'unknown', 'accepted', 'held')
            THEN CASE WHEN state <> 'sent' OR NOT has_failed THEN state END
        WHEN before IN ('sent', 'failed') AND state IN ('delivered', 'read') THEN state
        WHEN before = 'delivered' AND state = 'read' THEN state END AS state_after
    FROM statuses),
changed AS (
    UPDATE whatsapp_replies AS r SET
        state = state_after,
        queued = state_after IN ('waiting', 'sending', 'unknown'),
        due_at = CASE WHEN state_after = 'waiting' AND before <> 'waiting' THEN $1 ELSE r.due_at END,
        late_failure = CASE WHEN failure IS NULL OR state_after = 'failed' THEN NULL
            WHEN before = 'waiting' OR state_after = 'unknown' THEN r.late_failure ELSE failure END,
        failed_messages = CASE WHEN failure IS NULL THEN r.failed_messages
            ELSE array_append(r.failed_messages, message_id) END,
        provider_id = CASE WHEN failure IS NULL THEN COALESCE(r.provider_id, message_id)
            WHEN state_after = before THEN r.provider_id END,
        accepted_at = CASE WHEN failure IS NULL OR state_after = before THEN r.accepted_at END,
        sent_at = CASE WHEN failure IS NULL THEN COALESCE(r.sent_at, s.sent_at)
            WHEN state_after = before THEN r.sent_at END,
        delivered_at = COALESCE(r.delivered_at, s.delivered_at),
        read_at = COALESCE(r.read_at, s.read_at),
        keep_until = COALESCE(r.keep_until, r.expires_at, $10),
        leased_until = CASE WHEN state_after = before THEN r.leased_until END,
        code = CASE WHEN state_after = 'failed' THEN failure WHEN state_after = before THEN r.code END,
        reason = CASE WHEN state_after = 'failed' THEN 'a status failed came too late to send it again'
            WHEN state_after = before THEN r.reason END,
        class = CASE WHEN state_after = before THEN r.class END,
        record_key = CASE WHEN state_after IN ('waiting', 'sending', 'unknown', 'sent')
            THEN r.record_key END,
        record_value = CASE WHEN state_after IN ('waiting', 'sending', 'unknown', 'sent')
            THEN r.record_value END,
        late_record = CASE WHEN state_after = 'sent' THEN r.late_record END,
        updated_at = $1
    FROM s
    WHERE r.token = s.token AND state_after IS NOT NULL
    RETURNING r.token),
proofs AS (
    SELECT number, max(proves) AS at FROM s WHERE proves IS NOT NULL GROUP BY number),
proved AS (
    SELECT n.number, proofs.at FROM whatsapp_numbers AS n JOIN proofs USING (number)
    WHERE n.confirmed_send_at IS NULL OR n.confirmed_send_at < proofs.at
    ORDER BY n.number FOR UPDATE OF n),
confirmed AS (
    UPDATE whatsapp_numbers AS n SET confirmed_send_at = proved.at FROM proved
    WHERE n.number = proved.number)
SELECT s.token, s.is_same_number, s.before, changed.token IS NOT NULL AS is_changed
FROM s LEFT JOIN changed USING (token)";

/// Writes how far statuses are read. Partitions of an earlier topic of the name are forgotten.
pub(super) const PASS_STATUSES: &str = "
WITH gone AS (
    DELETE FROM whatsapp_status_progress WHERE partition <> ALL ($1::int[]))
INSERT INTO whatsapp_status_progress AS p (partition, next_offset, passed_at)
SELECT * FROM UNNEST($1::int[], $2::bigint[], $3::timestamptz[]) AS n ORDER BY 1
ON CONFLICT (partition) DO UPDATE SET next_offset = EXCLUDED.next_offset,
    passed_at = GREATEST(p.passed_at, EXCLUDED.passed_at)";

/// Records that nothing sends again.
pub(super) const KEPT_RECORDS: &str = "
SELECT token, record_value FROM whatsapp_replies
WHERE keep_until > $1 AND keep_until <= $2 AND NOT queued AND record_value IS NOT NULL LIMIT $3";

/// Drops these records, unless they are sent again after all. What is left of one has no words.
pub(super) const DROP_RECORDS: &str = "
WITH dropped AS (
    SELECT r.token, d.late_record FROM UNNEST($1::uuid[], $2::bytea[]) AS d (token, late_record)
    JOIN whatsapp_replies AS r USING (token)
    WHERE NOT r.queued AND r.record_value IS NOT NULL
    ORDER BY r.token FOR UPDATE OF r)
UPDATE whatsapp_replies AS r SET record_value = NULL, late_record = dropped.late_record
FROM dropped WHERE r.token = dropped.token";

/// Locks the replies of leads that may be sent, or sent again, so that no claim, outcome or status
/// changes them meanwhile.
pub(super) const OPEN: &str = "
SELECT token, lead_id, revision, kind, state, due_at, due_at_latest, ends_as, attempts, unknown_since
FROM whatsapp_replies WHERE lead_id = ANY($1) AND record_value IS NOT NULL
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
    late_failure = CASE WHEN c.queued THEN r.late_failure END,
    leased_until = CASE WHEN c.queued THEN r.leased_until END,
    record_key = CASE WHEN c.kept THEN r.record_key END,
    record_value = CASE WHEN c.kept THEN r.record_value END
FROM UNNEST($2::uuid[], $3::text[], $4::bool[], $5::bool[], $6::timestamptz[], $7::text[])
    AS c (token, state, queued, kept, due_at, ends_as)
WHERE r.token = c.token";

/// Leaves nothing of a reply but its token, by which a record that Kafka delivers again is known. That of
/// a reply in flight, too: its outcome finds no open row.
pub(super) const ERASE: &str = "
WITH forgotten AS (
    DELETE FROM whatsapp_marketing_opt_outs WHERE lead_id = ANY ($1::text[]))
UPDATE whatsapp_replies AS r SET reply_id = '', lead_id = '', content_digest = $3,
    state = CASE WHEN r.queued THEN 'withdrawn' ELSE r.state END, queued = false,
    leased_until = NULL, late_failure = NULL, provider_id = NULL, failed_messages = NULL,
    record_key = NULL, record_value = NULL, late_record = NULL, record_trace = NULL, updated_at = $4
FROM UNNEST($1::text[], $2::bigint[]) AS e (lead_id, revision)
WHERE r.lead_id = e.lead_id AND r.revision <= e.revision";

pub(super) const PURGE: &str = "
DELETE FROM whatsapp_replies WHERE token IN (
    SELECT token FROM whatsapp_replies WHERE created_at < $1 AND NOT queued LIMIT $2)";

pub(super) const REGISTER: &str = "
INSERT INTO whatsapp_numbers (number) SELECT * FROM UNNEST($1::text[]) AS n ORDER BY 1
ON CONFLICT DO NOTHING";

pub(super) const RENEW: &str = "
UPDATE whatsapp_numbers SET owned_until = now() + $2 WHERE owner = $1 AND number = ANY ($3)
RETURNING number, reported_at";

/// Takes one number that no process owns, or that this process took without an answer.
pub(super) const ACQUIRE: &str = "
UPDATE whatsapp_numbers SET owner = $1, owned_until = now() + $2
WHERE number = (
    SELECT number FROM whatsapp_numbers
    WHERE owner IS NULL OR owned_until <= now() OR owner = $1 AND number <> ALL ($3)
    ORDER BY owner IS NOT NULL, random() LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING number, paused_since, pause_cause, pause_code, pause_reason, probe_at, probes, resumed_at,
    reported_at";

pub(super) const STORE_NUMBER_STATE: &str = "
UPDATE whatsapp_numbers SET paused_since = $3, pause_cause = $4, pause_code = $5, pause_reason = $6,
    probe_at = $7, probes = $8, resumed_at = $9
WHERE owner = $1 AND number = $2";

/// A report under a name that is no number's, such as an account's, concerns every number.
pub(super) const REPORT: &str = "
UPDATE whatsapp_numbers SET reported_at = $2
WHERE number = $1 OR NOT EXISTS (SELECT FROM whatsapp_numbers WHERE number = $1)";

/// The attempts of a number to each lead since `$2`: at most so many, because a row counts all its
/// attempts. Rows that were read before `$3` and have ended since are left out.
/// What is kept of erased people names nobody.
pub(super) const PAST_ATTEMPTS: &str = "
SELECT lead_id, claimed_at, attempts FROM whatsapp_replies
WHERE number = $1 AND queued AND attempts > 0 AND claimed_at > $2
UNION ALL
SELECT lead_id, claimed_at, attempts FROM whatsapp_replies
WHERE number = $1 AND NOT queued AND attempts > 0 AND claimed_at > $2 AND created_at > $3
    AND lead_id <> ''";

pub(super) const RELEASE: &str = "
UPDATE whatsapp_numbers SET owner = NULL, owned_until = NULL WHERE owner = $1 AND number = $2";

pub(super) const COUNT_QUEUED: &str = "
SELECT count(*) FROM whatsapp_replies WHERE number = ANY($1) AND queued";

/// The requests of the number's former owner have ended, and nobody knows how, unless a status failed
/// came of the only message. What it only decided is decided again.
pub(super) const TAKE_OVER: &str = "
WITH s AS (
    SELECT token, state AS before, unknown_outcomes = 0 AND late_failure IS NOT NULL AS has_failed
    FROM whatsapp_replies
    WHERE number = $1 AND queued AND leased_until IS NOT NULL AND lease_token <> $2
    ORDER BY token FOR UPDATE),
u AS (
    SELECT s.*, before = 'sending' AND NOT has_failed AS is_unknown FROM s)
UPDATE whatsapp_replies AS r SET
    state = CASE WHEN before <> 'sending' THEN before WHEN r.ends_as = 'withdrawn' THEN 'withdrawn'
        WHEN has_failed THEN 'waiting' ELSE 'unknown' END,
    queued = before <> 'sending' OR r.ends_as IS DISTINCT FROM 'withdrawn',
    unknown_outcomes = r.unknown_outcomes + is_unknown::int,
    unknown_since = CASE WHEN is_unknown THEN $3 ELSE r.unknown_since END,
    due_at = CASE WHEN NOT is_unknown THEN r.due_at WHEN r.ends_as IS NULL THEN $4
        ELSE LEAST($4::timestamptz, $5) END,
    late_failure = CASE WHEN before <> 'sending' OR has_failed AND r.ends_as IS DISTINCT FROM 'withdrawn'
        THEN r.late_failure END,
    leased_until = NULL,
    record_key = CASE WHEN before <> 'sending' OR r.ends_as IS DISTINCT FROM 'withdrawn'
        THEN r.record_key END,
    record_value = CASE WHEN before <> 'sending' OR r.ends_as IS DISTINCT FROM 'withdrawn'
        THEN r.record_value END,
    reason = CASE WHEN is_unknown THEN 'the process that sent it ended before the answer'
        ELSE r.reason END,
    updated_at = $3
FROM u
WHERE r.token = u.token";

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
    r.state IN ('failed', 'expired', 'handed_off') AND NOT EXISTS (
        SELECT FROM whatsapp_feedback AS f WHERE f.token = r.token) AS is_published,
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
    AND ($5::timestamptz IS NULL OR r.created_at >= $5) AND (NOT $6 OR r.queued OR r.state IN ('accepted', 'held', 'sent'))
ORDER BY r.created_at DESC, r.revision DESC, r.record_offset DESC LIMIT $7"
);

/// The rate counts replies that were read within the last day: older ones have expired.
pub(super) const NUMBER_QUEUES: &str = "
WITH accepted AS (
    SELECT number, count(*) / 60::float8 AS rate FROM whatsapp_replies
    WHERE created_at > now() - interval '1 day' AND accepted_at > now() - interval '1 minute'
    GROUP BY number)
SELECT n.number, COALESCE(n.owner IS NOT NULL AND n.owned_until > now(), false) AS is_owned,
    n.paused_since, n.pause_reason, count(*) FILTER (WHERE r.state = 'waiting') AS waiting,
    count(*) FILTER (WHERE r.state = 'sending') AS sending,
    count(*) FILTER (WHERE r.state = 'unknown') AS unknown, min(r.created_at) AS oldest,
    COALESCE(min(accepted.rate), 0) AS rate
FROM whatsapp_numbers AS n LEFT JOIN whatsapp_replies AS r ON r.number = n.number AND r.queued
    LEFT JOIN accepted ON accepted.number = n.number
GROUP BY n.number ORDER BY n.number";

/// Makes a failed reply wait again, with its record, and deletes its result unless that is published.
/// Its unknown outcomes stay: a further one is not followed by another attempt. A prompt that a later reply
/// supersedes stays as it is.
pub(super) const REOPEN: &str = "
WITH reopened AS (
    UPDATE whatsapp_replies AS r SET state = 'waiting', queued = true, due_at = $2, ends_as = NULL,
        failures = 0, failed_since = NULL, recipient_throttles = 0, window_refusals = 0,
        late_failure = NULL, leased_until = NULL, code = NULL, class = NULL,
        reason = 'an operator retries it', record_key = $3, record_value = $4, updated_at = $2
    WHERE r.token = $1 AND r.state = 'failed' AND r.lead_id <> '' AND (r.kind <> 2 OR NOT EXISTS (
        SELECT FROM whatsapp_replies AS later WHERE later.lead_id = r.lead_id
            AND (later.revision, later.record_offset) > (r.revision, r.record_offset)))
    RETURNING r.token),
unpublished AS (
    DELETE FROM whatsapp_feedback AS f USING reopened WHERE f.token = reopened.token)
SELECT token FROM reopened";

/// Ends replies without a request in flight. The class says to the flow that an operator did.
pub(super) const END: &str = "
WITH chosen AS (
    SELECT token FROM whatsapp_replies
    WHERE token = ANY($1) AND state IN ('waiting', 'unknown') AND leased_until IS NULL
    ORDER BY token FOR UPDATE)
UPDATE whatsapp_replies AS r SET state = $3, queued = false, ends_as = NULL, late_failure = NULL,
    class = CASE WHEN $3 = 'handed_off' THEN $3 ELSE r.class END, reason = $4, record_key = NULL,
    record_value = NULL, updated_at = $2
FROM chosen WHERE r.token = chosen.token
RETURNING r.reply_id";

/// Only the owner of a number publishes its results, so that nearly none is published twice. Some wait.
pub(super) const FEEDBACK: &str = "
SELECT f.token, f.state, f.class, f.code, f.ended_at, f.record_key, f.record_value, f.record_trace
FROM whatsapp_feedback AS f JOIN whatsapp_numbers AS n USING (number)
WHERE n.owner = $1 AND f.ended_at <= $3
ORDER BY f.ended_at LIMIT $2";

pub(super) const DELETE_FEEDBACK: &str = "
DELETE FROM whatsapp_feedback WHERE token = ANY($1)";
