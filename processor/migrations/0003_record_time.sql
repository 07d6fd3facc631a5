-- How far each partition is in the time of its records: by it the ids that left their leads'
-- journals are kept for the horizon of duplicates, in a replay of old records as well.
ALTER TABLE partition_offsets ADD COLUMN record_time TIMESTAMPTZ;

COMMENT ON COLUMN partition_offsets.record_time IS 'Greatest time of receipt among the records that were processed';
