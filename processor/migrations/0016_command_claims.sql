-- What each command's id was given for first, so that it answers for no other lead.
CREATE TABLE command_claims (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    digest BYTEA NOT NULL,
    people BYTEA[] NOT NULL,
    claimed_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

COMMENT ON TABLE command_claims IS 'Written before the command goes to Kafka; kept as long as its outcome, and for the horizon of duplicates';
COMMENT ON COLUMN command_claims.digest IS 'SHA-256 of the content';
COMMENT ON COLUMN command_claims.people IS 'SHA-256 of the command''s id with each id of its lead: known when the lead is erased, too';

CREATE INDEX command_claims_age ON command_claims USING brin (claimed_at);
