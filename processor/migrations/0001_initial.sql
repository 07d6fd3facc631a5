-- The processor's tables. Reports and people read the views lead_qualifications and report_*; every
-- other table belongs to the processor. Times are UTC. An account is a group of business numbers that
-- share leads; the default account has an empty name.

-- ── Leads ──────────────────────────────────────────────────────────────────────────────────────────

-- Besides the keys only the timer has an index, so that most updates are heap-only (HOT).
CREATE TABLE leads (
    id BIGSERIAL PRIMARY KEY,
    wa_id VARCHAR(20),
    current_state VARCHAR(50) NOT NULL DEFAULT 'START',
    qualification_score INT NOT NULL DEFAULT 0,
    lead_data JSONB NOT NULL DEFAULT '{}',
    last_interaction TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    is_completed BOOLEAN NOT NULL DEFAULT FALSE,
    lead_id TEXT NOT NULL,
    account TEXT NOT NULL DEFAULT '',
    user_id TEXT,
    lid TEXT,
    profile_name TEXT,
    platform TEXT NOT NULL,
    number TEXT NOT NULL,
    flow_name TEXT NOT NULL,
    flow_version INT NOT NULL,
    step VARCHAR(50),
    assignee TEXT,
    first_interaction TIMESTAMPTZ NOT NULL,
    revision BIGINT NOT NULL,
    serialized_state BYTEA NOT NULL,
    home_partition INT NOT NULL,
    timer_due_at TIMESTAMPTZ,
    CONSTRAINT leads_lead_id_key UNIQUE (lead_id),
    CONSTRAINT leads_wa_id_key UNIQUE (account, wa_id)
) WITH (fillfactor = 60);

CREATE INDEX leads_timer_due_at ON leads (home_partition, timer_due_at)
    WHERE timer_due_at IS NOT NULL;

COMMENT ON TABLE leads IS 'One row per lead. Only the owner of the lead''s home partition writes it';
COMMENT ON COLUMN leads.id IS 'Number of the row, in the order of creation';
COMMENT ON COLUMN leads.wa_id IS 'WhatsApp id, the digits of a phone number; null for a lead that is known by another id only';
COMMENT ON COLUMN leads.current_state IS 'Step of the flow, or one of START, COLD, HUMAN_HANDOFF, OPTED_OUT and MERGED';
COMMENT ON COLUMN leads.qualification_score IS 'Points that the lead''s answers have in its flow';
COMMENT ON COLUMN leads.lead_data IS 'Answers by field of the flow';
COMMENT ON COLUMN leads.last_interaction IS 'When the newest message of the lead was sent';
COMMENT ON COLUMN leads.is_completed IS 'Whether the conversation reached an end of its flow';
COMMENT ON COLUMN leads.lead_id IS 'Key under which the lead was first seen; outside the default account <account>/<key>';
COMMENT ON COLUMN leads.account IS 'Account of the lead''s business number (ACCOUNTS); empty for the default one';
COMMENT ON COLUMN leads.user_id IS 'Business-scoped user id (BSUID) of the Cloud API';
COMMENT ON COLUMN leads.lid IS 'Linked id (LID) of WhatsApp';
COMMENT ON COLUMN leads.profile_name IS 'Name in the WhatsApp profile, as last seen';
COMMENT ON COLUMN leads.platform IS 'Provider through which the lead wrote last: whatsapp_cloud or wasender';
COMMENT ON COLUMN leads.number IS 'Business number to which the lead wrote last: phone number id or WASenderApi session';
COMMENT ON COLUMN leads.flow_name IS 'Flow that the conversation follows';
COMMENT ON COLUMN leads.flow_version IS 'Version of the flow, chosen by the first message and then kept';
COMMENT ON COLUMN leads.step IS 'Step of the flow at which the conversation is; in COLD, HUMAN_HANDOFF and OPTED_OUT the step at which it resumes';
COMMENT ON COLUMN leads.assignee IS 'Sales representative to whom the lead is assigned';
COMMENT ON COLUMN leads.first_interaction IS 'When the first message of the lead was sent';
COMMENT ON COLUMN leads.revision IS 'Count of the lead''s events. A commit has to find the revision that it read';
COMMENT ON COLUMN leads.serialized_state IS 'Journal, snapshot and identities: format version in the first byte, then MessagePack';
COMMENT ON COLUMN leads.home_partition IS 'Partition of lead.inputs to which the key in lead_id belongs. After the topic grew, rows without a timer follow at their next commit';
COMMENT ON COLUMN leads.timer_due_at IS 'When the owner of the home partition checks the lead''s timers: never later than the next one is due, and sometimes earlier. Null without a timer. It changes seldom, because its index ends HOT updates';

CREATE VIEW lead_qualifications (
    id, wa_id, current_state, qualification_score, lead_data, last_interaction, is_completed, lead_id,
    account, user_id, lid, profile_name, platform, number, flow_name, flow_version, revision,
    first_interaction, assignee, step
) AS
SELECT id, wa_id, current_state, qualification_score, lead_data, last_interaction, is_completed, lead_id,
    account, user_id, lid, profile_name, platform, number, flow_name, flow_version, revision,
    first_interaction, assignee, step
FROM leads;

COMMENT ON VIEW lead_qualifications IS 'One row per lead, as of the last commit, for people and programs';
COMMENT ON COLUMN lead_qualifications.id IS 'Number of the row, in the order of creation';
COMMENT ON COLUMN lead_qualifications.wa_id IS 'WhatsApp id, the digits of a phone number; null for a lead that is known by another id only';
COMMENT ON COLUMN lead_qualifications.current_state IS 'Step of the flow, or one of START, COLD, HUMAN_HANDOFF, OPTED_OUT and MERGED';
COMMENT ON COLUMN lead_qualifications.qualification_score IS 'Points that the lead''s answers have in its flow';
COMMENT ON COLUMN lead_qualifications.lead_data IS 'Answers by field of the flow';
COMMENT ON COLUMN lead_qualifications.last_interaction IS 'When the newest message of the lead was sent';
COMMENT ON COLUMN lead_qualifications.is_completed IS 'Whether the conversation reached an end of its flow';
COMMENT ON COLUMN lead_qualifications.lead_id IS 'Key under which the lead was first seen; outside the default account <account>/<key>';
COMMENT ON COLUMN lead_qualifications.account IS 'Account of the lead''s business number; empty for the default one';
COMMENT ON COLUMN lead_qualifications.user_id IS 'Business-scoped user id (BSUID) of the Cloud API';
COMMENT ON COLUMN lead_qualifications.lid IS 'Linked id (LID) of WhatsApp';
COMMENT ON COLUMN lead_qualifications.profile_name IS 'Name in the WhatsApp profile, as last seen';
COMMENT ON COLUMN lead_qualifications.platform IS 'Provider through which the lead wrote last: whatsapp_cloud or wasender';
COMMENT ON COLUMN lead_qualifications.number IS 'Business number to which the lead wrote last: phone number id or WASenderApi session';
COMMENT ON COLUMN lead_qualifications.flow_name IS 'Flow that the conversation follows';
COMMENT ON COLUMN lead_qualifications.flow_version IS 'Version of the flow, chosen by the first message and then kept';
COMMENT ON COLUMN lead_qualifications.revision IS 'Count of the lead''s events';
COMMENT ON COLUMN lead_qualifications.first_interaction IS 'When the first message of the lead was sent';
COMMENT ON COLUMN lead_qualifications.assignee IS 'Sales representative to whom the lead is assigned';
COMMENT ON COLUMN lead_qualifications.step IS 'Step of the flow at which the conversation is; in COLD, HUMAN_HANDOFF and OPTED_OUT the step at which it resumes';

-- The primary key makes two partitions that see one person at once collide.
CREATE TABLE lead_identities (
    identity TEXT PRIMARY KEY,
    lead_id TEXT NOT NULL
);

COMMENT ON TABLE lead_identities IS 'Every id under which a lead is known, its first key included';
COMMENT ON COLUMN lead_identities.identity IS 'WhatsApp id, user id or LID; outside the default account <account>/<id>';
COMMENT ON COLUMN lead_identities.lead_id IS 'Lead that has the id (leads.lead_id)';

-- Ids of a day that has no partition go to the default partition.
CREATE TABLE dedup_ids (
    day DATE NOT NULL,
    lead_id TEXT NOT NULL,
    input_id TEXT NOT NULL,
    PRIMARY KEY (day, lead_id, input_id)
) PARTITION BY RANGE (day);

CREATE TABLE dedup_ids_default PARTITION OF dedup_ids DEFAULT;

COMMENT ON TABLE dedup_ids IS 'Ids of inputs that were evicted from their lead''s journal, kept as long as a duplicate can arrive. One partition per day';
COMMENT ON COLUMN dedup_ids.day IS 'Day on which the input was sent, UTC: the same in every duplicate';
COMMENT ON COLUMN dedup_ids.lead_id IS 'Lead from whose journal the input was evicted';
COMMENT ON COLUMN dedup_ids.input_id IS 'Id of the record of lead.inputs: the provider''s message id, or a command''s id';

-- ── Partitions of lead.inputs ──────────────────────────────────────────────────────────────────────

CREATE TABLE input_partitions (
    is_only BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (is_only),
    count INT NOT NULL CHECK (count > 0)
);

COMMENT ON TABLE input_partitions IS 'One row: the partition count by which leads are placed. The first processor records it; a processor that finds another count halts';
COMMENT ON COLUMN input_partitions.is_only IS 'Always true: allows one row only';
COMMENT ON COLUMN input_partitions.count IS 'Partitions of lead.inputs; `leadstream topics grow` changes it';

CREATE TABLE partition_offsets (
    partition INT PRIMARY KEY,
    epoch BIGINT NOT NULL,
    owner UUID NOT NULL,
    next_offset BIGINT,
    timer_commits BIGINT NOT NULL DEFAULT 0,
    max_received_at TIMESTAMPTZ,
    poison_limit_state JSONB
) WITH (fillfactor = 50);

COMMENT ON TABLE partition_offsets IS 'Position and owner of each partition of lead.inputs: the fence of every commit';
COMMENT ON COLUMN partition_offsets.partition IS 'Partition of lead.inputs';
COMMENT ON COLUMN partition_offsets.epoch IS 'Count of take-overs. A commit with an older epoch fails';
COMMENT ON COLUMN partition_offsets.owner IS 'Random id of the process that may commit';
COMMENT ON COLUMN partition_offsets.next_offset IS 'Offset of the first record that is not folded; null before the first start';
COMMENT ON COLUMN partition_offsets.timer_commits IS 'Count of timer commits, which move no offset: a commit has to find both values';
COMMENT ON COLUMN partition_offsets.max_received_at IS 'Latest received_at of the folded records, at most the time of the commit. The partition furthest behind decides which days of dedup_ids are dropped';
COMMENT ON COLUMN partition_offsets.poison_limit_state IS 'Recent dead letters: `run` in a row; [records, dead letters] of the `present` half of the window and of the one `before`; `halted` until `leadstream dead-letters resume`. Null without recent dead letters';

-- The processor compresses the records, so PostgreSQL must not try.
CREATE TABLE outbox (
    partition INT NOT NULL,
    next_offset BIGINT NOT NULL,
    timer_commit BIGINT NOT NULL DEFAULT 0,
    records BYTEA NOT NULL,
    PRIMARY KEY (partition, next_offset, timer_commit)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

ALTER TABLE outbox ALTER COLUMN records SET STORAGE EXTERNAL;

COMMENT ON TABLE outbox IS 'Records that are committed and not yet acknowledged by Kafka: one row per commit and partition';
COMMENT ON COLUMN outbox.partition IS 'Partition of lead.inputs whose owner publishes the row';
COMMENT ON COLUMN outbox.next_offset IS 'partition_offsets.next_offset after the commit';
COMMENT ON COLUMN outbox.timer_commit IS '0 for a batch of inputs; for a timer commit partition_offsets.timer_commits after it';
COMMENT ON COLUMN outbox.records IS 'Records with topic, key, value and headers, in the order of publication: format version in the first byte, then MessagePack in LZ4';

CREATE TABLE recoveries (
    partition INT PRIMARY KEY,
    start_offset BIGINT NOT NULL,
    suppress_replies_before BIGINT NOT NULL,
    end_offset BIGINT NOT NULL
);

COMMENT ON TABLE recoveries IS 'Recoveries that began and are not complete. `leadstream recover` deletes its rows at its end; until then no processor works on the partitions';
COMMENT ON COLUMN recoveries.partition IS 'Partition of lead.inputs';
COMMENT ON COLUMN recoveries.start_offset IS 'Committed offset in PostgreSQL when the recovery began';
COMMENT ON COLUMN recoveries.suppress_replies_before IS 'First offset whose replies are published; earlier inputs were processed before the loss';
COMMENT ON COLUMN recoveries.end_offset IS 'End of the log when the recovery began';

-- ── Commands ───────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE command_claims (
    command_id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    content_sha256 BYTEA NOT NULL,
    identity_hashes BYTEA[] NOT NULL,
    claimed_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE INDEX command_claims_age ON command_claims USING brin (claimed_at);

COMMENT ON TABLE command_claims IS 'First use of each command id, written before the command goes to Kafka, so that the id belongs to one lead and one content. Kept as long as the command''s result, and as long as a duplicate can arrive';
COMMENT ON COLUMN command_claims.command_id IS 'Id of the command: api:<token>:<Idempotency-Key>, or --id of the command line';
COMMENT ON COLUMN command_claims.account IS 'Account of the lead; empty for the default one';
COMMENT ON COLUMN command_claims.content_sha256 IS 'SHA-256 of the command''s content';
COMMENT ON COLUMN command_claims.identity_hashes IS 'SHA-256 of the command id with each id of the lead: recognizes a repeat after the lead is erased';
COMMENT ON COLUMN command_claims.claimed_at IS 'When the id was claimed, by PostgreSQL''s clock';

CREATE TABLE command_results (
    command_id TEXT PRIMARY KEY,
    command TEXT NOT NULL,
    content_sha256 BYTEA NOT NULL,
    lead_id TEXT,
    revision BIGINT,
    rejection TEXT,
    decided_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE INDEX command_results_lead ON command_results (lead_id);
CREATE INDEX command_results_age ON command_results USING brin (decided_at);

COMMENT ON TABLE command_results IS 'Results of commands, applied or rejected, kept as long as a duplicate can arrive';
COMMENT ON COLUMN command_results.command_id IS 'Id of the command';
COMMENT ON COLUMN command_results.command IS 'restart, release, assign, say or erase';
COMMENT ON COLUMN command_results.content_sha256 IS 'SHA-256 of the content: shows whether a command with the same id is the same';
COMMENT ON COLUMN command_results.lead_id IS 'Lead of the command; null if there was none, and once the lead is erased';
COMMENT ON COLUMN command_results.revision IS 'Revision of the lead after an applied command; null if rejected';
COMMENT ON COLUMN command_results.rejection IS 'Reason why the command was rejected; null if applied';
COMMENT ON COLUMN command_results.decided_at IS 'When the result was committed, by PostgreSQL''s clock';

-- ── Erasure ────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE erasures (
    tombstone BYTEA PRIMARY KEY,
    erased_at TIMESTAMPTZ NOT NULL,
    last_revision BIGINT NOT NULL
);

COMMENT ON TABLE erasures IS 'One row per id of each erased person. Inputs sent up to the erasure are dropped, so that no replay brings the person back';
COMMENT ON COLUMN erasures.tombstone IS 'HMAC-SHA256 of the id within its account, under ERASURE_KEY';
COMMENT ON COLUMN erasures.erased_at IS 'Inputs of the person that were sent up to this time are dropped';
COMMENT ON COLUMN erasures.last_revision IS 'Last revision of the lead whose lead_id the id was, else 0: the events of a new lead of the person continue after it';

CREATE TABLE tombstone_key_fingerprints (
    fingerprint BYTEA PRIMARY KEY,
    first_used_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

COMMENT ON TABLE tombstone_key_fingerprints IS 'Erasure keys that made tombstones. A processor without one of them does not start, because erased people could come back';
COMMENT ON COLUMN tombstone_key_fingerprints.fingerprint IS 'HMAC-SHA256 of a fixed text under the key: identifies the key and reveals nothing of it';
COMMENT ON COLUMN tombstone_key_fingerprints.first_used_at IS 'When the key made its first tombstone, by PostgreSQL''s clock';

-- ── Flows ──────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE flows (
    name TEXT NOT NULL,
    version INT NOT NULL,
    document TEXT NOT NULL,
    new_conversations_from TIMESTAMPTZ NOT NULL,
    new_conversations_until TIMESTAMPTZ,
    PRIMARY KEY (name, version)
);

COMMENT ON TABLE flows IS 'Published versions of flows. A conversation keeps the version with which it began';
COMMENT ON COLUMN flows.name IS 'Name of the flow';
COMMENT ON COLUMN flows.version IS 'Version of the flow; higher versions are newer';
COMMENT ON COLUMN flows.document IS 'Flow document, YAML or JSON, as it was published';
COMMENT ON COLUMN flows.new_conversations_from IS 'Conversations whose first input was sent at or after this time can begin with the version';
COMMENT ON COLUMN flows.new_conversations_until IS 'Conversations whose first input was sent at or after this time do not begin with the version, because it was withdrawn; else null';

-- ── Reports ────────────────────────────────────────────────────────────────────────────────────────

-- A table of its own: an index on columns that every answer changes would slow each commit.
CREATE TABLE lead_reports (
    lead_id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    wa_id VARCHAR(20),
    flow_name TEXT NOT NULL,
    flow_version INT NOT NULL,
    current_state VARCHAR(50) NOT NULL,
    step VARCHAR(50),
    qualification_score INT NOT NULL,
    is_completed BOOLEAN NOT NULL,
    lead_data JSONB NOT NULL,
    assignee TEXT,
    first_interaction TIMESTAMPTZ NOT NULL,
    last_interaction TIMESTAMPTZ NOT NULL,
    revision BIGINT NOT NULL
);

-- With the step, so that the funnel reads the index only.
CREATE INDEX lead_reports_state ON lead_reports
    (flow_name, flow_version, current_state, last_interaction) INCLUDE (step);
CREATE INDEX lead_reports_score ON lead_reports (qualification_score, is_completed);
CREATE INDEX lead_reports_day ON lead_reports
    (((first_interaction AT TIME ZONE 'UTC')::date), is_completed);
CREATE INDEX lead_reports_assignee ON lead_reports (assignee, last_interaction)
    WHERE assignee IS NOT NULL;
-- Any field: WHERE lead_data @> '{"city": "Lisbon"}'.
CREATE INDEX lead_reports_data ON lead_reports USING gin (lead_data jsonb_path_ops);

COMMENT ON TABLE lead_reports IS 'Copy of lead_qualifications with indexes for reports, refreshed some seconds after each commit';
COMMENT ON COLUMN lead_reports.lead_id IS 'As in lead_qualifications';
COMMENT ON COLUMN lead_reports.account IS 'As in lead_qualifications';
COMMENT ON COLUMN lead_reports.wa_id IS 'As in lead_qualifications';
COMMENT ON COLUMN lead_reports.flow_name IS 'As in lead_qualifications';
COMMENT ON COLUMN lead_reports.flow_version IS 'As in lead_qualifications';
COMMENT ON COLUMN lead_reports.current_state IS 'As in lead_qualifications';
COMMENT ON COLUMN lead_reports.step IS 'As in lead_qualifications';
COMMENT ON COLUMN lead_reports.qualification_score IS 'As in lead_qualifications';
COMMENT ON COLUMN lead_reports.is_completed IS 'As in lead_qualifications';
COMMENT ON COLUMN lead_reports.lead_data IS 'As in lead_qualifications';
COMMENT ON COLUMN lead_reports.assignee IS 'As in lead_qualifications';
COMMENT ON COLUMN lead_reports.first_interaction IS 'As in lead_qualifications';
COMMENT ON COLUMN lead_reports.last_interaction IS 'As in lead_qualifications';
COMMENT ON COLUMN lead_reports.revision IS 'Revision of the lead from which the row was copied';

CREATE TABLE report_refresh_queue (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lead_ids TEXT[] NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

COMMENT ON TABLE report_refresh_queue IS 'Leads whose row in lead_reports is outdated: one row per commit, deleted by the refresh';
COMMENT ON COLUMN report_refresh_queue.id IS 'Number of the row: rows are refreshed in this order';
COMMENT ON COLUMN report_refresh_queue.lead_ids IS 'Leads that the commit changed';

CREATE TABLE report_flow_steps (
    flow_name TEXT NOT NULL,
    flow_version INT NOT NULL,
    position INT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (flow_name, flow_version, position)
);

COMMENT ON TABLE report_flow_steps IS 'Steps of published flows, for the funnel';
COMMENT ON COLUMN report_flow_steps.flow_name IS 'Name of the flow';
COMMENT ON COLUMN report_flow_steps.flow_version IS 'Version of the flow';
COMMENT ON COLUMN report_flow_steps.position IS 'Place of the step in the document, from 0 (START) on';
COMMENT ON COLUMN report_flow_steps.state IS 'Name of the step';

CREATE VIEW report_by_state (flow_name, flow_version, current_state, leads) AS
SELECT flow_name, flow_version, current_state, count(*)
FROM lead_reports
GROUP BY flow_name, flow_version, current_state;

COMMENT ON VIEW report_by_state IS 'Leads by flow version and state';
COMMENT ON COLUMN report_by_state.flow_name IS 'Name of the flow';
COMMENT ON COLUMN report_by_state.flow_version IS 'Version of the flow';
COMMENT ON COLUMN report_by_state.current_state IS 'State of the leads';
COMMENT ON COLUMN report_by_state.leads IS 'Count of leads';

CREATE VIEW report_by_score (qualification_score, leads, completed) AS
SELECT qualification_score, count(*), count(*) FILTER (WHERE is_completed)
FROM lead_reports
GROUP BY qualification_score;

COMMENT ON VIEW report_by_score IS 'Leads by score';
COMMENT ON COLUMN report_by_score.qualification_score IS 'Score of the leads, in points';
COMMENT ON COLUMN report_by_score.leads IS 'Count of leads';
COMMENT ON COLUMN report_by_score.completed IS 'Count of those whose conversation is completed';

CREATE VIEW report_by_day (day, leads, completed) AS
SELECT (first_interaction AT TIME ZONE 'UTC')::date, count(*), count(*) FILTER (WHERE is_completed)
FROM lead_reports
GROUP BY (first_interaction AT TIME ZONE 'UTC')::date;

COMMENT ON VIEW report_by_day IS 'Leads by the day of their first message';
COMMENT ON COLUMN report_by_day.day IS 'Day of the first message, UTC';
COMMENT ON COLUMN report_by_day.leads IS 'Count of leads';
COMMENT ON COLUMN report_by_day.completed IS 'Count of those whose conversation is completed';

CREATE VIEW report_funnel (
    flow_name, flow_version, position, state, here, reached, cold, handed_over, opted_out
) AS
SELECT s.flow_name, s.flow_version, s.position, s.state,
    coalesce(r.leads, 0),
    sum(coalesce(r.leads, 0)) OVER (
        PARTITION BY s.flow_name, s.flow_version ORDER BY s.position DESC),
    coalesce(r.cold, 0),
    coalesce(r.handed_over, 0),
    coalesce(r.opted_out, 0)
FROM report_flow_steps s
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

COMMENT ON VIEW report_funnel IS 'How far leads got, by step. A lead counts as having reached every step up to its own, also steps beside its path where a flow branches';
COMMENT ON COLUMN report_funnel.flow_name IS 'Name of the flow';
COMMENT ON COLUMN report_funnel.flow_version IS 'Version of the flow';
COMMENT ON COLUMN report_funnel.position IS 'Place of the step in the document, from 0 (START) on';
COMMENT ON COLUMN report_funnel.state IS 'Name of the step';
COMMENT ON COLUMN report_funnel.here IS 'Count of leads at the step, also those that left it for COLD, HUMAN_HANDOFF or OPTED_OUT';
COMMENT ON COLUMN report_funnel.reached IS 'Count of leads at the step or a later one';
COMMENT ON COLUMN report_funnel.cold IS 'Count of leads that left the step for COLD';
COMMENT ON COLUMN report_funnel.handed_over IS 'Count of leads that left the step for HUMAN_HANDOFF';
COMMENT ON COLUMN report_funnel.opted_out IS 'Count of leads that left the step for OPTED_OUT';
