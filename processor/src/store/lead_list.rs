//! Lists leads by filters, page by page.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, Utc};
use leadstream_schemas::{Account, LeadId, Revision, Timestamp};
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row};
use utoipa::ToSchema;

use super::{Store, StoreError, unsigned};
use crate::flow::MERGED;

/// The most leads of a page.
pub const MAX_LEADS: u32 = 100;

/// Which leads are listed; without any condition all but those that merged into others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeadFilter {
    /// The accounts; none for all of them.
    pub accounts: Option<Vec<Account>>,
    pub state: Option<String>,
    /// The assignee; empty for nobody.
    pub assignee: Option<String>,
    pub flow: Option<String>,
    pub min_score: Option<i32>,
    pub max_score: Option<i32>,
    /// The time since which the leads have been silent.
    pub silent_since: Option<Timestamp>,
}

/// The last lead of a page, after which the next page begins. Its text is opaque to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadCursor {
    last_interaction: Timestamp,
    lead_id: LeadId,
}

impl fmt::Display for LeadCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{} {}", self.last_interaction.millis(), self.lead_id);
        f.write_str(&BASE64.encode(text))
    }
}

impl FromStr for LeadCursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let text = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
            let (millis, lead_id) = text.split_once(' ')?;
            let last_interaction = Timestamp::from_millis(millis.parse().ok()?);
            last_interaction.datetime()?;
            (!lead_id.contains('\0')).then(|| Self {
                last_interaction,
                lead_id: lead_id.into(),
            })
        };
        read().ok_or("it is not `next` of an earlier page")
    }
}

/// A lead in a list, as of some seconds ago.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LeadSummary {
    /// The key of the lead's first message; outside the default account `<account>/<key>`.
    #[schema(value_type = String)]
    pub lead_id: LeadId,
    /// The account of the lead's number; empty for the default one.
    #[schema(value_type = String)]
    pub account: Account,
    /// WhatsApp id: the digits of the phone number.
    pub wa_id: Option<String>,
    /// Business-scoped user id.
    pub user_id: Option<String>,
    pub lid: Option<String>,
    /// The name that the lead answered, else the name of its profile.
    pub name: Option<String>,
    pub state: String,
    /// The lead's step in the flow, also while the state is `COLD`, `HUMAN_HANDOFF` or `OPTED_OUT`.
    pub step: String,
    pub score: i32,
    pub is_completed: bool,
    /// The person of the business to whom the lead is assigned.
    pub assignee: Option<String>,
    pub flow_name: String,
    pub flow_version: u32,
    /// The number of the lead's events.
    #[schema(value_type = u64)]
    pub revision: Revision,
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub last_interaction: Timestamp,
}

/// A page of leads, the one that wrote last first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct LeadPage {
    pub leads: Vec<LeadSummary>,
    /// What to give as `after` for the next page; null at the end.
    pub next: Option<String>,
}

impl LeadPage {
    /// Creates a page of at most `limit` leads from one lead more.
    fn new(mut leads: Vec<LeadSummary>, limit: usize) -> Self {
        let is_last = leads.len() <= limit;
        leads.truncate(limit);
        let last = leads.last().filter(|_| !is_last);
        let next = last.map(|last| {
            let cursor = LeadCursor {
                last_interaction: last.last_interaction,
                lead_id: last.lead_id.clone(),
            };
            cursor.to_string()
        });
        Self { leads, next }
    }
}

impl Store {
    /// Returns at most `limit` leads that `filter` selects, after the cursor. They come from the
    /// reports' table, which has the indexes, and are some seconds old.
    pub(crate) async fn leads(
        &self,
        filter: &LeadFilter,
        after: Option<&LeadCursor>,
        limit: u32,
    ) -> Result<LeadPage, StoreError> {
        let mut query = select(filter, after, limit);
        let leads: Vec<LeadSummary> = self.rows(query.build(), summary).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(LeadPage::new(leads, limit))
    }
}

/// Builds the statement with the conditions that there are, so that each uses its index.
fn select(filter: &LeadFilter, after: Option<&LeadCursor>, limit: u32) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(
        "SELECT r.lead_id, r.account, r.wa_id, l.user_id, l.lid,
             coalesce(nullif(r.lead_data->>'name', ''), l.profile_name) AS name, r.current_state,
             coalesce(r.step, r.current_state) AS step, r.qualification_score, r.is_completed,
             r.assignee, r.flow_name, r.flow_version, r.revision, r.first_interaction,
             r.last_interaction
         FROM lead_reports r JOIN leads l ON l.lead_id = r.lead_id WHERE ",
    );
    match &filter.state {
        Some(state) => query.push("r.current_state = ").push_bind(state.clone()),
        None => query.push("r.current_state <> ").push_bind(MERGED),
    };
    if let Some(accounts) = &filter.accounts {
        let accounts: Vec<String> = accounts.iter().map(ToString::to_string).collect();
        query
            .push(" AND r.account = ANY(")
            .push_bind(accounts)
            .push(")");
    }
    match filter.assignee.as_deref() {
        Some("") => {
            query.push(" AND r.assignee IS NULL");
        }
        Some(assignee) => {
            query
                .push(" AND r.assignee = ")
                .push_bind(assignee.to_owned());
        }
        None => {}
    }
    if let Some(flow) = &filter.flow {
        query.push(" AND r.flow_name = ").push_bind(flow.clone());
    }
    if let Some(score) = filter.min_score {
        query
            .push(" AND r.qualification_score >= ")
            .push_bind(score);
    }
    if let Some(score) = filter.max_score {
        query
            .push(" AND r.qualification_score <= ")
            .push_bind(score);
    }
    if let Some(since) = filter.silent_since {
        query
            .push(" AND r.last_interaction <= ")
            .push_bind(since.datetime());
    }
    if let Some(after) = after {
        query
            .push(" AND (r.last_interaction, r.lead_id) < (")
            .push_bind(after.last_interaction.datetime())
            .push(", ")
            .push_bind(after.lead_id.to_string())
            .push(")");
    }
    query
        .push(" ORDER BY r.last_interaction DESC, r.lead_id DESC LIMIT ")
        .push_bind(i64::from(limit) + 1);
    query
}

fn summary(row: &PgRow) -> Result<LeadSummary, StoreError> {
    let time = |name: &str| -> Result<Timestamp, sqlx::Error> {
        let time: DateTime<Utc> = row.try_get(name)?;
        Ok(Timestamp::from_millis(time.timestamp_millis()))
    };
    Ok(LeadSummary {
        lead_id: row.try_get("lead_id")?,
        account: row.try_get::<String, _>("account")?.as_str().into(),
        wa_id: row.try_get("wa_id")?,
        user_id: row.try_get("user_id")?,
        lid: row.try_get("lid")?,
        name: row.try_get("name")?,
        state: row.try_get("current_state")?,
        step: row.try_get("step")?,
        score: row.try_get("qualification_score")?,
        is_completed: row.try_get("is_completed")?,
        assignee: row.try_get("assignee")?,
        flow_name: row.try_get("flow_name")?,
        flow_version: unsigned(row.try_get::<i32, _>("flow_version")?.into()),
        revision: Revision::from_bigint(row.try_get("revision")?),
        first_seen: time("first_interaction")?,
        last_interaction: time("last_interaction")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_nothing_else_is() {
        for lead_id in ["4915112345678", "eu/US.1", "ключ é"] {
            let cursor = LeadCursor {
                last_interaction: Timestamp::from_millis(1_790_000_000_123),
                lead_id: lead_id.into(),
            };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        let far = BASE64.encode(format!("{} 4915", i64::MAX));
        let no_text = BASE64.encode("1 a\0b");
        let no_time = BASE64.encode("soon 4915");
        let no_lead = BASE64.encode("1790000000123");
        for text in ["", "4915", "%", &far, &no_text, &no_time, &no_lead] {
            assert!(text.parse::<LeadCursor>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_conditions_that_there_are_reach_the_statement() {
        let all = select(&LeadFilter::default(), None, 50).into_sql();
        let all = all.as_str();
        for absent in ["r.account =", "r.assignee", "silent", "(r.last_interaction"] {
            let conditions = all.split("WHERE").nth(1).unwrap_or_default();
            assert!(!conditions.contains(absent), "{absent}: {all}");
        }
        let filter = LeadFilter {
            accounts: Some(vec!["eu".into()]),
            state: Some("COLD".into()),
            assignee: Some(String::new()),
            flow: Some("qualification".into()),
            min_score: Some(10),
            max_score: Some(90),
            silent_since: Some(Timestamp::from_secs(1)),
        };
        let cursor: LeadCursor = BASE64.encode("1 4915").parse().unwrap();
        let sql = select(&filter, Some(&cursor), 50).into_sql();
        let sql = sql.as_str();
        for present in [
            "r.current_state = $1",
            "r.account = ANY($2)",
            "r.assignee IS NULL",
            "r.flow_name = $3",
            "r.qualification_score >= $4",
            "r.qualification_score <= $5",
            "r.last_interaction <= $6",
            "(r.last_interaction, r.lead_id) < ($7, $8)",
            "LIMIT $9",
        ] {
            assert!(sql.contains(present), "{present}: {sql}");
        }
    }
}
