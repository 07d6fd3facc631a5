-- Sessions of WASenderApi take no token. So what a session was given is noted before the request, and
-- what webhooks say of a session's messages is matched with it by ids, or by text and address.

CREATE TABLE whatsapp_session_messages (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token        uuid        NOT NULL,
    number       text        NOT NULL,
    address      text        NOT NULL,
    text_digest  bytea       NOT NULL,
    requested_at timestamptz NOT NULL,
    send_id      text,
    message_id   text,
    UNIQUE (number, message_id)
);

CREATE INDEX whatsapp_session_messages_text ON whatsapp_session_messages (number, text_digest, address)
    WHERE message_id IS NULL;
CREATE INDEX whatsapp_session_messages_send ON whatsapp_session_messages (number, send_id)
    WHERE message_id IS NULL;
CREATE INDEX whatsapp_session_messages_token ON whatsapp_session_messages (token);
-- Rows leave in the order in which they came.
CREATE INDEX whatsapp_session_messages_requested ON whatsapp_session_messages USING brin (requested_at);

COMMENT ON TABLE whatsapp_session_messages IS
    'The messages that sessions of WASenderApi were given, by request';
COMMENT ON COLUMN whatsapp_session_messages.id IS 'The order of the requests';
COMMENT ON COLUMN whatsapp_session_messages.token IS 'The token of the reply';
COMMENT ON COLUMN whatsapp_session_messages.number IS 'The name of the session';
COMMENT ON COLUMN whatsapp_session_messages.address IS
    'The JID that the message goes to; empty once its lead is erased';
COMMENT ON COLUMN whatsapp_session_messages.text_digest IS
    'The first 128 bits of SHA-256 of the letters and digits of the text';
COMMENT ON COLUMN whatsapp_session_messages.requested_at IS 'When the request was about to go out';
COMMENT ON COLUMN whatsapp_session_messages.send_id IS 'The id in the answer (msgId); null without an answer';
COMMENT ON COLUMN whatsapp_session_messages.message_id IS
    'WhatsApp''s id of the message, once a webhook named it';

CREATE TABLE whatsapp_unmatched_statuses (
    number       text        NOT NULL,
    message_id   text        NOT NULL,
    is_of_api    boolean     NOT NULL,
    send_id      text,
    text_digest  bytea,
    addresses    text[]      NOT NULL,
    state        text,
    sent_at      timestamptz,
    delivered_at timestamptz,
    read_at      timestamptz,
    failure      bigint,
    takeover     bytea,
    due_at       timestamptz NOT NULL,
    noted_at     timestamptz NOT NULL,
    updates      integer     NOT NULL DEFAULT 0,
    PRIMARY KEY (number, message_id)
);

COMMENT ON TABLE whatsapp_unmatched_statuses IS
    'What message.statuses says of the messages of sessions, until it is matched with a reply, or for a short time';
COMMENT ON COLUMN whatsapp_unmatched_statuses.number IS 'The name of the session';
COMMENT ON COLUMN whatsapp_unmatched_statuses.message_id IS 'WhatsApp''s id of the message';
COMMENT ON COLUMN whatsapp_unmatched_statuses.is_of_api IS
    'Whether WASenderApi reports that its API sent the message, so no person did';
COMMENT ON COLUMN whatsapp_unmatched_statuses.send_id IS 'WASenderApi''s id of the message (msgId)';
COMMENT ON COLUMN whatsapp_unmatched_statuses.text_digest IS
    'The digest of the text, as in whatsapp_session_messages; null without a text';
COMMENT ON COLUMN whatsapp_unmatched_statuses.addresses IS 'The JIDs of the person to whom the message went';
COMMENT ON COLUMN whatsapp_unmatched_statuses.state IS 'The highest of sent, delivered and read';
COMMENT ON COLUMN whatsapp_unmatched_statuses.sent_at IS 'When WhatsApp sent the message';
COMMENT ON COLUMN whatsapp_unmatched_statuses.delivered_at IS 'When the message was delivered';
COMMENT ON COLUMN whatsapp_unmatched_statuses.read_at IS 'When the person read the message';
COMMENT ON COLUMN whatsapp_unmatched_statuses.failure IS
    'The code with which the message failed; -1 if the status names none';
COMMENT ON COLUMN whatsapp_unmatched_statuses.takeover IS
    'The input, as JSON, by which a person wrote the message, if no reply turns out to be it';
COMMENT ON COLUMN whatsapp_unmatched_statuses.due_at IS 'When the takeover is written to lead.inputs';
COMMENT ON COLUMN whatsapp_unmatched_statuses.noted_at IS 'When the message was first heard of';
COMMENT ON COLUMN whatsapp_unmatched_statuses.updates IS 'How often more was heard of it';

-- What was heard of messages to an erased person goes. The ids of the lead's messages stay, so that a late
-- echo of one is not taken for a person's.
CREATE FUNCTION whatsapp_erase_session_messages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM whatsapp_unmatched_statuses AS u USING whatsapp_session_messages AS m
    WHERE m.token = OLD.token AND m.address <> '' AND u.number = m.number AND m.address = ANY (u.addresses);
    UPDATE whatsapp_session_messages SET address = '',
        text_digest = CASE WHEN message_id IS NULL THEN text_digest ELSE '' END
    WHERE token = OLD.token;
    RETURN NULL;
END
$$;

CREATE TRIGGER whatsapp_erase_session_messages AFTER UPDATE OF lead_id ON whatsapp_replies FOR EACH ROW
WHEN (NEW.lead_id <> OLD.lead_id)
EXECUTE FUNCTION whatsapp_erase_session_messages();
