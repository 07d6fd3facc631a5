//! The state of a lead in each CRM, for people.

use chrono::{DateTime, Utc};
use leadstream_schemas::LeadId;
use serde::Serialize;
use sqlx::{FromRow, PgPool};

/// The state of a row of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum LedgerState {
    /// To be sent, now or at the next attempt.
    Due,
    /// The CRM has the desired revision, or the mapping filters the lead out.
    Synced,
    /// Waits for a person.
    Parked,
    /// Given up, in the dead-letter topic.
    Dead,
}

impl LedgerState {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Synced => "synced",
            Self::Parked => "parked",
            Self::Dead => "dead",
        }
    }
}

/// A row of the ledger, without the record that is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow)]
pub struct LedgerEntry {
    pub crm: String,
    pub lead_id: LeadId,
    pub state: LedgerState,
    pub desired_revision: i64,
    /// The newest revision that the CRM is known to have; 0 for none.
    pub synced_revision: i64,
    pub crm_record_id: Option<String>,
    /// Whether the mapping's filter excludes the lead, and the CRM never got it.
    pub is_filtered: bool,
    /// Failed attempts since the last success.
    pub attempts: i32,
    pub last_error: Option<String>,
    pub updated_at: DateTime<Utc>,
}

/// Returns the rows of `lead_ids` in every CRM.
///
/// # Errors
/// Returns an error if the database is unavailable, or has no ledger.
pub async fn ledger_entries(
    pool: &PgPool,
    lead_ids: &[LeadId],
) -> Result<Vec<LedgerEntry>, sqlx::Error> {
    // The key begins with the CRM, of which there are few: an index scan for each of them.
    sqlx::query_as(
        "WITH RECURSIVE crms AS (
             (SELECT crm FROM crm_ledger ORDER BY crm LIMIT 1)
             UNION ALL
             SELECT (SELECT l.crm FROM crm_ledger l WHERE l.crm > c.crm ORDER BY l.crm LIMIT 1)
             FROM crms c WHERE c.crm IS NOT NULL)
         SELECT l.crm, l.lead_id, l.state, l.desired_revision, l.synced_revision, l.crm_record_id,
             l.state = 'synced' AND l.synced_revision = 0 AND NOT EXISTS (
                 SELECT FROM crm_events e WHERE e.crm = l.crm AND e.lead_id = l.lead_id
             ) AS is_filtered,
             l.attempts, l.last_error, l.updated_at
         FROM crms c JOIN crm_ledger l ON l.crm = c.crm AND l.lead_id = ANY($1)
         ORDER BY l.crm, l.lead_id",
    )
    .bind(lead_ids)
    .fetch_all(pool)
    .await
}
