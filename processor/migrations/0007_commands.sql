-- What became of people's commands, for those who wait for it; kept for the horizon of duplicates.
CREATE TABLE command_outcomes (
    id TEXT PRIMARY KEY,
    verb TEXT NOT NULL,
    digest BYTEA NOT NULL,
    lead_id TEXT,
    revision BIGINT,
    refusal TEXT,
    decided_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

COMMENT ON COLUMN command_outcomes.digest IS 'SHA-256 of the content: whether a command with the same id is the same';
COMMENT ON COLUMN command_outcomes.lead_id IS 'Null once the lead is erased, or where there was none';
COMMENT ON COLUMN command_outcomes.revision IS 'The lead''s revision after it; null for a refused one';
COMMENT ON COLUMN command_outcomes.refusal IS 'Why it did nothing; null for an applied one';

CREATE INDEX command_outcomes_lead ON command_outcomes (lead_id);
CREATE INDEX command_outcomes_age ON command_outcomes USING brin (decided_at);

-- Who of the business looks after a lead, and the step of the flow that it is at: also while it is
-- cold, with a person, or has opted out.
ALTER TABLE lead_qualifications ADD COLUMN assignee TEXT;
ALTER TABLE lead_qualifications ADD COLUMN step VARCHAR(50);
ALTER TABLE lead_reports ADD COLUMN assignee TEXT;
ALTER TABLE lead_reports ADD COLUMN step VARCHAR(50);

COMMENT ON COLUMN lead_qualifications.step IS 'The step to go on from in COLD, HUMAN_HANDOFF and OPTED_OUT; else current_state. Null until a lead of before changes';

CREATE INDEX lead_reports_assignee ON lead_reports (assignee, last_interaction) WHERE assignee IS NOT NULL;

-- So that the funnel needs no more than the index.
DROP INDEX lead_reports_state;
CREATE INDEX lead_reports_state ON lead_reports
    (flow_name, flow_version, current_state, last_interaction) INCLUDE (step);

-- A lead has reached every step up to its own, whether it is there still, or left it for COLD,
-- HUMAN_HANDOFF or OPTED_OUT. Where a flow branches, steps beside its path count as reached too.
CREATE OR REPLACE VIEW report_funnel AS
SELECT s.flow_name, s.flow_version, s.position, s.state,
    coalesce(r.leads, 0) AS here,
    sum(coalesce(r.leads, 0)) OVER (
        PARTITION BY s.flow_name, s.flow_version ORDER BY s.position DESC) AS reached,
    coalesce(r.cold, 0) AS cold,
    coalesce(r.handed_over, 0) AS handed_over,
    coalesce(r.opted_out, 0) AS opted_out
FROM flow_steps s
LEFT JOIN (
    SELECT flow_name, flow_version, coalesce(step, current_state) AS step,
        sum(leads)::bigint AS leads,
        (sum(leads) FILTER (WHERE current_state = 'COLD'))::bigint AS cold,
        (sum(leads) FILTER (WHERE current_state = 'HUMAN_HANDOFF'))::bigint AS handed_over,
        (sum(leads) FILTER (WHERE current_state = 'OPTED_OUT'))::bigint AS opted_out
    FROM (
        SELECT flow_name, flow_version, current_state, step, count(*) AS leads
        FROM lead_reports
        WHERE current_state <> 'MERGED'
        GROUP BY flow_name, flow_version, current_state, step
    ) apart
    GROUP BY flow_name, flow_version, coalesce(step, current_state)
) r ON r.flow_name = s.flow_name AND r.flow_version = s.flow_version AND r.step = s.state;
