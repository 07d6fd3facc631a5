-- The engine compresses what it writes there, faster and better than PostgreSQL would.
ALTER TABLE outbox ALTER COLUMN records SET STORAGE EXTERNAL;
