-- When time changes a lead next stands in the lead's own row: a new lead is one row and two entries of
-- indexes less, and a commit writes no table for timers.
--
-- A processor of the version before cannot work beside it: `lead_timers` is gone, so its commits err,
-- and it waits where it stands until it is replaced.

LOCK TABLE leads, lead_timers IN ACCESS EXCLUSIVE MODE;

ALTER TABLE leads ADD COLUMN home INT, ADD COLUMN due TIMESTAMPTZ;

UPDATE leads l SET home = t.partition, due = t.due FROM lead_timers t WHERE t.lead_id = l.lead_id;

DROP TABLE lead_timers; -- contract: the version before errs and waits, see above

CREATE INDEX leads_due ON leads (home, due) WHERE due IS NOT NULL;

COMMENT ON COLUMN leads.home IS 'The partition of the lead''s home key';
COMMENT ON COLUMN leads.due IS 'When the owner of its home looks at it, never later than time changes it next; null: time changes nothing. It changes seldom, for its index ends updates in place';
COMMENT ON TABLE leads IS 'One row per lead; written by the engine only. No further index on what changes with answers, so that updates stay on their page';
