//! Writes what statuses say of replies, and how far they are read.

use leadstream_schemas::Timestamp;
use leadstream_service::database::{DatabaseError, timed};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};

use super::{Ledger, column, read_state, sql};
use crate::reply_row::{KEEP_RECORD, ReplyState};
use crate::statuses::change::StatusChange;
use crate::statuses::plan::AppliedStatus;
use crate::statuses::progress::Passed;
use crate::time::after;

impl Ledger {
    /// Applies changes of different replies. Returns those whose reply the ledger has.
    pub(crate) async fn apply_statuses(
        &self,
        changes: &[StatusChange],
        now: Timestamp,
    ) -> Result<Vec<AppliedStatus>, DatabaseError> {
        let times = |time: fn(&StatusChange) -> Option<Timestamp>| -> Vec<_> {
            changes.iter().map(|it| time(it).map(column)).collect()
        };
        let texts = |text: fn(&StatusChange) -> &String| -> Vec<&str> {
            changes.iter().map(|it| text(it).as_str()).collect()
        };
        let states = changes.iter().map(|it| it.state.map(ReplyState::as_str));
        let query = sqlx::query_as(sql::APPLY_STATUSES)
            .bind(column(now))
            .bind(changes.iter().map(|it| it.token).collect::<Vec<_>>())
            .bind(texts(|it| &it.message_id))
            .bind(texts(|it| &it.number))
            .bind(states.collect::<Vec<_>>())
            .bind(times(|it| it.sent_at))
            .bind(times(|it| it.delivered_at))
            .bind(times(|it| it.read_at))
            .bind(changes.iter().map(|it| it.failure).collect::<Vec<_>>())
            .bind(column(after(now, KEEP_RECORD)));
        timed(query.fetch_all(&self.pool)).await
    }

    /// Writes how far each partition of `message.statuses` is read.
    pub(crate) async fn pass_statuses(&self, passed: &[Passed]) -> Result<(), DatabaseError> {
        let query = sqlx::query(sql::PASS_STATUSES)
            .bind(passed.iter().map(|it| it.partition.0).collect::<Vec<_>>())
            .bind(passed.iter().map(|it| it.next.0).collect::<Vec<_>>())
            .bind(passed.iter().map(|it| column(it.at)).collect::<Vec<_>>());
        timed(query.execute(&self.pool)).await.map(drop)
    }
}

impl FromRow<'_, PgRow> for AppliedStatus {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            token: row.try_get("token")?,
            is_same_number: row.try_get("is_same_number")?,
            before: read_state(row, "before")?.unwrap_or(ReplyState::Unknown),
            is_changed: row.try_get("is_changed")?,
        })
    }
}
