-- People who were erased: a keyed hash of each of their ids, and up to when. What was sent until
-- then does not come back.
CREATE TABLE erasures (
    tombstone BYTEA PRIMARY KEY,
    erased_at TIMESTAMPTZ NOT NULL,
    revision BIGINT NOT NULL
);

COMMENT ON COLUMN erasures.revision IS 'The last one of the lead whose id it was, else 0: should the person write anew, events go on from there';

COMMENT ON COLUMN erasures.tombstone IS 'HMAC-SHA256 of the id within its account, under ERASURE_KEY';

-- The keys that tombstones were made with, by a hash that tells them apart: a processor without
-- one of them would let erased people come back, so it does not start.
CREATE TABLE erasure_keys (
    key_check BYTEA PRIMARY KEY,
    since TIMESTAMPTZ NOT NULL DEFAULT now()
);
