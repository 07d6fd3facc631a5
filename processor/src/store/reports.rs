//! Updates the reports' table after the commits, and reads the funnel.

use leadstream_schemas::FlowRef;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Store, StoreError, column, unsigned};
use crate::flow::Flow;

/// A step of a version in the funnel: a row of `report_funnel`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunnelStep {
    pub flow: FlowRef,
    pub state: String,
    /// Leads that ever came to the step.
    pub reached: u64,
    /// Leads that ever gave the step an accepted answer.
    pub answered: u64,
    /// Leads that ever wrote to the step something else than an answer.
    pub retried: u64,
    /// Leads that the flow waits for at the step now.
    pub open: u64,
    /// Leads that are COLD now and continue at the step.
    pub cold: u64,
    /// Leads that a person has now and that continue at the step.
    pub handed_over: u64,
    /// Leads that are OPTED_OUT now and continue at the step.
    pub opted_out: u64,
}

impl Store {
    /// Updates the reports of `commits` recorded commits and returns the number of leads. Any
    /// number of processes may do so concurrently: a refresh overwrites nothing that a refresh of
    /// a later commit wrote.
    pub(crate) async fn refresh_reports(&self, commits: i64) -> Result<u64, StoreError> {
        let query = sqlx::query(
            "WITH dequeued AS (
                 DELETE FROM report_refresh_queue WHERE id IN (
                     SELECT id FROM report_refresh_queue ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
                 RETURNING id, lead_ids
             ), changed AS (
                 SELECT lead_id, max(id) AS refresh_id
                 FROM dequeued, unnest(lead_ids) AS lead_id GROUP BY lead_id
             )
             INSERT INTO lead_reports AS r (lead_id, account, wa_id, flow_name, flow_version,
                 current_state, qualification_score, is_completed, lead_data, first_interaction,
                 last_interaction, revision, assignee, step, progress, former_progress, refresh_id)
             SELECT l.lead_id, l.account, l.wa_id, l.flow_name, l.flow_version, l.current_state,
                 l.qualification_score, l.is_completed, l.lead_data, l.first_interaction,
                 l.last_interaction, l.revision, l.assignee, l.step, l.progress, l.former_progress,
                 changed.refresh_id
             FROM changed JOIN leads l ON l.lead_id = changed.lead_id
             ORDER BY l.lead_id
             ON CONFLICT (lead_id) DO UPDATE SET account = excluded.account,
                 wa_id = excluded.wa_id, flow_name = excluded.flow_name,
                 flow_version = excluded.flow_version, current_state = excluded.current_state,
                 qualification_score = excluded.qualification_score,
                 is_completed = excluded.is_completed, lead_data = excluded.lead_data,
                 first_interaction = excluded.first_interaction,
                 last_interaction = excluded.last_interaction, revision = excluded.revision,
                 assignee = excluded.assignee, step = excluded.step, progress = excluded.progress,
                 former_progress = excluded.former_progress, refresh_id = excluded.refresh_id
             WHERE r.refresh_id <= excluded.refresh_id",
        )
        .bind(commits);
        self.execute(query).await
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
            let states = flow.states().zip(flow.kinds());
            for (position, (state, kind)) in (0_i32..).zip(states) {
                steps.push((reference.name.clone(), version, position, state, kind));
            }
        }
        let query = sqlx::query(
            "INSERT INTO report_flow_steps AS s (flow_name, flow_version, position, state, kind)
             SELECT * FROM unnest($1::text[], $2::int[], $3::int[], $4::text[], $5::text[])
             ON CONFLICT (flow_name, flow_version, position) DO UPDATE SET kind = excluded.kind
             WHERE s.kind IS NULL",
        )
        .bind(column(&steps, |(name, ..)| name.clone()))
        .bind(column(&steps, |(_, version, ..)| *version))
        .bind(column(&steps, |(_, _, position, ..)| *position))
        .bind(column(&steps, |(.., state, _)| *state))
        .bind(column(&steps, |(.., kind)| *kind));
        self.bounded(async {
            query.execute(&self.pool).await?;
            Ok(())
        })
        .await
    }

    /// Returns the funnel of the flow `name`: the steps of each version that any lead followed, in
    /// the document's order.
    pub(crate) async fn funnel(&self, name: &str) -> Result<Vec<FunnelStep>, StoreError> {
        let query = sqlx::query(
            "SELECT flow_name, flow_version, state, reached::bigint AS reached, answered, retried,
                 open, cold, handed_over, opted_out
             FROM (SELECT *, max(reached) OVER (PARTITION BY flow_version) AS most
                   FROM report_funnel WHERE flow_name = $1) AS of_it
             WHERE most > 0 ORDER BY flow_version, position",
        )
        .bind(name);
        self.scanned_rows(query, funnel_step).await
    }
}

fn funnel_step(row: &PgRow) -> Result<FunnelStep, StoreError> {
    let count = |name: &str| -> Result<u64, sqlx::Error> { Ok(unsigned(row.try_get(name)?)) };
    Ok(FunnelStep {
        flow: FlowRef {
            name: row.try_get("flow_name")?,
            version: unsigned(row.try_get::<i32, _>("flow_version")?.into()),
        },
        state: row.try_get("state")?,
        reached: count("reached")?,
        answered: count("answered")?,
        retried: count("retried")?,
        open: count("open")?,
        cold: count("cold")?,
        handed_over: count("handed_over")?,
        opted_out: count("opted_out")?,
    })
}
