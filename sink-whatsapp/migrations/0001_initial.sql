-- The replies to leads, and the result of each. A row is claimed before its request goes out, so that
-- no restart repeats a message.

CREATE TABLE whatsapp_replies (
    token               uuid        PRIMARY KEY,
    reply_id            text        NOT NULL,
    lead_id             text        NOT NULL,
    revision            bigint      NOT NULL,
    record_partition    integer     NOT NULL,
    record_offset       bigint      NOT NULL,
    number              text        NOT NULL,
    kind                smallint    NOT NULL CHECK (kind BETWEEN 0 AND 2),
    content_digest      bytea       NOT NULL,
    state               text        NOT NULL CHECK (state IN ('waiting', 'sending', 'unknown', 'accepted',
        'failed', 'superseded', 'withdrawn', 'expired')),
    queued              boolean     NOT NULL,
    due_at              timestamptz NOT NULL,
    due_at_latest       timestamptz,
    expires_at          timestamptz,
    ends_as             text        CHECK (ends_as IN ('superseded', 'withdrawn')),
    attempts            integer     NOT NULL DEFAULT 0,
    failures            integer     NOT NULL DEFAULT 0,
    failed_since        timestamptz,
    unknown_outcomes    integer     NOT NULL DEFAULT 0,
    recipient_throttles integer     NOT NULL DEFAULT 0,
    window_refusals     integer     NOT NULL DEFAULT 0,
    lease_token         uuid,
    leased_until        timestamptz,
    unknown_since       timestamptz,
    provider_id         text,
    code                bigint,
    reason              text,
    record_key          bytea,
    record_value        bytea,
    record_trace        text,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL
) WITH (fillfactor = 60);

-- No column that a claim changes is in an index: the claim of a row stays on its page.
CREATE INDEX whatsapp_replies_queue ON whatsapp_replies (number, kind, due_at) WHERE queued;
CREATE INDEX whatsapp_replies_lead ON whatsapp_replies (lead_id);
-- For what keeps back a lead's later replies.
CREATE INDEX whatsapp_replies_lead_queue ON whatsapp_replies (lead_id) WHERE queued;
-- Rows leave in the order in which they came.
CREATE INDEX whatsapp_replies_created ON whatsapp_replies USING brin (created_at);

COMMENT ON TABLE whatsapp_replies IS
    'The replies that sink-whatsapp read from lead.replies, and the result of each';
COMMENT ON COLUMN whatsapp_replies.token IS
    'The first 128 bits of SHA-256 of reply_id. Requests carry it as biz_opaque_callback_data, because '
    'it names nobody';
COMMENT ON COLUMN whatsapp_replies.reply_id IS 'The reply''s id in lead.replies';
COMMENT ON COLUMN whatsapp_replies.lead_id IS 'The lead';
COMMENT ON COLUMN whatsapp_replies.revision IS 'The lead''s revision when the reply was decided';
COMMENT ON COLUMN whatsapp_replies.record_partition IS 'The partition of the reply''s record';
COMMENT ON COLUMN whatsapp_replies.record_offset IS
    'The offset of the reply''s record. The replies of a lead go in the order of revision and offset';
COMMENT ON COLUMN whatsapp_replies.number IS 'The business number that sends the reply';
COMMENT ON COLUMN whatsapp_replies.kind IS
    '0 a notice, 1 the words of a person, 2 a prompt of the flow; the lowest goes first';
COMMENT ON COLUMN whatsapp_replies.content_digest IS
    'The first 128 bits of SHA-256 of the content. A record with a known id and other content is an error';
COMMENT ON COLUMN whatsapp_replies.state IS
    'waiting: to be sent at due_at. sending: a request may be in flight. unknown: WhatsApp may have '
    'accepted a request. accepted: WhatsApp took it. failed: given up, in the dead-letter topic. '
    'superseded, withdrawn: a later record of the lead ended it. expired: it was too late to send it';
COMMENT ON COLUMN whatsapp_replies.queued IS
    'Whether the reply is waiting, sending or unknown; it keeps back the lead''s later replies';
COMMENT ON COLUMN whatsapp_replies.due_at IS
    'waiting: the earliest time of the next attempt. unknown: the time at which the wait ends';
COMMENT ON COLUMN whatsapp_replies.due_at_latest IS
    'The latest time to which messages of a lead that writes without a pause postpone the reply';
COMMENT ON COLUMN whatsapp_replies.expires_at IS 'The reply is not sent from this time on';
COMMENT ON COLUMN whatsapp_replies.ends_as IS
    'The state that the reply takes instead of another attempt: a later record ended it while a '
    'request was in flight';
COMMENT ON COLUMN whatsapp_replies.attempts IS 'Requests that went out';
COMMENT ON COLUMN whatsapp_replies.failures IS 'Attempts that failed for reasons that may be the reply''s own';
COMMENT ON COLUMN whatsapp_replies.failed_since IS 'When the first of those attempts failed';
COMMENT ON COLUMN whatsapp_replies.unknown_outcomes IS
    'Attempts whose outcome is unknown: each may have reached the person';
COMMENT ON COLUMN whatsapp_replies.recipient_throttles IS
    'Attempts that WhatsApp refused because the person gets messages too fast';
COMMENT ON COLUMN whatsapp_replies.window_refusals IS
    'Attempts that WhatsApp refused because the 24-hour window is closed';
COMMENT ON COLUMN whatsapp_replies.lease_token IS 'The process that made the last claim';
COMMENT ON COLUMN whatsapp_replies.leased_until IS
    'sending: no outcome comes after this time, and the reply counts as unknown';
COMMENT ON COLUMN whatsapp_replies.unknown_since IS 'When the last outcome became unknown';
COMMENT ON COLUMN whatsapp_replies.provider_id IS 'WhatsApp''s id of the message';
COMMENT ON COLUMN whatsapp_replies.code IS 'The code of WhatsApp''s last error';
COMMENT ON COLUMN whatsapp_replies.reason IS
    'Why the reply waits, or why it ended so: codes and names, never words of the reply';
COMMENT ON COLUMN whatsapp_replies.record_key IS 'The key of the record; null once the state is final';
COMMENT ON COLUMN whatsapp_replies.record_value IS 'The value of the record, unchanged; null once the state is final';
COMMENT ON COLUMN whatsapp_replies.record_trace IS 'The W3C trace context of the record';
COMMENT ON COLUMN whatsapp_replies.created_at IS 'When the reply was read';
COMMENT ON COLUMN whatsapp_replies.updated_at IS 'When the row last changed';

CREATE TABLE whatsapp_numbers (
    number      text        PRIMARY KEY,
    owner       uuid,
    owned_until timestamptz
);

COMMENT ON TABLE whatsapp_numbers IS
    'The business numbers that replies name. One process at a time sends from a number';
COMMENT ON COLUMN whatsapp_numbers.number IS 'The business number';
COMMENT ON COLUMN whatsapp_numbers.owner IS 'The process that sends from it';
COMMENT ON COLUMN whatsapp_numbers.owned_until IS
    'The end of its lease, which it renews; then another process may send from the number';
