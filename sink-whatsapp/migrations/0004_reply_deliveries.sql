-- What others read of the ledger of replies. Later versions append columns.

CREATE VIEW reply_deliveries (reply_id, lead_id, number, kind, state, state_at, code, class, reason,
    created_at) AS
SELECT reply_id, lead_id, number,
    CASE kind WHEN 0 THEN 'notice' WHEN 2 THEN 'prompt' ELSE 'agent_message' END, state, updated_at,
    code, class, reason, created_at
FROM whatsapp_replies
-- An erasure leaves rows without a lead.
WHERE lead_id <> '';

COMMENT ON VIEW reply_deliveries IS
    'The result of each reply of the last 30 days. It is the contract for other services and tools: they '
    'read no table of sink-whatsapp';
COMMENT ON COLUMN reply_deliveries.reply_id IS 'The reply''s id in lead.replies';
COMMENT ON COLUMN reply_deliveries.lead_id IS 'The lead, as the reply names it: it may have merged since';
COMMENT ON COLUMN reply_deliveries.number IS 'The business number that sends the reply';
COMMENT ON COLUMN reply_deliveries.kind IS
    'notice, agent_message (the words of a person) or prompt (a question or words of the flow)';
COMMENT ON COLUMN reply_deliveries.state IS
    'As whatsapp_replies.state. Later versions may add states';
COMMENT ON COLUMN reply_deliveries.state_at IS 'The time since which it has this state';
COMMENT ON COLUMN reply_deliveries.code IS 'The code of WhatsApp''s last error';
COMMENT ON COLUMN reply_deliveries.class IS
    'The class of that error, as the reference of WhatsApp''s errors has it';
COMMENT ON COLUMN reply_deliveries.reason IS
    'Why the reply waits, or why it ended so: codes and names, never words of the reply';
COMMENT ON COLUMN reply_deliveries.created_at IS 'When the reply was read';
