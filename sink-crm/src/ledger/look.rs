//! Queries of the ledger for the tools.

use chrono::{DateTime, Utc};

use super::{Claimed, CrmName, Ledger, LedgerError, sql, timed};

/// Leads of a CRM with the same standing for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Tally {
    pub crm: String,
    /// `in step`, `filtered`, `waiting`, `failing`, `parked` or `dead`.
    pub standing: String,
    pub reason: Option<String>,
    pub leads: i64,
    /// When the oldest of the leads last became due.
    pub oldest: DateTime<Utc>,
}

impl Ledger {
    pub(crate) async fn tallies(&self) -> Result<Vec<Tally>, LedgerError> {
        timed(sqlx::query_as(sql::TALLIES).fetch_all(&self.pool)).await
    }

    /// Makes rows in `state` due, and returns their number.
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

    /// Requeues a lead's present state. Returns false when there is no such row.
    pub(crate) async fn revive(
        &self,
        crm: &str,
        lead_id: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        let query = sqlx::query(sql::REVIVE).bind(crm).bind(lead_id).bind(now);
        Ok(timed(query.execute(&self.pool)).await?.rows_affected() > 0)
    }

    /// Returns waiting rows after `after`, in the order of their leads. For a CRM that gets every
    /// event, returns the first event of each lead.
    pub(crate) async fn page_due(
        &self,
        crm: CrmName,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Claimed>, LedgerError> {
        let query = sqlx::query_as(crm.keeps().pick(sql::PAGE_DUE, sql::PAGE_DUE_EVENTS))
            .bind(crm.as_str())
            .bind(after)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        timed(query.fetch_all(&self.pool)).await
    }

    /// Returns the rows after `after` that are thought to be in step, in the order of their leads.
    pub(crate) async fn page_in_step(
        &self,
        crm: CrmName,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Claimed>, LedgerError> {
        let query = sqlx::query_as(sql::PAGE_IN_STEP)
            .bind(crm.as_str())
            .bind(after)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        timed(query.fetch_all(&self.pool)).await
    }

    /// Returns those of `leads`, each at its revision, that are still thought to be in step.
    pub(crate) async fn unchanged(
        &self,
        crm: CrmName,
        leads: &[(&str, i64)],
    ) -> Result<Vec<String>, LedgerError> {
        let (lead_ids, revisions): (Vec<&str>, Vec<i64>) = leads.iter().copied().unzip();
        let query = sqlx::query_scalar(sql::UNCHANGED)
            .bind(crm.as_str())
            .bind(lead_ids)
            .bind(revisions);
        timed(query.fetch_all(&self.pool)).await
    }

    /// Requeues, after all other rows, those of `leads` that are thought to be in step at their
    /// revisions. Returns their number.
    pub(crate) async fn mend(
        &self,
        crm: CrmName,
        leads: &[(&str, i64)],
        now: DateTime<Utc>,
    ) -> Result<u64, LedgerError> {
        let (lead_ids, revisions): (Vec<&str>, Vec<i64>) = leads.iter().copied().unzip();
        let query = sqlx::query(sql::MEND)
            .bind(crm.as_str())
            .bind(lead_ids)
            .bind(revisions)
            .bind(now);
        Ok(timed(query.execute(&self.pool)).await?.rows_affected())
    }

    /// Returns the progress of an interrupted comparison: the last lead, and the number of compared
    /// leads.
    pub(crate) async fn reconciliation(&self, crm: CrmName) -> Result<(String, i64), LedgerError> {
        let query = sqlx::query_as(sql::RECONCILIATION).bind(crm.as_str());
        Ok(timed(query.fetch_optional(&self.pool))
            .await?
            .unwrap_or_default())
    }

    pub(crate) async fn note_reconciliation(
        &self,
        crm: CrmName,
        after: &str,
        compared: usize,
        now: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let query = sqlx::query(sql::NOTE_RECONCILIATION)
            .bind(crm.as_str())
            .bind(after)
            .bind(i64::try_from(compared).unwrap_or(i64::MAX))
            .bind(now);
        timed(query.execute(&self.pool)).await.map(drop)
    }

    /// Resets the progress, because the comparison of a CRM ended or starts again.
    pub(crate) async fn reconciled(&self, crm: CrmName) -> Result<(), LedgerError> {
        let query = sqlx::query(sql::RECONCILED).bind(crm.as_str());
        timed(query.execute(&self.pool)).await.map(drop)
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
