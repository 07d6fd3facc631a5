-- Statuses of messages: they resolve outcomes that are unknown, and give the result of each message.
--
-- No column that a status normally changes is in an index, so the row stays on its page. `unresolved` is
-- stored for that reason: an index over `state` itself would index every claim.

ALTER TABLE whatsapp_replies
    ADD COLUMN claimed_at      timestamptz,
    ADD COLUMN accepted_at     timestamptz,
    ADD COLUMN sent_at         timestamptz,
    ADD COLUMN delivered_at    timestamptz,
    ADD COLUMN read_at         timestamptz,
    ADD COLUMN keep_until      timestamptz,
    ADD COLUMN late_failure    bigint,
    ADD COLUMN failed_messages text[],
    ADD COLUMN unknown_policy  text CHECK (unknown_policy IN ('evidence', 'hand_off', 'send_again', 'drop')),
    ADD COLUMN unresolved      boolean NOT NULL
        GENERATED ALWAYS AS (state = 'unknown' OR late_failure IS NOT NULL) STORED;

-- The new check allows more than the old one, so no row needs to be read.
ALTER TABLE whatsapp_replies DROP CONSTRAINT whatsapp_replies_state_check;
ALTER TABLE whatsapp_replies ADD CONSTRAINT whatsapp_replies_state_check CHECK (state IN ('waiting',
    'sending', 'unknown', 'accepted', 'held', 'sent', 'delivered', 'read', 'failed', 'superseded',
    'withdrawn', 'expired', 'handed_off')) NOT VALID;

CREATE INDEX whatsapp_replies_unresolved ON whatsapp_replies (number, due_at) WHERE unresolved;
CREATE INDEX whatsapp_replies_keep ON whatsapp_replies USING brin (keep_until);

COMMENT ON COLUMN whatsapp_replies.state IS
    'waiting: to be sent at due_at. sending: a request may be in flight. unknown: WhatsApp may have '
    'accepted a request. accepted: WhatsApp took it. held: WhatsApp took it and holds it back to assess '
    'its template. sent, delivered, read: as a status says. failed: given up. superseded, withdrawn: a '
    'later record of the lead ended it. expired: it was too late to send it. handed_off: the outcome '
    'stayed unknown, and a person decides';
COMMENT ON COLUMN whatsapp_replies.claimed_at IS 'When the last request was claimed';
COMMENT ON COLUMN whatsapp_replies.accepted_at IS 'When WhatsApp answered that it took the message';
COMMENT ON COLUMN whatsapp_replies.sent_at IS 'When WhatsApp sent the message, by its status';
COMMENT ON COLUMN whatsapp_replies.delivered_at IS 'When the message was delivered, by its status';
COMMENT ON COLUMN whatsapp_replies.read_at IS 'When the person read the message, by its status';
COMMENT ON COLUMN whatsapp_replies.keep_until IS
    'The record of an accepted reply is kept until then, because a late failure may send it again';
COMMENT ON COLUMN whatsapp_replies.late_failure IS
    'The code of a status failed that the sender has not judged yet; -1 if it names none';
COMMENT ON COLUMN whatsapp_replies.failed_messages IS
    'WhatsApp''s ids of messages of this reply that failed after WhatsApp took them';
COMMENT ON COLUMN whatsapp_replies.unknown_policy IS
    'The policy that ended the wait for an unknown outcome. Only a reply that names one may reach its '
    'person twice';
COMMENT ON COLUMN whatsapp_replies.unresolved IS
    'Whether the sender decides without a request what becomes of the reply: after an unknown outcome, '
    'or after a late failure';

ALTER TABLE whatsapp_numbers ADD COLUMN confirmed_send_at timestamptz;

COMMENT ON COLUMN whatsapp_numbers.confirmed_send_at IS
    'The latest claim of a message of which a status came. It is evidence against earlier messages '
    'without one';

CREATE TABLE whatsapp_status_progress (
    partition   integer     PRIMARY KEY,
    next_offset bigint      NOT NULL,
    passed_at   timestamptz NOT NULL
);

COMMENT ON TABLE whatsapp_status_progress IS
    'How far message.statuses is written to whatsapp_replies. Every process of sink-whatsapp writes it';
COMMENT ON COLUMN whatsapp_status_progress.partition IS 'The partition of message.statuses';
COMMENT ON COLUMN whatsapp_status_progress.next_offset IS 'The next offset to read';
COMMENT ON COLUMN whatsapp_status_progress.passed_at IS
    'Everything is written that the log held at this time';
