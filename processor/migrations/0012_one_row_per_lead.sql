-- One row per lead: the engine's value stands beside the columns for people, so that a commit finds,
-- writes and logs one row where it did two. People read `lead_qualifications`, which has all but the
-- engine's column.
--
-- A processor of the version before cannot work beside it: that column has another name, so that each
-- of its statements errs, and it waits where it stands until it is replaced.

-- In the order in which that version's statements name them.
LOCK TABLE leads, lead_qualifications IN ACCESS EXCLUSIVE MODE;

ALTER TABLE lead_qualifications ADD COLUMN engine BYTEA;

UPDATE lead_qualifications q SET engine = l.body FROM leads l WHERE l.lead_id = q.lead_id;

ALTER TABLE lead_qualifications ALTER COLUMN engine SET NOT NULL;

DROP TABLE leads; -- contract: the version before errs and waits, see above
ALTER TABLE lead_qualifications RENAME TO leads; -- contract: as above
ALTER TABLE leads RENAME CONSTRAINT lead_qualifications_pkey TO leads_pkey;
ALTER TABLE leads RENAME CONSTRAINT lead_qualifications_lead_id_key TO leads_lead_id_key;
ALTER TABLE leads RENAME CONSTRAINT lead_qualifications_wa_id_key TO leads_wa_id_key;
ALTER SEQUENCE lead_qualifications_id_seq RENAME TO leads_id_seq; -- contract: only its default names it

COMMENT ON TABLE leads IS 'One row per lead; written by the engine only. No further index on what changes, so that updates stay on their page';
COMMENT ON COLUMN leads.engine IS 'Snapshot, journal and revision: format version in the first byte, then MessagePack';

CREATE VIEW lead_qualifications AS
SELECT id, wa_id, current_state, qualification_score, lead_data, last_interaction, is_completed,
    lead_id, account, user_id, lid, profile_name, platform, number, flow_name, flow_version, revision,
    first_interaction, assignee, step
FROM leads;

COMMENT ON VIEW lead_qualifications IS 'One row per lead, for reports and people';
