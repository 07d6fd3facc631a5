//! The ledger as tools look at it.

use chrono::{DateTime, Utc};

use super::{Claimed, CrmName, Ledger, LedgerError, sql, timed};

/// Leads of a CRM that stand in the same way for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Tally {
    pub crm: String,
    /// `in step`, `filtered`, `waiting`, `failing`, `parked` or `dead`.
    pub standing: String,
    pub reason: Option<String>,
    pub leads: i64,
    /// When the oldest of them last became due.
    pub oldest: DateTime<Utc>,
}

impl Ledger {
    pub(crate) async fn tallies(&self) -> Result<Vec<Tally>, LedgerError> {
        timed(sqlx::query_as(sql::TALLIES).fetch_all(&self.pool)).await
    }

    /// Makes rows in `state` due; gives their number.
    pub(crate) async fn retry(
        &self,
        crm: Option<&str>,
        state: &str,
        reason: Option<&str>,
        lead_id: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<u64, LedgerError> {
        let query = sqlx::query(sql::RETRY)
            .bind(crm)
            .bind(state)
            .bind(reason)
            .bind(lead_id)
            .bind(now);
        Ok(timed(query.execute(&self.pool)).await?.rows_affected())
    }

    /// Has the present state of a lead sent; false when there is no such row.
    pub(crate) async fn revive(
        &self,
        crm: &str,
        lead_id: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        let query = sqlx::query(sql::REVIVE).bind(crm).bind(lead_id).bind(now);
        Ok(timed(query.execute(&self.pool)).await?.rows_affected() > 0)
    }

    /// Rows that wait, in the order of their leads, after `after`.
    pub(crate) async fn page_due(
        &self,
        crm: CrmName,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Claimed>, LedgerError> {
        let query = sqlx::query_as(sql::PAGE_DUE)
            .bind(crm.as_str())
            .bind(after)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        timed(query.fetch_all(&self.pool)).await
    }

    pub(crate) async fn settled_letters(&self) -> Result<Vec<(String, i32, i64)>, LedgerError> {
        timed(sqlx::query_as(sql::SETTLED_LETTERS).fetch_all(&self.pool)).await
    }

    pub(crate) async fn settle_letter(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
        action: &str,
    ) -> Result<(), LedgerError> {
        let query = sqlx::query(sql::SETTLE_LETTER)
            .bind(topic)
            .bind(partition)
            .bind(offset)
            .bind(action);
        timed(query.execute(&self.pool)).await.map(drop)
    }
}
