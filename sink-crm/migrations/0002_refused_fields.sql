-- One refused field costs the field, not the lead: what was left out, or is waited for.

ALTER TABLE crm_ledger ADD COLUMN refused_fields jsonb;

-- For the worker, which asks whether a change of the CRM's schema concerns a row.
CREATE INDEX crm_ledger_refused ON crm_ledger (crm, state) WHERE refused_fields IS NOT NULL;

COMMENT ON COLUMN crm_ledger.refused_fields IS
    'Fields that the CRM refuses: of a synced row those that were left out, of a parked row those that it '
    'waits for. Each has its name (empty for any field), the code, and the fingerprint of the CRM''s '
    'description of it. The row is sent again when that changes';
