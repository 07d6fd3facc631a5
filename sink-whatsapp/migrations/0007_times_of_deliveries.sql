-- The view tells when each reply was accepted, sent, delivered and read.

CREATE OR REPLACE VIEW reply_deliveries (reply_id, lead_id, number, kind, state, state_at, code, class,
    reason, created_at, accepted_at, sent_at, delivered_at, read_at) AS
SELECT reply_id, lead_id, number,
    CASE kind WHEN 0 THEN 'notice' WHEN 2 THEN 'prompt' ELSE 'agent_message' END, state,
    COALESCE(CASE state WHEN 'accepted' THEN accepted_at WHEN 'held' THEN accepted_at
        WHEN 'sent' THEN sent_at WHEN 'delivered' THEN delivered_at WHEN 'read' THEN read_at END,
        updated_at),
    code, class, reason, created_at, accepted_at, sent_at, delivered_at, read_at
FROM whatsapp_replies
-- An erasure leaves rows without a lead.
WHERE lead_id <> '';

COMMENT ON COLUMN reply_deliveries.accepted_at IS 'When WhatsApp answered that it took the message';
COMMENT ON COLUMN reply_deliveries.sent_at IS 'When WhatsApp sent the message, by its status';
COMMENT ON COLUMN reply_deliveries.delivered_at IS 'When the message was delivered, by its status';
COMMENT ON COLUMN reply_deliveries.read_at IS 'When the person read the message, by its status';
