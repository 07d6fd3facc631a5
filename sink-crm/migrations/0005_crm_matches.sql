-- Whether a record that sales already had was looked for before the CRM got the lead, and taken
-- over: null until it was looked for.
ALTER TABLE crm_ledger ADD COLUMN matched text CHECK (matched IN ('none', 'adopted'));
