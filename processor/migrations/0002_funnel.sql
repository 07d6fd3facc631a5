-- The funnel counts what leads did at each step, and where they are now.

-- A constant default, so no row is written again.
ALTER TABLE leads ADD COLUMN progress BYTEA NOT NULL DEFAULT '';
ALTER TABLE leads ADD COLUMN former_progress JSONB;

COMMENT ON COLUMN leads.progress IS 'What the lead did at each step of its flow version: one byte per step, in the order of the document. Bits: 1 reached, 2 answered, 4 retried';
COMMENT ON COLUMN leads.former_progress IS 'The same for versions that the lead followed before it restarted: flow_name, flow_version, and progress as hexadecimal digits. Null without any';

ALTER TABLE lead_reports ADD COLUMN progress BYTEA NOT NULL DEFAULT '';
ALTER TABLE lead_reports ADD COLUMN former_progress JSONB;
ALTER TABLE lead_reports ADD COLUMN refresh_id BIGINT NOT NULL DEFAULT 0;

COMMENT ON COLUMN lead_reports.progress IS 'What the lead did at each step of its flow version: one byte per step, in the order of report_flow_steps, from position 1 on. Bits: 1 reached, 2 answered, 4 retried';
COMMENT ON COLUMN lead_reports.former_progress IS 'The same for versions that the lead followed before it restarted: flow_name, flow_version, and progress as hexadecimal digits. Null without any';
COMMENT ON COLUMN lead_reports.refresh_id IS 'Entry of report_refresh_queue by which the row was refreshed last. A refresh by an earlier entry changes nothing';

-- With step and progress, so that the funnel reads the index only.
DROP INDEX lead_reports_state;
CREATE INDEX lead_reports_state ON lead_reports
    (flow_name, flow_version, current_state, last_interaction) INCLUDE (step, progress);
CREATE INDEX lead_reports_former_progress ON lead_reports (lead_id)
    WHERE former_progress IS NOT NULL;

ALTER TABLE report_flow_steps ADD COLUMN kind TEXT;

COMMENT ON COLUMN report_flow_steps.kind IS 'start, question, automatic (asks nothing) or end; null until a processor of version 0.2 starts';

-- Leads that are alike are counted first: then a few rows remain to compare with the steps.
CREATE OR REPLACE VIEW report_funnel (
    flow_name, flow_version, position, state, here, reached, cold, handed_over, opted_out, kind, answered,
    retried, open
) AS
WITH counted AS (
    SELECT flow_name, flow_version, current_state, coalesce(step, current_state) AS step, progress,
        count(*) AS leads
    FROM lead_reports
    WHERE current_state <> 'MERGED'
    GROUP BY flow_name, flow_version, current_state, step, progress
    UNION ALL
    SELECT f.flow_name, f.flow_version, NULL, NULL, decode(f.progress, 'hex'), count(*)
    FROM lead_reports r
    CROSS JOIN jsonb_to_recordset(r.former_progress)
        AS f (flow_name TEXT, flow_version INT, progress TEXT)
    WHERE r.former_progress IS NOT NULL AND r.current_state <> 'MERGED'
    GROUP BY f.flow_name, f.flow_version, f.progress
), compared AS (
    SELECT s.flow_name, s.flow_version, s.position, s.state, s.kind, c.leads, c.current_state,
        coalesce(c.step = s.state, FALSE) AS is_here,
        CASE
            WHEN s.position = 0 THEN 1
            WHEN s.position <= length(c.progress) THEN get_byte(c.progress, s.position - 1)
            ELSE 0
        END AS did
    FROM report_flow_steps s
    LEFT JOIN counted c ON c.flow_name = s.flow_name AND c.flow_version = s.flow_version
)
SELECT flow_name, flow_version, position, state,
    coalesce(sum(leads) FILTER (WHERE is_here), 0)::bigint,
    coalesce(sum(leads) FILTER (WHERE is_here OR did & 1 > 0), 0),
    coalesce(sum(leads) FILTER (WHERE is_here AND current_state = 'COLD'), 0)::bigint,
    coalesce(sum(leads) FILTER (WHERE is_here AND current_state = 'HUMAN_HANDOFF'), 0)::bigint,
    coalesce(sum(leads) FILTER (WHERE is_here AND current_state = 'OPTED_OUT'), 0)::bigint,
    kind,
    coalesce(sum(leads) FILTER (WHERE did & 2 > 0), 0)::bigint,
    coalesce(sum(leads) FILTER (WHERE did & 4 > 0), 0)::bigint,
    coalesce(sum(leads) FILTER (
        WHERE is_here AND current_state = state AND coalesce(kind NOT IN ('automatic', 'end'), TRUE)),
        0)::bigint
FROM compared
GROUP BY flow_name, flow_version, position, state, kind;

COMMENT ON VIEW report_funnel IS 'What leads did at each step of each flow version, and where they are now. A lead counts at most once in each number, also if it restarted. Merged and erased leads do not count';
COMMENT ON COLUMN report_funnel.flow_name IS 'Name of the flow';
COMMENT ON COLUMN report_funnel.flow_version IS 'Version of the flow';
COMMENT ON COLUMN report_funnel.position IS 'Place of the step in the document, from 0 (START) on';
COMMENT ON COLUMN report_funnel.state IS 'Name of the step';
COMMENT ON COLUMN report_funnel.here IS 'Count of leads at the step now: open, cold, handed_over and opted_out, or where nothing is asked';
COMMENT ON COLUMN report_funnel.reached IS 'Count of leads that ever came to the step; at START, of all leads that followed the version';
COMMENT ON COLUMN report_funnel.cold IS 'Count of leads that are COLD now and continue at the step';
COMMENT ON COLUMN report_funnel.handed_over IS 'Count of leads that a person has now and that continue at the step (HUMAN_HANDOFF)';
COMMENT ON COLUMN report_funnel.opted_out IS 'Count of leads that are OPTED_OUT now and continue at the step';
COMMENT ON COLUMN report_funnel.kind IS 'start, question, automatic (asks nothing) or end';
COMMENT ON COLUMN report_funnel.answered IS 'Count of leads that ever gave the step an accepted answer';
COMMENT ON COLUMN report_funnel.retried IS 'Count of leads that ever wrote to the step something else than an answer';
COMMENT ON COLUMN report_funnel.open IS 'Count of leads that the flow waits for at the step now';
