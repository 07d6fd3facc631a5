-- Who wants no marketing messages, when the flow hears of a marketing limit, and what is left of a record
-- for failures that come late.

CREATE TABLE whatsapp_marketing_opt_outs (
    lead_id      text        PRIMARY KEY,
    opted_out_at timestamptz NOT NULL
);

COMMENT ON TABLE whatsapp_marketing_opt_outs IS
    'Leads to whom WhatsApp delivers no marketing messages, because they want none (error 131050). They get '
    'no further marketing template';
COMMENT ON COLUMN whatsapp_marketing_opt_outs.lead_id IS 'The lead, as its replies name it';
COMMENT ON COLUMN whatsapp_marketing_opt_outs.opted_out_at IS 'When WhatsApp said so first';

CREATE FUNCTION whatsapp_keep_marketing_opt_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO whatsapp_marketing_opt_outs VALUES (NEW.lead_id, NEW.updated_at) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

CREATE TRIGGER whatsapp_keep_marketing_opt_out AFTER UPDATE OF class ON whatsapp_replies FOR EACH ROW
WHEN (NEW.class = 'marketing_opt_out' AND NEW.lead_id <> '')
EXECUTE FUNCTION whatsapp_keep_marketing_opt_out();

ALTER TABLE whatsapp_replies ADD COLUMN late_record bytea;

COMMENT ON COLUMN whatsapp_replies.late_record IS
    'The record of an accepted reply without its words, once these are dropped: a failure that comes later '
    'still returns to the lead';

-- Meta asks to wait 24 hours after a marketing limit. Then the flow decides.
CREATE OR REPLACE FUNCTION whatsapp_keep_feedback() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO whatsapp_feedback
    VALUES (NEW.token, NEW.number, NEW.state, COALESCE(NEW.class, OLD.class),
        COALESCE(NEW.code, OLD.code), NEW.updated_at + CASE COALESCE(NEW.class, OLD.class)
            WHEN 'marketing_limit' THEN interval '24 hours' ELSE interval '0' END,
        OLD.record_key, COALESCE(OLD.record_value, OLD.late_record), OLD.record_trace)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

COMMENT ON COLUMN whatsapp_feedback.ended_at IS
    'When the reply ended, and 24 hours later after a marketing limit. It is not published before';

DROP TRIGGER whatsapp_keep_feedback ON whatsapp_replies;

CREATE TRIGGER whatsapp_keep_feedback AFTER UPDATE OF state ON whatsapp_replies FOR EACH ROW
WHEN (NEW.state IN ('failed', 'expired', 'handed_off') AND NEW.state <> OLD.state
    AND COALESCE(OLD.record_value, OLD.late_record) IS NOT NULL AND OLD.record_key IS NOT NULL)
EXECUTE FUNCTION whatsapp_keep_feedback();

COMMENT ON COLUMN whatsapp_numbers.report_class IS 'Unused since 0.2';
COMMENT ON COLUMN whatsapp_numbers.report_code IS 'Unused since 0.2';
