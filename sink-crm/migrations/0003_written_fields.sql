-- What sales wrote stays: a field with a write rule is written only where its rule allows it.

ALTER TABLE crm_ledger ADD COLUMN written_fields bytea;

COMMENT ON COLUMN crm_ledger.written_fields IS
    'What was decided last about each field that is not written whatever the CRM has: hashes of the '
    'field and of the value, and whether it was written. Null: nothing is remembered';
