-- The class of a failure decides what becomes of the reply, and of its number.

ALTER TABLE whatsapp_replies ADD COLUMN class text;

COMMENT ON COLUMN whatsapp_replies.class IS
    'The class of WhatsApp''s last error: see the reference of WhatsApp''s errors';
