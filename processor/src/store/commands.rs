//! Stores the results and claims of commands.

use chrono::{DateTime, Utc};
use leadstream_schemas::topic::DUPLICATE_HORIZON;
use leadstream_schemas::{InputId, LeadId, Revision, Timestamp};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Store, StoreError};
use crate::engine::command::{Claim, CommandResult, CommandStatus, KnownCommand};

/// One statement, so that all columns come from one snapshot.
const KNOWN: &str = "
SELECT r.command_id, r.command, r.content_sha256, r.revision, r.rejection, r.decided_at, r.lead_id,
    l.account AS lead_account, c.account, c.content_sha256 AS claimed, c.identity_hashes
FROM (SELECT $1::text AS command_id) a
LEFT JOIN command_results r ON r.command_id = a.command_id
LEFT JOIN command_claims c ON c.command_id = a.command_id
LEFT JOIN leads l ON l.lead_id = r.lead_id";

/// Of several concurrent claims, one is written. The others wait for it and return it.
const CLAIM: &str = "
INSERT INTO command_claims AS c (command_id, account, content_sha256, identity_hashes)
VALUES ($1, $2, $3, $4)
ON CONFLICT (command_id) DO UPDATE SET account = c.account
RETURNING account, content_sha256 AS claimed, identity_hashes";

impl Store {
    /// Returns what is known of a command's id.
    pub(crate) async fn known(&self, id: &InputId) -> Result<KnownCommand, StoreError> {
        let query = sqlx::query(KNOWN).bind(id);
        self.row(query, |row| {
            let is_claimed = row.try_get::<Option<String>, _>("account")?.is_some();
            let is_decided = row.try_get::<Option<String>, _>("command_id")?.is_some();
            Ok(KnownCommand {
                claim: is_claimed.then(|| claim(row)).transpose()?,
                result: is_decided.then(|| result(row)).transpose()?,
                account: row.try_get("lead_account")?,
            })
        })
        .await
    }

    /// Claims a command's id. Returns the valid claim, which is an earlier one if it exists.
    pub(crate) async fn claim(&self, id: &InputId, asked: &Claim) -> Result<Claim, StoreError> {
        let query = sqlx::query(CLAIM)
            .bind(id)
            .bind(&asked.account)
            .bind(&asked.content_sha256)
            .bind(&asked.identity_hashes);
        self.row(query, claim).await
    }

    /// Returns the newest 100 command results of the leads, newest first.
    pub(crate) async fn command_results(
        &self,
        lead_ids: &[LeadId],
    ) -> Result<Vec<CommandResult>, StoreError> {
        let query = sqlx::query(
            "SELECT command_id, command, content_sha256, revision, rejection, decided_at, lead_id
             FROM command_results
             WHERE lead_id = ANY($1) ORDER BY decided_at DESC, command_id LIMIT 100",
        )
        .bind(lead_ids);
        self.rows(query, result).await
    }

    /// Deletes results that nobody waits for any more, and claims whose command cannot be
    /// repeated.
    pub(crate) async fn drop_command_results(&self) -> Result<(), StoreError> {
        let statements = [
            "DELETE FROM command_results WHERE decided_at < now() - make_interval(secs => $1)",
            "DELETE FROM command_claims c WHERE claimed_at < now() - make_interval(secs => $1)
                AND NOT EXISTS (SELECT FROM command_results r WHERE r.command_id = c.command_id)",
        ];
        for statement in statements {
            let query = sqlx::query(statement).bind(DUPLICATE_HORIZON.as_secs_f64());
            self.execute(query).await?;
        }
        Ok(())
    }
}

fn claim(row: &PgRow) -> Result<Claim, StoreError> {
    Ok(Claim {
        account: row.try_get("account")?,
        content_sha256: row.try_get("claimed")?,
        identity_hashes: row.try_get("identity_hashes")?,
    })
}

fn result(row: &PgRow) -> Result<CommandResult, StoreError> {
    let rejection: Option<String> = row.try_get("rejection")?;
    let revision: Option<i64> = row.try_get("revision")?;
    let decided_at: DateTime<Utc> = row.try_get("decided_at")?;
    Ok(CommandResult {
        id: row.try_get("command_id")?,
        command: row.try_get("command")?,
        status: match rejection {
            Some(reason) => CommandStatus::Rejected { reason },
            None => CommandStatus::Applied {
                revision: Revision::from_bigint(revision.unwrap_or_default()),
            },
        },
        decided_at: Timestamp::from_millis(decided_at.timestamp_millis()),
        content_sha256: row.try_get("content_sha256")?,
        lead_id: row.try_get("lead_id")?,
    })
}
