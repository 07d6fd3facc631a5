-- What a CRM is known to hold, so that an equal payload calls nobody. Null while an outcome is
-- unknown: it is cleared when a row is claimed and written back with the outcome.
ALTER TABLE crm_ledger ADD COLUMN sent_hash bytea;
-- Whether a request about this lead ever went out, whatever came of it. Rows of before count so.
ALTER TABLE crm_ledger ADD COLUMN attempted boolean NOT NULL DEFAULT true;
ALTER TABLE crm_ledger ALTER COLUMN attempted SET DEFAULT false;
-- When the row last became due: how long a CRM has been out of step.
ALTER TABLE crm_ledger ADD COLUMN due_since timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN crm_ledger.priority IS
    '0 a state that a person waits for, 1 what a person did, 2 what time did, 3 a replay';

-- What is parked, dead or failing, for `leadstream crm status`.
CREATE INDEX crm_ledger_trouble ON crm_ledger (crm, state) WHERE last_error IS NOT NULL;
