//! Stores the outcomes and claims of commands.

use chrono::{DateTime, Utc};
use leadstream_schemas::Timestamp;
use leadstream_schemas::topic::DUPLICATE_HORIZON;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Store, StoreError};
use crate::engine::command::{Applied, Claim, CommandOutcome, KnownCommand};

/// One statement, so that all columns come from one snapshot.
const KNOWN: &str = "
SELECT o.id, o.verb, o.digest, o.revision, o.refusal, o.decided_at, o.lead_id, l.account AS lead_account,
    c.account, c.digest AS claimed, c.people
FROM (SELECT $1::text AS id) a
LEFT JOIN command_outcomes o ON o.id = a.id
LEFT JOIN command_claims c ON c.id = a.id
LEFT JOIN leads l ON l.lead_id = o.lead_id";

/// Of several concurrent claims, one is written. The others wait for it and return it.
const CLAIM: &str = "
INSERT INTO command_claims AS c (id, account, digest, people) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE SET account = c.account
RETURNING account, digest AS claimed, people";

impl Store {
    /// Returns what is known of a command's id.
    pub(crate) async fn known(&self, id: &str) -> Result<KnownCommand, StoreError> {
        let query = sqlx::query(KNOWN).bind(id);
        self.bounded(async {
            let row = query.fetch_one(&self.pool).await?;
            let is_claimed = row.try_get::<Option<String>, _>("account")?.is_some();
            let is_decided = row.try_get::<Option<String>, _>("id")?.is_some();
            Ok(KnownCommand {
                claim: is_claimed.then(|| claim(&row)).transpose()?,
                outcome: is_decided.then(|| outcome(&row)).transpose()?,
                account: row.try_get("lead_account")?,
            })
        })
        .await
    }

    /// Claims a command's id. Returns the valid claim, which is an earlier one if it exists.
    pub(crate) async fn claim(&self, id: &str, asked: &Claim) -> Result<Claim, StoreError> {
        let query = sqlx::query(CLAIM)
            .bind(id)
            .bind(&asked.account)
            .bind(&asked.digest)
            .bind(&asked.people);
        self.bounded(async { claim(&query.fetch_one(&self.pool).await?) })
            .await
    }

    /// Returns the newest 100 command outcomes of the leads, newest first.
    pub(crate) async fn outcomes_of(
        &self,
        lead_ids: &[String],
    ) -> Result<Vec<CommandOutcome>, StoreError> {
        let query = sqlx::query(
            "SELECT id, verb, digest, revision, refusal, decided_at, lead_id FROM command_outcomes
             WHERE lead_id = ANY($1) ORDER BY decided_at DESC, id LIMIT 100",
        )
        .bind(lead_ids);
        self.rows(query, outcome).await
    }

    /// Deletes outcomes that nobody waits for any more, and claims whose command cannot be
    /// repeated.
    pub(crate) async fn drop_outcomes(&self) -> Result<(), StoreError> {
        let statements = [
            "DELETE FROM command_outcomes WHERE decided_at < now() - make_interval(secs => $1)",
            "DELETE FROM command_claims c WHERE claimed_at < now() - make_interval(secs => $1)
                AND NOT EXISTS (SELECT FROM command_outcomes o WHERE o.id = c.id)",
        ];
        for statement in statements {
            let query = sqlx::query(statement).bind(DUPLICATE_HORIZON.as_secs_f64());
            self.bounded(async { Ok(query.execute(&self.pool).await?) })
                .await?;
        }
        Ok(())
    }
}

fn claim(row: &PgRow) -> Result<Claim, StoreError> {
    Ok(Claim {
        account: row.try_get("account")?,
        digest: row.try_get("claimed")?,
        people: row.try_get("people")?,
    })
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
        lead_id: row.try_get("lead_id")?,
    })
}
