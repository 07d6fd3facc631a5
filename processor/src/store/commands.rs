//! What became of commands.

use chrono::{DateTime, Utc};
use leadstream_schemas::Timestamp;
use leadstream_schemas::topic::DUPLICATE_HORIZON;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Store, StoreError};
use crate::commanding::{Applied, CommandOutcome};

impl Store {
    pub(crate) async fn outcome(&self, id: &str) -> Result<Option<CommandOutcome>, StoreError> {
        let query = sqlx::query(
            "SELECT id, verb, digest, revision, refusal, decided_at FROM command_outcomes
             WHERE id = $1",
        )
        .bind(id);
        self.bounded(async {
            let row = query.fetch_optional(&self.pool).await?;
            row.as_ref().map(outcome).transpose()
        })
        .await
    }

    /// Of leads, the newest first.
    pub(crate) async fn outcomes_of(
        &self,
        lead_ids: &[String],
    ) -> Result<Vec<CommandOutcome>, StoreError> {
        let query = sqlx::query(
            "SELECT id, verb, digest, revision, refusal, decided_at FROM command_outcomes
             WHERE lead_id = ANY($1) ORDER BY decided_at DESC, id LIMIT 100",
        )
        .bind(lead_ids);
        self.rows(query, outcome).await
    }

    /// Drops outcomes that nobody waits for any more; how many.
    pub(crate) async fn drop_outcomes(&self) -> Result<u64, StoreError> {
        let query = sqlx::query(
            "DELETE FROM command_outcomes WHERE decided_at < now() - make_interval(secs => $1)",
        )
        .bind(DUPLICATE_HORIZON.as_secs_f64());
        self.bounded(async { Ok(query.execute(&self.pool).await?.rows_affected()) })
            .await
    }
}

fn outcome(row: &PgRow) -> Result<CommandOutcome, StoreError> {
    let reason: Option<String> = row.try_get("refusal")?;
    let decided_at: DateTime<Utc> = row.try_get("decided_at")?;
    Ok(CommandOutcome {
        id: row.try_get("id")?,
        command: row.try_get("verb")?,
        outcome: match reason {
            Some(_) => Applied::Refused,
            None => Applied::Applied,
        },
        revision: row.try_get("revision")?,
        reason,
        decided_at: Timestamp::from_millis(decided_at.timestamp_millis()),
        digest: row.try_get("digest")?,
    })
}
