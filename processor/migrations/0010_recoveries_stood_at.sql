-- An interrupted recovery has to look for what was published since it began, not only since where
-- it stands by now.
ALTER TABLE recoveries ADD COLUMN stood_at BIGINT NOT NULL DEFAULT 0;

COMMENT ON COLUMN recoveries.stood_at IS 'Where PostgreSQL stood when the recovery began; 0, too, of one that an earlier version began';
