//! Rows whose fields the CRM refused: whether there are any, and which a change of the CRM concerns.

use chrono::{DateTime, Utc};
use leadstream_service::database::DatabaseError;
use serde::{Deserialize, Serialize};

use super::{Delivery, DeliveryLedger, DeliveryMode, timed};
use crate::crm::Fingerprints;

/// A field that was left out of a record, or that a parked row waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefusedField {
    /// The field's name; empty for any field of the CRM.
    pub(crate) field: String,
    #[serde(default)]
    pub(crate) code: String,
    /// The fingerprint of the field when it was refused, if it was known.
    #[serde(default)]
    pub(crate) fingerprint: Option<String>,
}

/// What rows wait for a change of the CRM, the more urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitingFor {
    /// Rows are parked.
    Record,
    /// Records lack fields that were left out.
    Field,
}

const WAITING: &str = "
SELECT bool_or(state = 'parked') FROM crm_ledger
WHERE crm = $1 AND refused_fields IS NOT NULL AND state IN ('parked', 'synced')";

/// Clears the hash, so that the lead is sent although its payload did not change. Skips leased rows: a
/// batch is about to write their outcome.
const RELEASE_CHANGED: &str = "
WITH changed AS (
    SELECT l.crm, l.lead_id FROM crm_ledger AS l
    WHERE l.crm = $1 AND l.refused_fields IS NOT NULL AND l.state IN ('parked', 'synced')
        AND (l.leased_until IS NULL OR l.leased_until <= $4)
        AND EXISTS (
            SELECT FROM jsonb_to_recordset(l.refused_fields) AS r (field text, fingerprint text)
            JOIN UNNEST($2::text[], $3::text[]) AS now (field, fingerprint) ON now.field = r.field
            WHERE now.fingerprint IS DISTINCT FROM r.fingerprint)
    ORDER BY l.lead_id
    FOR UPDATE OF l)
UPDATE crm_ledger AS l SET state = 'due', attempts = 0, next_attempt_at = $4, synced_hash = NULL,
    last_error = CASE WHEN l.state = 'synced' THEN NULL ELSE l.last_error END, due_since = $4,
    updated_at = $4
FROM changed
WHERE l.crm = changed.crm AND l.lead_id = changed.lead_id";

/// Makes the oldest parked row of each reason due.
const RELEASE_OLDEST: &str = "
WITH oldest AS (
    SELECT DISTINCT ON (refused_fields -> 0 ->> 'field', refused_fields -> 0 ->> 'code') crm, lead_id
    FROM crm_ledger
    WHERE crm = $1 AND refused_fields IS NOT NULL AND state = 'parked'
    ORDER BY refused_fields -> 0 ->> 'field', refused_fields -> 0 ->> 'code', updated_at)
UPDATE crm_ledger AS l SET state = 'due', attempts = 0, next_attempt_at = $2, due_since = $2,
    updated_at = $2
FROM oldest
WHERE l.crm = oldest.crm AND l.lead_id = oldest.lead_id AND l.state = 'parked'
    AND (l.leased_until IS NULL OR l.leased_until <= $2)";

/// Makes parked rows due that wait for one of the fields.
const RELEASE_FIELDS: &str = "
WITH waiting AS (
    SELECT l.crm, l.lead_id FROM crm_ledger AS l
    WHERE l.crm = $1 AND l.refused_fields IS NOT NULL AND l.state = 'parked'
        AND (l.leased_until IS NULL OR l.leased_until <= $3)
        AND EXISTS (SELECT FROM jsonb_to_recordset(l.refused_fields) AS r (field text)
            WHERE r.field = ANY($2))
    ORDER BY l.lead_id
    FOR UPDATE OF l)
UPDATE crm_ledger AS l SET state = 'due', attempts = 0, next_attempt_at = $3, due_since = $3,
    updated_at = $3
FROM waiting
WHERE l.crm = waiting.crm AND l.lead_id = waiting.lead_id";

impl<D: Delivery> DeliveryLedger<D> {
    /// Makes the oldest parked row of each reason due. Its success releases the others.
    pub(crate) async fn release_oldest(&self, now: DateTime<Utc>) -> Result<u64, DatabaseError> {
        let query = sqlx::query(RELEASE_OLDEST)
            .bind(self.crm.as_str())
            .bind(now);
        Ok(timed(query.execute(&self.pool)).await?.rows_affected())
    }

    /// Makes parked rows due that wait for one of `fields`, which the CRM accepts again. Returns their
    /// number.
    pub(crate) async fn release_fields(
        &self,
        fields: &[&str],
        now: DateTime<Utc>,
    ) -> Result<u64, DatabaseError> {
        let query = sqlx::query(RELEASE_FIELDS)
            .bind(self.crm.as_str())
            .bind(fields)
            .bind(now);
        Ok(timed(query.execute(&self.pool)).await?.rows_affected())
    }

    /// Returns what rows wait for, if any wait for a change of the CRM.
    pub(crate) async fn waiting_for(&self) -> Result<Option<WaitingFor>, DatabaseError> {
        if D::MODE != DeliveryMode::LatestState {
            return Ok(None);
        }
        let query = sqlx::query_scalar(WAITING).bind(self.crm.as_str());
        let parked: Option<bool> = timed(query.fetch_one(&self.pool)).await?;
        Ok(parked.map(|parked| {
            if parked {
                WaitingFor::Record
            } else {
                WaitingFor::Field
            }
        }))
    }

    /// Makes rows due that wait for a field which the CRM describes in another way now, and returns
    /// their number.
    pub(crate) async fn release_changed(
        &self,
        fingerprints: &Fingerprints,
        now: DateTime<Utc>,
    ) -> Result<u64, DatabaseError> {
        if D::MODE != DeliveryMode::LatestState || fingerprints.is_empty() {
            return Ok(0);
        }
        let (fields, prints): (Vec<&str>, Vec<&str>) = fingerprints
            .iter()
            .map(|(field, print)| (field.as_str(), print.as_str()))
            .unzip();
        let query = sqlx::query(RELEASE_CHANGED)
            .bind(self.crm.as_str())
            .bind(fields)
            .bind(prints)
            .bind(now);
        Ok(timed(query.execute(&self.pool)).await?.rows_affected())
    }
}
