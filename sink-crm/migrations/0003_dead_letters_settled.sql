-- Dead letters that `leadstream dead-letters` redrove or discarded. The topics keep them; here it
-- stands that they need nobody any more.
CREATE TABLE dead_letters_settled (
    topic      text        NOT NULL,
    partition  integer     NOT NULL,
    "offset"   bigint      NOT NULL,
    action     text        NOT NULL CHECK (action IN ('redriven', 'discarded')),
    settled_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition, "offset")
);
