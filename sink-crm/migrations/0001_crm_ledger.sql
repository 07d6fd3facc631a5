-- What each CRM should have of each lead, and what it was sent. One row per CRM and lead, so an
-- outage of any length costs rows, not memory.
CREATE TABLE crm_ledger (
    crm              text        NOT NULL,
    lead_id          text        NOT NULL,
    -- The newest event, as the record came from Kafka: what is sent, and what a dead letter holds.
    wanted_revision  bigint      NOT NULL,
    wanted           bytea       NOT NULL,
    wanted_key       bytea       NOT NULL,
    wanted_partition integer     NOT NULL,
    wanted_offset    bigint      NOT NULL,
    wanted_trace     text,
    -- 0 what a person did, 1 what time did, 2 a replay.
    priority         smallint    NOT NULL,
    -- The newest revision that the CRM is known to have, 0 for none, and its own id of the record.
    sent_revision    bigint      NOT NULL DEFAULT 0,
    record_id        text,
    state            text        NOT NULL CHECK (state IN ('due', 'done', 'parked', 'dead')),
    -- Failed attempts since the last success.
    attempts         integer     NOT NULL DEFAULT 0,
    next_attempt_at  timestamptz NOT NULL,
    -- While leased, one worker may have a request about this lead in flight.
    lease_token      uuid,
    leased_until     timestamptz,
    -- Error codes and field names; never values.
    last_error       text,
    updated_at       timestamptz NOT NULL,
    PRIMARY KEY (crm, lead_id)
) WITH (fillfactor = 70);

CREATE INDEX crm_ledger_due ON crm_ledger (crm, priority, next_attempt_at) WHERE state = 'due';
