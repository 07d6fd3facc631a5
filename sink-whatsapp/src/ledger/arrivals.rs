//! Writes what new records of `lead.replies` change.

use std::collections::{BTreeSet, HashMap};

use leadstream_schemas::{LeadId, Timestamp};
use leadstream_service::database::{DatabaseError, timed};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

use super::{Ledger, column, read_count, read_kind, read_lead, read_state, read_time, sql};
use crate::consume::plan::{Arrival, ERASED, NewReply, OpenReply, Plan, plan};
use crate::reply_row::{ReplyState, token};

/// What a batch wrote.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) plan: Plan,
    /// The business numbers whose replies changed.
    pub(crate) numbers: BTreeSet<String>,
}

impl Ledger {
    /// Writes a batch of records in one transaction. A batch that was written before changes nothing.
    /// No reply goes before `not_before`.
    pub(crate) async fn write(
        &self,
        arrivals: &[Arrival],
        not_before: Timestamp,
        now: Timestamp,
    ) -> Result<Written, DatabaseError> {
        timed(self.write_arrivals(arrivals, not_before, now)).await
    }

    async fn write_arrivals(
        &self,
        arrivals: &[Arrival],
        not_before: Timestamp,
        now: Timestamp,
    ) -> Result<Written, sqlx::Error> {
        let leads: BTreeSet<&str> = arrivals
            .iter()
            .map(|it| it.reply.lead_id.as_str())
            .collect();
        let leads: Vec<&str> = leads.into_iter().collect();
        let tokens: Vec<Uuid> = arrivals.iter().map(|it| token(&it.reply.id)).collect();
        let mut transaction = self.pool.begin().await?;
        let open: Vec<OpenReply> = sqlx::query_as(sql::OPEN)
            .bind(leads)
            .fetch_all(&mut *transaction)
            .await?;
        let known: Vec<Known> = sqlx::query_as(sql::KNOWN)
            .bind(tokens)
            .fetch_all(&mut *transaction)
            .await?;
        let known: HashMap<Uuid, [u8; 16]> = known.into_iter().map(|it| (it.0, it.1)).collect();
        let plan = plan(arrivals, open, known, not_before, now);
        if !plan.erased.is_empty() {
            let leads: Vec<&str> = plan.erased.keys().map(LeadId::as_str).collect();
            let revisions = plan.erased.values().map(|it| it.to_bigint());
            sqlx::query(sql::ERASE)
                .bind(leads)
                .bind(revisions.collect::<Vec<_>>())
                .bind(ERASED)
                .bind(column(now))
                .execute(&mut *transaction)
                .await?;
        }
        let numbers: BTreeSet<String> = arrivals.iter().map(|it| it.reply.number.clone()).collect();
        if !plan.new.is_empty() {
            let names: Vec<&str> = numbers.iter().map(String::as_str).collect();
            sqlx::query(sql::REGISTER)
                .bind(names)
                .execute(&mut *transaction)
                .await?;
            insert(&mut transaction, &plan.new, now).await?;
        }
        if !plan.changed.is_empty() {
            change(&mut transaction, &plan.changed, now).await?;
        }
        transaction.commit().await?;
        Ok(Written { plan, numbers })
    }
}

/// The token and the content digest of a reply of the ledger.
struct Known(Uuid, [u8; 16]);

impl FromRow<'_, PgRow> for Known {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let digest: &[u8] = row.try_get("content_digest")?;
        Ok(Self(
            row.try_get("token")?,
            digest.try_into().unwrap_or_default(),
        ))
    }
}

impl FromRow<'_, PgRow> for OpenReply {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let (lead_id, revision) = read_lead(row)?;
        Ok(Self {
            token: row.try_get("token")?,
            lead_id,
            revision,
            kind: read_kind(row)?,
            state: read_state(row, "state")?.unwrap_or(ReplyState::Unknown),
            due_at: read_time(row, "due_at")?.unwrap_or_default(),
            due_at_latest: read_time(row, "due_at_latest")?,
            ends_as: read_state(row, "ends_as")?,
            attempts: read_count(row, "attempts")?,
            unknown_since: read_time(row, "unknown_since")?,
        })
    }
}

type Transaction<'t> = sqlx::Transaction<'t, sqlx::Postgres>;

async fn insert(
    transaction: &mut Transaction<'_>,
    new: &[NewReply],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let rows = || new.iter().map(|it| &it.row);
    let replies = || new.iter().map(|it| &it.reply);
    let records = || new.iter().map(|it| &it.record);
    // Of a reply that another one of its batch ended, only the result is kept.
    let kept = |bytes: fn(&NewReply) -> &[u8]| -> Vec<Option<&[u8]>> {
        let kept = new.iter();
        kept.map(|it| it.row.state.is_queued().then(|| bytes(it)))
            .collect()
    };
    let traces = records().map(|it| it.trace.map(|trace| trace.to_string()));
    sqlx::query(sql::INSERT)
        .bind(column(now))
        .bind(rows().map(|it| it.token).collect::<Vec<_>>())
        .bind(replies().map(|it| it.id.as_str()).collect::<Vec<_>>())
        .bind(rows().map(|it| it.lead_id.as_str()).collect::<Vec<_>>())
        .bind(rows().map(|it| it.revision.to_bigint()).collect::<Vec<_>>())
        .bind(records().map(|it| it.partition.0).collect::<Vec<_>>())
        .bind(records().map(|it| it.offset.0).collect::<Vec<_>>())
        .bind(replies().map(|it| it.number.as_str()).collect::<Vec<_>>())
        .bind(rows().map(|it| it.kind as i16).collect::<Vec<_>>())
        .bind(
            new.iter()
                .map(|it| it.content_digest.to_vec())
                .collect::<Vec<_>>(),
        )
        .bind(rows().map(|it| it.state.as_str()).collect::<Vec<_>>())
        .bind(rows().map(|it| it.state.is_queued()).collect::<Vec<_>>())
        .bind(rows().map(|it| column(it.due_at)).collect::<Vec<_>>())
        .bind(
            rows()
                .map(|it| it.due_at_latest.map(column))
                .collect::<Vec<_>>(),
        )
        .bind(
            replies()
                .map(|it| it.expires_at.map(column))
                .collect::<Vec<_>>(),
        )
        .bind(kept(|it| &it.record.key))
        .bind(kept(|it| &it.record.value))
        .bind(traces.collect::<Vec<_>>())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn change(
    transaction: &mut Transaction<'_>,
    changed: &[OpenReply],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let changed = || changed.iter();
    sqlx::query(sql::CHANGE)
        .bind(column(now))
        .bind(changed().map(|it| it.token).collect::<Vec<_>>())
        .bind(changed().map(|it| it.state.as_str()).collect::<Vec<_>>())
        .bind(changed().map(|it| it.state.is_queued()).collect::<Vec<_>>())
        .bind(
            changed()
                .map(|it| it.state.keeps_record())
                .collect::<Vec<_>>(),
        )
        .bind(changed().map(|it| column(it.due_at)).collect::<Vec<_>>())
        .bind(
            changed()
                .map(|it| it.ends_as.map(ReplyState::as_str))
                .collect::<Vec<_>>(),
        )
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
