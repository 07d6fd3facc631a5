-- A recovery that has begun and is not through: `leadstream recover` writes its rows first and
-- removes them last, and no processor works on a partition meanwhile.
CREATE TABLE recoveries (
    partition INT PRIMARY KEY,
    replies_from BIGINT NOT NULL,
    ends_at BIGINT NOT NULL
);

COMMENT ON COLUMN recoveries.replies_from IS 'Inputs before it were processed once: replies to them are held back';
COMMENT ON COLUMN recoveries.ends_at IS 'Where the log ended when the recovery began';
