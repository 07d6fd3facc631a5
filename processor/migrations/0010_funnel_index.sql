-- The funnel by an index alone, as it was before leads that left their step counted at it.
DROP INDEX lead_reports_state;
CREATE INDEX lead_reports_state ON lead_reports
    (flow_name, flow_version, current_state, last_interaction) INCLUDE (step);

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
