-- The age of the oldest row tells how long Kafka has not taken records.

ALTER TABLE outbox ADD COLUMN committed_at TIMESTAMPTZ NOT NULL DEFAULT now();

COMMENT ON COLUMN outbox.committed_at IS 'When the row was committed, for the age that the metrics show';
