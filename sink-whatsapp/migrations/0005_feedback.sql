-- The results of replies that did not surely reach their leads, until they are published as inputs. A
-- trigger keeps them, so that no statement that ends a reply can forget one.

CREATE TABLE whatsapp_feedback (
    token        uuid        PRIMARY KEY,
    number       text        NOT NULL,
    state        text        NOT NULL,
    class        text,
    code         bigint,
    ended_at     timestamptz NOT NULL,
    record_key   bytea       NOT NULL,
    record_value bytea       NOT NULL,
    record_trace text
);

CREATE INDEX whatsapp_feedback_ended ON whatsapp_feedback (ended_at);

COMMENT ON TABLE whatsapp_feedback IS
    'Replies that failed, expired or were handed off, until lead.inputs has the result';
COMMENT ON COLUMN whatsapp_feedback.token IS 'The token of the reply';
COMMENT ON COLUMN whatsapp_feedback.number IS 'The business number, whose owner publishes the result';
COMMENT ON COLUMN whatsapp_feedback.state IS 'The state in which the reply ended';
COMMENT ON COLUMN whatsapp_feedback.class IS 'The class of the reply''s last failure';
COMMENT ON COLUMN whatsapp_feedback.code IS 'The code of WhatsApp''s last error';
COMMENT ON COLUMN whatsapp_feedback.ended_at IS 'When the reply ended';
COMMENT ON COLUMN whatsapp_feedback.record_key IS 'The key of the reply''s record';
COMMENT ON COLUMN whatsapp_feedback.record_value IS 'The value of the reply''s record';
COMMENT ON COLUMN whatsapp_feedback.record_trace IS 'The W3C trace context of the reply''s record';

CREATE FUNCTION whatsapp_keep_feedback() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO whatsapp_feedback
    VALUES (NEW.token, NEW.number, NEW.state, COALESCE(NEW.class, OLD.class),
        COALESCE(NEW.code, OLD.code), NEW.updated_at, OLD.record_key, OLD.record_value,
        OLD.record_trace)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

CREATE TRIGGER whatsapp_keep_feedback AFTER UPDATE OF state ON whatsapp_replies FOR EACH ROW
WHEN (NEW.state IN ('failed', 'expired', 'handed_off') AND NEW.state <> OLD.state
    AND OLD.record_value IS NOT NULL)
EXECUTE FUNCTION whatsapp_keep_feedback();

-- Nothing of an erased person is left, nor of a reply that is deleted.
CREATE FUNCTION whatsapp_drop_feedback() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM whatsapp_feedback WHERE token = OLD.token;
    RETURN NULL;
END
$$;

CREATE TRIGGER whatsapp_drop_feedback AFTER DELETE ON whatsapp_replies FOR EACH ROW
WHEN (OLD.state IN ('failed', 'expired', 'handed_off'))
EXECUTE FUNCTION whatsapp_drop_feedback();

-- An erasure keeps the token of the row.
CREATE TRIGGER whatsapp_erase_feedback AFTER UPDATE OF lead_id ON whatsapp_replies FOR EACH ROW
WHEN (NEW.lead_id <> OLD.lead_id)
EXECUTE FUNCTION whatsapp_drop_feedback();
