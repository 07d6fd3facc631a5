-- The next owner of a paused number knows the pause, and does not find it out by messages.

ALTER TABLE whatsapp_numbers
    ADD COLUMN paused_since timestamptz,
    ADD COLUMN pause_cause  text,
    ADD COLUMN pause_code   bigint,
    ADD COLUMN pause_reason text,
    ADD COLUMN probe_at     timestamptz,
    ADD COLUMN probes       integer NOT NULL DEFAULT 0,
    ADD COLUMN resumed_at   timestamptz,
    ADD COLUMN reported_at  timestamptz,
    ADD COLUMN report_class text,
    ADD COLUMN report_code  bigint;

COMMENT ON COLUMN whatsapp_numbers.paused_since IS
    'When the number paused; null while it sends';
COMMENT ON COLUMN whatsapp_numbers.pause_cause IS
    'refused: WhatsApp refuses whatever it sends. unanswered: answers are missing';
COMMENT ON COLUMN whatsapp_numbers.pause_code IS 'The code of WhatsApp''s error';
COMMENT ON COLUMN whatsapp_numbers.pause_reason IS 'Why it paused, for people';
COMMENT ON COLUMN whatsapp_numbers.probe_at IS 'The time of the next health call of a paused number';
COMMENT ON COLUMN whatsapp_numbers.probes IS 'The health calls of the pause, or of the last one';
COMMENT ON COLUMN whatsapp_numbers.resumed_at IS 'The end of the last pause';
COMMENT ON COLUMN whatsapp_numbers.reported_at IS
    'When a process found something out about the number. Its owner reads that with the lease';
COMMENT ON COLUMN whatsapp_numbers.report_class IS
    'The class of a failure that a status reported; null if a notice puts the number''s health in doubt';
COMMENT ON COLUMN whatsapp_numbers.report_code IS 'The code of that failure';
