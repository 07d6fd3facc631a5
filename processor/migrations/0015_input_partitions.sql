-- A lead lives on the partition of its key, which depends on how many partitions lead.inputs has. The
-- first processor records that count; a processor that finds another one halts before it folds.
CREATE TABLE input_partitions (
    is_only BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (is_only),
    count INT NOT NULL CHECK (count > 0)
);

COMMENT ON TABLE input_partitions IS 'One row: the partition count of lead.inputs by which leads are placed';
COMMENT ON COLUMN input_partitions.count IS 'Partitions of lead.inputs; `leadstream topics grow` changes it';
