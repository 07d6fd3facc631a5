//! Writes the rows of leads: new leads, changed leads, and columns that seldom change.

use leadstream_schemas::{LeadId, Platform, Timestamp};
use serde_json::{Value, json};

use super::{Statement, Write};
use crate::engine::batch::{BatchResult, LeadUpdate};
use crate::flow::{Conversation, FormerProgress, START};
use crate::lead::Profile;
use crate::store::column;

type Rows<'q> = [(&'q LeadId, &'q LeadUpdate)];

fn those(folded: &BatchResult, of: fn(&LeadUpdate) -> bool) -> Vec<(&LeadId, &LeadUpdate)> {
    let rows = folded.leads.iter().map(|(lead_id, it)| (lead_id, &**it));
    rows.filter(|(_, it)| of(it)).collect()
}

// The statements that insert and update leads also record whose reports are outdated, without a
// separate statement. Arrays are unnested in the select list: in FROM, PostgreSQL would first copy
// each array to a tuplestore.
const INSERT: &str = "
WITH queued AS (
    INSERT INTO report_refresh_queue (lead_ids) VALUES ($1::text[])
)
INSERT INTO leads (
    lead_id, revision, serialized_state, current_state, qualification_score, lead_data,
    last_interaction, is_completed, step, home_partition, timer_due_at, progress, wa_id, user_id,
    lid, profile_name, platform, number, flow_name, flow_version, first_interaction, assignee,
    former_progress, account)
SELECT
    unnest($1::text[]), unnest($2::bigint[]), unnest($3::bytea[]), unnest($4::text[]),
    unnest($5::int[]), unnest($6::text[])::jsonb, unnest($7::timestamptz[]), unnest($8::bool[]),
    unnest($9::text[]), unnest($10::int[]), unnest($11::timestamptz[]), unnest($12::bytea[]),
    unnest($13::text[]), unnest($14::text[]), unnest($15::text[]), unnest($16::text[]),
    unnest($17::text[]), unnest($18::text[]), unnest($19::text[]), unnest($20::int[]),
    unnest($21::timestamptz[]), unnest($22::text[]), unnest($23::text[])::jsonb,
    unnest($24::text[])";

pub(super) fn created(folded: &BatchResult) -> Option<Statement<'_>> {
    let rows = those(folded, |it| it.created);
    (!rows.is_empty()).then(|| {
        let statement = sqlx::query(INSERT).bind(ids(&rows));
        let statement = bind_profiles(bind_changing(statement, &rows), &rows);
        statement.bind(column(&rows, |(_, it)| &it.account))
    })
}

const UPDATE: &str = "
WITH queued AS (
    INSERT INTO report_refresh_queue (lead_ids) VALUES ($1::text[])
)
UPDATE leads l SET
    revision = u.revision, serialized_state = u.serialized_state, current_state = u.current_state,
    qualification_score = u.qualification_score, lead_data = u.lead_data,
    last_interaction = u.last_interaction, is_completed = u.is_completed, step = u.step,
    home_partition = u.home_partition, timer_due_at = u.timer_due_at, progress = u.progress
FROM (SELECT
    unnest($1::text[]) AS lead_id, unnest($2::bigint[]) AS revision,
    unnest($3::bytea[]) AS serialized_state, unnest($4::text[]) AS current_state, unnest($5::int[]) AS qualification_score,
    unnest($6::text[])::jsonb AS lead_data, unnest($7::timestamptz[]) AS last_interaction,
    unnest($8::bool[]) AS is_completed, unnest($9::text[]) AS step, unnest($10::int[]) AS home_partition,
    unnest($11::timestamptz[]) AS timer_due_at, unnest($12::bytea[]) AS progress,
    unnest($13::bigint[]) AS revision_before) u
WHERE l.lead_id = u.lead_id AND l.revision = u.revision_before";

/// Updates each lead only if it still has the revision that was read. So a second writer, for
/// example with another partition count, overwrites nothing.
pub(super) fn updated(folded: &BatchResult) -> Option<Write<'_>> {
    let rows = those(folded, |it| !it.created);
    (!rows.is_empty()).then(|| {
        let statement = bind_changing(sqlx::query(UPDATE).bind(ids(&rows)), &rows);
        Write {
            statement: statement.bind(column(&rows, |(_, it)| it.revision_before.to_bigint())),
            rows: Some(rows.len() as u64),
        }
    })
}

const UPDATE_PROFILES: &str = "
UPDATE leads l SET
    wa_id = u.wa_id, user_id = u.user_id, lid = u.lid, profile_name = u.profile_name,
    platform = u.platform, number = u.number, flow_name = u.flow_name,
    flow_version = u.flow_version, first_interaction = u.first_interaction, assignee = u.assignee,
    former_progress = u.former_progress
FROM (SELECT
    unnest($1::text[]) AS lead_id, unnest($2::text[]) AS wa_id, unnest($3::text[]) AS user_id,
    unnest($4::text[]) AS lid, unnest($5::text[]) AS profile_name, unnest($6::text[]) AS platform,
    unnest($7::text[]) AS number, unnest($8::text[]) AS flow_name,
    unnest($9::int[]) AS flow_version, unnest($10::timestamptz[]) AS first_interaction,
    unnest($11::text[]) AS assignee, unnest($12::text[])::jsonb AS former_progress) u
WHERE l.lead_id = u.lead_id";

/// Updates the columns that seldom change.
pub(super) fn profiles(folded: &BatchResult) -> Option<Statement<'_>> {
    let rows = those(folded, |it| !it.created && it.has_another_profile);
    (!rows.is_empty()).then(|| bind_profiles(sqlx::query(UPDATE_PROFILES).bind(ids(&rows)), &rows))
}

fn ids<'q>(rows: &Rows<'q>) -> Vec<&'q LeadId> {
    column(rows, |(lead_id, _)| *lead_id)
}

fn bind_changing<'q>(statement: Statement<'q>, rows: &Rows<'q>) -> Statement<'q> {
    let conversations = conversations(rows);
    statement
        .bind(column(rows, |(_, changed)| {
            changed.lead.revision.to_bigint()
        }))
        .bind(column(rows, |(_, changed)| {
            changed.serialized_state.as_slice()
        }))
        .bind(column(rows, |(_, it)| it.lead.state().unwrap_or(START)))
        .bind(column(&conversations, |it| it.map_or(0, |it| it.score)))
        .bind(column(&conversations, |it| {
            it.map_or_else(
                || "{}".to_owned(),
                |it| serde_json::to_string(&it.data).unwrap_or_else(|_| "{}".to_owned()),
            )
        }))
        .bind(column(rows, |(_, changed)| {
            let last = changed.lead.journal.last_interaction();
            last.unwrap_or(changed.lead.first_seen).datetime()
        }))
        .bind(column(&conversations, |it| {
            it.is_some_and(|it| it.is_completed)
        }))
        .bind(column(&conversations, |it| it.map(Conversation::open_step)))
        .bind(column(rows, |(_, changed)| changed.partition))
        .bind(column(rows, |(_, changed)| {
            changed.lead.timer_due_at.and_then(Timestamp::datetime)
        }))
        .bind(column(&conversations, |it| {
            it.map_or(&[][..], |it| it.internal.progress.steps())
        }))
}

fn bind_profiles<'q>(statement: Statement<'q>, rows: &Rows<'q>) -> Statement<'q> {
    let profiles: Vec<Profile<'q>> = column(rows, |(_, changed)| changed.lead.profile());
    statement
        .bind(column(&profiles, |it| it.wa_id))
        .bind(column(&profiles, |it| it.user_id))
        .bind(column(&profiles, |it| it.lid))
        .bind(column(&profiles, |it| it.name))
        .bind(column(&profiles, |it| platform(it.platform)))
        .bind(column(&profiles, |it| it.number))
        .bind(column(&profiles, |it| it.flow_name))
        .bind(column(&profiles, |it| {
            i32::try_from(it.flow_version).unwrap_or(i32::MAX)
        }))
        .bind(column(&profiles, |it| it.first_seen.datetime()))
        .bind(column(&profiles, |it| it.assignee))
        .bind(column(&profiles, |it| former_progress(it.former_progress)))
}

fn conversations<'q>(rows: &Rows<'q>) -> Vec<Option<&'q Conversation>> {
    column(rows, |(_, it)| it.lead.journal.conversation())
}

/// Returns the former progress as JSON, or none without any.
pub(in crate::store) fn former_progress(former: &[FormerProgress]) -> Option<String> {
    let versions = former.iter().map(|it| {
        let progress: String = it.steps.iter().map(|byte| format!("{byte:02x}")).collect();
        json!({
            "flow_name": it.flow.name,
            "flow_version": it.flow.version,
            "progress": progress,
        })
    });
    (!former.is_empty()).then(|| Value::from_iter(versions).to_string())
}

pub(in crate::store) const fn platform(platform: Platform) -> &'static str {
    match platform {
        Platform::WhatsappCloud => "whatsapp_cloud",
        Platform::Wasender => "wasender",
    }
}
