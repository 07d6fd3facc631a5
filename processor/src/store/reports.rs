//! Updates the reports' table after the commits.

use super::{Store, StoreError, column};
use crate::flow::Flow;

impl Store {
    /// Updates the reports of `commits` recorded commits and returns the number of leads. Any
    /// number of processes may do so concurrently.
    pub(crate) async fn refresh_reports(&self, commits: i64) -> Result<u64, StoreError> {
        let query = sqlx::query(
            "WITH dequeued AS (
                 DELETE FROM report_refresh_queue WHERE id IN (
                     SELECT id FROM report_refresh_queue ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
                 RETURNING lead_ids
             ), changed AS (
                 SELECT DISTINCT unnest(lead_ids) AS lead_id FROM dequeued
             )
             INSERT INTO lead_reports AS r (lead_id, account, wa_id, flow_name, flow_version,
                 current_state, qualification_score, is_completed, lead_data, first_interaction,
                 last_interaction, revision, assignee, step)
             SELECT l.lead_id, l.account, l.wa_id, l.flow_name, l.flow_version, l.current_state,
                 l.qualification_score, l.is_completed, l.lead_data, l.first_interaction,
                 l.last_interaction, l.revision, l.assignee, l.step
             FROM changed JOIN leads l ON l.lead_id = changed.lead_id
             ORDER BY l.lead_id
             ON CONFLICT (lead_id) DO UPDATE SET account = excluded.account,
                 wa_id = excluded.wa_id, flow_name = excluded.flow_name,
                 flow_version = excluded.flow_version, current_state = excluded.current_state,
                 qualification_score = excluded.qualification_score,
                 is_completed = excluded.is_completed, lead_data = excluded.lead_data,
                 first_interaction = excluded.first_interaction,
                 last_interaction = excluded.last_interaction, revision = excluded.revision,
                 assignee = excluded.assignee, step = excluded.step
             WHERE r.revision <= excluded.revision",
        )
        .bind(commits);
        self.bounded(async { Ok(query.execute(&self.pool).await?.rows_affected()) })
            .await
    }

    /// Stores the steps of published flows for the funnel.
    pub(crate) async fn describe_flows<'a>(
        &self,
        flows: impl Iterator<Item = &'a Flow>,
    ) -> Result<(), StoreError> {
        let mut steps = Vec::new();
        for flow in flows {
            let reference = flow.reference();
            let version = i32::try_from(reference.version).unwrap_or(i32::MAX);
            for (position, state) in (0_i32..).zip(flow.states()) {
                steps.push((reference.name.clone(), version, position, state));
            }
        }
        let query = sqlx::query(
            "INSERT INTO report_flow_steps (flow_name, flow_version, position, state)
             SELECT * FROM unnest($1::text[], $2::int[], $3::int[], $4::text[])
             ON CONFLICT DO NOTHING",
        )
        .bind(column(&steps, |(name, ..)| name.clone()))
        .bind(column(&steps, |(_, version, ..)| *version))
        .bind(column(&steps, |(_, _, position, _)| *position))
        .bind(column(&steps, |(.., state)| *state));
        self.bounded(async {
            query.execute(&self.pool).await?;
            Ok(())
        })
        .await
    }
}
