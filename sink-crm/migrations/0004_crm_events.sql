-- Events that a receiver gets one by one: each is kept until it is delivered. The newest revision
-- that was ever queued stands in crm_ledger, so that a record which Kafka gives again is not.
CREATE TABLE crm_events (
    crm              text        NOT NULL,
    lead_id          text        NOT NULL,
    wanted_revision  bigint      NOT NULL,
    wanted           bytea       NOT NULL,
    wanted_key       bytea       NOT NULL,
    wanted_partition integer     NOT NULL,
    wanted_offset    bigint      NOT NULL,
    wanted_trace     text,
    priority         smallint    NOT NULL,
    attempts         integer     NOT NULL DEFAULT 0,
    next_attempt_at  timestamptz NOT NULL,
    lease_token      uuid,
    leased_until     timestamptz,
    last_error       text,
    due_since        timestamptz NOT NULL,
    PRIMARY KEY (crm, lead_id, wanted_revision)
) WITH (fillfactor = 70);

CREATE INDEX crm_events_due ON crm_events (crm, priority, next_attempt_at);
