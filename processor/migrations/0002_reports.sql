-- Reports read a table of their own, brought up to date behind the commits: an index on a column
-- that every answer changes would cost each commit of the engine a third of its speed.
CREATE TABLE lead_reports (
    lead_id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    wa_id VARCHAR(20),
    flow_name TEXT NOT NULL,
    flow_version INT NOT NULL,
    current_state VARCHAR(50) NOT NULL,
    qualification_score INT NOT NULL,
    is_completed BOOLEAN NOT NULL,
    lead_data JSONB NOT NULL,
    first_interaction TIMESTAMPTZ NOT NULL,
    last_interaction TIMESTAMPTZ NOT NULL,
    revision BIGINT NOT NULL
);

COMMENT ON TABLE lead_reports IS 'Copy of lead_qualifications with indexes for reports, some seconds behind it';

INSERT INTO lead_reports
SELECT lead_id, account, wa_id, flow_name, flow_version, current_state, qualification_score,
    is_completed, lead_data, first_interaction, last_interaction, revision
FROM lead_qualifications;

CREATE INDEX lead_reports_state ON lead_reports
    (flow_name, flow_version, current_state, last_interaction);
CREATE INDEX lead_reports_score ON lead_reports (qualification_score, is_completed);
CREATE INDEX lead_reports_day ON lead_reports
    (((first_interaction AT TIME ZONE 'UTC')::date), is_completed);
-- Any field: WHERE lead_data @> '{"city": "Lisbon"}'.
CREATE INDEX lead_reports_data ON lead_reports USING gin (lead_data jsonb_path_ops);

-- Leads whose report is behind: one row for each commit of the engine.
CREATE TABLE report_changes (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lead_ids TEXT[] NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- The steps of published flows in the documents' order.
CREATE TABLE flow_steps (
    flow_name TEXT NOT NULL,
    flow_version INT NOT NULL,
    position INT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (flow_name, flow_version, position)
);

CREATE VIEW report_by_state AS
SELECT flow_name, flow_version, current_state, count(*) AS leads
FROM lead_reports
GROUP BY flow_name, flow_version, current_state;

CREATE VIEW report_by_score AS
SELECT qualification_score, count(*) AS leads, count(*) FILTER (WHERE is_completed) AS completed
FROM lead_reports
GROUP BY qualification_score;

CREATE VIEW report_by_day AS
SELECT (first_interaction AT TIME ZONE 'UTC')::date AS day, count(*) AS leads,
    count(*) FILTER (WHERE is_completed) AS completed
FROM lead_reports
GROUP BY (first_interaction AT TIME ZONE 'UTC')::date;

-- A lead has reached every step up to its own. Where a flow branches, steps beside its path count
-- as reached too.
CREATE VIEW report_funnel AS
SELECT s.flow_name, s.flow_version, s.position, s.state,
    coalesce(r.leads, 0) AS here,
    sum(coalesce(r.leads, 0)) OVER (
        PARTITION BY s.flow_name, s.flow_version ORDER BY s.position DESC) AS reached
FROM flow_steps s
LEFT JOIN report_by_state r ON r.flow_name = s.flow_name AND r.flow_version = s.flow_version
    AND r.current_state = s.state;
