-- One entry for each lead that time may change, under its home partition: the processor that has the
-- partition looks for those that are due. An entry may be earlier than its lead's timer, never later.
CREATE TABLE lead_timers (
    lead_id TEXT PRIMARY KEY,
    partition INT NOT NULL,
    due TIMESTAMPTZ NOT NULL
);

CREATE INDEX lead_timers_due ON lead_timers (partition, due);

-- Leads from before this table are entered behind the engine, in the order of their ids, once every
-- partition has an owner that enters its own.
CREATE TABLE timer_fill (
    only_row BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    after_lead TEXT NOT NULL DEFAULT '',
    done BOOLEAN NOT NULL DEFAULT FALSE
);

INSERT INTO timer_fill DEFAULT VALUES;

ALTER TABLE partition_offsets
    ADD COLUMN timers_by UUID,
    ADD COLUMN sweep BIGINT NOT NULL DEFAULT 0;

COMMENT ON COLUMN partition_offsets.sweep IS 'Counts what time did, which moves no offset: a commit has to find both';
COMMENT ON COLUMN partition_offsets.timers_by IS 'The owner, where it enters timers; another id: an owner of a version that does not';

-- What time does is committed where the partition stands, so its rows need more than the offset to
-- tell them apart.
ALTER TABLE outbox ADD COLUMN sweep BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox DROP CONSTRAINT outbox_pkey, ADD PRIMARY KEY (partition, next_offset, sweep);

COMMENT ON COLUMN outbox.sweep IS '0: a batch of inputs; else partition_offsets.sweep after it';
