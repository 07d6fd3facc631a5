-- Lists of leads, the latest first: of all, and of one state whatever its flow.

CREATE INDEX lead_reports_latest ON lead_reports (last_interaction, lead_id);
CREATE INDEX lead_reports_state_latest ON lead_reports (current_state, last_interaction, lead_id);
