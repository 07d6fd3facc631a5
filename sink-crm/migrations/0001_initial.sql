-- What each CRM should have of each lead, and what it has. An outage of any length costs rows, not
-- memory.

CREATE TABLE crm_ledger (
    crm               text        NOT NULL,
    lead_id           text        NOT NULL,
    desired_revision  bigint      NOT NULL,
    desired_value     bytea       NOT NULL,
    desired_key       bytea       NOT NULL,
    desired_partition integer     NOT NULL,
    desired_offset    bigint      NOT NULL,
    desired_trace     text,
    priority          smallint    NOT NULL,
    synced_revision   bigint      NOT NULL DEFAULT 0,
    synced_hash       bytea,
    crm_record_id     text,
    match_result      text        CHECK (match_result IN ('none', 'adopted')),
    state             text        NOT NULL CHECK (state IN ('due', 'synced', 'parked', 'dead')),
    attempted         boolean     NOT NULL DEFAULT false,
    attempts          integer     NOT NULL DEFAULT 0,
    next_attempt_at   timestamptz NOT NULL,
    lease_token       uuid,
    leased_until      timestamptz,
    last_error        text,
    due_since         timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL,
    PRIMARY KEY (crm, lead_id)
) WITH (fillfactor = 70);

CREATE INDEX crm_ledger_due ON crm_ledger (crm, priority, next_attempt_at) WHERE state = 'due';
-- For `leadstream crm status`.
CREATE INDEX crm_ledger_errors ON crm_ledger (crm, state) WHERE last_error IS NOT NULL;

COMMENT ON TABLE crm_ledger IS
    'The latest state of each lead that a CRM should have, and what it has. Of a CRM that gets every '
    'event (see crm_events), only the highest revisions';
COMMENT ON COLUMN crm_ledger.crm IS 'hubspot, salesforce or webhook';
COMMENT ON COLUMN crm_ledger.lead_id IS 'The lead';
COMMENT ON COLUMN crm_ledger.desired_revision IS 'The newest revision that the CRM should have';
COMMENT ON COLUMN crm_ledger.desired_value IS
    'The event of that revision: the value of its record in lead.events, unchanged';
COMMENT ON COLUMN crm_ledger.desired_key IS 'The key of that record';
COMMENT ON COLUMN crm_ledger.desired_partition IS 'The partition of that record';
COMMENT ON COLUMN crm_ledger.desired_offset IS 'The offset of that record';
COMMENT ON COLUMN crm_ledger.desired_trace IS 'The W3C trace context of that record';
COMMENT ON COLUMN crm_ledger.priority IS
    '0 a state that a person waits for, 1 an input of a person, 2 a timer, 3 a replay; the lowest goes first';
COMMENT ON COLUMN crm_ledger.synced_revision IS
    'The newest revision that the CRM is known to have; 0 for none';
COMMENT ON COLUMN crm_ledger.synced_hash IS
    'The hash of the payload that the CRM is known to have; null while that is unknown. A claim '
    'clears it, and a known outcome writes it back. An equal payload is not sent';
COMMENT ON COLUMN crm_ledger.crm_record_id IS 'The CRM''s own id of the lead''s record, if known';
COMMENT ON COLUMN crm_ledger.match_result IS
    'Whether an existing record of the CRM was adopted for the lead; null before the search';
COMMENT ON COLUMN crm_ledger.state IS
    'due: to be sent. synced: the CRM has the desired revision, or the mapping filters the lead out '
    '(synced_revision is 0 then). parked: waits for a person. dead: given up, in the dead-letter topic';
COMMENT ON COLUMN crm_ledger.attempted IS
    'Whether a request about the lead ever went out, whatever its outcome';
COMMENT ON COLUMN crm_ledger.attempts IS 'Failed attempts since the last success';
COMMENT ON COLUMN crm_ledger.next_attempt_at IS 'A due row is not sent before this time';
COMMENT ON COLUMN crm_ledger.lease_token IS
    'The batch that may have a request about the lead in flight';
COMMENT ON COLUMN crm_ledger.leased_until IS 'The end of that lease';
COMMENT ON COLUMN crm_ledger.last_error IS
    'Why the last attempt failed, or why the row waits: codes and field names, never values';
COMMENT ON COLUMN crm_ledger.due_since IS 'When the row last became due';
COMMENT ON COLUMN crm_ledger.updated_at IS 'When the row last changed';

CREATE TABLE crm_events (
    crm             text        NOT NULL,
    lead_id         text        NOT NULL,
    revision        bigint      NOT NULL,
    event_value     bytea       NOT NULL,
    event_key       bytea       NOT NULL,
    event_partition integer     NOT NULL,
    event_offset    bigint      NOT NULL,
    event_trace     text,
    priority        smallint    NOT NULL,
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    lease_token     uuid,
    leased_until    timestamptz,
    last_error      text,
    due_since       timestamptz NOT NULL,
    PRIMARY KEY (crm, lead_id, revision)
) WITH (fillfactor = 70);

CREATE INDEX crm_events_due ON crm_events (crm, priority, next_attempt_at);

COMMENT ON TABLE crm_events IS
    'Events that a receiver gets one by one, in order per lead; a row is deleted when it is delivered. '
    'The highest queued revision is in crm_ledger, so that a redelivered record is not queued again';
COMMENT ON COLUMN crm_events.crm IS 'The receiver: webhook';
COMMENT ON COLUMN crm_events.lead_id IS 'The lead';
COMMENT ON COLUMN crm_events.revision IS 'The event''s revision';
COMMENT ON COLUMN crm_events.event_value IS 'The value of the event''s record in lead.events, unchanged';
COMMENT ON COLUMN crm_events.event_key IS 'The key of that record';
COMMENT ON COLUMN crm_events.event_partition IS 'The partition of that record';
COMMENT ON COLUMN crm_events.event_offset IS 'The offset of that record';
COMMENT ON COLUMN crm_events.event_trace IS 'The W3C trace context of that record';
COMMENT ON COLUMN crm_events.priority IS 'As in crm_ledger';
COMMENT ON COLUMN crm_events.attempts IS 'Failed attempts';
COMMENT ON COLUMN crm_events.next_attempt_at IS 'The event is not sent before this time';
COMMENT ON COLUMN crm_events.lease_token IS 'The batch that may have the event in flight';
COMMENT ON COLUMN crm_events.leased_until IS 'The end of that lease';
COMMENT ON COLUMN crm_events.last_error IS 'As in crm_ledger';
COMMENT ON COLUMN crm_events.due_since IS 'When the event was queued';

CREATE TABLE crm_reconciliations (
    crm            text        PRIMARY KEY,
    last_lead_id   text        NOT NULL,
    leads_compared bigint      NOT NULL,
    updated_at     timestamptz NOT NULL
);

COMMENT ON TABLE crm_reconciliations IS
    'The progress of `leadstream crm reconcile` for each CRM whose comparison has not finished';
COMMENT ON COLUMN crm_reconciliations.crm IS 'hubspot or salesforce';
COMMENT ON COLUMN crm_reconciliations.last_lead_id IS 'The last lead that was compared';
COMMENT ON COLUMN crm_reconciliations.leads_compared IS 'The number of leads that were compared';
COMMENT ON COLUMN crm_reconciliations.updated_at IS 'When the last batch was compared';

CREATE TABLE resolved_dead_letters (
    topic       text        NOT NULL,
    partition   integer     NOT NULL,
    "offset"    bigint      NOT NULL,
    action      text        NOT NULL CHECK (action IN ('redriven', 'discarded')),
    resolved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition, "offset")
);

COMMENT ON TABLE resolved_dead_letters IS
    'Dead letters of any topic that need no further action; the topics keep the records';
COMMENT ON COLUMN resolved_dead_letters.topic IS 'The dead-letter topic';
COMMENT ON COLUMN resolved_dead_letters.partition IS 'The dead letter''s partition';
COMMENT ON COLUMN resolved_dead_letters."offset" IS 'The dead letter''s offset';
COMMENT ON COLUMN resolved_dead_letters.action IS
    'What `leadstream dead-letters` did: redriven or discarded';
COMMENT ON COLUMN resolved_dead_letters.resolved_at IS 'When it was done';
