//! Checks what PostgreSQL holds at rest.

use std::collections::HashMap;

use anyhow::{Context, ensure};
use leadstream_harness::Site;
use leadstream_processor::flow::Conversation;
use leadstream_processor::flow::MERGED;
use leadstream_processor::lead::Lead as Stored;
use leadstream_schemas::Revision;
use sqlx::Row as _;

use super::Oracle;

pub(super) struct Row {
    state: String,
    score: i32,
    data: serde_json::Value,
    is_completed: bool,
    revision: i64,
    stored: Stored,
}

impl Row {
    fn is(&self, conversation: &Conversation) -> anyhow::Result<()> {
        ensure!(self.state == conversation.state, "state {}", self.state);
        ensure!(self.score == conversation.score, "score {}", self.score);
        ensure!(self.is_completed == conversation.is_completed, "completion");
        let data = serde_json::Value::Object(conversation.data.clone());
        ensure!(self.data == data, "data {}", self.data);
        let stored = self.stored.journal.conversation();
        ensure!(stored == Some(conversation), "the engine's own state");
        Ok(())
    }
}

impl Oracle {
    pub(super) async fn rows(&mut self, site: &Site<'_>) -> anyhow::Result<()> {
        let mut rows = read(site).await?;
        for (key, lead) in &self.leads {
            let found = rows.remove(key);
            let wanted = lead.conversation();
            let (Some(row), Some(conversation)) = (&found, wanted) else {
                ensure!(found.is_none() && wanted.is_none(), "lead {key} has no row");
                continue;
            };
            row.is(conversation)
                .with_context(|| format!("lead {key}"))?;
            ensure!(
                row.revision == i64::try_from(lead.events.len())?,
                "lead {key} has revision {}, not {}",
                row.revision,
                lead.events.len()
            );
        }
        for (id, person) in &self.people {
            let theirs: Vec<Row> = person
                .keys
                .iter()
                .filter_map(|key| rows.remove(key))
                .collect();
            let (closed, open): (Vec<_>, Vec<_>) =
                theirs.into_iter().partition(|row| row.state == MERGED);
            self.counts.merged += closed.len();
            let [row] = open.as_slice() else {
                anyhow::bail!("person {id} has {} open leads", open.len());
            };
            let wanted = person.conversation(&self.flows)?;
            row.is(&wanted.context("a person without inputs")?)
                .with_context(|| format!("person {id}"))?;
        }
        ensure!(rows.is_empty(), "{} rows of nobody", rows.len());
        for table in ["lead_identities", "dedup_ids", "lead_reports"] {
            nobody_else(site, table).await?;
        }
        Ok(())
    }
}

/// Checks that no row of `table` belongs to an erased lead.
async fn nobody_else(site: &Site<'_>, table: &str) -> anyhow::Result<()> {
    let query =
        format!("SELECT count(*) FROM {table} WHERE lead_id NOT IN (SELECT lead_id FROM leads)");
    let rows: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
        .fetch_one(&site.database)
        .await?;
    ensure!(rows == 0, "{rows} rows of nobody in {table}");
    Ok(())
}

async fn read(site: &Site<'_>) -> anyhow::Result<HashMap<String, Row>> {
    let rows = sqlx::query(
        "SELECT lead_id, current_state, qualification_score, lead_data, is_completed, revision,
            serialized_state
         FROM leads",
    )
    .fetch_all(&site.database)
    .await?;
    rows.into_iter()
        .map(|row| {
            let revision = row.try_get("revision")?;
            let stored = Stored::from_bytes(row.try_get("serialized_state")?)?;
            ensure!(
                stored.revision == Revision::from_bigint(revision),
                "revisions of one lead differ"
            );
            let found = Row {
                state: row.try_get("current_state")?,
                score: row.try_get("qualification_score")?,
                data: row.try_get("lead_data")?,
                is_completed: row.try_get("is_completed")?,
                revision,
                stored,
            };
            Ok((row.try_get("lead_id")?, found))
        })
        .collect()
}
