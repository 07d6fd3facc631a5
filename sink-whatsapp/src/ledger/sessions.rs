//! Matches what webhooks say of the messages of WASenderApi's sessions with what the sessions were given.
//! A session sends a few messages a second at most, so these statements need not be fast.

use std::time::Duration;

use leadstream_schemas::Timestamp;
use leadstream_service::database::{DatabaseError, timed};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

use super::{Ledger, column, read_state, read_time};
use crate::reply_row::ReplyState;
use crate::statuses::change::StatusChange;
use crate::statuses::session::SessionStatus;
use crate::time::before;

/// How long a text may come back as an echo.
const TEXTS: Duration = Duration::from_secs(24 * 3600);
/// How long a status without a reply is kept: its message may be heard of again.
const UNMATCHED: Duration = Duration::from_secs(120);
/// How long an echo without a reply is kept that Kafka does not take.
const ECHOES: Duration = Duration::from_secs(3600);

const NOTE_MESSAGE: &str = "
INSERT INTO whatsapp_session_messages (token, number, address, text_digest, requested_at)
VALUES ($1, $2, $3, $4, $5) RETURNING id";

const NOTE_SEND_ID: &str = "
UPDATE whatsapp_session_messages SET send_id = $2 WHERE id = $1";

/// A message that was refused may be known by an echo all the same, if its answer is wrong.
const FORGET_MESSAGE: &str = "
DELETE FROM whatsapp_session_messages WHERE id = $1 AND message_id IS NULL";

/// Adds what is said of messages. A state is not lowered.
const NOTE_STATUSES: &str = "
INSERT INTO whatsapp_unmatched_statuses AS u (number, message_id, is_of_api, send_id, text_digest,
    addresses, state, sent_at, delivered_at, read_at, failure, takeover, due_at, noted_at)
SELECT n.number, n.message_id, n.is_of_api, n.send_id, n.text_digest,
    string_to_array(n.addresses, ' '), n.state, n.sent_at, n.delivered_at, n.read_at, n.failure,
    n.takeover, $1, $2
FROM UNNEST($3::text[], $4::text[], $5::bool[], $6::text[], $7::bytea[], $8::text[], $9::text[],
        $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::bigint[], $14::bytea[])
    AS n (number, message_id, is_of_api, send_id, text_digest, addresses, state, sent_at,
        delivered_at, read_at, failure, takeover)
ORDER BY n.number, n.message_id
ON CONFLICT (number, message_id) DO UPDATE SET
    is_of_api = u.is_of_api OR excluded.is_of_api,
    send_id = COALESCE(u.send_id, excluded.send_id),
    text_digest = COALESCE(u.text_digest, excluded.text_digest),
    addresses = CASE WHEN u.addresses @> excluded.addresses THEN u.addresses
        ELSE u.addresses || excluded.addresses END,
    state = CASE WHEN u.state IS NULL OR excluded.state = 'read'
            OR excluded.state = 'delivered' AND u.state = 'sent'
        THEN excluded.state ELSE u.state END,
    sent_at = COALESCE(u.sent_at, excluded.sent_at),
    delivered_at = COALESCE(u.delivered_at, excluded.delivered_at),
    read_at = COALESCE(u.read_at, excluded.read_at),
    failure = COALESCE(u.failure, excluded.failure),
    takeover = COALESCE(u.takeover, excluded.takeover),
    updates = u.updates + 1";

const ARE_NOTED: &str = "
SELECT EXISTS (SELECT FROM whatsapp_unmatched_statuses)";

/// Lets one process match at a time.
const LOCK: &str = "
SELECT pg_advisory_xact_lock('whatsapp_unmatched_statuses'::regclass::oid::bigint)";

/// Gives the message of each status to the first request that has no message: with the id of its answer,
/// else with its text and address. Of statuses that fit the same request, one goes first.
const MATCH: &str = "
WITH found AS (
    SELECT DISTINCT ON (m.id) m.id, u.message_id
    FROM whatsapp_unmatched_statuses AS u CROSS JOIN LATERAL (
        SELECT r.id FROM whatsapp_session_messages AS r
        WHERE r.number = u.number AND r.message_id IS NULL AND (r.send_id = u.send_id
            OR r.text_digest = u.text_digest AND r.address = ANY (u.addresses)
                AND (r.send_id IS NULL OR u.send_id IS NULL) AND r.requested_at > $1)
        ORDER BY r.send_id = u.send_id DESC NULLS LAST, r.id LIMIT 1) AS m
    WHERE NOT EXISTS (SELECT FROM whatsapp_session_messages AS known
        WHERE known.number = u.number AND known.message_id = u.message_id)
    ORDER BY m.id, u.noted_at, u.message_id)
UPDATE whatsapp_session_messages AS r SET message_id = found.message_id
FROM found WHERE r.id = found.id AND r.message_id IS NULL";

const MATCHED: &str = "
SELECT r.token, u.number, u.message_id, u.state, u.sent_at, u.delivered_at, u.read_at, u.failure,
    u.updates
FROM whatsapp_unmatched_statuses AS u JOIN whatsapp_session_messages AS r USING (number, message_id)
ORDER BY u.noted_at, u.message_id LIMIT $1";

/// What was added meanwhile stays.
const FORGET_STATUSES: &str = "
DELETE FROM whatsapp_unmatched_statuses AS u
USING UNNEST($1::text[], $2::text[], $3::int[]) AS d (number, message_id, updates)
WHERE u.number = d.number AND u.message_id = d.message_id AND u.updates = d.updates";

/// An echo that names a person by another kind of JID than a request with the same text may be of it.
const ECHOED: &str = "
SELECT u.number, u.message_id, u.takeover FROM whatsapp_unmatched_statuses AS u
WHERE u.takeover IS NOT NULL AND NOT u.is_of_api AND u.due_at <= $1
    AND NOT EXISTS (SELECT FROM whatsapp_session_messages AS r
        WHERE r.number = u.number AND r.message_id = u.message_id)
    AND NOT EXISTS (SELECT FROM whatsapp_session_messages AS r
        WHERE r.number = u.number AND r.text_digest = u.text_digest AND r.message_id IS NULL
            AND r.requested_at > $2
            AND NOT EXISTS (SELECT FROM UNNEST(u.addresses) AS a
                WHERE split_part(a, '@', 2) = split_part(r.address, '@', 2)))
ORDER BY u.due_at LIMIT $3";

const FORGET_ECHOED: &str = "
DELETE FROM whatsapp_unmatched_statuses AS u
USING UNNEST($1::text[], $2::text[]) AS d (number, message_id)
WHERE u.number = d.number AND u.message_id = d.message_id";

const PURGE_MESSAGES: &str = "
DELETE FROM whatsapp_session_messages WHERE id IN (
    SELECT id FROM whatsapp_session_messages WHERE requested_at < $1 LIMIT $2)";

const PURGE_STATUSES: &str = "
DELETE FROM whatsapp_unmatched_statuses
WHERE noted_at < $1 AND (takeover IS NULL OR is_of_api) OR noted_at < $2";

/// A message that a session is about to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionMessage<'a> {
    /// The token of the reply.
    pub(crate) token: Uuid,
    pub(crate) number: &'a str,
    /// The JID to which it goes.
    pub(crate) address: &'a str,
    pub(crate) text_digest: [u8; 16],
}

/// What is known of a message that is a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MatchedStatus {
    pub(crate) change: StatusChange,
    /// How often something was added.
    updates: i32,
}

/// A message that a person wrote on the phone of a session.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct EchoedMessage {
    pub(crate) number: String,
    pub(crate) message_id: String,
    /// The input, as JSON.
    pub(crate) takeover: Vec<u8>,
}

impl Ledger {
    /// Notes a message before its request. Returns the note.
    pub(crate) async fn note_message(
        &self,
        message: SessionMessage<'_>,
        now: Timestamp,
    ) -> Result<i64, DatabaseError> {
        let query = sqlx::query_scalar(NOTE_MESSAGE)
            .bind(message.token)
            .bind(message.number)
            .bind(message.address)
            .bind(message.text_digest.to_vec())
            .bind(column(now));
        timed(query.fetch_one(&self.pool)).await
    }

    /// Adds WASenderApi's id of the message to a note.
    pub(crate) async fn note_send_id(&self, note: i64, send_id: &str) -> Result<(), DatabaseError> {
        let query = sqlx::query(NOTE_SEND_ID).bind(note).bind(send_id);
        timed(query.execute(&self.pool)).await.map(drop)
    }

    /// Deletes the note of a message that was certainly not sent.
    pub(crate) async fn forget_message(&self, note: i64) -> Result<(), DatabaseError> {
        let query = sqlx::query(FORGET_MESSAGE).bind(note);
        timed(query.execute(&self.pool)).await.map(drop)
    }

    /// Notes what is said of messages of sessions. An echo that is no reply's is a person's at `due_at`.
    pub(crate) async fn note_statuses(
        &self,
        statuses: &[SessionStatus],
        due_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let changes = || statuses.iter().map(|it| &it.change);
        let texts = |text: fn(&StatusChange) -> &String| -> Vec<&str> {
            changes().map(|it| text(it).as_str()).collect()
        };
        let times = |time: fn(&StatusChange) -> Option<Timestamp>| -> Vec<_> {
            changes().map(|it| time(it).map(column)).collect()
        };
        let digests = statuses
            .iter()
            .map(|it| it.text_digest.map(|it| it.to_vec()));
        let addresses = statuses.iter().map(|it| it.addresses.join(" "));
        // An input of texts and times always has a JSON.
        let takeovers = statuses.iter().map(|it| {
            it.takeover
                .as_ref()
                .and_then(|it| serde_json::to_vec(it).ok())
        });
        let query = sqlx::query(NOTE_STATUSES)
            .bind(column(due_at))
            .bind(column(now))
            .bind(texts(|it| &it.number))
            .bind(texts(|it| &it.message_id))
            .bind(statuses.iter().map(|it| it.is_of_api).collect::<Vec<_>>())
            .bind(
                statuses
                    .iter()
                    .map(|it| it.send_id.as_deref())
                    .collect::<Vec<_>>(),
            )
            .bind(digests.collect::<Vec<_>>())
            .bind(addresses.collect::<Vec<_>>())
            .bind(
                changes()
                    .map(|it| it.state.map(ReplyState::as_str))
                    .collect::<Vec<_>>(),
            )
            .bind(times(|it| it.sent_at))
            .bind(times(|it| it.delivered_at))
            .bind(times(|it| it.read_at))
            .bind(changes().map(|it| it.failure).collect::<Vec<_>>())
            .bind(takeovers.collect::<Vec<_>>());
        timed(query.execute(&self.pool)).await.map(drop)
    }

    /// Finds the replies to which the noted messages belong.
    pub(crate) async fn match_messages(&self, now: Timestamp) -> Result<(), DatabaseError> {
        timed(async {
            if !sqlx::query_scalar::<_, bool>(ARE_NOTED)
                .fetch_one(&self.pool)
                .await?
            {
                return Ok(());
            }
            let mut transaction = self.pool.begin().await?;
            sqlx::query(LOCK).execute(&mut *transaction).await?;
            loop {
                let query = sqlx::query(MATCH).bind(column(before(now, TEXTS)));
                if query.execute(&mut *transaction).await?.rows_affected() == 0 {
                    break;
                }
            }
            transaction.commit().await
        })
        .await
    }

    /// Returns up to `limit` of what is known of messages that are replies.
    pub(crate) async fn matched_statuses(
        &self,
        limit: i64,
    ) -> Result<Vec<MatchedStatus>, DatabaseError> {
        let query = sqlx::query_as(MATCHED).bind(limit);
        timed(query.fetch_all(&self.pool)).await
    }

    /// Deletes what was applied.
    pub(crate) async fn forget_statuses(
        &self,
        applied: &[MatchedStatus],
    ) -> Result<(), DatabaseError> {
        let changes = || applied.iter().map(|it| &it.change);
        let query = sqlx::query(FORGET_STATUSES)
            .bind(changes().map(|it| it.number.as_str()).collect::<Vec<_>>())
            .bind(
                changes()
                    .map(|it| it.message_id.as_str())
                    .collect::<Vec<_>>(),
            )
            .bind(applied.iter().map(|it| it.updates).collect::<Vec<_>>());
        timed(query.execute(&self.pool)).await.map(drop)
    }

    /// Returns up to `limit` echoes that are a person's, because their wait has ended.
    pub(crate) async fn echoed(
        &self,
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<EchoedMessage>, DatabaseError> {
        let query = sqlx::query_as(ECHOED)
            .bind(column(now))
            .bind(column(before(now, TEXTS)))
            .bind(limit);
        timed(query.fetch_all(&self.pool)).await
    }

    /// Deletes echoes whose takeovers `lead.inputs` has.
    pub(crate) async fn forget_echoed(
        &self,
        echoed: &[EchoedMessage],
    ) -> Result<(), DatabaseError> {
        let texts = |text: fn(&EchoedMessage) -> &String| -> Vec<&str> {
            echoed.iter().map(|it| text(it).as_str()).collect()
        };
        let query = sqlx::query(FORGET_ECHOED)
            .bind(texts(|it| &it.number))
            .bind(texts(|it| &it.message_id));
        timed(query.execute(&self.pool)).await.map(drop)
    }

    /// Deletes up to `limit` messages that were requested before a time, and statuses of messages
    /// that are nobody's. Returns the number of the latter.
    pub(crate) async fn purge_sessions(
        &self,
        requested_before: Timestamp,
        limit: i64,
        now: Timestamp,
    ) -> Result<u64, DatabaseError> {
        let messages = sqlx::query(PURGE_MESSAGES)
            .bind(column(requested_before))
            .bind(limit);
        timed(messages.execute(&self.pool)).await?;
        let statuses = sqlx::query(PURGE_STATUSES)
            .bind(column(before(now, UNMATCHED)))
            .bind(column(before(now, ECHOES)));
        Ok(timed(statuses.execute(&self.pool)).await?.rows_affected())
    }
}

impl FromRow<'_, PgRow> for MatchedStatus {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            change: StatusChange {
                token: row.try_get("token")?,
                message_id: row.try_get("message_id")?,
                number: row.try_get("number")?,
                state: read_state(row, "state")?,
                sent_at: read_time(row, "sent_at")?,
                delivered_at: read_time(row, "delivered_at")?,
                read_at: read_time(row, "read_at")?,
                failure: row.try_get("failure")?,
            },
            updates: row.try_get("updates")?,
        })
    }
}
