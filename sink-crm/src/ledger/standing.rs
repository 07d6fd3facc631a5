//! Where a lead stands in each CRM: for people who ask.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{FromRow, PgPool};

/// A row of the ledger, without the record that is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow)]
pub struct Standing {
    pub crm: String,
    pub lead_id: String,
    /// `due`, `done`, `parked` or `dead`.
    pub state: String,
    pub wanted_revision: i64,
    /// The newest revision that the CRM is known to have; 0 for none.
    pub sent_revision: i64,
    pub record_id: Option<String>,
    /// Failed attempts since the last success.
    pub attempts: i32,
    pub last_error: Option<String>,
    pub updated_at: DateTime<Utc>,
}

/// Where each of `lead_ids` stands.
///
/// # Errors
/// A database that is away, or without the ledger.
pub async fn standings(pool: &PgPool, lead_ids: &[String]) -> Result<Vec<Standing>, sqlx::Error> {
    // The key begins with the CRM, of which there are few: an index scan for each of them.
    sqlx::query_as(
        "WITH RECURSIVE crms AS (
             (SELECT crm FROM crm_ledger ORDER BY crm LIMIT 1)
             UNION ALL
             SELECT (SELECT l.crm FROM crm_ledger l WHERE l.crm > c.crm ORDER BY l.crm LIMIT 1)
             FROM crms c WHERE c.crm IS NOT NULL)
         SELECT l.crm, l.lead_id, l.state, l.wanted_revision, l.sent_revision, l.record_id,
             l.attempts, l.last_error, l.updated_at
         FROM crms c JOIN crm_ledger l ON l.crm = c.crm AND l.lead_id = ANY($1)
         ORDER BY l.crm, l.lead_id",
    )
    .bind(lead_ids)
    .fetch_all(pool)
    .await
}
