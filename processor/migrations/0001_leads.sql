-- For reports and people: the columns, names and defaults of the design; the engine adds what it
-- needs to find a row and to say where it stands.
CREATE TABLE lead_qualifications (
    id BIGSERIAL PRIMARY KEY,
    wa_id VARCHAR(20),
    current_state VARCHAR(50) NOT NULL DEFAULT 'START',
    qualification_score INT NOT NULL DEFAULT 0,
    lead_data JSONB NOT NULL DEFAULT '{}',
    last_interaction TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    is_completed BOOLEAN NOT NULL DEFAULT FALSE,
    lead_id TEXT NOT NULL,
    account TEXT NOT NULL DEFAULT '',
    user_id TEXT,
    lid TEXT,
    profile_name TEXT,
    platform TEXT NOT NULL,
    number TEXT NOT NULL,
    flow_name TEXT NOT NULL,
    flow_version INT NOT NULL,
    revision BIGINT NOT NULL,
    first_interaction TIMESTAMPTZ NOT NULL,
    CONSTRAINT lead_qualifications_lead_id_key UNIQUE (lead_id),
    CONSTRAINT lead_qualifications_wa_id_key UNIQUE (account, wa_id)
) WITH (fillfactor = 60);

COMMENT ON TABLE lead_qualifications IS 'One row per lead, for reports and people; written by the engine only';
COMMENT ON COLUMN lead_qualifications.wa_id IS 'WhatsApp id; null for a lead known by another id only';

-- The engine's: snapshot, journal and revision in one value. No index but the key, so that updates
-- stay on their page.
CREATE TABLE leads (
    lead_id TEXT PRIMARY KEY,
    revision BIGINT NOT NULL,
    body BYTEA NOT NULL
) WITH (fillfactor = 60);

COMMENT ON COLUMN leads.body IS 'Format version in the first byte, then MessagePack';

-- Every id that a lead is known under, its own first key included: two partitions that meet one
-- person at once collide here.
CREATE TABLE lead_identities (
    identity TEXT PRIMARY KEY,
    lead_id TEXT NOT NULL
);

COMMENT ON COLUMN lead_identities.identity IS 'The id, outside the default account <account>/<id>';

-- Ids of inputs that left their lead's journal, for the horizon of duplicates. What no day's
-- partition takes goes to the default one.
CREATE TABLE departed_inputs (
    day DATE NOT NULL,
    lead_id TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (day, lead_id, id)
) PARTITION BY RANGE (day);

CREATE TABLE departed_inputs_default PARTITION OF departed_inputs DEFAULT;

COMMENT ON COLUMN departed_inputs.day IS 'Day on which the input was sent, UTC: the same in every copy';

-- Where each partition of lead.inputs stands, and who owns it. The epoch rises with every
-- take-over; a commit that does not carry the newest one is refused.
CREATE TABLE partition_offsets (
    partition INT PRIMARY KEY,
    epoch BIGINT NOT NULL,
    owner UUID NOT NULL,
    next_offset BIGINT
) WITH (fillfactor = 50);

-- Records that are committed but not yet acknowledged by Kafka: one row per batch and partition.
CREATE TABLE outbox (
    partition INT NOT NULL,
    next_offset BIGINT NOT NULL,
    records BYTEA NOT NULL,
    PRIMARY KEY (partition, next_offset)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Published flow documents. A conversation whose first input is at or after `holds_from` follows
-- the version.
CREATE TABLE flows (
    name TEXT NOT NULL,
    version INT NOT NULL,
    document TEXT NOT NULL,
    holds_from TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (name, version)
);
