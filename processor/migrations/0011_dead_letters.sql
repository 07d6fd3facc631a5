-- A partition that halted, because too many of its records went to dead letters, stays halted when
-- another processor takes it over. Null, where none did lately.
ALTER TABLE partition_offsets ADD COLUMN dead_letters JSONB;

COMMENT ON COLUMN partition_offsets.dead_letters IS 'Dead letters in a row, and records and dead letters of the present half of the window and of the one before; halted: until `leadstream dead-letters resume`';
