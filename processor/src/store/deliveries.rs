//! Reads the deliveries of replies by the view that sink-whatsapp maintains.

use chrono::{DateTime, Utc};
use leadstream_schemas::{LeadId, Timestamp};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Store, StoreError};
use crate::messages::{MessageDelivery, ReplyDelivery};

/// PostgreSQL's code for a view that does not exist.
const UNDEFINED_TABLE: &str = "42P01";

impl Store {
    /// Returns the deliveries of the replies to these leads; none if the database has no ledger of
    /// replies.
    pub(crate) async fn deliveries(
        &self,
        lead_ids: &[LeadId],
    ) -> Result<Vec<ReplyDelivery>, StoreError> {
        let query = sqlx::query(
            "SELECT reply_id, lead_id, state, state_at, code, reason FROM reply_deliveries
             WHERE lead_id = ANY($1)",
        )
        .bind(lead_ids);
        match self.rows(query, delivery).await {
            Err(StoreError::Database(sqlx::Error::Database(error)))
                if error.code().as_deref() == Some(UNDEFINED_TABLE) =>
            {
                Ok(Vec::new())
            }
            found => found,
        }
    }
}

fn delivery(row: &PgRow) -> Result<ReplyDelivery, StoreError> {
    let at: DateTime<Utc> = row.try_get("state_at")?;
    Ok(ReplyDelivery {
        reply_id: row.try_get("reply_id")?,
        lead_id: row.try_get("lead_id")?,
        delivery: MessageDelivery {
            state: row.try_get("state")?,
            at: Timestamp::from_millis(at.timestamp_millis()),
            code: row.try_get("code")?,
            reason: row.try_get("reason")?,
        },
    })
}
