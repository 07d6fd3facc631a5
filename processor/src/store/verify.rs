//! Reads leads page by page, each page in one short read-only transaction, to verify and to evaluate them.
//! A page is one snapshot, so it needs no pause of the processors. A replica is enough.

use std::collections::{BTreeMap, BTreeSet};

use leadstream_schemas::{Account, Identity, LeadId};
use serde_json::{Map, Value, json};
use sqlx::postgres::PgRow;
use sqlx::{Postgres, Row, Transaction};

use super::write::leads::{former_progress, platform};
use super::{Store, StoreError, pool};
use crate::flow::{Conversation, START};
use crate::lead::Lead;

/// The rows of one page.
const PAGE: i64 = 500;

/// The columns as [`columns`] has them, and those of the report that differ.
const LEADS: &str = "
SELECT l.lead_id, l.account, l.serialized_state,
    jsonb_build_object('revision', l.revision, 'current_state', l.current_state,
        'qualification_score', l.qualification_score, 'lead_data', l.lead_data,
        'last_interaction', floor(extract(epoch FROM l.last_interaction) * 1000)::bigint,
        'is_completed', l.is_completed, 'step', l.step,
        'timer_due_at', floor(extract(epoch FROM l.timer_due_at) * 1000)::bigint,
        'progress', encode(l.progress, 'hex'), 'wa_id', l.wa_id, 'user_id', l.user_id, 'lid', l.lid,
        'profile_name', l.profile_name, 'platform', l.platform, 'number', l.number,
        'flow_name', l.flow_name, 'flow_version', l.flow_version,
        'first_interaction', floor(extract(epoch FROM l.first_interaction) * 1000)::bigint,
        'assignee', l.assignee, 'former_progress', l.former_progress, 'account', l.account) AS found,
    r.lead_id IS NOT NULL AS has_report,
    array_remove(ARRAY[
        CASE WHEN r.account IS DISTINCT FROM l.account THEN 'account' END,
        CASE WHEN r.wa_id IS DISTINCT FROM l.wa_id THEN 'wa_id' END,
        CASE WHEN r.flow_name IS DISTINCT FROM l.flow_name THEN 'flow_name' END,
        CASE WHEN r.flow_version IS DISTINCT FROM l.flow_version THEN 'flow_version' END,
        CASE WHEN r.current_state IS DISTINCT FROM l.current_state THEN 'current_state' END,
        CASE WHEN r.step IS DISTINCT FROM l.step THEN 'step' END,
        CASE WHEN r.qualification_score IS DISTINCT FROM l.qualification_score
            THEN 'qualification_score' END,
        CASE WHEN r.is_completed IS DISTINCT FROM l.is_completed THEN 'is_completed' END,
        CASE WHEN r.lead_data IS DISTINCT FROM l.lead_data THEN 'lead_data' END,
        CASE WHEN r.assignee IS DISTINCT FROM l.assignee THEN 'assignee' END,
        CASE WHEN r.first_interaction IS DISTINCT FROM l.first_interaction
            THEN 'first_interaction' END,
        CASE WHEN r.last_interaction IS DISTINCT FROM l.last_interaction
            THEN 'last_interaction' END,
        CASE WHEN r.revision IS DISTINCT FROM l.revision THEN 'revision' END,
        CASE WHEN r.progress IS DISTINCT FROM l.progress THEN 'progress' END,
        CASE WHEN r.former_progress IS DISTINCT FROM l.former_progress
            THEN 'former_progress' END], NULL) AS report_differs
FROM leads l LEFT JOIN lead_reports r ON r.lead_id = l.lead_id
WHERE l.lead_id > $1 ORDER BY l.lead_id LIMIT $2";

const IDENTITIES_OF: &str =
    "SELECT identity, lead_id FROM lead_identities WHERE identity = ANY($1::text[])";

const QUEUED: &str = "
SELECT DISTINCT lead_id FROM report_refresh_queue, unnest(lead_ids) AS lead_id
WHERE lead_id = ANY($1::text[])";

const IDENTITIES: &str = "
SELECT i.identity, i.lead_id, l.account, l.serialized_state
FROM lead_identities i LEFT JOIN leads l ON l.lead_id = i.lead_id
WHERE i.identity > $1 ORDER BY i.identity LIMIT $2";

const REPORTS: &str = "
SELECT r.lead_id, l.lead_id IS NULL AS is_orphan
FROM lead_reports r LEFT JOIN leads l ON l.lead_id = r.lead_id
WHERE r.lead_id > $1 ORDER BY r.lead_id LIMIT $2";

/// A lead as its row has it.
#[derive(Debug)]
pub(crate) struct LeadRow {
    pub(crate) lead_id: LeadId,
    pub(crate) account: Account,
    /// The columns, named as in [`columns`].
    pub(crate) found: Map<String, Value>,
    /// The stored lead, or why it cannot be read.
    pub(crate) lead: Result<Lead, String>,
    /// True if reports have the lead, or will have it after the next refresh.
    pub(crate) has_report: bool,
    /// The columns of the report that differ, and that no refresh will correct.
    pub(crate) report_differs: Vec<String>,
}

/// Rows, and the key after which the next page begins.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) rows: Vec<T>,
    /// None at the end.
    pub(crate) next: Option<String>,
}

/// The lead of an identity.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub(crate) identity: Identity,
    pub(crate) lead_id: LeadId,
    /// None if there is no row of the lead, or none that can be read.
    pub(crate) lead: Option<(Account, Option<Lead>)>,
}

/// Returns the columns that a row of `lead` has, with times in milliseconds and bytes as hexadecimal
/// digits.
pub(crate) fn columns(lead_id: &LeadId, lead: &Lead) -> Map<String, Value> {
    let conversation = lead.journal.conversation();
    let profile = lead.profile();
    let last = lead.journal.last_interaction().unwrap_or(lead.first_seen);
    let progress = conversation.map_or(&[][..], |it| it.internal.progress.steps());
    let progress: String = progress.iter().map(|byte| format!("{byte:02x}")).collect();
    let former = former_progress(profile.former_progress);
    let former: Option<Value> = former.and_then(|text| serde_json::from_str(&text).ok());
    let account = lead_id
        .as_str()
        .split_once('/')
        .map_or("", |(account, _)| account);
    let columns = json!({
        "account": account,
        "revision": lead.revision.to_bigint(),
        "current_state": lead.state().unwrap_or(START),
        "qualification_score": conversation.map_or(0, |it| it.score),
        "lead_data": conversation.map(|it| it.data.clone()).unwrap_or_default(),
        "last_interaction": last.millis(),
        "is_completed": conversation.is_some_and(|it| it.is_completed),
        "step": conversation.map(Conversation::open_step),
        "timer_due_at": lead.timer_due_at.map(leadstream_schemas::Timestamp::millis),
        "progress": progress,
        "wa_id": profile.wa_id,
        "user_id": profile.user_id,
        "lid": profile.lid,
        "profile_name": profile.name,
        "platform": platform(profile.platform),
        "number": profile.number,
        "flow_name": profile.flow_name,
        "flow_version": profile.flow_version,
        "first_interaction": profile.first_seen.millis(),
        "assignee": profile.assignee,
        "former_progress": former,
    });
    match columns {
        Value::Object(columns) => columns,
        _ => Map::new(),
    }
}

impl Store {
    /// Returns the page of leads after the lead id `after`, and the owners of the identities that
    /// `identities` names for each of them, as of one moment.
    pub(crate) async fn lead_rows(
        &self,
        after: &str,
        identities: impl Fn(&LeadRow) -> Vec<Identity>,
    ) -> Result<(Page<LeadRow>, BTreeMap<Identity, LeadId>), StoreError> {
        self.bounded(async {
            let mut snapshot = self.snapshot().await?;
            let rows = sqlx::query(LEADS)
                .bind(after)
                .bind(PAGE)
                .fetch_all(&mut *snapshot)
                .await?;
            let mut leads = rows.iter().map(lead_row).collect::<Result<Vec<_>, _>>()?;
            let differing: Vec<String> = leads
                .iter()
                .filter(|it| !it.has_report || !it.report_differs.is_empty())
                .map(|it| it.lead_id.to_string())
                .collect();
            if !differing.is_empty() {
                let queued = sqlx::query_scalar(QUEUED)
                    .bind(differing)
                    .fetch_all(&mut *snapshot)
                    .await?;
                let queued: BTreeSet<LeadId> = queued.into_iter().collect();
                for it in leads.iter_mut().filter(|it| queued.contains(&it.lead_id)) {
                    it.has_report = true;
                    it.report_differs.clear();
                }
            }
            let wanted: Vec<Identity> = leads.iter().flat_map(identities).collect();
            let mut owners = BTreeMap::new();
            if !wanted.is_empty() {
                let query = sqlx::query(IDENTITIES_OF).bind(wanted);
                for row in query.fetch_all(&mut *snapshot).await? {
                    owners.insert(row.try_get("identity")?, row.try_get("lead_id")?);
                }
            }
            let next = leads.last().map(|it| it.lead_id.to_string());
            Ok((page(leads, next), owners))
        })
        .await
    }

    /// Returns the page of identities after `after`.
    pub(crate) async fn identity_rows(&self, after: &str) -> Result<Page<Lookup>, StoreError> {
        let query = sqlx::query(IDENTITIES).bind(after).bind(PAGE);
        let rows: Vec<Lookup> = self
            .rows(query, |row| {
                let account: Option<String> = row.try_get("account")?;
                let body: Option<&[u8]> = row.try_get("serialized_state")?;
                let lead = body.and_then(|body| Lead::from_bytes(body).ok());
                Ok(Lookup {
                    identity: row.try_get("identity")?,
                    lead_id: row.try_get("lead_id")?,
                    lead: account.map(|account| (account.as_str().into(), lead)),
                })
            })
            .await?;
        let next = rows.last().map(|it| it.identity.to_string());
        Ok(page(rows, next))
    }

    /// Returns the page of reports after the lead id `after`: each with true if its lead is missing.
    pub(crate) async fn report_rows(
        &self,
        after: &str,
    ) -> Result<Page<(LeadId, bool)>, StoreError> {
        self.bounded(async {
            let mut snapshot = self.snapshot().await?;
            let rows = sqlx::query(REPORTS)
                .bind(after)
                .bind(PAGE)
                .fetch_all(&mut *snapshot)
                .await?;
            let mut reports = Vec::with_capacity(rows.len());
            for row in &rows {
                reports.push((
                    row.try_get::<LeadId, _>("lead_id")?,
                    row.try_get("is_orphan")?,
                ));
            }
            let next = reports.last().map(|(lead_id, _)| lead_id.to_string());
            Ok(page(reports, next))
        })
        .await
    }

    /// Begins a read-only transaction, all of whose statements see one moment.
    async fn snapshot(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        Ok(pool::begin_snapshot(&self.pool).await?)
    }
}

fn page<T>(rows: Vec<T>, last: Option<String>) -> Page<T> {
    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count >= PAGE);
    Page {
        rows,
        next: last.filter(|_| is_full),
    }
}

fn lead_row(row: &PgRow) -> Result<LeadRow, StoreError> {
    let sqlx::types::Json(found) = row.try_get("found")?;
    let lead = Lead::from_bytes(row.try_get("serialized_state")?);
    Ok(LeadRow {
        lead_id: row.try_get("lead_id")?,
        account: row.try_get::<String, _>("account")?.as_str().into(),
        found,
        lead: lead.map_err(|error| error.to_string()),
        has_report: row.try_get("has_report")?,
        report_differs: row.try_get("report_differs")?,
    })
}
