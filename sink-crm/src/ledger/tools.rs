//! Queries of the ledger for the tools.

use leadstream_service::database::DatabaseError;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use chrono::{DateTime, Utc};
use leadstream_schemas::{LeadId, Offset, Partition, Revision};
use leadstream_service::ConfigError;
use leadstream_service::config::DatabaseArgs;

use super::{Claimed, CrmName, Ledger, LedgerState, sql, timed};

/// The status of leads in a CRM: the ledger's state, with two cases apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum SyncStatus {
    Synced,
    /// The mapping's filter excludes the lead, and the CRM never got it.
    Filtered,
    Due,
    /// Due again after a failed attempt.
    Failing,
    Parked,
    Dead,
}

impl SyncStatus {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Filtered => "filtered",
            Self::Due => "due",
            Self::Failing => "failing",
            Self::Parked => "parked",
            Self::Dead => "dead",
        }
    }
}

/// The position of a record in a dead-letter topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::FromRow)]
pub struct DeadLetterPosition {
    pub topic: String,
    pub partition: Partition,
    pub offset: Offset,
}

/// The leads of a CRM that have the same status for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SyncSummary {
    pub crm: String,
    pub status: SyncStatus,
    pub reason: Option<String>,
    pub leads: i64,
    /// When the oldest of the leads last became due.
    pub oldest: DateTime<Utc>,
}

/// The rows that are retried. Without a filter all in the state. The events of a CRM that gets each event
/// wait in order, so naming it selects them in any state.
#[derive(Clone, Copy, Debug)]
pub struct RetrySelection<'a> {
    pub crm: Option<&'a str>,
    pub state: LedgerState,
    /// A part of the reason.
    pub reason: Option<&'a str>,
    /// The notations of one lead's id.
    pub lead_ids: Option<&'a [LeadId]>,
}

impl Ledger {
    /// Connects on first use.
    ///
    /// # Errors
    /// Returns an error if the URL is missing or wrong.
    pub fn connect(args: &DatabaseArgs) -> Result<Self, ConfigError> {
        Ok(Self::new(args.connect(str::parse)?, 2))
    }

    /// Counts the leads of each CRM by status and reason, with the oldest.
    ///
    /// # Errors
    /// As [`DatabaseError`] says.
    pub async fn summaries(&self) -> Result<Vec<SyncSummary>, DatabaseError> {
        timed(sqlx::query_as(sql::SUMMARIES).fetch_all(&self.pool)).await
    }

    /// Makes the selected rows due now, and returns their number.
    ///
    /// # Errors
    /// As [`DatabaseError`] says.
    pub async fn retry(
        &self,
        selected: &RetrySelection<'_>,
        now: DateTime<Utc>,
    ) -> Result<u64, DatabaseError> {
        let mut due = 0;
        for statement in [sql::RETRY, sql::RETRY_EVENTS] {
            let query = sqlx::query(statement)
                .bind(selected.crm)
                .bind(selected.state.as_str())
                .bind(selected.reason)
                .bind(selected.lead_ids)
                .bind(now);
            due += timed(query.execute(&self.pool)).await?.rows_affected();
        }
        Ok(due)
    }

    /// Counts the rows that [`Self::retry`] would make due.
    ///
    /// # Errors
    /// As [`DatabaseError`] says.
    pub async fn count_retried(
        &self,
        selected: &RetrySelection<'_>,
        now: DateTime<Utc>,
    ) -> Result<u64, DatabaseError> {
        let query = sqlx::query_scalar::<_, i64>(sql::COUNT_RETRIED)
            .bind(selected.crm)
            .bind(selected.state.as_str())
            .bind(selected.reason)
            .bind(selected.lead_ids)
            .bind(now);
        let count = timed(query.fetch_one(&self.pool)).await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Makes a lead's latest state due again. Returns false when there is no such row.
    ///
    /// # Errors
    /// As [`DatabaseError`] says.
    pub async fn requeue(
        &self,
        crm: &str,
        lead_id: &LeadId,
        now: DateTime<Utc>,
    ) -> Result<bool, DatabaseError> {
        let query = sqlx::query(sql::REQUEUE).bind(crm).bind(lead_id).bind(now);
        Ok(timed(query.execute(&self.pool)).await?.rows_affected() > 0)
    }

    /// Returns the synced rows after `after`, in the order of their leads.
    pub(crate) async fn page_synced(
        &self,
        crm: CrmName,
        after: &LeadId,
        limit: usize,
    ) -> Result<Vec<Claimed>, DatabaseError> {
        let query = sqlx::query_as(sql::PAGE_SYNCED)
            .bind(crm.as_str())
            .bind(after)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        timed(query.fetch_all(&self.pool)).await
    }

    /// Returns those of `leads`, each at its revision, that are still synced.
    pub(crate) async fn still_synced(
        &self,
        crm: CrmName,
        leads: &[(&LeadId, Revision)],
    ) -> Result<Vec<LeadId>, DatabaseError> {
        let (lead_ids, revisions) = columns(leads);
        let query = sqlx::query_scalar(sql::STILL_SYNCED)
            .bind(crm.as_str())
            .bind(lead_ids)
            .bind(revisions);
        timed(query.fetch_all(&self.pool)).await
    }

    /// Requeues those of `leads` that are still synced at their revisions, behind all other rows.
    /// Returns their number.
    pub(crate) async fn requeue_drifted(
        &self,
        crm: CrmName,
        leads: &[(&LeadId, Revision)],
        now: DateTime<Utc>,
    ) -> Result<u64, DatabaseError> {
        let (lead_ids, revisions) = columns(leads);
        let query = sqlx::query(sql::REQUEUE_DRIFTED)
            .bind(crm.as_str())
            .bind(lead_ids)
            .bind(revisions)
            .bind(now);
        Ok(timed(query.execute(&self.pool)).await?.rows_affected())
    }

    /// Returns the progress of an interrupted comparison: the last lead, and the number of compared
    /// leads.
    pub(crate) async fn reconciliation_progress(
        &self,
        crm: CrmName,
    ) -> Result<(LeadId, i64), DatabaseError> {
        let query = sqlx::query_as(sql::RECONCILIATION_PROGRESS).bind(crm.as_str());
        Ok(timed(query.fetch_optional(&self.pool))
            .await?
            .unwrap_or_default())
    }

    pub(crate) async fn save_reconciliation_progress(
        &self,
        crm: CrmName,
        after: &LeadId,
        compared: usize,
        now: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        let query = sqlx::query(sql::SAVE_RECONCILIATION_PROGRESS)
            .bind(crm.as_str())
            .bind(after)
            .bind(i64::try_from(compared).unwrap_or(i64::MAX))
            .bind(now);
        timed(query.execute(&self.pool)).await.map(drop)
    }

    /// Deletes the progress, when a comparison ends or starts again.
    pub(crate) async fn clear_reconciliation_progress(
        &self,
        crm: CrmName,
    ) -> Result<(), DatabaseError> {
        let query = sqlx::query(sql::CLEAR_RECONCILIATION_PROGRESS).bind(crm.as_str());
        timed(query.execute(&self.pool)).await.map(drop)
    }

    /// Returns the positions of the dead letters that need no further action.
    ///
    /// # Errors
    /// As [`DatabaseError`] says.
    pub async fn resolved_dead_letters(
        &self,
    ) -> Result<BTreeSet<DeadLetterPosition>, DatabaseError> {
        let query = sqlx::query_as(sql::RESOLVED_DEAD_LETTERS).fetch_all(&self.pool);
        Ok(timed(query).await?.into_iter().collect())
    }

    /// Counts the dead letters of a part of a topic that need no further action.
    pub(crate) async fn count_resolved(
        &self,
        topic: &str,
        partition: Partition,
        part: Range<Offset>,
    ) -> Result<i64, DatabaseError> {
        let query = sqlx::query_scalar(sql::COUNT_RESOLVED)
            .bind(topic)
            .bind(partition)
            .bind(part.start)
            .bind(part.end);
        timed(query.fetch_one(&self.pool)).await
    }

    /// Returns the revisions that CRMs have of those of `leads` that are in step, by CRM and lead.
    ///
    /// # Errors
    /// As [`DatabaseError`] says.
    pub async fn revisions_in_step(
        &self,
        leads: &[(String, LeadId)],
    ) -> Result<BTreeMap<(String, LeadId), Revision>, DatabaseError> {
        let (crms, lead_ids): (Vec<&str>, Vec<&LeadId>) = leads
            .iter()
            .map(|(crm, lead_id)| (crm.as_str(), lead_id))
            .unzip();
        let query = sqlx::query_as(sql::REVISIONS_IN_STEP)
            .bind(crms)
            .bind(lead_ids);
        let rows: Vec<(String, LeadId, i64)> = timed(query.fetch_all(&self.pool)).await?;
        let entry = |(crm, lead_id, revision)| ((crm, lead_id), Revision::from_bigint(revision));
        Ok(rows.into_iter().map(entry).collect())
    }

    /// Records what was done about a dead letter: `redriven` or `discarded`.
    ///
    /// # Errors
    /// As [`DatabaseError`] says.
    pub async fn resolve_dead_letter(
        &self,
        position: &DeadLetterPosition,
        action: &str,
    ) -> Result<(), DatabaseError> {
        let query = sqlx::query(sql::RESOLVE_DEAD_LETTER)
            .bind(&position.topic)
            .bind(position.partition)
            .bind(position.offset)
            .bind(action);
        timed(query.execute(&self.pool)).await.map(drop)
    }
}

/// Returns the columns that a statement about `leads` takes.
fn columns<'l>(leads: &[(&'l LeadId, Revision)]) -> (Vec<&'l LeadId>, Vec<i64>) {
    let columns = |(lead_id, revision): &(&'l LeadId, Revision)| (*lead_id, revision.to_bigint());
    leads.iter().map(columns).unzip()
}
