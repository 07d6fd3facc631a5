-- Where a comparison of a CRM with the ledger stands that has not come to its end.
CREATE TABLE crm_reconciliations (
    crm        text        PRIMARY KEY,
    -- The last lead that was compared, and how many were.
    after_lead text        NOT NULL,
    compared   bigint      NOT NULL,
    updated_at timestamptz NOT NULL
);
